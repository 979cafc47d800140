"""`python -m penlight.cli`: the command."""

from . import main

if __name__ == "__main__":
    main()
