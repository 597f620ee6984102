"""Writes a corpus that anyone can train on in a minute: words of beeps, a letter a pitch, with its manifests.

    python configs/make_beeps.py build/beeps
    transcribe train configs/one-minute.toml --out build/one-minute

It is no speech; it shows that training learns, exports, and reads back what it learned, on a plain processor and
without any download. The same seed gives the same corpus.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

RATE = 16000
LETTERS = "abcdefgh"


def beep(letter: str, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A letter: its pitch, a little off, for 90 to 130 ms, and a short pause."""
    hertz = 300 * 2 ** (LETTERS.index(letter) / 2.2) * rng.uniform(0.98, 1.02)
    t = np.arange(int(RATE * rng.uniform(0.09, 0.13))) / RATE
    fade = np.minimum(1, np.minimum(t, t[-1] - t) / 0.008)
    pause = np.zeros(int(RATE * rng.uniform(0.02, 0.05)))
    return np.concatenate([np.sin(2 * np.pi * hertz * t) * fade, pause]).astype(np.float32)


def utterance(rng: np.random.Generator) -> tuple[str, npt.NDArray[np.float32]]:
    """Two or three words of two to four letters: (text, samples)."""
    words = ["".join(rng.choice(list(LETTERS), rng.integers(2, 5))) for _ in range(rng.integers(2, 4))]
    parts = [np.zeros(int(RATE * rng.uniform(0.05, 0.2)), np.float32)]
    for word in words:
        parts += [beep(letter, rng) for letter in word]
        parts.append(np.zeros(int(RATE * rng.uniform(0.15, 0.25)), np.float32))
    samples = np.concatenate(parts) * rng.uniform(0.1, 0.5)
    return " ".join(words), (samples + 0.002 * rng.standard_normal(len(samples))).astype(np.float32)


def make(folder: Path, train: int = 120, dev: int = 24, seed: int = 1) -> None:
    """Writes train.jsonl, dev.jsonl and their WAVs."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for name, n in (("train", train), ("dev", dev)):
        rows = []
        for i in range(n):
            text, samples = utterance(rng)
            soundfile.write(folder / f"{name}-{i:03d}.wav", samples, RATE, subtype="PCM_16")
            rows.append({"audio": f"{name}-{i:03d}.wav", "start": 0, "duration": len(samples) / RATE, "text": text})
        lines = "".join(json.dumps({**row, "source": "beeps"}) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write a corpus of beeps.")
    parser.add_argument("folder", type=Path)
    make(parser.parse_args().folder)
