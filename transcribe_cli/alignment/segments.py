"""Words → segments: stretches of speech between pauses, short enough to read and to show.

A pause of `pause_seconds` ends a segment. One that is still longer than `max_segment_seconds` is broken at the
longest pause within it, and its parts again, so that long speech is cut where the speaker breathes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..options import check, option
from ..transcript import Segment, Word


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """Where segments end."""

    pause_seconds: float = option(
        0.8, "a silence this long between two words starts a new segment, in seconds", minimum=0.0, panel="Output"
    )
    max_segment_seconds: float = option(
        15.0, "longest segment; a longer one is broken at its longest pauses, in seconds", minimum=0.1, panel="Output"
    )

    def __post_init__(self) -> None:
        check(self)


DEFAULT = SegmentOptions()


def group(words: Sequence[Word], options: SegmentOptions = DEFAULT, channel: int | None = None) -> tuple[Segment, ...]:
    """Words in order of time → segments that hold every word once, in the same order."""
    segments = []
    begin = 0
    for i in range(1, len(words) + 1):
        if i == len(words) or words[i].start_seconds - words[i - 1].end_seconds >= options.pause_seconds:
            segments += [_segment(part, channel) for part in _split(words[begin:i], options.max_segment_seconds)]
            begin = i
    return tuple(segments)


def _split(words: Sequence[Word], longest: float) -> list[Sequence[Word]]:
    """Parts of at most `longest` seconds where a word boundary allows it, cut at the longest pauses first."""
    todo, done = [words], []
    while todo:
        part = todo.pop()
        if len(part) < 2 or part[-1].end_seconds - part[0].start_seconds <= longest:
            done.append(part)
            continue
        cut = _longest_pause(part)
        todo += [part[cut:], part[:cut]]
    return done


def _longest_pause(words: Sequence[Word]) -> int:
    """Index of the word after the longest pause; among equal ones the middlemost, so that halves are balanced."""
    centre = (words[0].start_seconds + words[-1].end_seconds) / 2
    return max(
        range(1, len(words)),
        key=lambda i: (
            round(words[i].start_seconds - words[i - 1].end_seconds, 3),
            -abs(words[i].start_seconds - centre),
        ),
    )


def _segment(words: Sequence[Word], channel: int | None) -> Segment:
    return Segment(words[0].start_seconds, words[-1].end_seconds, tuple(words), channel)
