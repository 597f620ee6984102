"""Steady background noise taken out by spectral gating: (n,) blocks in, as many samples out, cut anywhere.

The spectrum of 32 ms frames, four to a frame's length, is watched for its quietest eighths of a second in every
frequency bin over the last seconds and the half second to come: that is the noise (minimum statistics). Bins near the
noise are turned down, at most by 12 dB; less would leave it, more would make what remains sound like water. Digital
silence is left out of the watching: where a recording was padded or muted, its noise is not gone.

Source: R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum statistics", 2001,
in a simple form; gains as in power spectral subtraction.
"""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Complex = NDArray[np.complex64]

FRAME_SECONDS = 0.032
OVERLAP = 4  # frames over every sample
CHUNK = 64  # frames worked on together, half a second
AVERAGED = 16  # frames in a mean whose minimum counts: pauses between words are longer
SOUNDING = 1e-10  # power of full scale, a third of a step of 16 bits: less is digital silence, not what noise there is
MEMORY = 8  # past chunks that minima are taken over, 4 s
BIAS = 2.3  # the mean of steady noise over the minimum of its means, measured on white noise
OVERSUBTRACTION = 1.5  # noise scatters about its mean; with 1 its peaks would pass
LOWEST_GAIN = 0.25  # −12 dB


def denoise(samples: Floats, sample_rate: int) -> Floats:
    """A whole recording at once: (n,) float32 → (n,)."""
    stage = Denoiser(sample_rate)
    return np.concatenate([stage.push(samples), stage.flush()])


class Denoiser:
    """push((n,) float32) → (m,), about a second later; flush() → the rest. Silence stays silence."""

    def __init__(self, sample_rate: int) -> None:
        self._hop = max(8, round(sample_rate * FRAME_SECONDS / OVERLAP))
        self._length = self._hop * OVERLAP
        phase = 2 * math.pi * np.arange(self._length) / self._length
        # Hann before and after: squared and four to a length, the windows sum to 3/2
        self._analysis = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)
        self._synthesis = self._analysis / np.float32(1.5)
        # Parseval: half the spectrum of a frame whose samples have that power on average
        self._least = SOUNDING * self._length * float(np.square(self._analysis).sum()) / 2
        self._restart()

    def _restart(self) -> None:
        self._lead = self._length - self._hop  # samples before the first one, zero, to be thrown away again
        self._kept = np.zeros(self._lead, np.float32)
        self._tail = np.zeros(self._lead, np.float32)  # output that later frames still add to
        self._skip = self._lead
        self._waiting: Complex | None = None
        self._before: Floats | None = None  # power of the frame before the waiting chunk
        self._minima: deque[Floats] = deque(maxlen=MEMORY)
        self._due = 0  # samples taken in and not yet given back

    def push(self, block: Floats) -> Floats:
        """(n,) float32 → what is certain."""
        self._due += len(block)
        kept = np.concatenate((self._kept, block))
        out, size, first = [np.zeros(0, np.float32)], CHUNK * self._hop, 0
        while len(kept) >= first + size + self._lead:
            out.append(self._next(self._spectra(kept[first : first + size + self._lead])))
            first += size
        self._kept = kept[first:].copy()
        return self._given(np.concatenate(out))

    def flush(self) -> Floats:
        """The rest, so that as many samples came out as went in; the stage starts anew."""
        n_frames = -(-len(self._kept) // self._hop)  # every sample under four frames
        padded = np.pad(self._kept, (0, (n_frames - 1) * self._hop + self._length - len(self._kept)))
        out = [self._next(self._spectra(padded)), self._next(None), self._tail]
        rest = self._given(np.concatenate(out))
        self._restart()
        return rest

    def _given(self, out: Floats) -> Floats:
        skipped = min(self._skip, len(out))
        self._skip -= skipped
        out = out[skipped : skipped + self._due]
        self._due -= len(out)
        return out

    def _spectra(self, samples: Floats) -> Complex:
        frames = np.lib.stride_tricks.sliding_window_view(samples, self._length)[:: self._hop]
        return np.fft.rfft(frames * self._analysis, axis=1).astype(np.complex64, copy=False)

    def _next(self, coming: Complex | None) -> Floats:
        """Takes the chunk to come, gives the samples of the one that waited."""
        waiting, self._waiting = self._waiting, coming
        future = [] if coming is None else _quietest(self._sounding(_power(coming)))
        if waiting is None:
            return np.zeros(0, np.float32)
        power = _power(waiting)
        sounding = self._sounding(power)
        self._minima.extend(_quietest(sounding))
        known = [*self._minima, *future] or [sounding.mean(axis=0) if len(sounding) else np.zeros_like(power[0])]
        noise = np.minimum.reduce(known) * np.float32(BIAS)
        first = power[:1] if self._before is None else self._before
        last = power[-1:] if coming is None else _power(coming[:1])
        self._before = power[-1:]
        gains = _gains(np.concatenate((first, power, last)), noise)
        return self._overlap_add(np.fft.irfft(waiting * gains, n=self._length, axis=1).astype(np.float32, copy=False))

    def _sounding(self, power: Floats) -> Floats:
        """(t, bins) → the frames that are not digital silence."""
        kept: Floats = power[power.sum(axis=1) > self._least]
        return kept

    def _overlap_add(self, frames: Floats) -> Floats:
        n = len(frames)
        total = np.zeros((n + OVERLAP - 1, self._hop), np.float32)
        total.reshape(-1)[: self._lead] = self._tail
        parts = (frames * self._synthesis).reshape(n, OVERLAP, self._hop)
        for i in range(OVERLAP):
            total[i : i + n] += parts[:, i]
        self._tail = total[n:].reshape(-1).copy()
        return total[:n].reshape(-1)


def _power(spectra: Complex) -> Floats:
    power: Floats = spectra.real**2 + spectra.imag**2
    return power


def _quietest(power: Floats) -> list[Floats]:
    """(t, bins) → [(bins,)], the least of the means over AVERAGED frames.

    [] for fewer frames: their mean would lie far below that of the noise in some of the bins.
    """
    whole = len(power) // AVERAGED * AVERAGED
    means = power[:whole].reshape(-1, AVERAGED, power.shape[1]).mean(axis=1)
    return [means.min(axis=0)] if whole else []


def _gains(power: Floats, noise: Floats) -> Floats:
    """(t + 2, bins) powers, (bins,) noise → (t, bins) gains; powers are smoothed over three frames and three bins."""
    smooth = power[:-2] + power[1:-1] + power[2:]
    wide = np.pad(smooth, ((0, 0), (1, 1)), mode="edge")
    smooth = (wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]) / np.float32(9)
    kept = 1 - np.float32(OVERSUBTRACTION) * noise / np.maximum(smooth, np.float32(1e-20))
    return np.sqrt(np.maximum(kept, np.float32(LOWEST_GAIN**2)))
