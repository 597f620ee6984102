"""Subtitles whose times are wrong → the same subtitles with the times at which their words are said.

    read(bytes) → Subtitles → spoken() → aligned as one text, a line a cue → times() → write()

Only time stamps are replaced: numbers, texts, tags, cue settings, notes, styles and line ends stay byte for byte. What
is not speech (tags, "[applause]", "♪", the speaker's "JOHN:") is not looked for in the sound.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError
from .script import Script, hushed
from .teller import AlignedWord

_STAMP = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})([.,])(\d{1,3})"
_TIMING = re.compile(rf"^\s*{_STAMP}[ \t]*-->[ \t]*{_STAMP}(.*)$", re.DOTALL)
_ONE = re.compile(_STAMP)
_INNER = re.compile(rf"<{_STAMP}>")  # WebVTT: when a part of a cue is said
_SIGNS = re.compile(r"[#*]|\\[Nh]")  # of music; line ends and spaces of SubStation
_FOUND = 1 / 3  # of a cue's words must be heard for it to be timed by them


@dataclass(frozen=True, slots=True)
class TimedCue:
    """line: index of its timing line; text: its payload as written."""

    line: int
    start_seconds: float
    end_seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class Subtitles:
    """lines: the whole file with its line ends."""

    lines: tuple[str, ...]
    cues: tuple[TimedCue, ...]


@dataclass(frozen=True, slots=True)
class NewTimes:
    """found: whether the cue's own words were heard; else its times follow its neighbours'. words: see `_inner`."""

    start_seconds: float
    end_seconds: float
    found: bool
    words: tuple[tuple[str, float], ...] = ()


def read(data: bytes, name: str) -> Subtitles:
    """A file in SubRip or WebVTT → its lines and cues. Raises InputError where it holds none."""
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")  # what old subtitles are written in; UTF-8 comes out
    lines = text.splitlines(keepends=True)
    found: list[TimedCue] = []
    timings = [i for i, line in enumerate(lines) if _TIMING.match(line)]
    for k, i in enumerate(timings):
        match = _TIMING.match(lines[i])
        assert match is not None
        stop = timings[k + 1] if k + 1 < len(timings) else len(lines)
        if stop < len(lines) and stop - 1 > i and re.fullmatch(r"\s*\d+\s*", lines[stop - 1]):
            stop -= 1  # the next cue's number
        end = next((j for j in range(i + 1, stop) if not lines[j].strip()), stop)
        start_seconds, end_seconds = (_seconds(match.groups()[5 * side : 5 * side + 5]) for side in (0, 1))
        found.append(TimedCue(i, start_seconds, end_seconds, "".join(lines[i + 1 : end])))
    if not found:
        raise InputError(f"{name}: no subtitle in it; --fix-times takes SubRip (srt) and WebVTT (vtt)")
    return Subtitles(tuple(lines), tuple(found))


def spoken(subtitles: Subtitles) -> list[str]:
    """What is said in each cue, a line a cue; empty where nothing is."""
    return [_said(cue.text) for cue in subtitles.cues]


def times(
    subtitles: Subtitles, script: Script, words: Sequence[AlignedWord], duration_seconds: float
) -> list[NewTimes]:
    """New times of every cue: from its first word said to its last, and after that as long as it stood before where the
    next one leaves room. A cue whose words are not heard moves as its neighbours do."""
    cues = subtitles.cues
    own: list[list[AlignedWord]] = [[] for _ in cues]
    for word in words:
        own[script.lines[word.index]].append(word)
    heard = [[word for word in mine if word.supported] for mine in own]
    found = [len(yes) > 0 and len(yes) >= _FOUND * len(mine) for yes, mine in zip(heard, own, strict=True)]
    starts: list[float] = []
    shifts = [(k, heard[k][0].word.start_seconds - cues[k].start_seconds) for k in range(len(cues)) if found[k]]
    for k, cue in enumerate(cues):
        starts.append(cue.start_seconds + _shift(shifts, k, cues))
    for k in range(1, len(cues)):  # those that were in order before stay so
        if cues[k].start_seconds >= cues[k - 1].start_seconds:
            starts[k] = max(starts[k], starts[k - 1])
    out = []
    for k, cue in enumerate(cues):
        last = heard[k][-1].word.end_seconds if found[k] else starts[k]
        after = starts[k + 1] if k + 1 < len(cues) else max(duration_seconds, last)
        end = max(last, min(starts[k] + cue.end_seconds - cue.start_seconds, max(after, last)))
        if k + 1 < len(cues) and cue.end_seconds <= cues[k + 1].start_seconds:
            end = max(min(end, after), starts[k])
        pairs = tuple((one.word.text, one.word.start_seconds) for one in own[k])
        out.append(NewTimes(max(starts[k], 0.0), max(end, starts[k], 0.0), found[k], pairs))
    return out


def write(subtitles: Subtitles, new: Sequence[NewTimes]) -> str:
    """The file with the new times in the stamps' own style."""
    lines = list(subtitles.lines)
    for k, (cue, one) in enumerate(zip(subtitles.cues, new, strict=True)):
        both = iter((one.start_seconds, one.end_seconds))
        head, arrow, tail = lines[cue.line].partition("-->")
        head = _ONE.sub(lambda m, both=both: _stamp(next(both), m), head, count=1)  # type: ignore[misc]
        tail = _ONE.sub(lambda m, both=both: _stamp(next(both), m), tail, count=1)  # type: ignore[misc]
        lines[cue.line] = head + arrow + tail
        stop = subtitles.cues[k + 1].line if k + 1 < len(subtitles.cues) else len(lines)
        _inner(lines, cue.line + 1, stop, one)
    return "".join(lines)


def report(subtitles: Subtitles, new: Sequence[NewTimes]) -> list[str]:
    """What was done, in a line or two."""
    moved = sorted(
        one.start_seconds - cue.start_seconds for cue, one in zip(subtitles.cues, new, strict=True) if one.found
    )
    lines = []
    if moved:
        middle = moved[len(moved) // 2]
        lines.append(
            f"{len(moved)} of {len(new)} subtitles found, moved by {moved[0]:+.2f} to {moved[-1]:+.2f} s "
            f"(median {middle:+.2f} s)"
        )
    lost = [str(k + 1) for k, (cue, one) in enumerate(zip(subtitles.cues, new, strict=True)) if not one.found]
    if lost:
        shown = ", ".join(lost[:10]) + (f" and {len(lost) - 10} more" if len(lost) > 10 else "")
        lines.append(f"not heard, moved with their neighbours: subtitle {shown}")
    return lines


def _said(text: str) -> str:
    return " ".join(_SIGNS.sub(" ", html.unescape(hushed(text).replace("\0", " "))).split())


def _shift(shifts: Sequence[tuple[int, float]], k: int, cues: Sequence[TimedCue]) -> float:
    """How far cue k moves: its own shift, or between those of its neighbours as its old time lies between theirs."""
    before = [pair for pair in shifts if pair[0] <= k]
    after = [pair for pair in shifts if pair[0] >= k]
    if not before or not after:
        return (before[-1] if before else after[0])[1] if shifts else 0.0
    (i, one), (j, two) = before[-1], after[0]
    span = cues[j].start_seconds - cues[i].start_seconds
    share = (cues[k].start_seconds - cues[i].start_seconds) / span if span > 0 else 0.0
    return one + (two - one) * min(max(share, 0.0), 1.0)


def _inner(lines: list[str], first: int, stop: int, new: NewTimes) -> None:
    """Times within a cue's text: each gets the start of the word that follows it."""
    said = 0
    for i in range(first, stop):
        if not lines[i].strip():
            return
        parts = re.split(rf"({_INNER.pattern.replace('(', '(?:').replace('(?:?:', '(?:')})", lines[i])
        for k, part in enumerate(parts):
            if _INNER.fullmatch(part):
                at = new.words[min(said, len(new.words) - 1)][1] if new.words else new.start_seconds
                at = min(max(at, new.start_seconds), new.end_seconds)
                parts[k] = _INNER.sub(lambda m, at=at: f"<{_stamp(at, m)}>", part)
            else:
                said += sum(any(c.isalnum() for c in token) for token in _said(part).split())
        lines[i] = "".join(parts)


def _seconds(groups: Sequence[str | None]) -> float:
    hours, minutes, seconds, _, fraction = groups
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")


def _stamp(seconds: float, old: "re.Match[str]") -> str:
    """Seconds in the style of an old stamp: with hours where it had them or they are needed, its sign, three digits."""
    ticks = round(seconds * 1000)
    whole, thousandths = divmod(ticks, 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    hours = f"{hour:0{len(old[1]) if old[1] else 2}}:" if old[1] or hour else ""
    return f"{hours}{minute:02}:{second:02}{old[4]}{thousandths:03}"
