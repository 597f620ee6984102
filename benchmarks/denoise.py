"""What --denoise does to the words: word errors with and without, of clean speech and of speech in pink noise.

    python benchmarks/denoise.py MANIFEST [--limit 100] [--degrade noise:10,5] [--model en] [--decoder greedy]

Utterances are taken evenly from the whole manifest. Noise is added before noise is removed, the same to both.
"""

import argparse
from pathlib import Path

import numpy as np

from transcribe_cli import audio
from transcribe_cli.audio.degrade import degrade, parse
from transcribe_cli.audio.denoise import denoise
from transcribe_cli.audio.manifest import read_manifest
from transcribe_cli.decoding import DecodingOptions
from transcribe_cli.evaluate.edits import count
from transcribe_cli.evaluate.normalise import normaliser
from transcribe_cli.pipeline import ModelOptions, Options, Recogniser


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="en")
    parser.add_argument("--limit", type=int, default=100, help="utterances")
    parser.add_argument("--degrade", default="noise:10,5")
    parser.add_argument("--decoder", default="greedy")
    arguments = parser.parse_args()
    lines = list(read_manifest(arguments.manifest))
    lines = lines[:: max(1, len(lines) // arguments.limit)][: arguments.limit]
    clean = normaliser("whisper-english")
    conditions = [None, *parse([arguments.degrade])]
    words, errors = 0, np.zeros((len(conditions), 2), int)
    options = Options(model=ModelOptions(model=arguments.model), decoding=DecodingOptions(decoder=arguments.decoder))
    with Recogniser(options) as recogniser:
        rate = recogniser.bundle.card.sample_rate
        for number, line in enumerate(lines):
            reference = clean(line.text or "").split()
            words += len(reference)
            for blocks in audio.excerpts(line.audio, [(line.start, line.duration)], rate):
                sound = np.concatenate(list(blocks))
                for i, how in enumerate(conditions):
                    noisy = sound if how is None else degrade(sound, rate, how, 0, str(number))
                    denoised = denoise(noisy, rate)
                    for j, heard in enumerate((noisy, denoised)):
                        errors[i, j] += count(reference, clean(recogniser.transcribe(heard).text).split()).errors
    print(f"{len(lines)} utterances, {words} words, {recogniser.bundle.card.id}, {arguments.decoder}")
    print("| sound | as it is | with --denoise |\n|---|---|---|")
    for how, (without, denoised) in zip(conditions, errors, strict=True):
        name = "clean" if how is None else how.name
        print(f"| {name} | {without / words:.1%} | {denoised / words:.1%} |")


if __name__ == "__main__":
    main()
