"""The `penlight` command: train, predict, info, run."""

from __future__ import annotations

import sys


def main() -> None:
    """The command's entry: one clear line and exit code 2 for bad input, no traceback."""
    import click

    from .commands import penlight

    try:
        code = penlight.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help())
        code = 2
    except click.ClickException as error:
        click.echo(f"penlight: {error.format_message()}", err=True)
        code = 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("penlight: interrupted", err=True)
        code = 130
    except BrokenPipeError:  # the reader of our output has left, as `| head` does
        sys.stderr.close()
        code = 141
    except OSError as error:  # a folder that may not be written, a full disk
        click.echo(f"penlight: {error}", err=True)
        code = 2
    sys.exit(code if isinstance(code, int) else 0)
