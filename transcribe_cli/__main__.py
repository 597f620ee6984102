"""`transcribe` and `python -m transcribe_cli`: the edge where errors become one line and an exit code."""

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Runs the command line and exits: 0 all done (or a closed pipe), 1 some failed, 2 not started, 130 Ctrl-C."""
    # NumPy's matrix library spins in threads of its own between our small products, on cores that the network needs;
    # set before NumPy is first loaded, and only where the user has not said otherwise
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from .cli import run

    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader (`head -1`) has had enough; stdout must not complain again when the interpreter closes it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
