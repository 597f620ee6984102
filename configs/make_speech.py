"""Writes synthetic speech and its manifests: sentences of a folder of texts, read by hibari-tts, flite and Pico voices.

    pip install "hibari-tts[fast]" py-nanotts soundfile soxr num2words       # and the program flite
    python configs/make_speech.py --text ../shared/data/text --out build/speech --shards 240 --worker 0/2
    python configs/make_speech.py --text ../shared/data/text --out build/speech --voices rhvoice --first 400 --shards 16

The last needs RHVoice's program `RHVoice-test` and its English voices bdl, clb and ksp.

Voices are varied into pseudo-speakers by resampling and pace. Shards of 120 utterances, one FLAC and one JSONL each,
are renamed when whole: started again it goes on where it stopped, and any number of workers share one folder. Shard k
depends on (seed, k) and the texts alone.
"""

import argparse
import json
import lzma
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from transcribe_cli.lm.text import normalise
from transcribe_cli.outputs import atomically, write_atomically

SEED, SHARD, RATE = 12, 120, 16000
HIGH, LOW = (0.74, 1.14), (0.86, 1.35)  # how far a high voice and a low one may be resampled and still be a person's
VOICES = {  # by set: engine, voice, share of the shards, range of its pseudo-speakers' pitch
    "first": (
        ("hibari", "heart", 0.50, HIGH),
        ("flite", "slt", 0.09, HIGH),
        ("flite", "rms", 0.11, LOW),
        ("flite", "awb", 0.08, LOW),
        ("pico", "en-US", 0.11, HIGH),
        ("pico", "en-GB", 0.11, HIGH),
    ),
    "rhvoice": (
        ("rhvoice", "bdl", 0.34, LOW),
        ("rhvoice", "ksp", 0.33, LOW),
        ("rhvoice", "clb", 0.33, HIGH),
    ),
}
LESS = {"spoken_knox_council": 0.3, "spoken_sgd": 0.3, "books_gutenberg98": 0.8}  # machine-made or large texts
Samples = npt.NDArray[np.float32]
Voice = tuple[str, str, float, tuple[float, float]]


def sentences(folder: Path, cache: Path, limit: int = 120_000) -> list[tuple[str, str]]:
    """(spoken, written) pairs: sentences of 4 to 24 words, chosen so that rare words come more often."""
    if cache.exists():
        return [(a, b) for a, b in (line.split("\t") for line in cache.read_text(encoding="utf-8").splitlines())]
    rng = np.random.default_rng(SEED)
    pool: list[tuple[str, str]] = []
    for path in sorted(folder.glob("*.txt.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            lines = [line.strip() for line in file]
        for i in rng.permutation(len(lines))[: int(60_000 * LESS.get(path.name.removesuffix(".txt.xz"), 1))]:
            line = lines[i]
            if not 4 <= len(line.split()) <= 24 or re.search(r"\d.*\d.*\d.*\d.*\d|[A-Z]{3,}|[\[\]()]", line):
                continue
            text = normalise(line)
            if text and 15 <= len(text) <= 160:
                pool.append((line if not re.search(r"\d", line) else f"{text}.", text))
    counts: dict[str, int] = {}
    for _, text in pool:
        for word in set(text.split()):
            counts[word] = counts.get(word, 0) + 1
    # a sentence's weight is the mean rarity of its words; words seen once are mostly misprints
    weight = np.array(
        [np.mean([min(1.0, 3 / counts[w]) if counts[w] > 1 else 0.1 for w in set(text.split())]) for _, text in pool]
    )
    best = np.argsort(rng.exponential(size=len(pool)) / (weight + 0.02))[:limit]
    rng.shuffle(best)
    write_atomically(cache, "".join("\t".join(pool[i]) + "\n" for i in best))
    return [pool[i] for i in best]


class Speaker:
    """Text → (samples, rate) by any of the engines."""

    def __init__(self) -> None:
        self._hibari: Any = None
        self._pico: Any = None

    def __call__(self, engine: str, voice: str, text: str, speed: float, seed: int) -> tuple[Samples, int]:
        if engine == "hibari":
            if self._hibari is None:
                from hibari import Hibari

                self._hibari = Hibari(threads=1)
            return self._hibari(text, speed=speed, seed=seed), 24000
        if engine == "pico":
            if self._pico is None:
                from py_nanotts import NanoTTS

                self._pico = NanoTTS()
            pcm = np.frombuffer(self._pico.speak(text, voice=voice, speed=speed), np.int16)
            return np.divide(pcm, 32768, dtype=np.float32), 16000
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            if engine == "rhvoice":
                command = ["RHVoice-test", "-p", voice, "-r", f"{100 * speed:.0f}", "-o", file.name]
                subprocess.run(command, input=text.encode(), check=True)
            else:
                stretch = f"duration_stretch={1 / speed:.3f}"
                subprocess.run(["flite", "-voice", voice, "--setf", stretch, "-t", text, "-o", file.name], check=True)
            samples, rate = soundfile.read(file.name, dtype="float32")
            return samples, rate


def shard(k: int, pairs: list[tuple[str, str]], voices: Sequence[Voice], say: Speaker, out: Path) -> float:
    """Writes shard k; returns its seconds of speech."""
    rng = np.random.default_rng([SEED, k])
    engine, voice, _, pitches = voices[rng.choice(len(voices), p=[share for _, _, share, _ in voices])]
    parts, rows, at = [np.zeros(1600, np.float32)], [], 1600
    pitch, pace, who = 1.0, 1.0, ""
    for j in range(SHARD):
        spoken, written = pairs[(k * SHARD + j) % len(pairs)]
        if j % 12 == 0:  # a new pseudo-speaker
            pitch = rng.uniform(*pitches)
            pace, who = rng.uniform(0.85, 1.3), f"{engine}-{voice}-{k:05d}-{j // 12}"
        speed = float(np.clip(pace / pitch * rng.uniform(0.93, 1.07), 0.55, 1.9))
        try:
            samples, rate = say(engine, voice, spoken, speed, int(rng.integers(1 << 30)))
        except Exception as error:  # an engine that stumbles over one sentence must not end the shard
            print(f"left out {written!r}: {error!r:.80}", file=sys.stderr)
            continue
        samples = soxr.resample(np.asarray(samples, np.float32), rate * pitch, RATE)
        loud = np.flatnonzero(np.abs(samples) > 0.01)
        if len(loud) < 3000:
            continue
        lead, tail = rng.uniform(0.05, 0.45, 2)
        samples = samples[max(0, loud[0] - int(lead * RATE)) : loud[-1] + int(tail * RATE)]
        samples = samples / np.abs(samples).max() * 10 ** rng.uniform(-1.2, -0.05)
        row: dict[str, Any] = {"audio": f"{k:05d}.flac"}
        row |= {"start": round(at / RATE, 4), "duration": round(len(samples) / RATE, 4)}
        rows.append({**row, "text": written, "speaker": who, "source": f"synthetic-{engine}-{voice}"})
        parts += [samples, np.zeros(4000, np.float32)]
        at += len(samples) + 4000
    with atomically(out / f"{k:05d}.flac") as file:
        soundfile.write(file, np.concatenate(parts), RATE, format="FLAC", subtype="PCM_16")
    write_atomically(out / f"{k:05d}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return float(sum(row["duration"] for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write synthetic speech and its manifests.")
    parser.add_argument("--text", type=Path, required=True, help="folder of *.txt.xz, one sentence a line")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--voices", choices=list(VOICES), default="first", help="set of voices")
    parser.add_argument("--first", type=int, default=0, help="number of the first shard")
    parser.add_argument("--shards", type=int, default=240, help="of about eight minutes each")
    parser.add_argument("--worker", default="0/1", help="i/n: every n-th shard, beside other workers")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    pairs = sentences(arguments.text, arguments.out / "sentences.tsv")
    me, of = map(int, arguments.worker.split("/"))
    say, began, done = Speaker(), time.time(), 0.0
    for k in range(arguments.first + me, arguments.first + arguments.shards, of):
        if not (arguments.out / f"{k:05d}.jsonl").exists():
            done += shard(k, pairs, VOICES[arguments.voices], say, arguments.out)
            print(f"{k}: {done / 3600:.2f} h, {done / (time.time() - began):.0f} x real time", flush=True)


if __name__ == "__main__":
    main()
