"""Praat's TextGrid (long form): an interval tier of segments and one of words, for each channel.

Source: Praat manual, "TextGrid file formats".
"""

from collections.abc import Sequence

from ..transcript import Transcript
from .cues import SubtitleOptions
from .escape import one_line

Interval = tuple[float, float, str]
SHORTEST = 0.001  # seconds; less would print as no time at all


def render(transcript: Transcript, options: SubtitleOptions, name: str) -> str:
    """Tiers "segments" and "words", "characters" where there are any; with channels "segments 0", "words 0", …"""
    ends = [segment.end_seconds for segment in transcript.segments] + [word.end_seconds for word in transcript.words]
    total = round(max([transcript.duration_seconds, *ends, 0.001]), 6)
    channels = sorted({s.channel for s in transcript.segments}, key=lambda channel: -1 if channel is None else channel)
    tiers: list[tuple[str, list[Interval]]] = []
    for channel in channels or [None]:
        own = [s for s in transcript.segments if s.channel == channel and s.words]
        suffix = "" if channel is None else f" {channel}"
        spans = [(s.start_seconds, s.end_seconds, s.text) for s in own]
        words = [(w.start_seconds, w.end_seconds, w.text) for s in own for w in s.words]
        tiers += [(f"segments{suffix}", tile(spans, total)), (f"words{suffix}", tile(words, total))]
        letters = [(c.start_seconds, c.end_seconds, c.text) for s in own for w in s.words for c in w.characters]
        if letters:
            tiers.append((f"characters{suffix}", tile(letters, total)))
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {total:.6f}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for i, (tier, intervals) in enumerate(tiers, 1):
        lines += [f"    item [{i}]:", '        class = "IntervalTier"', f'        name = "{tier}"']
        lines += ["        xmin = 0", f"        xmax = {total:.6f}", f"        intervals: size = {len(intervals)}"]
        for j, (start, end, text) in enumerate(intervals, 1):
            quoted = one_line(text).replace('"', '""')
            lines += [f"        intervals [{j}]:", f"            xmin = {start:.6f}", f"            xmax = {end:.6f}"]
            lines += [f'            text = "{quoted}"']
    return "\n".join(lines) + "\n"


def tile(spans: Sequence[Interval], total: float) -> list[Interval]:
    """Spans in order of time → intervals that cover 0…total without gap or overlap, empty where nothing is said.

    Praat has no overlapping intervals: a span starts where the one before it ends at the earliest, and one without
    any length left is joined to its neighbour.
    """
    intervals: list[Interval] = []
    here = 0.0
    for start, end, text in sorted(spans, key=lambda span: span[:2]):
        start = round(min(max(start, here), total), 6)
        end = round(min(max(end, start), total), 6)
        if end - start < SHORTEST:
            if intervals and intervals[-1][2]:
                left, right, before = intervals[-1]
                intervals[-1] = (left, right, f"{before} {text}")
                continue
            start = max(here, min(start, total - SHORTEST))
            end = min(start + SHORTEST, total)
        if start > here:
            intervals.append((here, start, ""))
        intervals.append((start, end, text))
        here = end
    if here < total or not intervals:
        intervals.append((here, total, ""))
    return intervals
