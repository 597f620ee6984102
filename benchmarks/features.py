"""How fast features are computed: hours of audio a second of one core's time, as × real time.

    OMP_NUM_THREADS=1 python benchmarks/features.py [--minutes 10] [--block-seconds 5]

Blocks come in as they do from a recording; the time is the process's own, so that other work on the machine does not
count. Prints one line a recipe: raw frames, the finishing of 15 s windows, both together.
"""

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from transcribe_cli.features import Extractor, FeatureRecipe, finish

RECIPES = {
    "log-mel 80 (Whisper)": FeatureRecipe(),
    "log-mel 128": FeatureRecipe(bands=128),
    "log-mel 80, fft 512": FeatureRecipe(fft=512),
    "MFCC 40 + deltas": FeatureRecipe(kind="mfcc", deltas=2, offset=0.0, scale=10.0),
    "waveform": FeatureRecipe(kind="waveform", normalise=True),
}


def best_of(runs: int, work: Callable[[], object]) -> float:
    """The least process time of several runs, in seconds: disturbances only ever add."""
    times = []
    for _ in range(runs):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--block-seconds", type=float, default=5)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    seconds = arguments.minutes * 60
    samples = (np.random.default_rng(0).standard_normal(int(seconds * 16000)) * 0.1).astype(np.float32)
    size = int(arguments.block_seconds * 16000)
    blocks = [samples[i : i + size] for i in range(0, len(samples), size)]
    print(f"{arguments.minutes:g} min of audio, × real time on one core")
    for name, recipe in RECIPES.items():
        extractor = Extractor(recipe)
        raw = np.concatenate([*map(extractor.push, blocks), extractor.flush()])
        window = round(15 / recipe.hop_seconds)

        def extract(extractor: Extractor = extractor) -> None:
            for block in blocks:
                extractor.push(block)
            extractor.flush()

        def complete(raw: np.ndarray = raw, window: int = window, recipe: FeatureRecipe = recipe) -> None:
            for i in range(0, len(raw), window):
                finish(raw[i : i + window], recipe)

        frames_time, finish_time = best_of(arguments.runs, extract), best_of(arguments.runs, complete)
        both_time = frames_time + finish_time
        speeds = [seconds / spent for spent in (frames_time, finish_time, both_time)]
        print("{:22} frames {:8.0f}   finish {:8.0f}   both {:8.0f}".format(name, *speeds))


if __name__ == "__main__":
    main()
