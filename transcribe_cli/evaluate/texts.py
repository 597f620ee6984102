"""References and hypotheses read from files of any recogniser, and joined.

text    an utterance a line; the n-th line of one file belongs to the n-th of the other
keyed   `id<TAB>text`, what `transcribe` prints for several recordings
trn     NIST: `text (id)`
stm     NIST: `file channel speaker start end [<label>] text`
ctm     NIST: `file channel start duration word [confidence]`; against an stm, words go to the segment in whose time
        their middle lies, or to the nearest
jsonl   objects with `id` (or `audio` and `start`) and `text`; hypotheses `pred_text` first; other keys may group
csv     the same as columns
    json    a transcript as `--format json` or Whisper writes it: one utterance; a text beside it is one too
    folder  an utterance a file: .txt (its lines joined), else .json; named as the file below the folder, without ending
"""

import csv
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import InputError, InputNotFound, ManifestError, OptionError
from .score import Pair

FORMATS = ("text", "keyed", "trn", "stm", "ctm", "jsonl", "csv", "json", "folder")
_BY_NAME = {".trn": "trn", ".stm": "stm", ".ctm": "ctm", ".jsonl": "jsonl", ".json": "json", ".csv": "csv"}
_REFERENCE = ("text", "reference", "ref", "transcript", "transcription", "sentence")
_HYPOTHESIS = ("pred_text", "hypothesis", "hyp", "prediction", "text", "transcript")
_ID = ("id", "utt_id", "utterance_id", "key", "audio", "audio_filepath", "file", "path")


@dataclass(frozen=True, slots=True)
class Entry:
    """One utterance of a file. confidences: one a word of the text, where the file has them."""

    id: str
    text: str
    start_seconds: float | None = None
    duration_seconds: float | None = None
    keys: dict[str, str] = field(default_factory=dict)
    confidences: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Texts:
    """What a file held, in its order."""

    where: str
    format: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Pairs in the references' order; ids that only one side had. confidences: by the pair's id."""

    pairs: tuple[Pair, ...]
    missing: tuple[str, ...]  # references without a hypothesis: scored as if nothing had been recognised
    extra: tuple[str, ...]  # hypotheses without a reference: left out
    confidences: dict[str, tuple[float, ...]]


def read(path: Path, hypothesis: bool, format: str | None = None) -> Texts:
    """Reads a file; the format is told by the name, for other names by a tab in every line.

    hypothesis: whether `pred_text` or `text` is meant where an object has both.
    Raises InputNotFound, InputError, and ManifestError naming the line for a broken one.
    """
    if format is not None and format not in FORMATS:
        raise OptionError(f"{format!r} is no format of texts: choose one of {', '.join(FORMATS)}")
    if format == "folder" or (format is None and path.is_dir()):
        return _folder(path)
    text = _content(path)
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1)]
    chosen = format or _BY_NAME.get(path.suffix.lower()) or _guess(lines)
    if chosen == "json":
        return Texts(str(path), chosen, (_transcript(text, path.stem, str(path)),))
    if chosen == "csv":
        entries = _csv(text, str(path), hypothesis)
    elif chosen == "text":
        entries = [Entry(str(number), line.strip()) for number, line in lines[: len(lines) - (not lines[-1][1])]]
    else:
        parse = {"keyed": _keyed, "trn": _trn, "stm": _stm, "ctm": _ctm}.get(chosen)
        entries = []
        for number, line in lines:
            if line.strip() and not (chosen in ("stm", "ctm", "trn") and line.startswith(";;")):
                where = f"{path}:{number}"
                entries.append(parse(line.strip(), where) if parse else _jsonl(line, where, hypothesis))
    if chosen == "ctm":
        return Texts(str(path), chosen, tuple(entries))
    _refuse_twice(entries, str(path))
    return Texts(str(path), chosen, tuple(entries))


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputNotFound(f"{path}: no such file") from error
    except UnicodeError as error:
        raise InputError(f"{path}: not UTF-8 text") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _folder(folder: Path) -> Texts:
    """Every text below a folder; a .json counts where there is no .txt of its name."""
    files = {path.relative_to(folder).with_suffix(""): path for path in sorted(folder.rglob("*.json"))}
    files |= {path.relative_to(folder).with_suffix(""): path for path in sorted(folder.rglob("*.txt"))}
    entries = []
    for name, path in sorted(files.items()):
        text = _content(path)
        is_text = path.suffix == ".txt"
        entries.append(Entry(str(name), " ".join(text.split())) if is_text else _transcript(text, str(name), str(path)))
    if not entries:
        raise InputError(f"{folder}: no .txt and no .json in it")
    return Texts(str(folder), "folder", tuple(entries))


def _transcript(text: str, id: str, where: str) -> Entry:
    """A JSON transcript with the confidences of its words, where every word has one."""
    try:
        data = json.loads(text)
        words = [word for segment in data.get("segments", []) for word in segment.get("words", [])]
        sure = tuple(float(word["probability"]) for word in words)
        spoken, duration = data["text"], _optional(data.get("duration"))
        if not isinstance(spoken, str):
            raise TypeError("its text is none")
    except KeyError as error:
        if error.args[0] != "probability":
            raise InputError(f"{where}: not a transcript: it has no {error}") from error
        sure, spoken, duration = (), data["text"], None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{where}: not a JSON transcript ({error})") from error
    return Entry(id, spoken, None, duration, {}, sure)


def join(references: Texts, hypotheses: Texts) -> Joined:
    """Puts each hypothesis to its reference.

    Raises InputError where the two cannot be joined: a different number of lines, or no id in common.
    """
    if "json" in (references.format, hypotheses.format):
        references, hypotheses = (_one(side) for side in (references, hypotheses))
    if references.format == "text" or hypotheses.format == "text":
        n, m = len(references.entries), len(hypotheses.entries)
        if n != m:
            raise InputError(
                f"{hypotheses.where} has {m} lines for {n} of {references.where}: "
                "lines are paired by number, so write an empty line for an empty hypothesis, or use a format with ids"
            )
        found = {a.id: b for a, b in zip(references.entries, hypotheses.entries, strict=True)}
        return _joined(references.entries, found, ())
    if references.format == "stm" and hypotheses.format == "ctm":
        references, hypotheses = _by_time(references, hypotheses)
    sides = [_whole_files(side) if side.format == "ctm" else side for side in (references, hypotheses)]
    found = {entry.id: entry for entry in sides[1].entries}
    known = {entry.id for entry in sides[0].entries}
    if sides[0].entries and not known & found.keys():
        raise InputError(
            f"{references.where} and {hypotheses.where} have no id in common "
            f"({sides[0].entries[0].id!r} in the first, {next(iter(found), 'nothing')!r} in the second)"
        )
    return _joined(sides[0].entries, found, tuple(id for id in found if id not in known))


def _one(side: Texts) -> Texts:
    """A side whose other side is a single transcript: its lines are one utterance, whatever the names."""
    if side.format == "text":
        side = replace(side, entries=(Entry("1", " ".join(entry.text for entry in side.entries).strip()),))
    return replace(side, format="text") if len(side.entries) == 1 else side


def _joined(references: Iterable[Entry], found: dict[str, Entry], extra: tuple[str, ...]) -> Joined:
    pairs, missing, confidences = [], [], {}
    for reference in references:
        hypothesis = found.get(reference.id)
        if hypothesis is None:
            missing.append(reference.id)
        elif hypothesis.confidences:
            confidences[reference.id] = hypothesis.confidences
        duration = reference.duration_seconds or (hypothesis.duration_seconds if hypothesis else None)
        keys = (hypothesis.keys if hypothesis else {}) | reference.keys
        pairs.append(Pair(reference.id, reference.text, hypothesis.text if hypothesis else "", duration, keys))
    return Joined(tuple(pairs), tuple(missing), extra, confidences)


def _guess(lines: Sequence[tuple[int, str]]) -> str:
    filled = [line for _, line in lines if line.strip()]
    return "keyed" if filled and all(line.count("\t") == 1 for line in filled) else "text"


def _refuse_twice(entries: Iterable[Entry], where: str) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise InputError(f"{where}: the id {entry.id!r} is there twice")
        seen.add(entry.id)


def _keyed(line: str, where: str) -> Entry:
    id, tab, text = line.partition("\t")
    if not tab:
        # stripping took the tab of an empty text
        return Entry(line, "")
    return Entry(id, text.strip())


def _trn(line: str, where: str) -> Entry:
    match = re.fullmatch(r"(.*?)\s*\(([^()\s]+)\)", line)
    if match is None:
        raise ManifestError(f"{where}: a line of a trn ends in the utterance's id in parentheses")
    return Entry(match[2], _plain(match[1], where))


def _stm(line: str, where: str) -> Entry:
    fields = line.split(maxsplit=5)
    if len(fields) < 5:
        raise ManifestError(f"{where}: a line of an stm is: file channel speaker start end [<label>] text")
    start, end = _number(fields[3], where), _number(fields[4], where)
    text = re.sub(r"^<[^>]*>\s*", "", fields[5] if len(fields) > 5 else "")
    id = f"{fields[0]} {fields[1]} {start:.3f}"
    keys = {"file": fields[0], "channel": fields[1], "speaker": fields[2]}
    return Entry(id, _plain(text, where), start, max(end - start, 0.0), keys)


def _ctm(line: str, where: str) -> Entry:
    fields = line.split()
    if len(fields) < 5 or fields[2] == "*":
        raise ManifestError(f"{where}: a line of a ctm is: file channel start duration word; alternatives are not read")
    start, duration = _number(fields[2], where), _number(fields[3], where)
    sure = (_number(fields[5], where),) if len(fields) > 5 and fields[5] != "NA" else ()
    return Entry(fields[0], fields[4], start, duration, {"file": fields[0], "channel": fields[1]}, sure)


def _plain(text: str, where: str) -> str:
    """A NIST text without markup. Raises where it has choices, which would have to be scored as sclite does."""
    if re.search(r"(^|\s)\{.*\s/\s.*\}(\s|$)|(^|\s)\([^()\s]+\)(\s|$)", text):
        raise ManifestError(
            f"{where}: alternatives {{ a / b }} and optional (words) are not read: choose one, or use sclite"
        )
    return text.strip()


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ManifestError(f"{where}: {text!r} is not a number of seconds") from error
    if not abs(value) < 1e9:
        raise ManifestError(f"{where}: {text!r} is not a number of seconds")
    return value


def _jsonl(line: str, where: str, hypothesis: bool) -> Entry:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not a JSON object: {error}") from error
    if not isinstance(data, dict):
        raise ManifestError(f"{where}: not a JSON object")
    return _object(data, where, hypothesis)


def _csv(text: str, where: str, hypothesis: bool) -> list[Entry]:
    try:
        rows = list(csv.DictReader(text.splitlines(keepends=True)))
    except csv.Error as error:
        raise InputError(f"{where}: not a table: {error}") from error
    return [
        _object({k: v for k, v in row.items() if k}, f"{where}: row {n}", hypothesis) for n, row in enumerate(rows, 1)
    ]


def _object(data: dict[str, Any], where: str, hypothesis: bool) -> Entry:
    names = _HYPOTHESIS if hypothesis else _REFERENCE
    text = next((data[name] for name in names if isinstance(data.get(name), str)), None)
    if text is None:
        raise ManifestError(f"{where}: none of {', '.join(names)} is there")
    id_name = next((name for name in _ID if data.get(name) not in (None, "")), None)
    if id_name is None:
        raise ManifestError(f"{where}: none of {', '.join(_ID)} is there")
    id = str(data[id_name])
    start = data.get("start", data.get("offset"))
    if id_name not in _ID[:4] and start is not None:
        id = f"{id} {start}"
    words = data.get("words")
    sure: tuple[float, ...] = ()
    if isinstance(words, list) and all(
        isinstance(w, dict) and isinstance(w.get("probability"), (int, float)) for w in words
    ):
        sure = tuple(float(word["probability"]) for word in words)
    keys = {k: v for k, v in data.items() if isinstance(v, str) and k not in (*_REFERENCE, *_HYPOTHESIS, *_ID)}
    return Entry(id, text, _optional(start), _optional(data.get("duration")), keys, sure)


def _optional(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < 1e9 else None


def _by_time(references: Texts, hypotheses: Texts) -> tuple[Texts, Texts]:
    """Words of a ctm in the segments of the stm; segments that are not to be scored go out with their words."""
    segments: dict[tuple[str, str], list[Entry]] = {}
    for entry in references.entries:
        segments.setdefault((entry.keys["file"], entry.keys["channel"]), []).append(entry)
    for own in segments.values():
        own.sort(key=lambda entry: entry.start_seconds or 0.0)
    words: dict[str, list[Entry]] = {}
    outside = 0
    for word in hypotheses.entries:
        own = segments.get((word.keys["file"], word.keys["channel"]), [])
        if not own:
            outside += 1
            continue
        words.setdefault(_nearest(own, (word.start_seconds or 0.0) + (word.duration_seconds or 0.0) / 2).id, []).append(
            word
        )
    if outside == len(hypotheses.entries) and outside:
        raise InputError(f"{references.where} and {hypotheses.where} have no file and channel in common")
    scored = [
        e for e in references.entries if e.text.lower() not in ("ignore_time_segment_in_scoring", "inter_segment_gap")
    ]
    found = [replace(_together(words[e.id]), id=e.id) if e.id in words else Entry(e.id, "") for e in scored]
    return replace(references, entries=tuple(scored)), Texts(hypotheses.where, "stm", tuple(found))


def _nearest(own: Sequence[Entry], middle: float) -> Entry:
    k = bisect_right([entry.start_seconds or 0.0 for entry in own], middle)
    near = own[max(k - 1, 0) : k + 1]

    def distance(entry: Entry) -> float:
        start = entry.start_seconds or 0.0
        return max(start - middle, middle - start - (entry.duration_seconds or 0.0), 0.0)

    return min(near, key=distance)


def _together(words: Sequence[Entry]) -> Entry:
    """Words of one utterance as one entry, in order of time."""
    words = sorted(words, key=lambda word: word.start_seconds or 0.0)
    sure = tuple(value for word in words for value in word.confidences)
    text = " ".join(word.text for word in words)
    return Entry(
        words[0].id, text, words[0].start_seconds, None, words[0].keys, sure if len(sure) == len(words) else ()
    )


def _whole_files(texts: Texts) -> Texts:
    """The words of a ctm, one entry a file (and channel, where a file has several)."""
    files: dict[tuple[str, str], list[Entry]] = {}
    for word in texts.entries:
        files.setdefault((word.keys["file"], word.keys["channel"]), []).append(word)
    several = len({file for file, _ in files}) < len(files)
    entries = [
        replace(_together(words), id=f"{file} {channel}" if several else file)
        for (file, channel), words in files.items()
    ]
    return Texts(texts.where, texts.format, tuple(entries))
