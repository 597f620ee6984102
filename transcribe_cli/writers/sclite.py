"""NIST's formats for scoring: CTM (a word a line) and STM (a segment a line).

Source: SCTK, doc/infmts.htm. Lines are sorted by channel and time, as sclite wants them.
"""

import re

from ..transcript import Segment, Transcript
from .cues import SubtitleOptions
from .escape import one_line


def ctm(transcript: Transcript, options: SubtitleOptions, name: str) -> str:
    """`name channel start duration word confidence`; channels count from 1."""
    return "".join(
        f"{identifier(name)} {_channel(segment)} {word.start_seconds:.3f} {word.end_seconds - word.start_seconds:.3f} "
        f"{_plain(word.text)} {word.confidence:.4f}\n"
        for segment in _sorted(transcript)
        for word in segment.words
    )


def stm(transcript: Transcript, options: SubtitleOptions, name: str) -> str:
    """`name channel speaker start end text`; the speaker is the name with the channel."""
    return "".join(
        f"{identifier(name)} {_channel(segment)} {identifier(name)}_{_channel(segment)} {segment.start_seconds:.3f} "
        f"{segment.end_seconds:.3f} {' '.join(_plain(word.text) for word in segment.words)}\n"
        for segment in _sorted(transcript)
        if segment.words
    )


def identifier(name: str) -> str:
    """A name without what would split or comment out its line, or what no UTF-8 file can hold."""
    return re.sub(r"[\s;\ud800-\udfff]+", "_", name) or "audio"


def _channel(segment: Segment) -> int:
    return 1 if segment.channel is None else segment.channel + 1


def _sorted(transcript: Transcript) -> list[Segment]:
    return sorted(transcript.segments, key=lambda segment: (_channel(segment), segment.start_seconds))


def _plain(text: str) -> str:
    """A word without space and without the signs of sclite's alternations, optional words and comments."""
    return re.sub(r"[\s{}/()<>;@\\]+", "_", one_line(text)) or "_"
