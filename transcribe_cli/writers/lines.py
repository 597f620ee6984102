"""A format that is written segment by segment."""

from collections.abc import Callable
from dataclasses import dataclass

from ..transcript import Segment


@dataclass(frozen=True, slots=True)
class Lines:
    """The header, and the text of a segment with its line end ("" for a segment without words)."""

    header: str
    segment: Callable[[Segment], str]
