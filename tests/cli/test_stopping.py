"""A signal ends the process with its code, whatever foreign code makes of the exception that it travels as."""

import signal
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys, time
import transcribe_cli.cli
from transcribe_cli import __main__ as edge

class Finalised:
    def __del__(self):
        os.kill(os.getpid(), {number})
        time.sleep(1e-3)

def run():
    try:
        os.kill(os.getpid(), {number})
        time.sleep(60)
    except BaseException as error:
        {reaction}

transcribe_cli.cli.run = run
edge.LAST_SECONDS = 0.5
edge.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize(
    "reaction",
    [
        "raise ImportError('the library cannot be loaded') from error",
        "raise SystemExit(1) from None",
        "raise OSError(28, 'No space left on device')",
        "return 2",
        "time.sleep(60)",
    ],
)
def test_a_signal_whose_exception_is_turned_into_something_else_still_counts(number, code, reaction):
    script = SCRIPT.format(number=int(number), reaction=reaction)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_a_signal_that_is_lost_in_a_finaliser_still_ends_it():
    script = SCRIPT.format(number=int(signal.SIGTERM), reaction="pass")
    script = script.replace("    try:\n        os.kill(os.getpid(), 15)\n", "    try:\n        Finalised()\n")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (143, "")
