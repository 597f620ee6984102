"""What became of every recording of a batch, kept beside the results: a restart knows it without opening a file.

A journal is a file of JSON lines in the output folder, only ever appended to, each line by one write: a killed process
loses at most the line it was writing. Lines, told apart by their keys (`at`: seconds since 1970 in all of them):

    {"run": …, "inputs": n, "done": n, "failed": n, …}      a run begins: its settings, what it has to do
    {"input": path, "source": […], "begun": {result: made}}  a recording was taken up, to make these results
    {"input": path, "source": […], "done": {result: […]}}    its results are on the disk
    {"input": path, "source": […], "failed": "why", "kind": "AudioError", "made": {result: made}}

`source` is [size, modification time in ns] of the recording; `made` is the fingerprint of everything that decides a
result's bytes (`fingerprints`). Each shard of a batch has a journal of its own, since a network file system may not
append atomically.
"""

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from . import errors
from .bundle.store import Bundle
from .errors import InputError, InputNotFound, OutputError
from .pipeline import Options

NAME = ".transcribe-journal"

log = logging.getLogger("transcribe_cli.journal")


@dataclass(frozen=True, slots=True)
class Source:
    """One state of a recording, as far as it shows without opening it."""

    path: str  # absolute
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Made:
    """A result of ours: out of what, by which settings, and how it looked when it was written."""

    source: Source
    made: str
    size: int | None = None  # None: begun, and no more is known
    mtime_ns: int | None = None
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one recording."""

    source: Source
    state: str  # "begun", "done", "failed"
    attempts: int
    at: float
    error: str = ""
    kind: str = ""
    made: Mapping[str, str] = field(default_factory=dict)  # of a failure: the results that it would have had
    audio_seconds: float = 0.0
    took_seconds: float = 0.0

    @property
    def unread(self) -> bool:
        """Of a failure: whether the recording itself could not be read, so that nothing was written."""
        kind = getattr(errors, self.kind, None)
        return isinstance(kind, type) and issubclass(kind, InputError)


@dataclass(frozen=True, slots=True)
class Run:
    """The latest call that wrote one journal file, and how far it came."""

    journal: str
    at: float
    inputs: int
    done: int
    failed: int
    settings: Mapping[str, Any]

    @property
    def left(self) -> int:
        return max(0, self.inputs - self.done - self.failed)


@dataclass(frozen=True, slots=True)
class History:
    """All that the journals of a folder say; later lines win over earlier ones."""

    results: dict[str, Made] = field(default_factory=dict)  # by name below the folder
    entries: dict[str, Entry] = field(default_factory=dict)  # by absolute path of the recording
    runs: tuple[Run, ...] = ()


def source_of(path: Path) -> Source | None:
    """The state of a recording now; None for what is no file (a pipe, or nothing there)."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return Source(os.path.abspath(path), found.st_size, found.st_mtime_ns)


def fingerprints(
    bundle: Bundle, options: Options, formats: Iterable[str], forms: Mapping[str, Mapping[str, object]]
) -> dict[str, str]:
    """Format → sixteen hexadecimal digits that change when, and only when, something that decides its bytes changes.

    That is the graph, the card (without its prose), the language model, the lexicon, the model that punctuates where
    one is asked for, and the options that decide the words; and of each format `forms`, the options that decide its
    form. Not the device, threads or version of this program, which move no more than a last digit: a changed one should
    not redo a thousand hours.

    Raises ModelNotFound where --punctuate has no model; LanguageModelError or HotwordError where a file that an option
    names is missing (when it is loaded, later).
    """
    words: dict[str, object] = {"card": asdict(replace(bundle.card, extra={}, checksums={}))}
    words["graph"] = _sha256(bundle.graph_path)
    if bundle.lexicon_path is not None:
        words["lexicon"] = _sha256(bundle.lexicon_path)
    decoding = asdict(options.decoding)
    if options.decoding.decoder == "greedy":
        words["decoding"] = "greedy"
    else:
        lm = None if options.model.no_lm else options.model.lm or bundle.language_model_path
        words["language_model"] = None if lm is None else _sha256(Path(lm))
        if lm is not None and lm == bundle.language_model_path and bundle.rescorer_path is not None:
            words["rescorer"] = _sha256(bundle.rescorer_path)
        if options.decoding.hotwords_file is not None:
            decoding["hotwords_file"] = _sha256(Path(options.decoding.hotwords_file))
        words["decoding"] = decoding
    words |= {room: asdict(getattr(options, room)) for room in ("audio", "windows", "segments")}
    punctuation = options.punctuation.path(bundle.card.language)
    if punctuation is not None:
        words["punctuation"] = _sha256(punctuation)
        if bundle.spellings_path is not None:
            words["spellings"] = _sha256(bundle.spellings_path)
    if options.figures.figures:
        words["figures"] = True
    found = {}
    for name in formats:
        text = json.dumps([words, name, dict(forms.get(name, {}))], sort_keys=True, default=str)
        found[name] = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return found


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""  # loading it says what is wrong


def read(folder: Path) -> History:
    """The journals of an output folder; an empty history where there is none.

    Lines that are no lines of ours (torn by a kill, or by a full disk) are passed over. Raises InputError where a
    journal cannot be read, or the folder may not be looked into.
    """
    history = History()
    lines: list[tuple[float, str, dict[str, Any]]] = []
    for path in journals(folder):
        latest_at = 0.0  # a clock that was set back must not turn a file's own order round
        for at, line in _lines(path):
            latest_at = max(latest_at, at)
            lines.append((latest_at, path.name, line))
    lines.sort(key=lambda entry: entry[0])
    latest: dict[str, Run] = {}
    before: dict[str, Made | None] = {}  # what was known of results when they were taken up
    for at, name, line in lines:
        try:
            if "run" in line:
                inputs, done, failed = (int(line[key]) for key in ("inputs", "done", "failed"))
                latest[name] = Run(name, at, inputs, done, failed, dict(line["run"]))
            else:
                entry = _take(line, at, history, before)
                if name in latest and entry.state != "begun":
                    run = latest[name]
                    ended = {entry.state: getattr(run, entry.state) + 1}
                    latest[name] = replace(run, **ended)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue  # a line of another version, or of someone else
    return replace(history, runs=tuple(latest[name] for name in sorted(latest)))


def journals(folder: Path) -> list[Path]:
    """The journal files of an output folder, which need not be there yet. Raises InputError where one may not look."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(f"{folder}: cannot be looked into ({error.strerror}); choose another folder") from error
    return sorted(folder / name for name in names if name.startswith(NAME) and name.endswith(".jsonl"))


def _lines(path: Path) -> Iterator[tuple[float, dict[str, Any]]]:
    try:
        with path.open("rb") as file:
            for text in file:
                try:
                    line = json.loads(text)
                    yield _seconds(line["at"]), line
                except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
                    continue
    except FileNotFoundError as error:
        raise InputNotFound(f"{path}: no such journal") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); --no-journal does without it") from error


def _seconds(value: Any) -> float:
    """Raises ValueError for what is no time that anyone can have taken down."""
    seconds = float(value)
    if not 0 <= seconds < 1e11:  # 5138, which every calendar can show
        raise ValueError(f"{seconds} seconds")
    return seconds


def _take(line: dict[str, Any], at: float, history: History, before_begun: dict[str, Made | None]) -> Entry:
    size, mtime = line["source"]
    source = Source(str(line["input"]), int(size), int(mtime))
    before = history.entries.get(source.path)
    attempts = before.attempts if before else 0
    if "begun" in line:
        entry = Entry(source, "begun", attempts + 1, at)
        for result, made in line["begun"].items():
            before_begun[result] = history.results.get(result)
            history.results[result] = Made(source, str(made))
    elif "done" in line:
        entry = Entry(
            source,
            "done",
            max(attempts, 1),
            at,
            audio_seconds=_seconds(line.get("audio_seconds", 0.0)),
            took_seconds=_seconds(line.get("took_seconds", 0.0)),
        )
        for result, (made, length, written, digest) in line["done"].items():
            history.results[result] = Made(source, str(made), int(length), int(written), str(digest))
    else:
        made = {str(result): str(value) for result, value in line["made"].items()}
        entry = Entry(source, "failed", max(attempts, 1), at, str(line["failed"]), str(line["kind"]), made)
        for result in made if entry.unread else ():  # what lies there now, if anything, is not of that attempt
            known = before_begun.pop(result, None)
            if known is not None:
                history.results[result] = known
            else:
                history.results.pop(result, None)
    history.entries[source.path] = entry
    return entry


def is_ours(path: Path, made: Made | None) -> bool:
    """Whether what lies at `path` is what this program wrote there, untouched: then it may be replaced."""
    if made is None:
        return False
    if made.size is None:
        return True  # the process that began it was killed, perhaps between writing it and saying so
    try:
        found = os.stat(path)
        if found.st_size != made.size:
            return False
        # a copied folder has other times; then, and only then, the file is opened
        return found.st_mtime_ns == made.mtime_ns or _sha256(path) == made.sha256
    except OSError:
        return False


class Journal:
    """Appends to one journal file; safe to use from several threads.

    What cannot be appended is a warning, once: results matter more than the record of them, and what is not recorded is
    only done again. Raises OutputError where the folder cannot be written at all.
    """

    def __init__(self, folder: Path, shard: str = "") -> None:
        self._folder = folder
        self._path = folder / (f"{NAME}-{shard.replace('/', '-of-')}.jsonl" if shard else f"{NAME}.jsonl")
        self._lock, self._warned, self._torn = threading.Lock(), False, False
        self._descriptor = -1
        try:
            self._open()
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written into ({error.strerror or error})") from error

    def run(self, inputs: int, done: int, failed: int, settings: Mapping[str, object]) -> None:
        """A run begins: so many inputs, of which so many are done, or known to fail, already."""
        self._append({"inputs": inputs, "done": done, "failed": failed, "run": settings})

    def begin(self, source: Source, results: Mapping[str, str]) -> None:
        """A recording is taken up, to make these results by these settings.

        On the disk when this returns: results that outlive a power cut must not be found without their line, since
        they would be taken for someone else's.
        """
        self._append(_of(source) | {"begun": results}, flush=True)

    def done(
        self,
        source: Source,
        results: Mapping[str, tuple[str, str | bytes]],
        audio_seconds: float,
        took_seconds: float,
    ) -> None:
        """Results are on the disk; result → (made, content)."""
        found = {}
        for name, (made, content) in results.items():
            data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
            try:
                written = os.stat(self._folder / name).st_mtime_ns
            except OSError:
                written = 0
            found[name] = [made, len(data), written, hashlib.sha256(data).hexdigest()]
        seconds = {"audio_seconds": round(audio_seconds, 3), "took_seconds": round(took_seconds, 3)}
        self._append(_of(source) | seconds | {"done": found})

    def failed(self, source: Source, results: Mapping[str, str], error: Exception) -> None:
        """A recording could not be done."""
        self._append(_of(source) | {"failed": str(error), "kind": type(error).__name__, "made": results})

    def close(self) -> None:
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
        self._descriptor = os.open(self._path, flags, 0o666)
        size = os.fstat(self._descriptor).st_size
        self._torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"

    def _append(self, line: Mapping[str, object], flush: bool = False) -> None:
        data = json.dumps({"at": round(time.time(), 3)} | dict(line), separators=(",", ":")).encode() + b"\n"
        with self._lock:
            try:
                self._reopen_if_gone()
                if self._torn:
                    data = b"\n" + data
                self._torn = True
                self._torn = os.write(self._descriptor, data) != len(data)
                if self._torn:
                    raise OSError("the disk is full")
                if flush:
                    getattr(os, "fdatasync", os.fsync)(self._descriptor)  # macOS has the second only
            except OSError as error:
                if not self._warned:
                    self._warned = True
                    log.warning(
                        "%s: cannot be kept up (%s); what is missing in it is done again by a restart",
                        self._path,
                        error.strerror or error,
                    )

    def _reopen_if_gone(self) -> None:
        """Whoever takes the folder away takes the journal with it: a new folder gets a new one."""
        try:
            if self._descriptor >= 0 and os.stat(self._path).st_ino == os.fstat(self._descriptor).st_ino:
                return
        except OSError:
            pass
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._open()


def _of(source: Source) -> dict[str, object]:
    return {"input": source.path, "source": [source.size, source.mtime_ns]}
