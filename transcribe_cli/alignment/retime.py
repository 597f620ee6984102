"""Subtitles whose times are wrong → the same subtitles with the times at which their words are said.

    read(bytes) → Subtitles → spoken() → aligned as one text, a line a cue → times() → write()

Only time stamps are replaced: numbers, texts, tags, cue settings, notes, styles and line ends stay byte for byte. What
is not speech (tags, "[applause]", "♪", the speaker's "JOHN:") is not looked for in the sound.
"""

import bisect
import html
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError
from .script import Script, hushed
from .teller import AlignedWord

# "00:00:01:000" can mean nothing else; "00:00:01:12" may count frames
_STAMP = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:([.,]|:(?=\d{3}))(\d{1,3}))?(?![\d:.,])"
_TIMING = re.compile(rf"^[\s\ufeff]*{_STAMP}[ \t]*-->[ \t]*{_STAMP}(.*)$", re.DOTALL)
_ALMOST = re.compile(r"\d ?[:.,;] ?\d.*--+>.*\d|^\W*\d+:\d.*(?:[-–—=]>|→).*\d:\d")  # looks like a timing line
_NUMBER = re.compile(r"[\s\ufeff]*\d+\s*")
_ONE = re.compile(_STAMP)
_INNER = re.compile(rf"<(?=[\d:]*[.,]){_STAMP}>")  # WebVTT: when a part of a cue is said
_SIGNS = re.compile(r"[#*]|\\[Nh]")  # of music; line ends and spaces of SubStation
_FOUND = 1 / 3  # of a cue's words must be heard for it to be timed by them
_PAUSE_SECONDS = 1.5  # longer than within a cue
_SHORTEST_SECONDS = 0.5  # a cue stands that long whatever else ends


@dataclass(frozen=True, slots=True)
class TimedCue:
    """line: index of its timing line; text: its payload as written, from the next line on."""

    line: int
    start_seconds: float
    end_seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class Subtitles:
    """lines: the whole file with its line ends; unclear: indices of lines that look like times and are not understood;
    point: what the format has before a second's fraction."""

    lines: tuple[str, ...]
    cues: tuple[TimedCue, ...]
    unclear: tuple[int, ...]
    point: str

    @property
    def order(self) -> list[int]:
        """Indices of the cues by their old times: signs and translations may stand anywhere in a file."""
        return sorted(range(len(self.cues)), key=lambda k: self.cues[k].start_seconds)


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
    webvtt = text.lstrip("\ufeff").startswith("WEBVTT")
    lines = text.splitlines(keepends=True)
    found: list[TimedCue] = []
    unclear: list[int] = []
    timings = [i for i, line in enumerate(lines) if _TIMING.match(line) or _ALMOST.search(line)]
    for i, stop in itertools.pairwise([*timings, len(lines)]):
        match = _TIMING.match(lines[i])
        if match is None:
            unclear.append(i)
            continue
        if stop < len(lines) and stop - 1 > i and _NUMBER.fullmatch(lines[stop - 1]):
            stop -= 1  # the next cue's number
        first = i + 1
        while first < stop and not webvtt and not lines[first].strip():
            first += 1  # SubRip's players wait for the text
        end = next((j for j in range(first, stop) if not lines[j].rstrip("\r\n")), stop)  # a line of spaces is text
        start_seconds, end_seconds = (_seconds(match.groups()[5 * side : 5 * side + 5]) for side in (0, 1))
        found.append(TimedCue(i, start_seconds, end_seconds, "".join(lines[i + 1 : end])))
    if not found:
        why = f" (line {unclear[0] + 1} is not understood as a time)" if unclear else ""
        raise InputError(f"{name}: no subtitle in it{why}; --fix-times takes SubRip (srt) and WebVTT (vtt)")
    return Subtitles(tuple(lines), tuple(found), tuple(unclear), "." if webvtt else ",")


def spoken(subtitles: Subtitles) -> list[str]:
    """What is said in each cue, a line a cue in order of time; empty where nothing is."""
    return [_said(subtitles.cues[k].text) for k in subtitles.order]


def times(subtitles: Subtitles, script: Script, words: Sequence[AlignedWord], end_seconds: float) -> list[NewTimes]:
    """New times of every cue: from its first word said to its last, and after that as long as it stood before where the
    next one leaves room. A cue whose words are not heard moves as its neighbours do.

    script: what `spoken` says. end_seconds: of the recording, ∞ where it goes on after what was read.
    """
    order = subtitles.order
    cues = [subtitles.cues[k] for k in order]
    own: list[list[AlignedWord]] = [[] for _ in cues]
    for word in words:
        own[script.lines[word.index]].append(word)
    heard = [_together([word for word in mine if word.supported]) for mine in own]
    found = [len(yes) > 0 and len(yes) >= _FOUND * len(mine) for yes, mine in zip(heard, own, strict=True)]
    shifts = [(k, heard[k][0].word.start_seconds - cues[k].start_seconds) for k in range(len(cues)) if found[k]]
    if shifts and cues[0].start_seconds + shifts[0][1] < 0:
        shifts.insert(0, (0, -cues[0].start_seconds))  # what cannot be before the recording stands at its beginning
    starts = [max(cue.start_seconds + _shift(shifts, k, cues), 0.0) for k, cue in enumerate(cues)]
    old = [cue.start_seconds for cue in cues]
    new: dict[int, NewTimes] = {}
    for k, cue in enumerate(cues):
        length = max(cue.end_seconds - cue.start_seconds, 0.0)
        end = starts[k] + length
        if found[k]:
            end = max(min(end, max(end_seconds, starts[k] + _SHORTEST_SECONDS)), heard[k][-1].word.end_seconds)
        after = bisect.bisect_left(old, cue.end_seconds, k + 1)  # the first that came when this one was gone
        if after < len(cues):
            end = min(end, starts[after])
        if not found[k]:
            end = max(end, starts[k] + min(length, _SHORTEST_SECONDS))
        pairs = tuple((one.word.text, one.word.start_seconds) for one in own[k])
        new[order[k]] = NewTimes(starts[k], max(end, starts[k]), found[k], pairs)
    return [new[k] for k in range(len(cues))]


def write(subtitles: Subtitles, new: Sequence[NewTimes]) -> str:
    """The file with the new times in the stamps' own style."""
    lines = list(subtitles.lines)
    for cue, one in zip(subtitles.cues, new, strict=True):
        head, arrow, tail = lines[cue.line].partition("-->")
        head, tail = _restamped(head, one.start_seconds, subtitles), _restamped(tail, one.end_seconds, subtitles)
        lines[cue.line] = head + arrow + tail
        text = _inner(cue, one, subtitles.point).splitlines(keepends=True)
        lines[cue.line + 1 : cue.line + 1 + len(text)] = text
    return "".join(lines)


def report(subtitles: Subtitles, new: Sequence[NewTimes]) -> list[str]:
    """What was done, in a line or two, and what was not understood."""
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
    lines += [f"line {i + 1} is not understood as a time and stays as it is" for i in subtitles.unclear[:10]]
    if len(subtitles.unclear) > 10:
        lines.append(f"{len(subtitles.unclear) - 10} more lines are not understood as times")
    return lines


def _together(words: Sequence[AlignedWord]) -> list[AlignedWord]:
    """The words said in one go that have the most letters: one apart from the others is often heard in another's stead,
    for subtitles leave out much of what is said."""
    parts: list[list[AlignedWord]] = []
    for one in words:
        if not parts or one.word.start_seconds - parts[-1][-1].word.end_seconds > _PAUSE_SECONDS:
            parts.append([])
        parts[-1].append(one)
    return max(parts, key=lambda part: sum(c.isalnum() for one in part for c in one.word.text), default=[])


def _said(text: str) -> str:
    return " ".join(_unmarked(hushed(text)).split())


def _unmarked(quiet: str) -> str:
    return _SIGNS.sub(" ", html.unescape(quiet.replace("\0", " ")))


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


def _restamped(part: str, seconds: float, subtitles: Subtitles) -> str:
    return _ONE.sub(lambda old: _stamp(seconds, old, subtitles.point), part, count=1)


def _inner(cue: TimedCue, new: NewTimes, point: str) -> str:
    """A cue's text with the times within it: each that of the word that follows it, or moved with a cue not found."""
    quiet = hushed(cue.text)
    ends = list(itertools.accumulate(_n_signs(text) for text, _ in new.words))

    def moved(old: "re.Match[str]") -> str:
        # counted in signs, for what a word is decides the script
        following = bisect.bisect_right(ends, _n_signs(_unmarked(quiet[: old.start()])))
        at = _seconds(old.groups()) + new.start_seconds - cue.start_seconds
        if new.found:
            at = new.words[min(following, len(new.words) - 1)][1]
        return f"<{_stamp(min(max(at, new.start_seconds), new.end_seconds), old, point)}>"

    return _INNER.sub(moved, cue.text)


def _n_signs(text: str) -> int:
    return len("".join(text.split()))


def _seconds(groups: Sequence[str | None]) -> float:
    hours, minutes, seconds, _, fraction = groups
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction or 0}")


def _stamp(seconds: float, old: "re.Match[str]", point: str) -> str:
    """Seconds in the style of an old stamp: with hours where it had them or they are needed, three digits after its
    sign, or after `point` where it had none that players read."""
    ticks = round(seconds * 1000)
    whole, thousandths = divmod(ticks, 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    hours = f"{hour:0{len(old[1]) if old[1] else 2}}:" if old[1] or hour else ""
    return f"{hours}{minute:02}:{second:02}{old[4] if old[4] in ('.', ',') else point}{thousandths:03}"
