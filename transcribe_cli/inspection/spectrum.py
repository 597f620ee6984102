"""The spectrum of the whole recording at its own rate: how far up it holds sound, and its loudness as ears take it.

Frames of about 40 ms, Hann window, half overlapping. Bandwidth is read off the mean power spectrum; loudness is ITU-R
BS.1770's (K-weighting, the channels' powers added, blocks of 400 ms, both gates), weighted here frequency by frequency
instead of by two filters. Headers seldom tell which channels are behind the listener, so all count the same.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .levels import decibel

Floats = NDArray[np.float32]

REACH_DB = 60.0  # below the loudest octave-third: what is weaker is no part of the sound
SMOOTH_HZ = 200.0
BLOCK_SECONDS = 0.4
GATE_DB, RELATIVE_GATE_DB = -70.0, -10.0
BIN_DB = 0.1


class SpectrumMeter:
    """push() blocks; then `bandwidth_hz` and `loudness`."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._rate = sample_rate
        self._size = 1 << max(6, round(math.log2(sample_rate * 0.04)))
        self._hop = self._size // 2
        self._window = np.hanning(self._size + 1)[:-1].astype(np.float32)
        self._mean = np.zeros(self._size // 2 + 1)
        self._weight = k_weight(np.arange(self._size // 2 + 1) * (sample_rate / self._size))
        self._n_frames = 0
        self._kept = np.zeros((0, channels), np.float32)
        self._per_block = max(1, round(BLOCK_SECONDS * sample_rate / self._hop))
        self._powers: list[float] = []  # of the frames of the block under way
        self._blocks = np.zeros(int(120 / BIN_DB) + 1, np.int64)  # loudness of blocks, −100 to +20

    def push(self, block: Floats) -> None:
        """(n, channels) float32."""
        kept = np.concatenate((self._kept, block))
        n = max(0, (len(kept) - self._size) // self._hop + 1)
        together = max(1, 256 // kept.shape[1])
        for first in range(0, n, together):
            frames = np.lib.stride_tricks.sliding_window_view(kept, self._size, axis=0)[:: self._hop][
                first : min(first + together, n)
            ]
            power = np.square(np.abs(np.fft.rfft(frames * self._window))).astype(np.float64).sum(axis=1)
            self._mean += power.sum(axis=0)
            # mean square of the samples: Parseval, both halves of the spectrum, the window's own power taken out
            scale = 2 / (self._size * float(np.square(self._window, dtype=np.float64).sum()))
            self._count((power @ self._weight * scale).tolist())
        self._n_frames += n
        self._kept = kept[n * self._hop :].copy()

    @property
    def bandwidth_hz(self) -> float | None:
        """The highest frequency within REACH_DB of the loudest; None for silence."""
        if not self._n_frames or not self._mean.any():
            return None
        width = max(1, round(SMOOTH_HZ * self._size / self._rate))
        smooth = np.convolve(self._mean, np.ones(width) / width, "same")
        levels = 10 * np.log10(np.maximum(smooth, smooth.max() * 1e-20))
        heard = np.flatnonzero(levels >= levels.max() - REACH_DB)
        return min(float(heard[-1] + 1) * self._rate / self._size, self._rate / 2)

    @property
    def loudness(self) -> float:
        """LUFS; −∞ where nothing passes the gate. Of less than a block, that of what there is."""
        blocks = self._blocks if self._blocks.any() else self._short()
        centres = -100 + BIN_DB * np.arange(len(blocks))
        counts = np.where(centres >= GATE_DB, blocks, 0)
        if not counts.any():
            return -math.inf
        powers = 10 ** (centres / 10)
        gate = decibel(float((counts * powers).sum() / counts.sum())) + RELATIVE_GATE_DB
        counts = np.where(centres >= gate, counts, 0)
        return decibel(float((counts * powers).sum() / counts.sum()))

    def _count(self, powers: list[float]) -> None:
        step = max(1, self._per_block // 4)  # blocks overlap by three quarters
        for power in powers:
            self._powers.append(power)
            if len(self._powers) == self._per_block:
                self._blocks[self._place(sum(self._powers) / self._per_block)] += 1
                del self._powers[:step]

    def _short(self) -> NDArray[np.int64]:
        """Blocks as they are counted, one of them: all frames, or the samples where they fill no frame."""
        blocks = np.zeros_like(self._blocks)
        if self._powers:
            blocks[self._place(sum(self._powers) / len(self._powers))] = 1
        elif len(self._kept):
            power = np.square(np.abs(np.fft.rfft(self._kept, self._size, axis=0))).astype(np.float64).sum(axis=1)
            blocks[self._place(float(power @ self._weight) * 2 / (self._size * len(self._kept)))] = 1
        return blocks

    def _place(self, power: float) -> int:
        """Where a block of so much weighted power is counted."""
        loudness = -0.691 + decibel(power)
        return min(round((max(loudness, -100.0) + 100) / BIN_DB), len(self._blocks) - 1)


def k_weight(hz: NDArray[np.floating]) -> NDArray[np.float64]:
    """Power gain of BS.1770's two filters in their analogue form: +4 dB above 1.7 kHz, a high pass at 38 Hz.

    Source: ITU-R BS.1770-4, annex 1; analogue prototypes after De Man, "Evaluation of implementations of the EBU R128
    loudness measurement", AES 145, 2018.
    """
    s = 1j * hz
    low, q_low = 38.13547087602444, 0.5003270373238773
    high, q_high, gain = 1681.974450955533, 0.7071752369554196, 3.999843853973347
    v_h = 10 ** (gain / 20)
    v_b = v_h**0.4996667741545416
    shelf = (v_h * s**2 + v_b * high / q_high * s + high**2) / (s**2 + high / q_high * s + high**2)
    passed = s**2 / (s**2 + low / q_low * s + low**2)
    weight: NDArray[np.float64] = np.abs(shelf * passed) ** 2
    return weight
