"""Workers of a cluster that do not start, or die: played by a Ray of the test's own, for whoever has none installed."""

import logging
from functools import partial
from types import SimpleNamespace

import pytest
from toy_model import speak

from transcribe_cli import cluster
from transcribe_cli.cli import run


class RayError(Exception):
    """What Ray says of a worker that is not there."""


class Actor:
    """A worker in this process; `fails` says of each of its calls, by name, whether the process behind it is gone."""

    def __init__(self, worker, fails):
        self._worker, self.fails = worker, fails
        for name in ("ready", "transcribe"):
            setattr(self, name, SimpleNamespace(remote=partial(partial, self.call, name)))

    def call(self, name, *arguments):
        if self.fails(name):
            raise RayError("The actor died unexpectedly.\n\tclass_name: Worker")
        return getattr(self._worker, name)(*arguments)


@pytest.fixture
def ray(monkeypatch):
    """`ray.fails`: one answer a worker to which of its calls fail."""
    played = SimpleNamespace(fails=[], exceptions=SimpleNamespace(RayError=RayError))
    played.is_initialized = lambda: False
    played.init = played.shutdown = lambda **_: None
    played.cluster_resources = lambda: {"CPU": len(played.fails)}
    played.get = lambda reference: reference()
    played.wait = lambda references, num_returns, timeout: (references[:1], references[1:])

    def remote(**_):
        rest = iter(played.fails)
        return lambda kind: SimpleNamespace(remote=lambda *arguments: Actor(kind(*arguments), next(rest)))

    played.remote = remote
    monkeypatch.setattr(cluster, "_ray", lambda: played)
    monkeypatch.setattr(cluster, "PAUSE_SECONDS", 1e-5)
    monkeypatch.setattr(logging.getLogger("transcribe_cli"), "handlers", [])
    return played


@pytest.fixture
def home(home):
    for k in range(4):
        speak(home / "in" / f"{k}.wav", "cab")
    return home


def test_a_cluster_whose_workers_never_start_is_one_line(home, capsys, ray):
    ray.fails = [lambda name: True] * 2
    assert run(["in", "--output-dir", "out", "--engine", "ray", "--quiet"]) == 2
    assert capsys.readouterr().err == (
        "transcribe: no worker of Ray's starts (The actor died unexpectedly.): see `ray status`, "
        "or use --engine local\n"
    )


def test_a_worker_that_never_starts_is_done_without(home, capsys, ray):
    ray.fails = [lambda name: True, lambda name: False]
    assert run(["in", "--output-dir", "out", "--engine", "ray"]) == 0
    assert {path.read_text() for path in home.glob("out/*.txt")} == {"cab\n"}


def test_what_a_dead_worker_held_is_given_to_one_that_had_nothing_left_to_do(home, ray):
    dead = []

    def dies_over_its_first(name):
        dead.extend([name] if name == "transcribe" else [])
        return bool(dead)

    ray.fails = [lambda name: False, dies_over_its_first]

    def held(reference):
        return reference.func.__self__.fails is dies_over_its_first and reference.args[0] == "transcribe"

    def dead_one_last(references, num_returns, timeout):
        return sorted(references, key=held)[:1], []

    ray.wait = dead_one_last
    assert run(["in", "--output-dir", "out", "--engine", "ray"]) == 0
    assert dead == ["transcribe"]
    assert len(list(home.glob("out/*.txt"))) == 4


def test_a_worker_that_starts_again_goes_on(home, ray):
    answers = iter([True] * (cluster.MOST_STARTS - 1) + [False] * 2 + [True] * 3)
    ray.fails = [lambda name: next(answers, False)]
    assert run(["in", "--output-dir", "out", "--engine", "ray"]) == 0
    assert len(list(home.glob("out/*.txt"))) == 4
