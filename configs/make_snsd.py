"""Manifest of newspaper sentences that some eighty people read: clean speech of MS-SNSD in public repositories.

    git clone each of SOURCES to CLONES/OWNER/NAME; then, with OUT = build/snsd:
    python configs/make_snsd.py --clones CLONES --out OUT
    have a recogniser hear OUT/unlabelled.jsonl and write OUT/heard.jsonl, as configs/make_common_voice.py tells
    python configs/make_common_voice.py keep --sure -0.2 --out OUT

MS-SNSD's own recordings are those of the University of Edinburgh (DS_10283_2791, 56 speakers, CC BY 4.0) and of
PTDB-TUG (20 speakers, ODbL 1.0). Its tool joins them with digital silence to the length that somebody wanted: there
they are cut apart again.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

SOURCES = {  # repository: its clean speech
    "haroitman/nsnet_implementation": "CleanSpeech_training",
    "danielkweon/Background_Noise_Suppression": "Milestones/Milestone_1/CleanSpeech_training",
    "mdefran/voice-denoiser": "clean_speech",
    "tarekniazy/Audiofy": "MS-SNSD/CleanSpeech_training",  # in its history, before commit 07468f6
    "xramzesx/um-project": "CleanSpeech_training",
    "Shivam9701/noisy-gen-data": "CleanSpeech_training",
}
RATE = 16000
SILENT = 0.15  # seconds of zeros between two sentences
EDGE = 0.1  # seconds of them that stay at either side
SHORTEST, LONGEST = 1.0, 20.0  # seconds
SILENCE = 1e-3  # mean amplitude of what holds no speech


def sentences(samples: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """(first, last) sample of what lies between stretches of digital silence."""
    zero = np.concatenate([[0], (np.abs(samples) <= 1.01 / 32768).astype(np.int8), [0]])
    starts, ends = np.flatnonzero(np.diff(zero) == 1), np.flatnonzero(np.diff(zero) == -1)
    quiet = [(a, b) for a, b in zip(starts.tolist(), ends.tolist(), strict=True) if b - a >= SILENT * RATE]
    edges = [0, *(edge for stretch in quiet for edge in stretch), len(samples)]
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        loud = float(np.sqrt(np.mean(samples[first:last] ** 2))) if last > first else 0.0
        if SHORTEST <= (last - first) / RATE <= LONGEST and loud > SILENCE:
            yield max(0, first - int(EDGE * RATE)), min(len(samples), last + int(EDGE * RATE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True, help="folder of the repositories, as OWNER/NAME")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    (arguments.out / "clips").mkdir(parents=True, exist_ok=True)
    lines, seconds, seen = [], 0.0, set[bytes]()
    for name, folder in SOURCES.items():
        for path in sorted((arguments.clones / name / folder).glob("*.wav")):
            content = path.read_bytes()
            if content in seen:
                continue
            seen.add(content)
            samples, rate = soundfile.read(path, dtype="float32")
            if samples.ndim != 1 or rate != RATE:
                continue
            for first, last in sentences(samples):
                id = f"snsd-{name.split('/')[0]}-{path.stem}-{first}"
                soundfile.write(arguments.out / "clips" / f"{id}.flac", samples[first:last], RATE)
                row = {"audio": f"clips/{id}.flac", "duration": round((last - first) / RATE, 3), "text": ""}
                lines.append(json.dumps({**row, "source": "ms-snsd", "id": id}) + "\n")
                seconds += (last - first) / RATE
    (arguments.out / "unlabelled.jsonl").write_text("".join(lines), encoding="utf-8")
    print(f"{len(lines)} sentences, {seconds / 3600:.2f} h")


if __name__ == "__main__":
    main()
