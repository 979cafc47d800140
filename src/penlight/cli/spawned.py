"""What a process spawned by a program under `penlight run` imports as its main module.

multiprocessing imports the program anew in a spawned process; there too `import torch` must find
penlight.
"""

import os

from penlight import compat

PROGRAM = "PENLIGHT_RUN_PROGRAM"  # the environment variable that names the program's file

if __name__ == "__mp_main__":
    compat.install()
    __file__ = os.environ[PROGRAM]
    with open(__file__, "rb") as program:
        code = compile(program.read(), __file__, "exec")
    exec(code)
