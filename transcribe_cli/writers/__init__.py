"""Transcripts written down: one file a family of formats, and the table of them all.

What comes in is a Transcript, what goes out the whole text of one file. A format whose lines do not depend on later
ones can also be written while the recording is read: `stream`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import OptionError
from ..transcript import Transcript
from . import json, sclite, subtitles, tables, text, textgrid
from .cues import SubtitleOptions
from .lines import Lines

__all__ = ["FORMATS", "Format", "Lines", "SubtitleOptions", "by_file_name", "find", "render", "stream"]

Render = Callable[[Transcript, SubtitleOptions, str], str]
Stream = Callable[[str, bool], Lines]


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write a transcript. Exactly one of `whole` and `lines` is there."""

    name: str
    extension: str  # without the dot; no two formats share one
    description: str
    whole: Render | None = None
    lines: Stream | None = None
    cues: bool = False  # made of subtitles, so that SubtitleOptions decide its form


FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        Format("txt", "txt", "plain text, a line a segment", lines=text.lines),
        Format("srt", "srt", "SubRip subtitles", subtitles.srt, cues=True),
        Format("vtt", "vtt", "WebVTT subtitles", subtitles.vtt, cues=True),
        Format("json", "json", "everything: segments, words, times, confidences, models, options", json.render),
        Format("jsonl", "jsonl", "one JSON line a recording, as manifests have them", json.render_line),
        Format("tsv", "tsv", "start, end (milliseconds) and text, tab-separated, a line a segment", lines=tables.tsv),
        Format("csv", "csv", "start and end in seconds, confidence and text for spreadsheets", lines=tables.csv),
        Format("ctm", "ctm", "NIST's time-marked words", sclite.ctm),
        Format("stm", "stm", "NIST's segments, what sclite takes as a reference", sclite.stm),
        Format("textgrid", "TextGrid", "Praat's tiers of words and segments", textgrid.render),
        Format("lrc", "lrc", "lyrics as music players show them", subtitles.lrc, cues=True),
        Format("ass", "ass", "Advanced SubStation Alpha subtitles", subtitles.ass, cues=True),
        Format("audacity", "audacity.txt", "a label track for Audacity, a line a segment", lines=tables.audacity),
    )
}


def render(transcript: Transcript, format: str, options: SubtitleOptions | None = None, name: str = "audio") -> str:
    """A transcript as the whole text of a file in one of FORMATS.

    Args:
        options: limits of subtitles; the defaults where None. Other formats do not look at them.
        name: what the recording is called inside formats that say so (json, jsonl, ctm, stm).

    Raises:
        OptionError: no such format.
    """
    chosen, transcript = find(format), json.kept(transcript)
    if chosen.lines is not None:
        lines = chosen.lines(name, any(segment.channel is not None for segment in transcript.segments))
        return lines.header + "".join(map(lines.segment, transcript.segments))
    assert chosen.whole is not None
    return chosen.whole(transcript, options or SubtitleOptions(), name)


def stream(format: str, name: str = "audio", channels: bool = False) -> Lines | None:
    """How to write a format segment by segment, None where it needs the whole transcript first.

    The header and the text of each segment joined are exactly what `render` returns. channels: whether segments will
    carry channels (`--channel split`). Raises OptionError for a format that is not in FORMATS.
    """
    chosen = find(format)
    if chosen.lines is None:
        return None
    lines = chosen.lines(name, channels)
    return Lines(lines.header, lambda segment: lines.segment(json.kept_segment(segment)))


def find(format: str) -> Format:
    """The format of that name. Raises OptionError where there is none."""
    if format not in FORMATS:
        raise OptionError(f"--format cannot be {format!r}: choose from {', '.join(FORMATS)}")
    return FORMATS[format]


def by_file_name(name: str) -> str:
    """The format that a file's name asks for ("talk.srt" → "srt"); "txt" where it asks for none."""
    fitting = [f for f in FORMATS.values() if name.lower().endswith("." + f.extension.lower())]
    return max(fitting, key=lambda f: len(f.extension)).name if fitting else "txt"
