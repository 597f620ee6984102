"""Samples → frames that a model reads: (n,) float32 in ±1 → (t, f) float32, as the model's card says.

Two steps, so that a recording can be streamed while a window is normalised as a whole:

    raw = Extractor(recipe).push(block) … flush()    # or frames(samples, recipe): one row every recipe.hop samples
    model_input = finish(raw[a:b], recipe)           # ONE window: noise, range, scale, DCT, deltas, normalisation

Raw rows are log-mel energies (kinds "log-mel" and "mfcc") or `hop` samples each (kind "waveform").

Rules for the ends: with padding "reflect" or "zeros" frame t is centred on sample t·hop, and the recording is continued
by fft // 2 samples at both ends; a recording shorter than that is reflected again and again, one sample is repeated,
and no samples give (0, f). There are n // hop frames, one more without `drop_last`. With padding "none" frame t begins
at sample t·hop, and only whole frames count. For a waveform `drop_last` drops an unfinished row, else zeros fill it up.

Source: log-mel as in Whisper (Radford et al. 2022) and librosa.feature.melspectrogram; MFCC and deltas as in
librosa.feature.mfcc and librosa.feature.delta (mode "interp"). Tests hold them equal to librosa within 1e-4.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import noise

Floats = NDArray[np.float32]

KINDS = ("log-mel", "mfcc", "waveform")
WINDOWS: dict[str, tuple[float, float, float]] = {  # a₀ − a₁ cos + a₂ cos 2, periodic
    "hann": (0.5, 0.5, 0.0),
    "hamming": (0.54, 0.46, 0.0),
    "blackman": (0.42, 0.5, 0.08),
    "rectangular": (1.0, 0.0, 0.0),
}
DELTA_WIDTH = 9  # frames of the local polynomial, librosa's default
BLOCK = 512  # frames transformed at a time: their spectra stay in the processor's cache, and memory stays flat
_LIMITS: dict[str, tuple[float, float]] = {  # a card is read from outside: bounds come before memory is taken
    "bands": (1, 1024),
    "sample_rate": (4000, 192_000),
    "window": (2, 65_536),
    "hop": (1, 65_536),
    "fft": (2, 65_536),
    "coefficients": (1, 1024),
    "deltas": (0, 2),
    "floor": (1e-30, 1.0),
    "range_below_max": (0.0, 1e6),
    "offset": (-1e6, 1e6),
    "scale": (1e-6, 1e6),
    "low_hz": (0.0, 96_000.0),
    "high_hz": (1.0, 96_000.0),
    "noise_db": (0.0, 40.0),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "kind": KINDS,
    "window_function": tuple(WINDOWS),
    "mel": ("slaney", "htk"),
    "mel_norm": ("slaney", "none"),
    "log": ("log10", "ln"),
    "padding": ("reflect", "zeros", "none"),
}


@dataclass(frozen=True, slots=True)
class FeatureRecipe:
    """How a model wants its features; part of its card. Lengths are in samples; the defaults are Whisper's log-mel.

    Raises ValueError, naming the field, where a value makes no sense.
    """

    kind: str = "log-mel"
    bands: int = 80
    sample_rate: int = 16_000
    window: int = 400
    hop: int = 160
    fft: int = 400  # at least `window`, which is centred in it
    window_function: str = "hann"
    mel: str = "slaney"  # scale: "slaney" (linear below 1 kHz) or "htk"
    mel_norm: str = "slaney"  # "slaney": every filter has the same area; "none": the same height
    low_hz: float = 0.0
    high_hz: float | None = None  # None: half the sample rate
    log: str = "log10"
    floor: float = 1e-10  # power below it is raised to it before the logarithm
    range_below_max: float | None = 8.0  # per window, in units of `log`: max(x, x.max() - range)
    offset: float = 4.0
    scale: float = 0.25  # (x + offset) * scale
    padding: str = "reflect"
    drop_last: bool = True
    coefficients: int = 40  # mfcc
    deltas: int = 0  # mfcc: 1 appends Δ, 2 appends Δ and ΔΔ
    normalise: bool = False  # per window: zero mean, unit variance, of the samples or of each column
    noise_db: float = 0.0  # per window: steady noise is turned down by up to so much where it is loud (noise.py)

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"feature {name} {getattr(self, name)!r} is not one of {', '.join(choices)}")
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"feature {name} {value!r} is not between {low:g} and {high:g}")
        if self.noise_db and self.kind == "waveform":
            raise ValueError("feature noise_db is for mel bands, not for a waveform")
        if self.window > self.fft:
            raise ValueError(f"feature window {self.window} is longer than fft {self.fft}")
        if self.kind == "mfcc" and self.coefficients > self.bands:
            raise ValueError(f"{self.coefficients} coefficients cannot come from {self.bands} bands")
        if self.low_hz >= self.top_hz or self.top_hz > self.sample_rate / 2:
            raise ValueError(f"mel filters from {self.low_hz:g} to {self.top_hz:g} Hz do not fit {self.sample_rate} Hz")

    @property
    def top_hz(self) -> float:
        return self.sample_rate / 2 if self.high_hz is None else self.high_hz

    @property
    def hop_seconds(self) -> float:
        """Seconds from one raw row to the next."""
        return self.hop / self.sample_rate

    @property
    def raw_dimension(self) -> int:
        """Columns of raw rows."""
        return self.hop if self.kind == "waveform" else self.bands

    @property
    def dimension(self) -> int:
        """Columns of what `finish` returns; 1 for a waveform, which comes back as (n,)."""
        if self.kind == "waveform":
            return 1
        return self.bands if self.kind == "log-mel" else self.coefficients * (1 + self.deltas)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> FeatureRecipe:
        """A card's "features" object → recipe. Raises KeyError without "kind", ValueError for anything senseless."""
        if not isinstance(data, dict):
            raise ValueError("features must be an object")
        kinds: dict[str, tuple[type, ...]] = {
            "int": (int,),
            "float": (int, float),
            "float | None": (int, float, type(None)),
            "bool": (bool,),
            "str": (str,),
        }
        types = {field.name: kinds[str(field.type)] for field in dataclasses.fields(cls)}
        for name, value in data.items():
            if name not in types:
                raise ValueError(f"unknown feature setting {name!r}")
            if not isinstance(value, types[name]) or (isinstance(value, bool) and bool not in types[name]):
                raise ValueError(f"feature {name} cannot be {value!r}")
        return cls(**{"kind": data["kind"], **data})

    def to_dict(self) -> dict[str, Any]:
        """The recipe as a JSON object; `from_dict` reads it back."""
        return dataclasses.asdict(self)


@functools.lru_cache(maxsize=8)
def mel_filters(recipe: FeatureRecipe) -> Floats:
    """Triangular mel filters, (fft // 2 + 1, bands) float32, equal to librosa.filters.mel transposed."""
    if recipe.mel == "slaney":  # 200/3 Hz a mel below 1 kHz, then 27 mels for every factor of 6.4
        step, per_log = 200 / 3, 27 / math.log(6.4)
        lowest, highest = (
            hz / step if hz < 1000 else 15 + per_log * math.log(hz / 1000) for hz in (recipe.low_hz, recipe.top_hz)
        )
        mels = np.linspace(lowest, highest, recipe.bands + 2)
        edges = np.where(mels < 15, mels * step, 1000 * np.exp((mels - 15) / per_log))
    else:
        lowest, highest = (2595 * math.log10(1 + hz / 700) for hz in (recipe.low_hz, recipe.top_hz))
        edges = 700 * (10 ** (np.linspace(lowest, highest, recipe.bands + 2) / 2595) - 1)
    bins = np.arange(recipe.fft // 2 + 1) * (recipe.sample_rate / recipe.fft)
    ramps = edges[None, :] - bins[:, None]
    widths = np.diff(edges)
    filters = np.maximum(0, np.minimum(-ramps[:, :-2] / widths[:-1], ramps[:, 2:] / widths[1:]))
    if recipe.mel_norm == "slaney":
        filters *= 2 / (edges[2:] - edges[:-2])
    return np.ascontiguousarray(filters, dtype=np.float32)


@functools.lru_cache(maxsize=8)
def _window(recipe: FeatureRecipe) -> Floats:
    """The analysis window, periodic, centred in (fft,)."""
    a0, a1, a2 = WINDOWS[recipe.window_function]
    phase = 2 * np.pi * np.arange(recipe.window) / recipe.window
    window = np.zeros(recipe.fft, dtype=np.float32)
    start = (recipe.fft - recipe.window) // 2
    window[start : start + recipe.window] = a0 - a1 * np.cos(phase) + a2 * np.cos(2 * phase)
    return window


def _log_mel(samples: Floats, n_frames: int, recipe: FeatureRecipe) -> Floats:
    """(≥ (n_frames − 1)·hop + fft,) samples → (n_frames, bands) logarithm of the mel powers, floor applied."""
    out = np.empty((n_frames, recipe.bands), dtype=np.float32)
    window, filters, n_bins = _window(recipe), mel_filters(recipe), recipe.fft // 2 + 1
    to_log = np.float32(1 / math.log(10)) if recipe.log == "log10" else None
    step = samples.strides[0]
    for first in range(0, n_frames, BLOCK):
        rows = out[first : first + BLOCK]
        frames = np.lib.stride_tricks.as_strided(
            samples[first * recipe.hop :], (len(rows), recipe.fft), (recipe.hop * step, step), writeable=False
        )
        # |X|² as real² + imag² over the interleaved floats; numpy < 2 transforms in float64
        spectra = np.fft.rfft(frames * window, axis=1).astype(np.complex64, copy=False)
        parts = spectra.view(np.float32).reshape(len(rows), n_bins, 2)
        np.square(parts, out=parts)
        np.matmul(parts[:, :, 0] + parts[:, :, 1], filters, out=rows)
        np.maximum(rows, np.float32(recipe.floor), out=rows)
        np.log(rows, out=rows)  # log10 has no vectorised kernel for float32, log has
        if to_log is not None:
            rows *= to_log
    return out


class Extractor:
    """Raw frames of a recording that comes in blocks; cut anywhere, the joined rows equal the whole's.

    push((n,) float32) → (t, raw_dimension) float32, as many rows as are certain; flush() → the rest, after which the
    extractor is as new.
    """

    def __init__(self, recipe: FeatureRecipe) -> None:
        self._recipe = recipe
        self._pad = 0 if recipe.padding == "none" or recipe.kind == "waveform" else recipe.fft // 2
        self._length = recipe.hop if recipe.kind == "waveform" else recipe.fft
        self._restart()

    def _restart(self) -> None:
        self._kept = np.zeros(0, dtype=np.float32)  # samples that are still needed, padding included
        self._next = 0  # where in them the next frame begins; beyond 0 where hop is long and the end must be reflected
        self._n_samples = 0  # pushed so far
        self._n_frames = 0  # given so far
        self._begun = self._pad == 0  # whether the padding before the first sample has been put there

    def push(self, block: Floats) -> Floats:
        """(n,) float32 samples → the rows that no later sample can change."""
        block = np.asarray(block, dtype=np.float32)
        if block.ndim != 1:
            raise ValueError(f"samples must have one axis, not shape {block.shape}")
        self._n_samples += len(block)
        self._kept = np.concatenate((self._kept, block)) if len(self._kept) else block
        if not self._begun:
            if len(self._kept) <= self._pad:  # too short to be reflected yet
                self._kept = self._kept.copy()
                return self._empty()
            self._kept = np.concatenate((self._before(self._kept), self._kept))
            self._begun = True
        return self._take(final=False)

    def flush(self) -> Floats:
        """The last rows, padded as the recipe says; the extractor starts anew."""
        recipe, pad = self._recipe, self._pad
        if self._n_samples == 0:
            return self._empty()
        if recipe.kind == "waveform":
            if not recipe.drop_last and len(self._kept):
                self._kept = np.pad(self._kept, (0, -len(self._kept) % recipe.hop))
        elif not self._begun:
            self._kept = np.pad(self._kept, pad, mode="reflect" if recipe.padding == "reflect" else "constant")
        elif pad:
            after = self._kept[-2 : -pad - 2 : -1] if recipe.padding == "reflect" else np.zeros(pad, np.float32)
            self._kept = np.concatenate((self._kept, after))
        rows = self._take(final=True)
        self._restart()
        return rows

    def _before(self, first: Floats) -> Floats:
        return first[self._pad : 0 : -1] if self._recipe.padding == "reflect" else np.zeros(self._pad, np.float32)

    def _empty(self) -> Floats:
        return np.empty((0, self._recipe.raw_dimension), dtype=np.float32)

    def _take(self, final: bool) -> Floats:
        """Whole frames out of what is kept; what the next frame needs stays."""
        recipe = self._recipe
        n_frames = max(0, (len(self._kept) - self._next - self._length) // recipe.hop + 1)
        if self._pad and (recipe.drop_last or final):
            n_total = self._n_samples // recipe.hop + (0 if recipe.drop_last else 1)
            n_frames = min(n_frames, n_total - self._n_frames)
        if n_frames <= 0:
            self._kept = self._kept.copy()  # the caller may reuse its block
            return self._empty()
        if recipe.kind == "waveform":
            rows = self._kept[: n_frames * recipe.hop].reshape(n_frames, recipe.hop).copy()
            keep_from = n_frames * recipe.hop
        else:
            rows = _log_mel(self._kept[self._next :], n_frames, recipe)
            # the reflection at the end needs the last pad + 1 samples
            keep_from = min(self._next + n_frames * recipe.hop, max(0, len(self._kept) - self._pad - 1))
        self._next += n_frames * recipe.hop - keep_from
        self._n_frames += n_frames
        self._kept = self._kept[keep_from:].copy()
        return rows


def frames(samples: Floats, recipe: FeatureRecipe) -> Floats:
    """(n,) float32 samples of a whole recording → (t, raw_dimension) float32 raw rows."""
    extractor = Extractor(recipe)
    parts = [extractor.push(samples), extractor.flush()]
    return np.concatenate([part for part in parts if len(part)]) if any(map(len, parts)) else parts[0]


def finish(raw: Floats, recipe: FeatureRecipe) -> Floats:
    """Raw rows of ONE window → the model's input: (t, dimension) float32, or (t·hop,) samples for a waveform."""
    if recipe.kind == "waveform":
        samples = np.ascontiguousarray(raw, dtype=np.float32).reshape(-1)
        return _normalise(samples) if recipe.normalise else samples
    out: Floats = raw
    if recipe.noise_db:
        out = noise.turned_down(out, recipe.noise_db, 10.0 if recipe.log == "log10" else math.e, recipe.floor)
    if recipe.range_below_max is not None and out.size:
        out = np.maximum(out, out.max() - np.float32(recipe.range_below_max))
    out = (out + np.float32(recipe.offset)) * np.float32(recipe.scale)
    if recipe.kind == "mfcc":
        out = out @ _dct(recipe.bands, recipe.coefficients)
        out = np.concatenate([out, *(delta(out, order) for order in range(1, recipe.deltas + 1))], axis=1)
    return _normalise(out) if recipe.normalise else out


def _normalise(values: Floats) -> Floats:
    """Zero mean and unit variance along the first axis; 1e-7 keeps silence silent, as wav2vec 2.0's own code does."""
    if not len(values):
        return values
    mean = values.mean(axis=0, dtype=np.float64)
    variance = values.var(axis=0, dtype=np.float64)
    normalised: Floats = ((values - mean) / np.sqrt(variance + 1e-7)).astype(np.float32)
    return normalised


@functools.lru_cache(maxsize=8)
def _dct(bands: int, coefficients: int) -> Floats:
    """Orthonormal DCT-II as a (bands, coefficients) matrix."""
    matrix = np.cos(np.pi / bands * np.outer(np.arange(bands) + 0.5, np.arange(coefficients))) * math.sqrt(2 / bands)
    matrix[:, 0] *= math.sqrt(0.5)
    return matrix.astype(np.float32)


def delta(values: Floats, order: int) -> Floats:
    """Local `order`-th derivative over 9 frames, (t, f) → (t, f) float32: a Savitzky–Golay filter of that degree.

    At the ends the polynomial through the first or last 9 frames serves (librosa's mode "interp"); its highest
    derivative is constant, so the first full window's value is repeated. Fewer than 9 frames are continued with the
    end values ("nearest"), which librosa refuses.
    """
    half = DELTA_WIDTH // 2
    n = len(values)
    offsets = np.arange(-half, half + 1)
    fit = np.linalg.pinv(np.vander(offsets, order + 1, increasing=True).astype(np.float64))
    weights = (fit[order] * math.factorial(order)).astype(np.float32)
    if not n:
        return values
    padded = np.pad(values, ((half, half), (0, 0)), mode="edge")
    out = np.zeros_like(values)
    for i, weight in enumerate(weights):
        out += weight * padded[i : i + n]
    if n >= DELTA_WIDTH:
        out[:half], out[n - half :] = out[half], out[n - half - 1]
    return out


def energy(raw: Floats, recipe: FeatureRecipe) -> Floats:
    """Loudness of raw rows in decibel, (t, raw_dimension) → (t,) float32: to cut windows where it is quiet."""
    if recipe.kind == "waveform":
        power = np.square(raw).mean(axis=1)
    elif recipe.log == "log10":
        power = np.exp(raw * np.float32(math.log(10))).mean(axis=1)
    else:
        power = np.exp(raw).mean(axis=1)
    loudness: Floats = (10 * np.log10(np.maximum(power, np.float32(1e-10)))).astype(np.float32)
    return loudness
