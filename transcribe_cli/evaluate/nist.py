"""NIST's files of texts: trn, stm and ctm.

trn     `text (id)`
stm     `file channel speaker start end [<label>] text`
ctm     `file channel start duration word [confidence]`
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ..errors import InputError, ManifestError
from .entries import Entry, Texts, probabilities

_NOT_SCORED = ("ignore_time_segment_in_scoring", "inter_segment_gap")


def trn(line: str, where: str) -> Entry:
    match = re.fullmatch(r"(.*?)\s*\(([^()\s]+)\)", line)
    if match is None:
        raise ManifestError(f"{where}: a line of a trn ends in the utterance's id in parentheses")
    return Entry(match[2], _plain(match[1], where))


def stm(line: str, where: str) -> Entry:
    fields = line.split(maxsplit=5)
    if len(fields) < 5:
        raise ManifestError(f"{where}: a line of an stm is: file channel speaker start end [<label>] text")
    start, end = _number(fields[3], where), _number(fields[4], where)
    text = re.sub(r"^<[^>]*>\s*", "", fields[5] if len(fields) > 5 else "")
    id = f"{fields[0]} {fields[1]} {start:.3f}"
    keys = {"file": fields[0], "channel": fields[1], "speaker": fields[2]}
    return Entry(id, _plain(text, where), start, max(end - start, 0.0), keys)


def ctm(line: str, where: str) -> Entry:
    fields = line.split()
    if len(fields) < 5 or fields[2] == "*":
        raise ManifestError(f"{where}: a line of a ctm is: file channel start duration word; alternatives are not read")
    start, duration = _number(fields[2], where), _number(fields[3], where)
    sure = (_number(fields[5], where),) if len(fields) > 5 and fields[5] != "NA" else ()
    return Entry(fields[0], fields[4], start, duration, {"file": fields[0], "channel": fields[1]}, sure)


def told_apart(entries: Sequence[Entry]) -> list[Entry]:
    """Segments of an stm; of those that begin at the same time on one channel the id says the speaker as well."""
    often = Counter(entry.id for entry in entries)
    return [replace(e, id=f"{e.id} {e.keys['speaker']}") if often[e.id] > 1 else e for e in entries]


def is_scored(entry: Entry) -> bool:
    """Whether a segment of an stm is to be scored at all."""
    return entry.text.lower() not in _NOT_SCORED


def by_time(references: Texts, hypotheses: Texts) -> tuple[Texts, Texts]:
    """Words of a ctm as entries of the segments of an stm in whose time they lie.

    Words of a file and channel that the stm does not have stay entries of their own, segments of one that the ctm
    does not have get none: who joins them says both.
    """
    segments: dict[tuple[str, str], list[Entry]] = {}
    for entry in references.entries:
        segments.setdefault((entry.keys["file"], entry.keys["channel"]), []).append(entry)
    words: dict[str, list[Entry]] = {entry.id: [] for entry in references.entries}
    outside: list[Entry] = []
    heard: set[tuple[str, str]] = set()
    for word in hypotheses.entries:
        place = word.keys["file"], word.keys["channel"]
        heard.add(place)
        if own := segments.get(place):
            words[_nearest(own, (word.start_seconds or 0.0) + (word.duration_seconds or 0.0) / 2).id].append(word)
        else:
            outside.append(replace(word, id=f"{' '.join(place)} {word.start_seconds or 0.0:.3f} {word.text}"))
    if outside and len(outside) == len(hypotheses.entries):
        raise InputError(f"{references.where} and {hypotheses.where} have no file and channel in common")
    found = [
        replace(_together(words[e.id]), id=e.id) if words[e.id] else Entry(e.id, "")
        for e in references.entries
        if (e.keys["file"], e.keys["channel"]) in heard
    ]
    return references, Texts(hypotheses.where, "stm", (*found, *outside))


def whole_files(texts: Texts) -> Texts:
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


def _nearest(own: Sequence[Entry], middle: float) -> Entry:
    """The segment in whose time a moment lies, the shortest of several (someone put in a word); else the nearest."""

    def distance(entry: Entry) -> tuple[float, float]:
        start, seconds = entry.start_seconds or 0.0, entry.duration_seconds or 0.0
        return max(start - middle, middle - start - seconds, 0.0), seconds

    return min(own, key=distance)


def _together(words: Sequence[Entry]) -> Entry:
    """Words of one utterance as one entry, in order of time."""
    words = sorted(words, key=lambda word: word.start_seconds or 0.0)
    sure = [value for word in words for value in word.confidences]
    text = " ".join(word.text for word in words)
    told = probabilities(sure) if len(sure) == len(words) else ()
    return Entry(words[0].id, text, words[0].start_seconds, None, words[0].keys, told)


def _plain(text: str, where: str) -> str:
    """A text without markup. Raises where it has choices, which would have to be scored as sclite does."""
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
