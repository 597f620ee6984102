"""Speech and pause, noise and steadiness, out of log-mel frames: (t, 80) decimal logarithms of power, 100 a second.

Only energy is looked at, so this costs next to nothing and says how the recording is, not what is said in it. What is
kept is one byte a frame (a third of a megabyte an hour) and sums.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..features import FeatureRecipe

Floats = NDArray[np.float32]

RECIPE = FeatureRecipe()
FIRST_BAND, LAST_BAND = 5, 53  # 200 to 4000 Hz, where speech is
STEP_DB = 0.5
LOWEST_DB = -100.0
RANGE_DB = 12.0  # between the quietest and the loudest frames; where there is less, pauses cannot be told from speech
SHARE = 0.35  # of the way from the quietest to the loudest where speech begins
PAUSE_SECONDS = 0.3
STEADY_FRAMES = 25  # a quarter second: speech has gone on to another sound by then, a note or a hum has not
MOST_SNR_DB = 60.0
FLOOR_DB = 10 * math.log10((LAST_BAND - FIRST_BAND) * RECIPE.floor)  # of a frame of digital silence
VOICE = slice(5, 48)  # bands of 200 to 3300 Hz: a telephone's own edges would look like steadiness
_TILT = np.linalg.qr(np.vander(np.linspace(-1, 1, VOICE.stop - VOICE.start), 4))[0].astype(np.float32)  # cubics


@dataclass(frozen=True, slots=True)
class Speech:
    """share: of the time, pauses taken away, None where they cannot be told; snr_db at most MOST_SNR_DB; steadiness:
    mean correlation of spectra a quarter second apart, 0…1."""

    share: float | None
    pauses: int
    longest_pause_seconds: float
    median_pause_seconds: float
    snr_db: float | None
    steadiness: float


@dataclass(frozen=True, slots=True)
class FeatureStatistics:
    """Of log-mel values as a model's window would hold them before scaling: decimal logarithms of power."""

    frames: int
    mean: float
    deviation: float
    lowest: float
    highest: float
    floor_share: float  # of values at the floor: digital silence, or frequencies cut off


class SpeechMeter:
    """push() frames; then `speech` and `statistics`."""

    def __init__(self) -> None:
        self._levels = bytearray()
        self._n = 0
        self._sum = np.zeros(RECIPE.bands)
        self._square = np.zeros(RECIPE.bands)
        self._low, self._high, self._floored = math.inf, -math.inf, 0
        self._tail = np.zeros((0, RECIPE.bands), np.float32)
        self._alike, self._compared = 0.0, 0

    def push(self, frames: Floats) -> None:
        """(t, 80) log10 power."""
        if not len(frames):
            return
        self._n += len(frames)
        self._sum += frames.sum(axis=0, dtype=np.float64)
        self._square += np.square(frames, dtype=np.float64).sum(axis=0)
        self._low, self._high = min(self._low, float(frames.min())), max(self._high, float(frames.max()))
        self._floored += int(np.count_nonzero(frames <= math.log10(RECIPE.floor) + 1e-3))
        power = (10 ** frames[:, FIRST_BAND:LAST_BAND].astype(np.float64)).sum(axis=1)
        level = 10 * np.log10(power)
        self._levels += np.clip((level - LOWEST_DB) / STEP_DB, 0, 255).astype(np.uint8).tobytes()
        self._compare(frames)

    @property
    def statistics(self) -> FeatureStatistics:
        n = max(self._n * RECIPE.bands, 1)
        mean = float(self._sum.sum()) / n
        variance = max(float(self._square.sum()) / n - mean**2, 0.0)
        low, high = (self._low, self._high) if self._n else (0.0, 0.0)
        return FeatureStatistics(self._n, mean, math.sqrt(variance), low, high, self._floored / n)

    @property
    def speech(self) -> Speech:
        steady = self._alike / self._compared if self._compared else 0.0
        levels = LOWEST_DB + STEP_DB * np.frombuffer(self._levels, np.uint8).astype(np.float32)
        sounding = levels > FLOOR_DB  # where a recording was padded or muted, nothing tells of its noise
        if np.count_nonzero(sounding) < 10:
            return Speech(None, 0, 0.0, 0.0, None, steady)
        smooth = np.convolve(np.pad(levels, 2, mode="edge"), np.ones(5, np.float32) / 5, "valid")
        low, high = (float(x) for x in np.percentile(smooth[sounding], (10, 99)))
        low = max(low, high - MOST_SNR_DB)
        if high - low < RANGE_DB:
            return Speech(None, 0, 0.0, 0.0, None, steady)
        loud = sounding & (smooth > low + SHARE * (high - low))
        edges = np.flatnonzero(np.diff(np.concatenate(([1], loud.view(np.int8), [1]))))
        lengths = (edges[1::2] - edges[::2]) * RECIPE.hop_seconds
        pauses = lengths[lengths >= PAUSE_SECONDS]
        powers = 10 ** (levels / 10)
        between = sounding & ~loud
        quiet = between & (levels <= np.median(levels[between]))
        noise, signal = float(powers[quiet].mean()), float(powers[loud].mean())
        snr = 10 * math.log10(max(signal - noise, 1e-12) / noise)
        return Speech(
            1 - float(pauses.sum()) / (len(levels) * RECIPE.hop_seconds),
            len(pauses),
            float(pauses.max(initial=0.0)),
            float(np.median(pauses)) if len(pauses) else 0.0,
            min(snr, MOST_SNR_DB),
            steady,
        )

    def _compare(self, frames: Floats) -> None:
        """Correlation over the bands of each frame with the one a quarter second before, where both are loud."""
        frames = np.concatenate((self._tail, frames))
        self._tail = frames[-STEADY_FRAMES:].copy()
        if len(frames) <= STEADY_FRAMES:
            return
        level = frames.max(axis=1)
        shape = frames[:, VOICE].copy()
        shape -= (shape @ _TILT) @ _TILT.T  # what all sounds share: loudness, slope, curvature
        shape = shape / (np.sqrt(np.square(shape).sum(axis=1, keepdims=True)) + np.float32(1e-9))
        both = np.minimum(level[STEADY_FRAMES:], level[:-STEADY_FRAMES]) > max(
            self._high - 3.0, -9.0
        )  # 30 dB; no silence
        alike = (shape[STEADY_FRAMES:] * shape[:-STEADY_FRAMES]).sum(axis=1)[both]
        self._alike += float(alike.sum())
        self._compared += len(alike)
