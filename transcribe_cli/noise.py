"""Steady noise turned down in log-mel rows, where it is loud: (t, bands) of one window in, as many out.

In every band the quieter fifths of a second are the noise; bins near it are turned down by up to `most_db`, bins well
above it stay. A window whose speech stands well above its noise comes back as it is, so clean speech, telephones and
codecs lose nothing. A network that learned in noise reads what remains better than the whole: fewer of its units are
taken up by the noise, and speech covered by it is not lost, as it would be if the noise were taken out.

Source: power spectral subtraction with a spectral floor (Berouti, Schwartz, Makhoul 1979), over mel bands; the noise as
a low quantile over time (Stahl, Fischer, Bippus 2000).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

AVERAGED = 20  # rows in a mean, 0.2 s: its scatter is far less than a row's, and pauses between words are longer
QUANTILE = 0.1  # of the means; the very least would be that of a gap in the noise
BIAS = np.float32(1.3)  # the mean of steady noise over that quantile of its means
SPEECH_ROWS = 30  # 0.3 s of a band's loudest rows: even a window with a single word has as many
LOUD_DB = 13.0  # speech this far above the noise, on average over bands: all is turned down that may be
QUIET_DB = 18.0  # this far: nothing is
SOUNDING = np.float32(10.0)  # times the least power in the mean band: less is digital silence, not what noise there is


def turned_down(rows: Floats, most_db: float, base: float, least: float) -> Floats:
    """(t, bands) logarithms to `base` of mel powers, none below `least` → the same with steady noise turned down.

    `rows` themselves where nothing is to be done.
    """
    power = np.exp(rows * np.float32(np.log(base)))
    sounding = power[power.mean(axis=1) > SOUNDING * np.float32(least)]
    whole = len(sounding) // AVERAGED * AVERAGED
    if whole < 2 * AVERAGED:  # too short to tell noise from speech
        return rows
    means = sounding[:whole].reshape(-1, AVERAGED, rows.shape[1]).mean(axis=1)
    noise = np.quantile(means, QUANTILE, axis=0).astype(np.float32) * BIAS
    depth_db = most_db * _loudness(sounding, noise)
    if depth_db <= 0:
        return rows
    smooth = _three(_three(power).T).T
    lowest = np.float32(10 ** (-depth_db / 10))
    gains = np.maximum(1 - noise / smooth, lowest)
    out: Floats = rows + np.log(gains) * np.float32(1 / np.log(base))
    return out


def _loudness(power: Floats, noise: Floats) -> float:
    """How loud the noise is: 1 where speech is hardly above it, 0 where it is far above."""
    nth = max(0, len(power) - SPEECH_ROWS)
    speech = np.partition(power, nth, axis=0)[nth]
    above_db = 10 * float(np.log10(speech / noise).mean())
    return min(1.0, max(0.0, (QUIET_DB - above_db) / (QUIET_DB - LOUD_DB)))


def _three(power: Floats) -> Floats:
    """Means over each row, the one before and the one after; the first and the last count twice at the ends."""
    wide = np.concatenate((power[:1], power, power[-1:]))
    mean: Floats = (wide[:-2] + wide[1:-1] + wide[2:]) / np.float32(3)
    return mean
