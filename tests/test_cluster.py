"""A batch handed to a local Ray: the same bytes as without, and a killed worker costs nothing but time."""

import os
import signal
import threading
import time

import pytest
from toy_model import speak

from transcribe_cli import journal
from transcribe_cli.cli import run

ray = pytest.importorskip("ray")
pytestmark = [
    pytest.mark.filterwarnings("default"),  # Ray's own
    pytest.mark.slow,
]

TEXTS = ["cab", "bad cab...head", "fed", "bee", "a cage", "egg"]


def results(folder):
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(journal.NAME)
    }


@pytest.fixture(scope="module", autouse=True)
def _cluster():
    """One Ray of this machine's own for all tests here, since it takes ten seconds to start."""
    from transcribe_cli import cluster
    from transcribe_cli.errors import DeviceError

    if os.environ.get("RAY_ADDRESS"):
        pytest.skip("a cluster of someone else's is set up: its workers may be elsewhere")
    try:
        assert cluster.start()
    except DeviceError as error:
        pytest.skip(f"{error}: Ray gives up after 30 seconds, and a busy machine may need more")
    yield
    ray.shutdown()


@pytest.fixture
def home(home):
    for k, text in enumerate(TEXTS):
        speak(home / "in" / f"{k}.wav", text)
    (home / "in" / "broken.wav").write_text("no sound")
    return home


def test_results_have_the_same_bytes_as_a_local_run(home, capsys):
    formats = ["--format", "txt,json,srt", "--no-timing"]
    assert run(["in", "--output-dir", "local", *formats]) == 1
    assert run(["in", "--output-dir", "spread", *formats, "--engine", "ray", "--jobs", "2", "-v"]) == 1
    err = capsys.readouterr().err
    assert "Ray, 2 workers" in err
    assert err.count("broken.wav") == 4
    assert results(home / "spread") == results(home / "local")
    assert len(results(home / "local")) == 3 * len(TEXTS)
    # several texts on standard output come in the inputs' order
    assert run(["in", "--engine", "ray", "--jobs", "2", "--exclude", "broken*", "-h"]) == 0
    assert capsys.readouterr().out.split("\n")[:-1] == [line for text in TEXTS for line in text.split("...")]


def test_a_killed_worker_costs_only_time(home, monkeypatch, capsys):
    import psutil

    for k in range(60):
        speak(home / "in" / f"n{k}.wav", "bad cab...head" * 5)
    assert run(["in", "--output-dir", "local"]) == 1
    killed = []

    def kill():
        me = psutil.Process()
        end = time.monotonic() + 60
        while time.monotonic() < end and len(killed) < 2:
            for process in me.children(recursive=True):
                try:
                    busy = process.cmdline()[0].startswith("ray::Worker")
                except (psutil.Error, IndexError):
                    continue
                if busy and len(list((home / "spread").glob("n*.txt"))) > 5 * (1 + len(killed)):
                    os.kill(process.pid, signal.SIGKILL)
                    killed.append(process.pid)
                    break
            time.sleep(0.02)

    thread = threading.Thread(target=kill)
    thread.start()
    assert run(["in", "--output-dir", "spread", "--engine", "ray", "--jobs", "2"]) == 1
    thread.join()
    assert killed
    assert results(home / "spread") == results(home / "local")
    assert "the worker that held it died" in capsys.readouterr().err


def test_what_cannot_start_is_one_line(home, capsys):
    assert run(["in", "--output-dir", "out", "--engine", "ray", "--model", "nothing"]) == 2
    assert "no model named 'nothing'" in capsys.readouterr().err
    (home / "broken.arpa").write_text("no model")
    assert run(["in", "--output-dir", "out", "--engine", "ray", "--lm", "broken.arpa"]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "broken.arpa" in err
