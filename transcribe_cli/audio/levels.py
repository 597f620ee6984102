"""Levels: broken values, channels to mono, constant offset, the 16-bit grid. Stages keep memory; cut anywhere."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LOUDEST = 64.0  # full scales; what is beyond is a broken file, and would overflow in later sums
FULL_SCALE = 32768


def repair(block: Floats) -> tuple[Floats, int]:
    """Values that are no numbers become silence; returns the block and how many there were."""
    if not block.size:
        return block, 0
    peak = float(np.max(np.abs(block)))  # NaN wins in max, so one pass finds every kind of trouble
    if peak <= LOUDEST:
        return block, 0
    bad = ~np.isfinite(block)
    return np.clip(np.where(bad, np.float32(0), block), -LOUDEST, LOUDEST), int(bad.sum())


def to_mono(block: Floats, channel: int | None) -> Floats:
    """(n, channels) → (n,): the mean of all channels, or the one asked for."""
    if channel is not None:
        return np.ascontiguousarray(block[:, channel])
    if block.shape[1] == 1:
        return block[:, 0]
    mean: Floats = block.mean(axis=1, dtype=np.float32)
    return mean


def quantise(block: Floats) -> Floats:
    """Onto the grid of 16-bit samples, k / 32768; what is beyond full scale is clipped. 16-bit audio stays as it is."""
    steps: Floats = np.clip(np.rint(block * np.float32(FULL_SCALE)), -FULL_SCALE, FULL_SCALE - 1)
    return steps / np.float32(FULL_SCALE)


class OffsetRemoval:
    """Takes a constant offset (DC) away and leaves everything else bit for bit.

    The offset is the mean over quarter seconds, averaged over the last 20 s. Below 0.002 of full scale (−54 dB) it is
    left alone, between 0.002 and 0.004 taken away in part, so that nothing jumps; changes are spread over a quarter
    second, and a recording shorter than that stays as it is. Clean speech stays below, so it passes unchanged; a sound
    card's offset is gone from the first sample on. A high-pass filter would change every recording, and the models
    were trained on recordings without one.
    """

    QUIET, SURE = 0.002, 0.004
    MEMORY = 80  # quarter seconds

    def __init__(self, sample_rate: int) -> None:
        self._size = max(1, sample_rate // 4)
        self._ramp = (np.arange(1, self._size + 1) / self._size).astype(np.float32)
        self._kept = np.zeros(0, np.float32)
        self._means: deque[float] = deque(maxlen=self.MEMORY)
        self._last: float | None = None  # what was taken away at the end of the last quarter second

    def push(self, block: Floats) -> Floats:
        """(n,) → as many whole quarter seconds as there are."""
        kept = np.concatenate((self._kept, block)) if len(self._kept) else block
        whole = len(kept) // self._size * self._size
        parts = [self._clean(kept[i : i + self._size]) for i in range(0, whole, self._size)]
        self._kept = kept[whole:].copy()
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def flush(self) -> Floats:
        """The rest."""
        rest, self._kept = self._kept, np.zeros(0, np.float32)
        # less than a quarter second tells little about an offset: what was known before stays
        return rest - np.float32(self._last) if self._last else rest

    def _clean(self, part: Floats) -> Floats:
        self._means.append(float(part.mean(dtype=np.float64)))
        offset = sum(self._means) / len(self._means)
        sure = min(1.0, max(0.0, (abs(offset) - self.QUIET) / (self.SURE - self.QUIET)))
        now = offset * sure
        before = now if self._last is None else self._last
        self._last = now
        if now == 0 == before:
            return part
        change = np.float32(before) + np.float32(now - before) * self._ramp[: len(part)]
        return part - change
