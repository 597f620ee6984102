"""What happens to speech on its way: noise, rooms, telephones, codecs; the same seed gives the same sound.

Every function takes (n,) float32 samples in ±1 at `rate` and gives as many; nothing moves in time.
"""

import io
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ..errors import OptionError

Samples = NDArray[np.float32]
Generator = np.random.Generator

KINDS = {  # kind → (default, least, most, unit)
    "noise": (10.0, -20.0, 60.0, "dB"),  # ratio of speech to pink noise
    "white": (10.0, -20.0, 60.0, "dB"),  # to white noise, the hiss of a bad line
    "reverb": (0.6, 0.1, 5.0, "s"),  # time in which the room falls silent by 60 dB
    "telephone": (None, None, None, ""),
    "opus": (12.0, 6.0, 256.0, "kbit/s"),
}
COLOURS = {"noise": 1.0, "white": 0.0}  # of the kinds that are steady noise; see `noise`


@dataclass(frozen=True, slots=True)
class Degradation:
    """One condition: a kind of KINDS and how strong it is, in the kind's unit."""

    kind: str
    value: float | None = None

    @property
    def name(self) -> str:
        return self.kind if self.value is None else f"{self.kind} {self.value:g} {KINDS[self.kind][3]}"


def parse(texts: Iterable[str]) -> list[Degradation]:
    """ "noise:20,10" and the like → conditions, in order. Raises OptionError for an unknown kind or strength."""
    found = []
    for text in texts:
        kind, _, values = text.partition(":")
        if kind not in KINDS:
            raise OptionError(
                f"--degrade cannot be {text!r}: choose from {', '.join(KINDS)}, as in noise:20,10 or opus:12"
            )
        default, least, most, unit = KINDS[kind]
        if default is None or least is None or most is None:
            if values:
                raise OptionError(f"--degrade {kind} takes no value")
            found.append(Degradation(kind))
            continue
        for value in values.split(",") if values else [str(default)]:
            try:
                number = float(value)
            except ValueError as error:
                raise OptionError(f"--degrade {text}: {value!r} is not a number of {unit}") from error
            if not least <= number <= most:
                raise OptionError(f"--degrade {text}: {value} is not between {least:g} and {most:g} {unit}")
            found.append(Degradation(kind, number))
    return found


def degrade(samples: Samples, rate: int, how: Degradation, seed: int, key: str = "") -> Samples:
    """The samples under a condition. seed and key (an utterance's id) decide what is random in it."""
    rng = np.random.default_rng([seed, zlib.crc32(key.encode("utf-8", "surrogateescape"))])
    value = how.value or 0.0
    if not len(samples):
        return samples
    if how.kind in COLOURS:
        return mix(samples, noise(len(samples), COLOURS[how.kind], rng), value)
    if how.kind == "reverb":
        return reverberate(samples, room(rate, value, 0.0, rng))
    if how.kind == "telephone":
        return telephone(samples, rate, 300.0, 3400.0, mu_law=True)
    return opus(samples, rate, value)


def noise(n: int, colour: float, rng: Generator) -> Samples:
    """(n,) noise of unit power whose power falls as 1 / frequency ** colour: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.arange(len(spectrum), dtype=np.float64)
    frequency[0] = 1.0
    shaped = np.fft.irfft(spectrum * np.maximum(frequency, n / 800) ** (-colour / 2), n)
    return (shaped / max(float(np.sqrt(np.mean(shaped**2))), 1e-9)).astype(np.float32)


def mix(samples: Samples, added: Samples, snr_db: float) -> Samples:
    """Adds noise of unit power at a ratio of speech to noise; speech power is taken where there is speech."""
    loud = np.abs(samples) > 0.02 * np.abs(samples).max(initial=0.0)
    power = float(np.sqrt(np.mean(samples[loud] ** 2))) if loud.any() else 0.0
    return (samples + added * np.float32(power * 10 ** (-snr_db / 20))).astype(np.float32)


def room(rate: int, decay_seconds: float, direct_db: float, rng: Generator) -> Samples:
    """A simulated impulse response: the direct sound, a few early reflections, a decaying diffuse tail.

    decay_seconds: time in which the tail falls by 60 dB; direct_db: energy of the direct sound over all that follows.
    """
    n = max(int(rate * decay_seconds), rate // 50)
    t = np.arange(n) / rate
    tail = rng.standard_normal(n) * np.exp(-6.9 * t / decay_seconds)
    tail[: int(rate * rng.uniform(0.002, 0.012))] = 0  # sound needs time to the first wall
    for _ in range(int(rng.integers(3, 8))):
        at = int(rate * rng.uniform(0.002, 0.04))
        if at < n:
            tail[at] += rng.choice((-1.0, 1.0)) * rng.uniform(1.0, 4.0) * math.exp(-6.9 * at / rate / decay_seconds)
    tail *= 10 ** (-direct_db / 20) / max(float(np.sqrt(np.sum(tail**2))), 1e-9)
    tail[0] = 1.0  # the direct sound stays where it was, so the words keep their times
    return tail.astype(np.float32)


def reverberate(samples: Samples, response: Samples) -> Samples:
    """Convolves with an impulse response, keeping length and level."""
    n = len(samples) + len(response) - 1
    size = 1 << (n - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)[: len(samples)]
    before, after = float(np.sqrt(np.mean(samples**2))), float(np.sqrt(np.mean(wet**2)))
    return (wet * (before / max(after, 1e-9))).astype(np.float32)


def telephone(samples: Samples, rate: int, low_hz: float, high_hz: float, mu_law: bool) -> Samples:
    """A narrow band at 8 kHz and, where asked, µ-law's 8 bits."""
    narrow = np.asarray(soxr.resample(samples, rate, 8000), np.float32)
    frequency = np.fft.rfftfreq(len(narrow), 1 / 8000)
    # half-cosine edges 100 Hz wide instead of a wall, which would ring
    rise = np.clip((frequency - low_hz) / 100 + 0.5, 0, 1)
    fall = np.clip((high_hz - frequency) / 100 + 0.5, 0, 1)
    window = np.sin(rise * np.pi / 2) * np.sin(fall * np.pi / 2)
    narrow = np.fft.irfft(np.fft.rfft(narrow) * window, len(narrow)).astype(np.float32)
    if mu_law:
        peak = max(float(np.abs(narrow).max(initial=0.0)), 1.0)
        squeezed = np.sign(narrow) * np.log1p(255 * np.abs(narrow / peak)) / math.log(256)
        stepped = np.round(squeezed * 127) / 127
        narrow = (np.sign(stepped) * (256 ** np.abs(stepped) - 1) / 255 * peak).astype(np.float32)
    return _as_long(np.asarray(soxr.resample(narrow, 8000, rate), np.float32), len(samples))


def opus(samples: Samples, rate: int, kilobits: float) -> Samples:
    """There and back through the Opus codec at about so many kilobits a second."""
    file, level = io.BytesIO(), opus_level(kilobits)
    soundfile.write(file, np.clip(samples, -1, 1), rate, format="OGG", subtype="OPUS", compression_level=level)
    file.seek(0)
    back, _ = soundfile.read(file, dtype="float32")
    return _as_long(np.asarray(back, np.float32), len(samples))


def opus_level(kilobits: float) -> float:
    """The compression level 0…1 that libsndfile maps, in a straight line, to 256…6 kbit/s a channel."""
    return min(max(1.0 - (kilobits - 6.0) / 250.0, 0.0), 1.0)


def _as_long(samples: Samples, n: int) -> Samples:
    return np.pad(samples, (0, max(0, n - len(samples))))[:n]
