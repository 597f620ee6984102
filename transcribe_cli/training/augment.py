"""Changes to a training utterance that a recogniser must not mind: noise, rooms, telephones, pace, level.

Every function takes (n,) float32 samples in ±1 at `rate` and gives the same; `augment` draws which of them happen and
how strongly from a seeded generator, so the same seed gives the same sound. NumPy and soxr only.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import soxr

from .options import AugmentOptions

Samples = npt.NDArray[np.float32]
Generator = np.random.Generator


def speed(samples: Samples, factor: float, rate: int) -> Samples:
    """Faster and higher (factor > 1) or slower and lower, as a tape that is played at another speed."""
    return np.asarray(soxr.resample(samples, rate * factor, rate), np.float32)


def volume(samples: Samples, gain_db: float) -> Samples:
    """Louder or softer; nothing is clipped here."""
    return (samples * np.float32(10 ** (gain_db / 20))).astype(np.float32)


def clip(samples: Samples, share: float) -> Samples:
    """Cuts off everything above 1 − share of the peak, as an overdriven microphone does."""
    top = float(np.abs(samples).max(initial=0.0)) * (1.0 - share)
    return np.clip(samples, -top, top).astype(np.float32)


def noise(n: int, colour: float, rng: Generator) -> Samples:
    """(n,) noise of unit power whose power falls as 1 / frequency ** colour: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.arange(len(spectrum), dtype=np.float64)
    frequency[0] = 1.0
    shaped = np.fft.irfft(spectrum * np.maximum(frequency, n / 800) ** (-colour / 2), n)
    return (shaped / max(float(np.sqrt(np.mean(shaped**2))), 1e-9)).astype(np.float32)


def babble(n: int, voices: Sequence[Samples], rng: Generator) -> Samples:
    """(n,) of several voices at once, each repeated and shifted to fill the time, unit power."""
    total = np.zeros(n, np.float32)
    for voice in voices:
        power = float(np.sqrt(np.mean(voice**2))) if len(voice) else 0.0
        if power > 1e-5:
            repeated = np.tile(voice, n // len(voice) + 2)
            at = int(rng.integers(len(voice)))
            total += repeated[at : at + n] / np.float32(power)
    power = float(np.sqrt(np.mean(total**2)))
    return total / np.float32(power) if power > 1e-5 else noise(n, 1.0, rng)


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
    before, after = np.sqrt(np.mean(samples**2)), np.sqrt(np.mean(wet**2))
    return (wet * (before / max(float(after), 1e-9))).astype(np.float32)


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
    wide = np.asarray(soxr.resample(narrow, 8000, rate), np.float32)
    return np.pad(wide, (0, max(0, len(samples) - len(wide))))[: len(samples)]


def augment(
    samples: Samples, rate: int, options: AugmentOptions, rng: Generator, voices: Sequence[Samples] = ()
) -> tuple[Samples, dict[str, float]]:
    """One random variant of an utterance and what was done to it, by name and strength.

    The order is that of the world: the speaker (pace), the room, the noise around, the microphone, the line.
    voices: other utterances, for babble; without any, babble becomes coloured noise.
    """
    done: dict[str, float] = {}

    def draw(name: str, probability: float, bounds: tuple[float, float]) -> float | None:
        happens, at = rng.random() < probability, rng.random()
        if not happens:
            return None
        done[name] = bounds[0] + at * (bounds[1] - bounds[0])
        return done[name]

    if (factor := draw("speed", options.speed, options.speed_range)) is not None:
        samples = speed(samples, factor, rate)
    if (decay := draw("reverb", options.reverb, options.reverb_seconds)) is not None:
        samples = reverberate(samples, room(rate, decay, float(rng.uniform(*options.reverb_direct_db)), rng))
    if (snr := draw("noise", options.noise, options.noise_snr_db)) is not None:
        if voices and rng.random() < options.babble_share:
            chosen = [voices[i] for i in rng.integers(len(voices), size=int(rng.integers(2, 7)))]
            added = babble(len(samples), chosen, rng)
        else:
            added = noise(len(samples), float(rng.uniform(*options.noise_colour)), rng)
        samples = mix(samples, added, snr)
    if (gain := draw("volume", options.volume, options.volume_db)) is not None:
        samples = volume(samples, gain)
    if (share := draw("clipping", options.clipping, options.clipping_share)) is not None:
        samples = clip(samples, share)
    if (high := draw("telephone", options.telephone, options.telephone_high_hz)) is not None:
        samples = telephone(samples, rate, float(rng.uniform(150, 350)), high, bool(rng.random() < 0.7))
    peak = float(np.abs(samples).max(initial=0.0))
    return (samples / np.float32(peak) if peak > 1.0 else samples), done
