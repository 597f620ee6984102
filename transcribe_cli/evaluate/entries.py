"""Utterances as files hold them, before references and hypotheses are joined."""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_TIMES = ("start", "offset", "duration")


@dataclass(frozen=True, slots=True)
class Entry:
    """One utterance of a file. confidences: one a word of the text, where the file has them."""

    id: str
    text: str
    start_seconds: float | None = None
    duration_seconds: float | None = None
    keys: dict[str, str] = field(default_factory=dict)
    confidences: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Texts:
    """What a file held, in its order. both: whether hypotheses have a key of their own, beside the references'."""

    where: str
    format: str
    entries: tuple[Entry, ...]
    both: bool = False


def spoken_at(recording: str, start_seconds: float | None) -> str:
    """The id of an utterance that has none: its recording, and where it starts unless that is the beginning."""
    return f"{recording} {start_seconds:.3f}".rstrip("0").rstrip(".") if start_seconds else recording


def grouping_keys(line: Mapping[str, Any], but: Container[str] = ()) -> dict[str, str]:
    """What of a line an utterance may be grouped by: its short values, numbers as they are written."""
    plain = {name: str(value) for name, value in line.items() if isinstance(value, (str, int, float))}
    return {name: value for name, value in plain.items() if name not in but and name not in _TIMES}


def probabilities(values: Sequence[object]) -> tuple[float, ...]:
    """Confidences of words; none at all where one of them is no probability (per cent, logarithms)."""
    sure = tuple(value for value in values if isinstance(value, (int, float)) and math.isfinite(value))
    fits = len(sure) == len(values) and all(0.0 <= value <= 1.0 for value in sure)
    return tuple(map(float, sure)) if fits else ()
