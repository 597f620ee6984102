"""`transcribe` and `python -m transcribe_cli`: the edge where errors become one line and an exit code."""

import _thread
import contextlib
import errno
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)  # what a system says that takes no more bytes
PATIENCE_SECONDS = 1.0  # for threads that tidy up after the work was stopped
LAST_SECONDS = 3.0  # from a signal to the end, whatever became of it

_told: list[int] = []  # the first signal that asked for the end


class Stopped(BaseException):
    """Ctrl-C or SIGTERM, on its way to the edge: temporary files go and worker processes end as it passes.

    No KeyboardInterrupt, which libraries between here and there turn into other things.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main() -> NoReturn:
    """Runs the command line and exits: 0 all done (or a closed pipe), 1 some failed, 2 not started, 130 Ctrl-C.

    143 where the system asked it to end (SIGTERM).
    """
    # NumPy's matrix library spins in threads of its own between our small products, on cores that the network needs;
    # set before NumPy is first loaded, and only where the user has not said otherwise
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    _open_closed()
    try:
        code = _run()
    except BaseException:  # Stopped, or what foreign code on its way made of it
        if not _told:
            raise
        code = 0
    if _told:
        _leave(128 + _told[0])
    sys.exit(code)


def _run() -> int:
    """The command line's exit code; what its streams say is dealt with."""
    code = 0
    try:
        from .cli import run

        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up_stdout()  # the reader (`head -1`) has had enough
        _leave(code)
    except OSError as error:
        # files say their names; what says none is standard output, on a full disk
        if error.filename is not None or error.errno not in FULL:
            raise
        _give_up_stdout()
        print(f"transcribe: standard output: cannot be written ({error.strerror})", file=sys.stderr)
        _leave(1)
    return code


def _open_closed() -> None:
    """Whoever starts this may have closed its streams (a daemon, a shell's `>&-`): then they lead nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 -- open to the end


def _give_up_stdout() -> None:
    """It must not complain again when the interpreter closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop(number: int, frame: object) -> NoReturn:
    """Once noted, a signal counts, even where its exception is lost: in a finaliser, or in a library being loaded."""
    if not _told:
        _told.append(number)
        sys.unraisablehook = lambda _: None  # that one was lost is no news to the user
        # without the locks of `threading`, which whatever was interrupted here may hold
        _thread.start_new_thread(_end_at_last, (128 + number,))
    raise Stopped(number)


def _end_at_last(code: int) -> None:
    time.sleep(LAST_SECONDS)
    os._exit(code)


def _leave(code: int) -> NoReturn:
    """Ends soon, even with threads still at work: one may wait for a pipe that never says anything again."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end = time.monotonic() + PATIENCE_SECONDS
    others = [one for one in threading.enumerate() if one is not threading.current_thread() and not one.daemon]
    for thread in others:
        thread.join(max(0.0, end - time.monotonic()))
    if not any(thread.is_alive() for thread in others):
        sys.exit(code)  # the usual end, which also gives back what processes share
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
