"""Plain text: a line a segment."""

from ..transcript import Segment
from .escape import label, one_line
from .lines import Lines


def lines(name: str, channels: bool) -> Lines:
    """A line for each segment that has words; with channels, "[0] " before the words of channel 0."""

    def segment(segment: Segment) -> str:
        return f"{label(segment.channel)}{one_line(segment.text)}\n" if segment.words else ""

    return Lines("", segment)
