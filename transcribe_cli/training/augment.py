"""Changes to a training utterance that a recogniser must not mind: pace, rooms, noise, telephones, codecs, level.

Every function takes (n,) float32 samples in ±1 at `rate` and gives the same; `augment` draws which of them happen and
how strongly from a seeded generator, so the same seed gives the same sound. What a line does to sound stands in
`audio/degrade.py`, which also makes the noisy dev sets.
"""

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from ..audio.degrade import mix, noise, opus, reverberate, room, telephone
from ..errors import TrainingError
from .options import AugmentOptions

Samples = npt.NDArray[np.float32]
Generator = np.random.Generator

RECORDED_SHARE = 0.5  # of noises that no speech makes, where a folder of recordings is named; the rest is simulated


def speed(samples: Samples, factor: float, rate: int) -> Samples:
    """Faster and higher (factor > 1) or slower and lower, as a tape that is played at another speed."""
    return np.asarray(soxr.resample(samples, rate * factor, rate), np.float32)


def tempo(samples: Samples, factor: float, rate: int) -> Samples:
    """Faster (factor > 1) or slower at the same pitch.

    Pieces of 30 ms are laid over one another at another distance, each moved by up to 8 ms to where it continues its
    forerunner best. Source: WSOLA, Verhelst and Roelands, ICASSP 1993.
    """
    size, reach = int(0.030 * rate) // 2 * 2, int(0.008 * rate)
    step = size // 2
    n = int(len(samples) / factor)
    if n < 2 * size or len(samples) < 2 * size:
        return samples
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    source = np.pad(samples, (reach, 2 * size + reach))
    out = np.zeros(n + 2 * size, np.float32)
    at = reach  # where the last piece began in the source
    for k in range(n // step + 1):
        ideal = reach + min(int(k * step * factor), len(samples))
        if k:
            natural = source[at + step : at + step + size]
            around = source[ideal - reach : ideal + reach + size]
            if len(natural) < size or len(around) < size + 2 * reach:
                break
            ideal += int(np.argmax(np.correlate(around, natural, "valid"))) - reach
        piece = source[ideal : ideal + size]
        if len(piece) < size:
            break
        out[k * step : k * step + size] += piece * window
        at = ideal
    return out[:n]


def pitch(samples: Samples, semitones: float, rate: int) -> Samples:
    """Higher or lower at the same pace: another speed, and the pace set right again."""
    factor = 2 ** (semitones / 12)
    changed = tempo(speed(samples, factor, rate), 1 / factor, rate)
    return np.pad(changed, (0, max(0, len(samples) - len(changed))))[: len(samples)]


def shift(samples: Samples, seconds: float, rate: int) -> Samples:
    """Silence put in front (seconds > 0) or behind, as a recording that begins early or ends late."""
    n = abs(round(seconds * rate))
    return np.pad(samples, (n, 0) if seconds > 0 else (0, n))


def volume(samples: Samples, gain_db: float) -> Samples:
    """Louder or softer; nothing is clipped here."""
    return (samples * np.float32(10 ** (gain_db / 20))).astype(np.float32)


def clip(samples: Samples, share: float) -> Samples:
    """Cuts off everything above 1 − share of the peak, as an overdriven microphone does."""
    top = float(np.abs(samples).max(initial=0.0)) * (1.0 - share)
    return np.clip(samples, -top, top).astype(np.float32)


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


@lru_cache(8)
def recordings(folder: str, rate: int) -> tuple[Samples, ...]:
    """All WAV, FLAC and Ogg files below a folder, mono at `rate`. Raises TrainingError when there is none."""
    paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in (".wav", ".flac", ".ogg", ".opus"))
    found = []
    for path in paths:
        try:
            samples, own = soundfile.read(path, dtype="float32", always_2d=True)
        except (OSError, RuntimeError) as error:
            raise TrainingError(f"{path}: cannot be read ({error})") from error
        found.append(np.asarray(soxr.resample(samples.mean(axis=1), own, rate), np.float32))
    if not found:
        raise TrainingError(f"{folder}: no recordings there; name a folder of WAV, FLAC or Ogg files")
    return tuple(found)


def noisy(options: AugmentOptions) -> AugmentOptions:
    """The same, but surely with noise, of the louder half of `noise_snr_db`, and none of it other voices.

    Of what is drawn by chance, loud steady noise is a small part, and there a recogniser errs most.
    """
    low, high = options.noise_snr_db
    return dataclasses.replace(options, noise=1.0, noise_snr_db=(low, (low + high) / 2), babble_share=0.0)


def augment(
    samples: Samples, rate: int, options: AugmentOptions, rng: Generator, voices: Sequence[Samples] = ()
) -> tuple[Samples, dict[str, float]]:
    """One random variant of an utterance and what was done to it, by name and strength.

    The order is that of the world: the speaker (pace, pitch), the room, the noise around, the microphone, the line.
    voices: other utterances, for babble; without any, babble becomes coloured noise.
    """
    done: dict[str, float] = {}

    def draw(name: str, probability: float, bounds: tuple[float, float]) -> float | None:
        if probability == 0:  # what is off draws nothing, so that switching it on later moves no other draw of before
            return None
        happens, at = rng.random() < probability, rng.random()
        if not happens:
            return None
        done[name] = bounds[0] + at * (bounds[1] - bounds[0])
        return done[name]

    if (factor := draw("speed", options.speed, options.speed_range)) is not None:
        samples = speed(samples, factor, rate)
    if (factor := draw("tempo", options.tempo, options.tempo_range)) is not None:
        samples = tempo(samples, factor, rate)
    if (semitones := draw("pitch", options.pitch, options.pitch_semitones)) is not None:
        samples = pitch(samples, semitones, rate)
    if (seconds := draw("shift", options.shift, options.shift_seconds)) is not None:
        samples = shift(samples, seconds, rate)
    if (decay := draw("reverb", options.reverb, options.reverb_seconds)) is not None:
        if options.room_folder:
            rooms = recordings(options.room_folder, rate)
            samples = reverberate(samples, rooms[int(rng.integers(len(rooms)))])
        else:
            samples = reverberate(samples, room(rate, decay, float(rng.uniform(*options.reverb_direct_db)), rng))
    if (snr := draw("noise", options.noise, options.noise_snr_db)) is not None:
        if voices and rng.random() < options.babble_share:
            chosen = [voices[i] for i in rng.integers(len(voices), size=int(rng.integers(2, 7)))]
            added = babble(len(samples), chosen, rng)
        elif options.noise_folder and rng.random() < RECORDED_SHARE:  # steady noise must stay among what is heard
            noises = recordings(options.noise_folder, rate)
            added = babble(len(samples), [noises[int(rng.integers(len(noises)))]], rng)
        else:
            added = noise(len(samples), float(rng.uniform(*options.noise_colour)), rng)
        samples = mix(samples, added, snr)
    if (gain := draw("volume", options.volume, options.volume_db)) is not None:
        samples = volume(samples, gain)
    if (share := draw("clipping", options.clipping, options.clipping_share)) is not None:
        samples = clip(samples, share)
    if (high := draw("telephone", options.telephone, options.telephone_high_hz)) is not None:
        samples = telephone(samples, rate, float(rng.uniform(150, 350)), high, bool(rng.random() < 0.7))
    if (kilobits := draw("codec", options.codec, options.codec_kilobits)) is not None:
        samples = opus(samples, rate, kilobits)
    peak = float(np.abs(samples).max(initial=0.0))
    return (samples / np.float32(peak) if peak > 1.0 else samples), done
