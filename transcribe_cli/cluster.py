"""The files of a batch, done by the workers of a Ray cluster; with no cluster, by a Ray of this machine's own.

Every worker is a process that loads the model once and holds one recording at a time. Recordings are read where the
worker runs, so their folder must be mounted there under the same name; transcripts come back to the caller, who
alone writes results and journal. A worker that dies is started again by Ray, and what it held is given to another
one; one that does not start is done without.
"""

import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from . import errors
from .audio.source import shown
from .batch import Outcome, attempt
from .bundle.store import find
from .errors import DeviceError, InputError, MissingExtra, OptionError, TranscribeError
from .journal import fingerprints
from .pipeline import Heard, Options, Recogniser
from .transcript import Segment, Transcript

MOST_TRIES = 3  # of a recording whose workers die: then it is what kills them
MOST_STARTS = (
    10  # of a worker that does not answer; each is waited for twice as long as the one before, a minute in all
)
PAUSE_SECONDS = 0.05

log = logging.getLogger("transcribe_cli.cluster")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker sends back: a transcript, or an error by its class and text; and the warnings on the way."""

    transcript: Transcript | None
    error: tuple[str, str] | None
    seconds: float
    warnings: tuple[str, ...]


class Worker:
    """What runs in a process of the cluster. Errors go back as values: not every exception survives the journey."""

    def __init__(self, options: Options, model: str) -> None:
        self._warnings = _Warnings()
        self.error: tuple[str, str] | None = None
        try:
            if fingerprint(options) != model:
                raise errors.ModelError(
                    f"{options.model.model}: a worker on {os.uname().nodename} finds another model than this machine; "
                    "install the same on all of them"
                )
            self._recogniser = Recogniser(options)
        except TranscribeError as error:
            self.error = _packed(error)

    def ready(self) -> tuple[str, str] | None:
        """Why this worker cannot work, if it cannot."""
        return self.error

    def transcribe(self, path: str) -> Answer:
        """One recording."""
        outcome = attempt(Path(path), self._recogniser.transcribe)
        warnings = self._warnings.taken()
        error = None if outcome.error is None else _packed(outcome.error)
        return Answer(outcome.transcript, error, outcome.seconds, warnings)


class Cluster(contextlib.AbstractContextManager["Cluster"]):
    """An `Engine` over Ray. Where $RAY_ADDRESS says there is a cluster, that one; else one on this machine.

    workers: how many; 0: as many as the cluster's cores (or GPUs) allow.

    Raises MissingExtra, DeviceError where no cluster answers, and what loading the model raises.
    """

    def __init__(self, options: Options, workers: int, n_recordings: int) -> None:
        self._ray = ray = _ray()
        model = fingerprint(options)  # a model that is not there is said before a cluster is troubled
        self._ours = start()
        threads = options.runtime.threads or 1
        needs = {"num_gpus": 1} if options.runtime.device == "cuda" else {"num_cpus": threads}
        there = ray.cluster_resources()
        room = int(there.get("GPU" if "num_gpus" in needs else "CPU", 0) // next(iter(needs.values())))
        if not room:
            self.__exit__(None, None, None)
            raise DeviceError("the Ray cluster has no room for one worker: give less --threads, or --device cpu")
        n_workers = max(1, min(workers or room, room, n_recordings))
        self.description = f"model {options.model.model}, Ray, {n_workers} workers with {threads} threads"
        settings = replace(options, runtime=replace(options.runtime, threads=threads))
        actor = ray.remote(max_restarts=-1, max_task_retries=0, **needs)(Worker)
        self._workers = [actor.remote(_absolute(settings), model) for _ in range(n_workers)]

    def outcomes(
        self, paths: Sequence[Path], begun: Callable[[int], None], heard: Heard, in_order: bool
    ) -> Iterator[Outcome[int]]:
        """See `Engine`."""
        if any(str(path) == "-" for path in paths):
            raise OptionError("standard input cannot be handed to a cluster: save it to a file first")
        found = self._as_they_come(paths, begun, heard)
        if not in_order:
            yield from found
            return
        early: dict[int, Outcome[int]] = {}
        due = 0
        for outcome in found:
            early[outcome.item] = outcome
            while due in early:
                yield early.pop(due)
                due += 1

    def segments(self, path: Path, heard: Heard) -> Iterator[Segment] | None:
        """See `Engine`."""
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ours:
            self._ray.shutdown()

    def _as_they_come(
        self, paths: Sequence[Path], begun: Callable[[int], None], heard: Heard
    ) -> Iterator[Outcome[int]]:
        ray = self._ray
        waiting = deque(range(len(paths)))
        tries = [0] * len(paths)
        # reference → (number of the worker, number of the recording; −1: whether the worker is ready)
        under_way: dict[Any, tuple[int, int]] = {
            worker.ready.remote(): (w, -1) for w, worker in enumerate(self._workers)
        }
        idle: list[int] = []
        failures = [0] * len(self._workers)  # of a worker to start, one after the other
        due: dict[int, float] = {}  # workers that Ray is starting again → when to ask them
        n_left, reason = len(paths), ""
        while n_left:
            for w in [w for w, when in due.items() if when <= time.monotonic()]:
                del due[w]
                under_way[self._workers[w].ready.remote()] = (w, -1)
            while waiting and idle:
                w, i = idle.pop(), waiting.popleft()
                tries[i] += 1
                begun(i)
                under_way[self._workers[w].transcribe.remote(os.path.abspath(paths[i]))] = (w, i)
            if not under_way and not due:
                raise DeviceError(f"no worker of Ray's starts ({reason}): see `ray status`, or use --engine local")
            pause = max(0.0, min(due.values()) - time.monotonic()) if due else None
            if not under_way:
                time.sleep(pause or 0.0)
                continue
            done, _ = ray.wait(list(under_way), num_returns=1, timeout=pause)
            for reference in done:
                w, i = under_way.pop(reference)
                try:
                    answer = ray.get(reference)
                except ray.exceptions.RayError as error:
                    reason = _first_line(error)
                    failures[w] = failures[w] + 1 if i < 0 else 0
                    if failures[w] < MOST_STARTS:
                        due[w] = time.monotonic() + PAUSE_SECONDS * 2 ** failures[w]
                    else:
                        log.warning("a worker does not start and is done without (%s)", reason)
                    if i >= 0 and tries[i] < MOST_TRIES:
                        waiting.appendleft(i)
                        log.warning("%s: the worker that held it died; it is given to another one", paths[i])
                    elif i >= 0:
                        n_left -= 1
                        yield Outcome(i, error=InputError(f"{paths[i]}: {tries[i]} workers died over it ({reason})"))
                    continue
                failures[w] = 0
                if i < 0 and answer is not None:
                    raise _unpacked(*answer)
                idle.append(w)
                if i >= 0:
                    n_left -= 1
                    yield _outcome(i, paths[i], answer, heard)


def start() -> bool:
    """Connects with the cluster of $RAY_ADDRESS, or starts one here; False where the caller's program did so before.

    Raises MissingExtra, and DeviceError where no cluster answers.
    """
    ray = _ray()
    if ray.is_initialized():
        return False
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        if os.environ.get("RAY_ADDRESS"):
            ray.init(**quiet)
        else:
            ray.init(address="local", include_dashboard=False, **quiet)
    except Exception as error:  # a node that starts too slowly is a bare Exception of Ray's
        ray.shutdown()
        raise DeviceError(
            f"no Ray cluster answers ({_first_line(error)}): see `ray status`, or use --engine local"
        ) from error
    return True


def fingerprint(options: Options) -> str:
    """What tells one model with its settings from another, wherever its files lie."""
    return fingerprints(find(options.model.model), options, ["txt"], {})["txt"]


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves this machine unasked
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("--engine ray", "ray", "ray") from error
    return ray


def _absolute(options: Options) -> Options:
    """Options whose paths mean the same in another working directory."""
    model, decoding = options.model, options.decoding
    bundle, package = find(model.model), Path(__file__).resolve().parent
    whole = bundle.graph_path.name == bundle.card.graph and os.path.isfile(bundle.folder / "card.json")
    where = bundle.folder if whole else bundle.graph_path
    # the models that every installation brings are found by name wherever it lies
    name = model.model if package.parent in where.resolve().parents else os.path.abspath(where)
    lm = None if model.lm is None else os.path.abspath(model.lm)
    words = None if decoding.hotwords_file is None else os.path.abspath(decoding.hotwords_file)
    return replace(options, model=replace(model, model=name, lm=lm), decoding=replace(decoding, hotwords_file=words))


def _outcome(i: int, path: Path, answer: Answer, heard: Heard) -> Outcome[int]:
    def named(text: str) -> str:
        """With the recording called what the user called it."""
        return text.replace(shown(os.path.abspath(path)), shown(path))

    for warning in answer.warnings:
        logging.getLogger("transcribe_cli").warning("%s", named(warning))
    if answer.error is not None:
        kind, text = answer.error
        return Outcome(i, error=_unpacked(kind, named(text)), seconds=answer.seconds)
    assert answer.transcript is not None
    heard(answer.transcript.duration_seconds)
    return Outcome(i, answer.transcript, seconds=answer.seconds)


def _packed(error: TranscribeError) -> tuple[str, str]:
    return type(error).__name__, str(error)


def _unpacked(kind: str, text: str) -> TranscribeError:
    cls = getattr(errors, kind, TranscribeError)
    return TranscribeError(text) if cls is MissingExtra else cls(text)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


class _Warnings(logging.Handler):
    """Keeps what the package warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._messages: list[str] = []
        logging.getLogger("transcribe_cli").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())

    def taken(self) -> tuple[str, ...]:
        """All since the last time."""
        messages, self._messages = tuple(self._messages), []
        return messages
