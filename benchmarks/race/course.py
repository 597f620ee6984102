"""What is run: utterances chosen evenly from a labelled set, one long recording of the same, a clip, silence, noise.

All sounds are written once as 16 kHz, 16-bit, mono WAV, which every recogniser reads by itself.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from transcribe_cli import audio
from transcribe_cli.audio.degrade import Degradation, degrade, noise
from transcribe_cli.audio.manifest import ManifestLine, by_recording, read_manifest
from transcribe_cli.evaluate.measure import line_id

RATE = 16000
GAP_SECONDS = 0.5  # between the utterances of the long recording
NOISE_DB = -35.0  # loudness of the noise under full scale: a fan beside the microphone


@dataclass(frozen=True, slots=True)
class Utterance:
    id: str
    wav: str
    text: str
    source: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Course:
    """fingerprint: of everything in it; results taken on another course are not mixed with these.

    how: what happened to the speech on its way.
    """

    utterances: tuple[Utterance, ...]
    long: Utterance
    clip: Utterance
    wordless: tuple[Utterance, ...]  # silence, noise
    fingerprint: str
    how: Degradation | None = None


def make(
    manifest: Path,
    folder: Path,
    seconds: float | None,
    limit: int | None,
    long_minutes: float,
    quiet_minutes: float,
    how: Degradation | None = None,
) -> Course:
    """Writes the sounds below the folder. seconds, limit: of the choice, all sources together; None: the whole set.

    how: what happens to the speech on its way.
    """
    lines = choose([line for line in read_manifest(manifest) if line.text], seconds, limit)
    settings = [long_minutes, quiet_minutes, NOISE_DB, manifest.name]
    digest = hashlib.sha256(json.dumps(settings).encode())
    heard: list[tuple[ManifestLine, NDArray[np.float32]]] = []
    for path, own in by_recording(lines):
        spans = [(line.start, line.duration) for line in own]
        for line, blocks in zip(own, audio.excerpts(path, spans, RATE), strict=True):
            sound = np.concatenate(list(blocks))
            if how:
                sound = degrade(sound, RATE, how, 0, line_id(line))
                sound /= max(1.0, float(np.abs(sound).max(initial=0.0)))  # 16 bits would cut its peaks off
            heard.append((line, sound))
            digest.update(json.dumps([line_id(line), line.text]).encode() + sound.tobytes())
    fingerprint = digest.hexdigest()[:16]
    folder = folder / fingerprint
    folder.mkdir(parents=True, exist_ok=True)
    utterances: list[Utterance] = []
    sounds: dict[str, NDArray[np.float32]] = {}
    for line, sound in heard:
        name = f"u{len(utterances):04d}"
        sounds[name] = sound
        source = str(line.keys.get("source", "all"))
        utterances.append(
            Utterance(line_id(line), _write(folder, name, sound), line.text or "", source, len(sound) / RATE)
        )
    # long: utterances one after the other, of the source that has the longest, which is what recordings are like
    by_source: dict[str, list[Utterance]] = {}
    for one in utterances:
        by_source.setdefault(one.source, []).append(one)
    reading = max(by_source.values(), key=lambda own: np.mean([one.seconds for one in own]))
    parts: list[NDArray[np.float32]] = []
    words, n = [], 0.0
    for one in reading:
        if n and n + one.seconds > long_minutes * 60:
            break
        parts += [sounds[Path(one.wav).stem], np.zeros(int(GAP_SECONDS * RATE), np.float32)]
        words.append(one.text)
        n += one.seconds + GAP_SECONDS
    joined = np.concatenate(parts)
    long = Utterance("long", _write(folder, "long", joined), " ".join(words), reading[0].source, len(joined) / RATE)
    near = min(utterances, key=lambda one: abs(one.seconds - 5))
    clip = np.resize(sounds[Path(near.wav).stem], max(1, int(min(5, near.seconds) * RATE)))
    quiet = int(quiet_minutes * 60 * RATE)
    loud = noise(max(quiet, 1), 1.0, np.random.default_rng(0)) * np.float32(10 ** (NOISE_DB / 20))
    wordless = {"silence": np.zeros(quiet, np.float32), "noise": loud} if quiet else {}
    return Course(
        tuple(utterances),
        long,
        Utterance("clip", _write(folder, "clip", clip), near.text, near.source, len(clip) / RATE),
        tuple(
            Utterance(name, _write(folder, name, sound), "", "", len(sound) / RATE) for name, sound in wordless.items()
        ),
        fingerprint,
        how,
    )


def choose(lines: list[ManifestLine], seconds: float | None, limit: int | None) -> list[ManifestLine]:
    """The same time (`seconds`) or number (`limit`) of every source, spread over all of it; in the set's order."""
    if seconds is not None and any(line.duration is None for line in lines):
        raise SystemExit("--hours needs a `duration` in every line; or give --limit")
    sources: dict[str, list[ManifestLine]] = {}
    for line in lines:
        sources.setdefault(str(line.keys.get("source", "all")), []).append(line)
    kept: set[int] = set()
    left = len(sources)
    # sources that have too little give what they have, and the others share the rest
    for own in sorted(sources.values(), key=lambda own: sum(line.duration or 0 for line in own)):
        if limit is not None:
            n = min(len(own), -(-limit // left))
            limit -= n
        elif seconds is not None:
            whole = sum(line.duration or 0.0 for line in own)
            n = min(len(own), max(1, round(len(own) * seconds / left / max(whole, 1e-9))))
            seconds -= whole * n / len(own)
        else:
            n = len(own)
        left -= 1
        kept |= {own[(2 * k + 1) * len(own) // (2 * n)].number for k in range(n)}
    return [line for line in lines if line.number in kept]


def _write(folder: Path, name: str, sound: "np.ndarray") -> str:
    path = folder / f"{name}.wav"
    if not path.is_file():
        temporary = folder / f"{name}.part"
        soundfile.write(temporary, sound, RATE, format="WAV", subtype="PCM_16")
        temporary.rename(path)
    return str(path.resolve())
