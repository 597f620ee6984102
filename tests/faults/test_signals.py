"""Being told to end, or killed, at any moment: what is on the disk is whole, and the same command finishes the rest."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
import toy_model
from toy_model import speak

from transcribe_cli import journal
from transcribe_cli.cli import run

COMMAND = [sys.executable, "-m", "transcribe_cli"]
BATCH = ["in", "--output-dir", "out", "--format", "txt,json", "--no-timing", "--threads", "2"]


def results(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(journal.NAME)
    }


@pytest.fixture
def start():
    """Starts the command; what is left of it when the test is over is ended."""
    processes = []

    def begin(*arguments, stdin=None):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": stdin}
        processes.append(subprocess.Popen([*COMMAND, *arguments], text=True, **pipes))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def cpu_seconds(pid):
    """Processor time of a process so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(condition, process):
    end = time.monotonic() + 120
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    assert condition(), process.communicate()


@pytest.fixture
def long(home):
    """A recording that takes a while, beside short ones."""
    speech = toy_model.sound("bad cab...head...fed bee.....")
    soundfile.write(home / "long.wav", np.tile(speech, 200), 16000, subtype="PCM_16")
    return home


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("arguments", [[], ["--output-dir", "out"], ["--output-dir", "out", "--jobs", "1"]])
def test_a_signal_ends_it_cleanly_and_soon(long, start, number, code, arguments):
    process = start("long.wav", *arguments)
    if arguments:
        name = long / "out" / (journal.NAME + ".jsonl")
        wait_for(lambda: name.exists() and '"begun"' in name.read_text(), process)
        time.sleep(0.1)
    else:
        assert process.stdout.readline() == "bad cab\n"
    begun, used = time.monotonic(), cpu_seconds(process.pid)
    process.send_signal(number)
    process.stdout.read()
    err = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == code
    assert err == ""
    assert usage.ru_utime + usage.ru_stime - used < 2
    if os.getloadavg()[0] < os.cpu_count():  # a busy machine is not a defect
        assert time.monotonic() - begun < 2
    assert not list(long.rglob("*.part"))


def test_a_pipe_that_says_nothing_more_does_not_keep_it(home, start):
    process = start("-", "--raw", "s16le:16000:1", stdin=subprocess.PIPE)
    sound = (toy_model.sound("bad cab...head....") * 32767).astype("<i2").tobytes()
    process.stdin.buffer.write(sound * 4)
    process.stdin.flush()
    assert process.stdout.readline() == "bad cab\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 143


def test_a_reader_that_has_had_enough_ends_it_quietly(long, start):
    process = start("long.wav")
    assert process.stdout.readline() == "bad cab\n"
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert process.stderr.read() == ""


def test_kill_at_any_moment_then_again_gives_the_same_bytes(home, start):
    for k in range(40):
        speak(home / "in" / f"{k}.wav", "bad cab...head" if k % 3 else "fed")
    (home / "in" / "broken.wav").write_text("no sound")
    assert run([*BATCH[:2], "undisturbed", *BATCH[3:]]) == 1
    wanted = results(home / "undisturbed")
    generator = random.Random(4)
    kills = 0
    for _ in range(3):
        process = start(*BATCH)
        many = generator.randrange(1, 15)
        before = len(list(home.glob("out/[!.]*")))
        while process.poll() is None:
            if len(list(home.glob("out/[!.]*"))) >= before + many:
                process.kill()
            time.sleep(0.001)
        kills += process.returncode == -signal.SIGKILL
        process.communicate()
    assert kills >= 1
    process = start(*BATCH)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert results(home / "out") == wanted


def test_a_decoding_process_that_is_killed_costs_no_words(long, start):
    psutil = pytest.importorskip("psutil")
    soundfile.write(long / "in.wav", np.tile(toy_model.sound("bad cab...head....."), 100), 16000)
    process = start("in.wav", "--jobs", "2")
    first = process.stdout.readline()
    workers = [p for p in psutil.Process(process.pid).children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]
    assert workers  # the second one is started when there is work for it
    workers[0].kill()
    # `communicate` would not see what `readline` has read ahead
    out, err = process.stdout.read(), process.stderr.read()
    assert process.wait(timeout=300) == 0
    assert first + out == "bad cab\nhead\n" * 100
    assert err == "transcribe: a decoding process died; another one takes its place\n"


def test_decoding_processes_end_with_their_parent(long, start):
    psutil = pytest.importorskip("psutil")
    process = start("long.wav", "--jobs", "2")
    process.stdout.readline()
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert not alive
