"""A system sent over the course: its worker process, what it said, what it cost. Results are kept as they come in."""

import json
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .course import Course, Utterance
from .environments import Ready
from .systems import System

WORKER = Path(__file__).with_name("worker.py")
PATIENCE = 1800.0  # seconds for one answer


class Failed(Exception):
    """A worker that did not answer."""


class Worker:
    """A fresh process of a system, on the given cores. begun: when it was started."""

    def __init__(self, system: System, ready: Ready, cores: Iterable[int], log: Path) -> None:
        cores = sorted(cores)
        options = {**system.options, "threads": len(cores)}
        options.setdefault("folder", ready.folder)
        # as the `transcribe` command does; for others the number of threads is theirs to choose within the cores
        own = {"OPENBLAS_NUM_THREADS": "1"} if system.ours else {"OMP_NUM_THREADS": str(len(cores))}
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("TRANSCRIBE_", "PYTHON", "OMP_"))
        }
        self._log = log.open("ab")
        self.begun = time.perf_counter()
        self._process = subprocess.Popen(
            [str(ready.python), "-I", str(WORKER), system.engine, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=kept | own | {"HF_HUB_OFFLINE": "1"},
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
            cwd=log.parent,
        )
        self.loading = self._answer()

    def ask(self, one: Utterance) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"wav": one.wav}) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise Failed(f"it ended before {one.id}; see {self._log.name}") from error
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        timer = threading.Timer(PATIENCE, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            self.close()
            raise Failed(f"it ended without an answer; see {self._log.name}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def run(system: System, ready: Ready, course: Course, cores: list[int], cold_runs: int, target: Path) -> dict[str, Any]:
    """Everything about one system; written to `target` when all of it is there. Raises Failed."""
    log = target.with_suffix(".log")
    log.unlink(missing_ok=True)
    result: dict[str, Any] = {
        "system": asdict(system) | {"options": {k: v for k, v in system.options.items() if k != "model"}},
        "packages": ready.packages,
        "install_mb": ready.install_mb,
        "model_mb": ready.model_mb,
        "cores": len(cores),
        "load_before": os.getloadavg()[0],
        "yardstick_seconds": yardstick(),
        "begun": time.time(),
    }
    cold = []
    for _ in range(cold_runs + 1):
        worker = Worker(system, ready, cores, log)
        worker.ask(course.clip)
        cold.append(time.perf_counter() - worker.begun)
        worker.close()
    result["cold_seconds"] = statistics.median(cold[1:])  # the first one only brings the files into memory
    worker = Worker(system, ready, cores, log)
    try:
        result["loading"] = worker.loading
        worker.ask(course.clip)  # warm
        result["utterances"] = {}
        for k, one in enumerate(course.utterances, 1):
            result["utterances"][one.id] = worker.ask(one)
            if k % 25 == 0 or k == len(course.utterances):
                print(f"   {k} of {len(course.utterances)} utterances", flush=True)
        for one in (course.long, *course.wordless):
            print(f"   {one.id}: {one.seconds / 60:.1f} min", flush=True)
            result[one.id] = worker.ask(one)
    finally:
        worker.close()
    result["seconds"] = time.time() - result["begun"]
    temporary = target.with_suffix(".part")
    temporary.write_text(json.dumps(result, indent=1))
    temporary.rename(target)
    return result


def yardstick() -> float:
    """Processor seconds of a fixed piece of work: it tells whether the machine was as quick for one as for another."""

    def once() -> float:
        begun = time.process_time()
        total = 0
        for k in range(1_000_000):
            total += k * k & 255
        return time.process_time() - begun

    return min(once() for _ in range(5))
