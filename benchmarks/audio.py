"""How fast recordings are read: hours of audio a second of one core's time, as × real time.

    OMP_NUM_THREADS=1 python benchmarks/audio.py [--minutes 5]

Writes the same speech (the longest sample, repeated) in several kinds and rates into a temporary folder, and reads each
to 16 kHz mono, without and with noise removal. The time is the process's own.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from transcribe_cli import audio

SAMPLE = Path(__file__).parents[1] / "samples" / "palestine.flac"
KINDS = [("wav", 16000), ("flac", 16000), ("ogg", 16000), ("mp3", 16000), ("wav", 44100), ("mp3", 44100), ("wav", 8000)]


def write(path: Path, samples: np.ndarray, rate: int) -> None:
    # second by second: libsndfile's Vorbis encoder overflows its stack on one long block
    with soundfile.SoundFile(path, "w", rate, 1) as file:
        for i in range(0, len(samples), rate):
            file.write(samples[i : i + rate])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    arguments = parser.parse_args()
    speech = soundfile.read(SAMPLE, dtype="float32")[0]
    print(f"{arguments.minutes:g} min of audio, × real time on one core")
    with tempfile.TemporaryDirectory() as folder:
        for kind, rate in KINDS:
            path = Path(folder) / f"{rate}.{kind}"
            write(path, np.resize(speech, round(arguments.minutes * 60 * rate)), rate)
            speeds = []
            for denoise in (False, True):
                began = time.process_time()
                n = sum(map(len, audio.stream(path, 16000, audio.AudioOptions(denoise=denoise))))
                speeds.append(n / 16000 / (time.process_time() - began))
            print("{:5} {:6} Hz {:8.0f}   with --denoise {:6.0f}".format(kind, rate, *speeds))


if __name__ == "__main__":
    main()
