"""What windows cost in words: utterances alone against the same speech in one long recording.

    python benchmarks/windows.py MANIFEST [--source NAME] [--model en] [--minutes 60] [--window-seconds 15]

The manifest's utterances are joined, in order, with 0.3 s of silence between, to one recording of at most `--minutes`.
Prints the word errors of the utterances transcribed one by one and of the long recording, and their difference, greedy
and with language model.
"""

import argparse
from pathlib import Path

import numpy as np

from transcribe_cli import audio
from transcribe_cli.audio.manifest import read_manifest
from transcribe_cli.decoding import DecodingOptions
from transcribe_cli.emission import WindowOptions
from transcribe_cli.evaluate.edits import count
from transcribe_cli.evaluate.normalise import normaliser
from transcribe_cli.pipeline import ModelOptions, Options, Recogniser


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="en")
    parser.add_argument("--source", help="only lines with this source")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--window-seconds", type=float)
    parser.add_argument("--context-seconds", type=float)
    parser.add_argument("--decoder", default="beam,greedy")
    arguments = parser.parse_args()
    clean = normaliser("basic")
    lines, sounds, seconds = [], [], 0.0
    for line in read_manifest(arguments.manifest):
        if arguments.source not in (None, line.keys.get("source")):
            continue
        if seconds + (line.duration or 0) > arguments.minutes * 60:
            break
        for blocks in audio.excerpts(line.audio, [(line.start, line.duration)], 16000):
            sounds.append(np.concatenate(list(blocks)))
        lines.append(line)
        seconds += len(sounds[-1]) / 16000
    gap = np.zeros(4800, np.float32)
    joined = np.concatenate([part for sound in sounds for part in (sound, gap)])
    reference = clean(" ".join(line.text or "" for line in lines)).split()
    for decoder in arguments.decoder.split(","):
        options = Options(
            model=ModelOptions(model=arguments.model),
            decoding=DecodingOptions(decoder=decoder),
            windows=WindowOptions(arguments.window_seconds, arguments.context_seconds),
        )
        with Recogniser(options) as recogniser:
            alone = [clean(recogniser.transcribe(sound).text).split() for sound in sounds]
            whole = clean(recogniser.transcribe(joined).text).split()
        errors_alone = sum(
            count(clean(line.text or "").split(), words).errors for line, words in zip(lines, alone, strict=True)
        )
        errors_whole = count(reference, whole).errors
        print(
            f"{decoder}: {len(lines)} utterances, {seconds / 60:.0f} min, {len(reference)} words: alone "
            f"{errors_alone / len(reference):.2%}, joined {errors_whole / len(reference):.2%}, "
            f"difference {(errors_whole - errors_alone) / len(reference):+.2%}"
        )


if __name__ == "__main__":
    main()
