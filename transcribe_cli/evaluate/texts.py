"""References and hypotheses read from files of any recogniser, and joined.

text    an utterance a line; the n-th line of one file belongs to the n-th of the other
keyed   `id<TAB>text`, what `transcribe` prints for several recordings; `id text` without a tab (Kaldi)
trn, stm, ctm  as NIST has them (`nist`); the words of a ctm go to the segment of an stm in whose time their middle
        lies, or to the nearest
jsonl   objects with `id` (or `audio` and `start`) and `text`; hypotheses `pred_text` first, and where any line has it
        that alone: a line without it, or with an `error`, has no hypothesis; other keys may group
csv     the same as columns
    json    a transcript as `--format json` or Whisper writes it: one utterance; a text beside it is one too
    folder  an utterance a file: .txt (its lines joined), else .json; named as the file below the folder, without ending
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..audio.manifest import parse_object
from ..errors import InputError, InputNotFound, ManifestError, OptionError
from . import nist
from .entries import Entry, Texts, grouping_keys, probabilities, spoken_at
from .score import Pair

FORMATS = ("text", "keyed", "trn", "stm", "ctm", "jsonl", "csv", "json", "folder")
_BY_NAME = {".trn": "trn", ".stm": "stm", ".ctm": "ctm", ".jsonl": "jsonl", ".json": "json", ".csv": "csv"}
_REFERENCE = ("text", "reference", "ref", "transcript", "transcription", "sentence")
_RECOGNISED = ("pred_text", "hypothesis", "hyp", "prediction")  # what a file with both calls its hypotheses
_HYPOTHESIS = (*_RECOGNISED, "text", "transcript")
_ID = ("id", "utt_id", "utterance_id", "key", "audio", "audio_filepath", "file", "path")
_NO_GROUP = (*_REFERENCE, *_HYPOTHESIS, *_ID)


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
    filled = [(line, f"{path}:{number}") for number, line in lines if line.strip()]
    both = False
    if chosen in ("csv", "jsonl"):
        is_table = chosen == "csv"
        rows = _rows(text, str(path)) if is_table else [(parse_object(line, at), at) for line, at in filled]
        both = any(name in row for row, _ in rows for name in _RECOGNISED)
        entries = _entries(rows, hypothesis, both)
    elif chosen == "text":
        entries = [Entry(str(number), line.strip()) for number, line in lines[: len(lines) - (not lines[-1][1])]]
    elif chosen == "keyed":
        entries = [_keyed(line) for line, _ in filled]
    else:
        parse = {"trn": nist.trn, "stm": nist.stm, "ctm": nist.ctm}[chosen]
        entries = [parse(line.strip(), where) for line, where in filled if not line.startswith(";;")]
    if chosen == "ctm":
        return Texts(str(path), chosen, tuple(entries))
    if chosen == "stm":
        entries = nist.told_apart(entries)
    _refuse_twice(entries, str(path))
    return Texts(str(path), chosen, tuple(entries), both)


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
        data = parse_object(text, where)
        spoken = data.get("text")
        if not isinstance(spoken, str):
            raise TypeError("it has no text")
        words = [word for segment in data.get("segments") or [] for word in segment.get("words") or []]
        sure = probabilities([word.get("probability") for word in words])
    except (TypeError, AttributeError) as error:
        raise InputError(f"{where}: not a JSON transcript ({error})") from error
    return Entry(id, spoken, None, _optional(data.get("duration")), {}, sure)


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
        references, hypotheses = nist.by_time(references, hypotheses)
    passed_over: set[str] = set()
    if references.format == "stm":
        passed_over = {entry.id for entry in references.entries if not nist.is_scored(entry)}
        references = replace(references, entries=tuple(e for e in references.entries if e.id not in passed_over))
    sides = [nist.whole_files(side) if side.format == "ctm" else side for side in (references, hypotheses)]
    found = {entry.id: entry for entry in sides[1].entries if entry.id not in passed_over}
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


def _keyed(line: str) -> Entry:
    """`id<TAB>text`, or, as Kaldi has it, the id up to the first blank where there is no tab."""
    id, _, text = line.strip("\r\n").partition("\t") if "\t" in line else line.strip().partition(" ")
    return Entry(id.strip(), text.strip())


def _rows(text: str, where: str) -> list[tuple[dict[str, Any], str]]:
    """A table's rows, each with where it is."""
    try:
        rows = [(row, f"{where}: row {n}") for n, row in enumerate(csv.DictReader(io.StringIO(text), strict=True), 1)]
    except csv.Error as error:
        raise InputError(f"{where}: not a table: {error}") from error
    for row, place in rows:
        if None in row:
            raise ManifestError(f"{place}: more fields than the heading has; put texts with commas in quotes")
    return rows


def _entries(rows: Iterable[tuple[dict[str, Any], str]], hypothesis: bool, both: bool) -> list[Entry]:
    """Rows as entries. Without a hypothesis are those that failed and, where some have a key for it, those without."""
    if not hypothesis:
        return [_entry(row, where, _REFERENCE) for row, where in rows]
    read = [(row, where) for row, where in rows if not (isinstance(row.get("error"), str) and row["error"])]
    if not both:
        return [_entry(row, where, _HYPOTHESIS) for row, where in read]
    heard = [(row, where) for row, where in read if any(row.get(name) is not None for name in _RECOGNISED)]
    return [_entry(row, where, _RECOGNISED) for row, where in heard]


def _entry(data: dict[str, Any], where: str, names: Sequence[str]) -> Entry:
    text = next((data[name] for name in names if isinstance(data.get(name), str)), None)
    if text is None:
        raise ManifestError(f"{where}: none of {', '.join(names)} is there")
    id_name = next((name for name in _ID if data.get(name) not in (None, "")), None)
    if id_name is None:
        raise ManifestError(f"{where}: none of {', '.join(_ID)} is there")
    start = _optional(data.get("start", data.get("offset")))
    id = str(data[id_name])
    if id_name not in _ID[:4]:
        id = spoken_at(id, start)
    words = data.get("words")
    sure: tuple[float, ...] = ()
    if isinstance(words, list) and all(isinstance(word, dict) for word in words):
        sure = probabilities([word.get("probability") for word in words])
    return Entry(id, text, start, _optional(data.get("duration")), grouping_keys(data, _NO_GROUP), sure)


def _optional(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < 1e9 else None
