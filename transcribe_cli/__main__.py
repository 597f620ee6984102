"""`transcribe` and `python -m transcribe_cli`: the edge where errors become one line and an exit code."""

import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Runs the command line and exits: 0 all done, 1 some failed, 2 not started, 130 Ctrl-C; 0 on a closed pipe."""
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
