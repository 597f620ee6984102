"""How loud each channel is, sample by sample: peak, power, offset, clipping; and how two channels relate.

Blocks of (n, channels) float32 at the recording's own rate come in; memory does not grow.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..audio.levels import repair

Floats = NDArray[np.float32]

FLAT = 1e-4  # of the peak: samples this near to it stand on it
RUN = 3  # samples in a row on the peak are a clipped top; a wave's own top is narrower
FRAME_SECONDS = 0.02
LOWEST = -100.0  # decibel, of what is measured frame by frame
BIN = 2.0  # decibel, of the joint histogram of two channels


@dataclass(frozen=True, slots=True)
class Level:
    """One channel. Decibels are relative to full scale; −∞ for digital silence."""

    peak_db: float
    rms_db: float
    offset: float  # of full scale
    clipped_share: float  # of the samples
    over_share: float  # of the samples, beyond full scale


@dataclass(frozen=True, slots=True)
class Pair:
    """The first two channels. correlation: of their samples; left, right: share of the loud frames in which that
    channel is louder by `APART` decibels."""

    correlation: float
    left: float
    right: float


APART = 10.0  # decibel between two channels that tell a speaker beside the one microphone from one between both


class LevelMeter:
    """push() blocks; then `levels` and `pair` tell."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self.n = 0
        self.broken = 0
        self._sum, self._square = np.zeros(channels), np.zeros(channels)
        self._peak, self._flat = np.zeros(channels, np.float32), np.zeros(channels, np.int64)
        self._over = np.zeros(channels, np.int64)
        self._product = 0.0
        self._frame = max(1, round(sample_rate * FRAME_SECONDS))
        self._rest = np.zeros((0, min(channels, 2)), np.float32)
        n_bins = int(-LOWEST / BIN) + 2
        self._joint = np.zeros((n_bins, n_bins), np.int64)  # frames by both channels' levels

    def push(self, block: Floats) -> Floats:
        """(n, channels) → the same with broken values silenced."""
        block, n_broken = repair(block)
        self.broken += n_broken
        self.n += len(block)
        self._sum += block.sum(axis=0, dtype=np.float64)
        self._square += np.square(block, dtype=np.float64).sum(axis=0)
        size = np.abs(block)
        self._over += (size > 1).sum(axis=0)
        for c, peak in enumerate(size.max(axis=0, initial=0.0)):
            if peak > self._peak[c] * (1 + FLAT):  # what stood on a lower top stood on none
                self._flat[c] = 0
            self._peak[c] = max(self._peak[c], peak)
            if self._peak[c] > 0:
                on = size[:, c] >= self._peak[c] * (1 - FLAT)
                if on.any():
                    self._flat[c] += _in_runs(on)
        if block.shape[1] > 1:
            self._product += float((block[:, 0].astype(np.float64) * block[:, 1]).sum())
            self._compare(block[:, :2])
        return block

    @property
    def levels(self) -> tuple[Level, ...]:
        n = max(self.n, 1)
        return tuple(
            Level(decibel(float(peak) ** 2), decibel(square / n), total / n, int(flat) / n, int(over) / n)
            for peak, square, total, flat, over in zip(
                self._peak, self._square.tolist(), self._sum.tolist(), self._flat, self._over, strict=True
            )
        )

    @property
    def pair(self) -> Pair | None:
        """None for one channel."""
        if len(self._sum) < 2:
            return None
        n = max(self.n, 1)
        covariance = self._product / n - self._sum[0] * self._sum[1] / n**2
        spread = np.sqrt(np.maximum(self._square[:2] / n - (self._sum[:2] / n) ** 2, 0))
        correlation = float(covariance / (spread[0] * spread[1])) if spread.all() else 0.0
        centres = LOWEST + BIN * np.arange(len(self._joint))
        loudest = np.maximum(centres[:, None], centres[None, :])
        # loud: in the upper half of the decibels between the quietest and the loudest frames
        order = np.argsort(loudest, axis=None)
        below = np.cumsum(self._joint.ravel()[order]) / max(self._joint.sum(), 1)
        low, high = (float(loudest.ravel()[order][np.searchsorted(below, share)]) for share in (0.05, 0.98))
        loud = self._joint * (loudest >= (low + high) / 2)
        apart = centres[:, None] - centres[None, :]
        total = max(int(loud.sum()), 1)
        return Pair(correlation, loud[apart >= APART].sum() / total, loud[apart <= -APART].sum() / total)

    def _compare(self, block: Floats) -> None:
        block = np.concatenate((self._rest, block)) if len(self._rest) else block
        whole = len(block) // self._frame * self._frame
        power = np.square(block[:whole]).reshape(-1, self._frame, 2).mean(axis=1)
        place = np.clip((10 * np.log10(power + 1e-12) - LOWEST) / BIN, 0, len(self._joint) - 1).astype(np.intp)
        np.add.at(self._joint, (place[:, 0], place[:, 1]), 1)
        self._rest = block[whole:].copy()


def decibel(power: float) -> float:
    """Ten times the decimal logarithm; −∞ for nothing."""
    return 10 * math.log10(power) if power > 0 else -math.inf


def _in_runs(on: NDArray[np.bool_]) -> int:
    """How many samples lie in runs of at least RUN."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], on.view(np.int8), [0]))))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= RUN].sum())
