"""Terminals, pipes, closed and full streams: where words go, and that none are lost on the way."""

import os
import subprocess
import sys
import threading

import pytest
from toy_model import speak

from transcribe_cli.cli import run
from transcribe_cli.errors import OutputError

COMMAND = [sys.executable, "-m", "transcribe_cli"]


def on_terminal(arguments, **streams):
    """A process whose standard error is a terminal; (exit code, what the terminal got)."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "20"}
    process = subprocess.Popen([*COMMAND, *arguments], stderr=theirs, env=environment, **streams)
    os.close(theirs)
    said = b""
    try:
        while block := os.read(ours, 4096):
            said += block
    except OSError:  # how Linux says that the other end is gone
        pass
    os.close(ours)
    return process.wait(60), said.decode()


def test_a_bar_on_the_terminal_leaves_standard_output_alone(home):
    speak(home / "a.wav", "cab bad fed head cab bad fed head")
    with open("out.txt", "wb") as out:
        code, said = on_terminal(["a.wav"], stdout=out)
    assert (code, (home / "out.txt").read_text()) == (0, "cab bad fed head cab bad fed head\n")
    assert "cab" not in said
    with open("out.txt", "wb") as out:
        assert on_terminal(["a.wav", "--quiet"], stdout=out) == (0, "")


def test_a_pipe_is_opened_once_even_where_a_bar_is_drawn(home):
    speak(home / "a.wav", "cab")
    with open("a.wav", "rb") as sound, open("out.txt", "wb") as out:
        code, said = on_terminal(["-"], stdin=sound, stdout=out)
    assert (code, (home / "out.txt").read_text()) == (0, "cab\n"), said
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: (home / "pipe").write_bytes((home / "a.wav").read_bytes()), daemon=True)
    writer.start()
    with open("out.txt", "wb") as out:
        code, said = on_terminal(["pipe"], stdout=out)
    assert (code, (home / "out.txt").read_text()) == (0, "cab\n"), said


def test_a_pipe_cannot_be_split_into_channels(home, capsys):
    os.mkfifo("pipe")
    assert run(["pipe", "--channel", "split"]) == 1
    assert "a file that can be read twice" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("command", [["a.wav"], ["inspect", "a.wav"], ["models"]])
def test_a_full_standard_output_is_one_line(home, command):
    speak(home / "a.wav", "cab")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, *command], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "transcribe: standard output: cannot be written (No space left on device)\n"


def test_closed_streams_are_no_error(home):
    speak(home / "a.wav", "cab")
    for closed, out in ((">&-", ""), ("2>&-", "cab\n"), ("<&-", "cab\n")):
        script = f"{sys.executable} -m transcribe_cli a.wav {closed}"
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, out, "")


@pytest.mark.parametrize(
    ("target", "more", "said"),
    [
        ("a.wav/x.txt", [], "a.wav/x.txt: cannot be written (Not a directory)"),
        ("folder", ["--overwrite"], "folder is a folder"),
        ("a.wav", ["--overwrite"], "a.wav is read and would be overwritten"),
        ("/proc/nowhere/x.txt", [], "/proc/nowhere/x.txt: cannot be written"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_any_work(home, capsys, monkeypatch, target, more, said):
    speak(home / "a.wav", "cab")
    (home / "folder").mkdir()
    (home / "m.jsonl").write_text('{"audio": "a.wav"}\n')
    monkeypatch.setattr("transcribe_cli.cli.transcribe.Recogniser", None)
    monkeypatch.setattr("transcribe_cli.cli.manifests.Recogniser", None)
    before = (home / "a.wav").read_bytes()
    assert run(["a.wav", "-o", target, *more]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    if target != "a.wav":
        assert run(["m.jsonl", "-o", target, "--format", "txt", *more]) == 2
        assert said in capsys.readouterr().err
    assert (home / "a.wav").read_bytes() == before


@pytest.mark.parametrize("command", [["a.wav"], ["m.jsonl", "--format", "txt"]])
def test_what_a_full_disk_does_not_take_goes_to_standard_output(home, capsys, monkeypatch, command):
    speak(home / "a.wav", "cab")
    (home / "m.jsonl").write_text('{"audio": "a.wav"}\n')

    def full(path, content):
        raise OutputError(f"{path}: cannot be written (No space left on device)")

    monkeypatch.setattr("transcribe_cli.cli.report.write_atomically", full)
    assert run([*command, "-o", "out.txt"]) == 1
    out, err = capsys.readouterr()
    assert out == "cab\n"
    assert err.startswith("transcribe: out.txt: cannot be written (No space left on device); what was transcribed")


def test_a_device_needs_no_leave_to_be_written(home, capsys):
    speak(home / "a.wav", "cab")
    assert run(["a.wav", "-o", os.devnull, "--format", "txt"]) == 0
    assert capsys.readouterr().err == ""
