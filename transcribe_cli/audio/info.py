"""What a recording's header says, what every opened recording can do, and the bounds that hold for all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from .options import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS

Floats = NDArray[np.float32]

BLOCK_SECONDS = 2.0
BLOCK_VALUES = 1 << 20  # 4 MB of float32, however many channels there are


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a recording's header says; `duration_seconds` is None where only reading to the end would tell.

    promised_seconds: what the header counts, where the file ends before that and `duration_seconds` is what it holds.
    """

    path: Path
    duration_seconds: float | None
    sample_rate: int
    channels: int
    format: str
    promised_seconds: float | None = None


class Source(Protocol):
    """An opened recording."""

    info: AudioInfo

    def blocks(self, start_seconds: float, duration_seconds: float | None) -> Iterator[Floats]:
        """(n, channels) float32, n ≥ 1, from `start_seconds` on. Raises AudioError where nothing can be read."""
        ...


def check_shape(name: str, sample_rate: int, channels: int) -> None:
    """Raises AudioError where a rate or a number of channels is absurd."""
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        raise AudioError(
            f"{name}: a sample rate of {sample_rate} Hz, not {LOWEST_RATE} to {HIGHEST_RATE} Hz: resample it first"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(f"{name}: {channels} channels; 1 to {MOST_CHANNELS} can be read, mix them down first")


def block_frames(sample_rate: int, channels: int, seconds: float = BLOCK_SECONDS) -> int:
    """Frames read at a time."""
    return max(1, min(int(sample_rate * seconds), BLOCK_VALUES // channels))


def block_sizes(n_frames: int, sample_rate: int, channels: int) -> Iterator[int]:
    """The frames of each block, where so many are given together."""
    size = block_frames(sample_rate, channels)
    for begin in range(0, n_frames, size):
        yield min(size, n_frames - begin)


def check_start(name: str, first: int, n_frames: int, sample_rate: int) -> None:
    """Raises AudioError where reading would begin at or behind the end."""
    if n_frames == 0:
        raise AudioError(f"{name}: holds no samples")
    if first >= n_frames:
        raise AudioError(f"{name}: lasts {n_frames / sample_rate:.2f} s, nothing begins at {first / sample_rate:.2f} s")
