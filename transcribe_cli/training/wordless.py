"""Sounds in which nobody speaks, from which a recogniser learns to write nothing.

Without them every training utterance holds words, and a network that has never seen a wordless one finds some in
noise. The sounds are of many kinds, since each that is missing here may sound like speech later.
"""

import numpy as np
import numpy.typing as npt

from ..audio.degrade import mix, noise, opus, reverberate, room, telephone
from .augment import RECORDED_SHARE, clip, recordings
from .options import AugmentOptions

Samples = npt.NDArray[np.float32]
Generator = np.random.Generator


def sound(n: int, rate: int, options: AugmentOptions, rng: Generator) -> tuple[Samples, dict[str, float]]:
    """(n,) float32 samples of one or two noises, at a level between a whisper of the microphone and full scale.

    The second value says by name what is in them. Recordings of `options.noise_folder` are `RECORDED_SHARE` of the
    noises where one is named; rooms, lines and codecs are as likely as for speech.
    """
    kinds = ["coloured", "gusts", "hum", "knocks", "notes"]
    done: dict[str, float] = {}
    total = np.zeros(n, np.float32)
    if rng.random() < 0.03:  # a muted line
        return total, {"level_db": -120.0}
    for i in range(int(rng.integers(1, 3))):
        recorded = options.noise_folder and rng.random() < RECORDED_SHARE
        kind = "recorded" if recorded else kinds[int(rng.integers(len(kinds)))]
        one = _unit(_one(kind, n, rate, options, rng))
        total = one if i == 0 else mix(total, one, float(rng.uniform(-10, 20)))
        done[kind] = done.get(kind, 0.0) + 1
    if rng.random() < options.reverb:
        total = reverberate(total, room(rate, float(rng.uniform(*options.reverb_seconds)), 0.0, rng))
    if rng.random() < options.clipping:
        total = clip(total, float(rng.uniform(*options.clipping_share)))
    if rng.random() < options.telephone:
        total = telephone(
            total, rate, float(rng.uniform(150, 350)), float(rng.uniform(*options.telephone_high_hz)), True
        )
    if rng.random() < options.codec:
        total = opus(total, rate, float(rng.uniform(*options.codec_kilobits)))
    done["level_db"] = float(rng.uniform(-60, 0))
    peak = float(np.abs(total).max(initial=0.0))
    return (total * np.float32(10 ** (done["level_db"] / 20) / max(peak, 1e-9))).astype(np.float32), done


def _one(kind: str, n: int, rate: int, options: AugmentOptions, rng: Generator) -> Samples:
    if kind == "recorded":
        found = recordings(options.noise_folder, rate)
        one = found[int(rng.integers(len(found)))]
        return np.roll(np.tile(one, n // max(1, len(one)) + 1), int(rng.integers(n)))[:n]
    if kind == "hum":
        return _hum(n, rate, rng)
    if kind == "knocks":
        return _bursts(n, rate, rng, tonal=False)
    if kind == "notes":
        return _bursts(n, rate, rng, tonal=True)
    steady = noise(n, float(rng.uniform(*options.noise_colour)), rng)
    if kind == "gusts":
        return steady * _envelope(n, rate, rng)
    return steady


def _unit(samples: Samples) -> Samples:
    """At unit power."""
    power = float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
    return samples / np.float32(power) if power > 1e-9 else samples


def _envelope(n: int, rate: int, rng: Generator) -> Samples:
    """(n,) loudness that comes and goes within a tenth of a second to two seconds, over 40 dB."""
    step = rng.uniform(0.1, 2.0) * rate
    points = 10 ** (rng.uniform(-40, 0, int(n / step) + 3) / 20)
    return np.interp(np.arange(n), np.arange(len(points)) * step, points).astype(np.float32)


def _hum(n: int, rate: int, rng: Generator) -> Samples:
    """(n,) of a motor or a mains hum: some thirty harmonics of 20 to 400 Hz that fall off, slightly unsteady."""
    base = np.exp(rng.uniform(np.log(20), np.log(400)))
    drift = 1 + 0.01 * rng.uniform() * np.sin(2 * np.pi * rng.uniform(0.1, 6) * np.arange(n) / rate)
    phase, fall = 2 * np.pi * base * np.cumsum(drift) / rate, rng.uniform(0.5, 2)
    total = np.zeros(n, np.float32)
    for k in range(1, 1 + min(30, int(0.45 * rate / base))):
        total += (rng.uniform() * k**-fall * np.sin(k * phase + rng.uniform(0, 6.28))).astype(np.float32)
    return total + noise(n, 1.0, rng) * np.float32(0.03 * rng.uniform())


def _bursts(n: int, rate: int, rng: Generator, tonal: bool) -> Samples:
    """(n,) of knocks, keys and clatter, or of struck notes: decaying bursts at random times over a faint noise."""
    total = noise(n, 1.0, rng) * np.float32(10 ** (rng.uniform(-60, -20) / 20))
    for _ in range(1 + int(rng.poisson(rng.uniform(0.5, 8) * n / rate))):
        decay = rng.uniform(0.1, 1.0) if tonal else np.exp(rng.uniform(np.log(0.003), np.log(0.2)))
        at, length = int(rng.integers(n)), int(min(4 * decay, 2.0) * rate)
        t = np.arange(length) / rate
        if tonal:
            pitch = 110 * 2 ** (rng.integers(0, 48) / 12)
            overtones = [k for k in range(1, 6) if pitch * k < 0.45 * rate]
            burst = np.sum([np.sin(2 * np.pi * pitch * k * t) / k ** rng.uniform(1, 2) for k in overtones], axis=0)
        else:
            burst = noise(length, float(rng.uniform(0, 2)), rng) if length > 1 else np.ones(length)
        burst = (burst * np.exp(-t / decay) * rng.uniform(0.1, 1)).astype(np.float32)[: n - at]
        total[at : at + len(burst)] += burst
    return total
