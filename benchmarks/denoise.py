"""What is done against steady noise, and what it does to the words: word errors of the same speech, three times.

    python benchmarks/denoise.py MANIFEST [--limit 100] [--degrade noise:10,5 …] [--noises FOLDER] [--model en] [--lm]

Features as they are, with steady noise turned down as the model's card says, and with --denoise on top of that.
Utterances are taken evenly from the whole manifest; --noises: recordings of noises by turns, at 10 dB.
"""

import argparse
import dataclasses
import functools
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transcribe_cli import audio
from transcribe_cli.audio.degrade import Degradation, degrade, mix, parse
from transcribe_cli.audio.denoise import denoise
from transcribe_cli.audio.manifest import ManifestLine, read_manifest
from transcribe_cli.bundle import store
from transcribe_cli.decoding import DecodingOptions
from transcribe_cli.evaluate.edits import count
from transcribe_cli.evaluate.normalise import normaliser
from transcribe_cli.pipeline import ModelOptions, Options, Recogniser
from transcribe_cli.training.augment import babble, recordings

Sound = NDArray[np.float32]
Change = Callable[[Sound, int], Sound]  # samples, number of the utterance
WAYS = ("as it is", "turned down", "and --denoise")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="en")
    parser.add_argument("--limit", type=int, default=100, help="utterances")
    parser.add_argument("--degrade", action="append", help="noise:10,5 and white:10 where not given")
    parser.add_argument("--noises", type=Path, help="folder of WAV, FLAC or Ogg files")
    parser.add_argument("--lm", action="store_true", help="with language model; else greedy")
    arguments = parser.parse_args()
    lines = list(read_manifest(arguments.manifest))
    lines = lines[:: max(1, len(lines) // arguments.limit)][: arguments.limit]
    rate = store.find(arguments.model).card.sample_rate
    conditions: dict[str, Change] = {"clean": lambda sound, number: sound}
    for how in parse(arguments.degrade or ["noise:10,5", "white:10"]):
        conditions[how.name] = functools.partial(degraded, how, rate)
    if arguments.noises:
        noises = recordings(str(arguments.noises), rate)
        conditions["recorded noise 10 dB"] = functools.partial(under, noises)
    clean = normaliser("whisper-english")
    words, errors = 0, np.zeros((len(conditions), len(WAYS)), int)
    decoding = DecodingOptions(decoder="beam" if arguments.lm else "greedy")
    options = Options(model=ModelOptions(model=arguments.model), decoding=decoding)
    with (
        tempfile.TemporaryDirectory() as folder,
        Recogniser(plain(options, Path(folder))) as before,
        Recogniser(options) as after,
    ):
        for number, (reference, sound) in enumerate(spoken(lines, rate)):
            wanted = clean(reference).split()
            words += len(wanted)
            for i, change in enumerate(conditions.values()):
                noisy = change(sound, number)
                texts = (before.transcribe(noisy), after.transcribe(noisy), after.transcribe(denoise(noisy, rate)))
                errors[i] += [count(wanted, clean(text.text).split()).errors for text in texts]
    print(f"{len(lines)} utterances, {words} words, {after.bundle.card.id}, {decoding.decoder}")
    print(f"| sound | {' | '.join(WAYS)} |\n|---|---|---|---|")
    for name, row in zip(conditions, errors, strict=True):
        print(f"| {name} | {' | '.join(f'{n / words:.1%}' for n in row)} |")


def spoken(lines: list[ManifestLine], rate: int) -> Iterator[tuple[str, Sound]]:
    """Texts and (n,) samples."""
    for line in lines:
        for blocks in audio.excerpts(line.audio, [(line.start, line.duration)], rate):
            yield line.text or "", np.concatenate(list(blocks))


def plain(options: Options, folder: Path) -> Options:
    """The same with the model again, put into `folder`, with features that turn nothing down."""
    bundle = store.find(options.model.model)
    for path in bundle.folder.iterdir():
        if path.name != "card.json":
            (folder / path.name).symlink_to(path.resolve())
    card = json.loads((bundle.folder / "card.json").read_text())
    card["features"] = dataclasses.replace(bundle.card.features, noise_db=0.0).to_dict()
    (folder / "card.json").write_text(json.dumps(card))
    return dataclasses.replace(options, model=ModelOptions(model=str(folder)))


def degraded(how: Degradation, rate: int, sound: Sound, number: int) -> Sound:
    return degrade(sound, rate, how, 0, str(number))


def under(noises: tuple[Sound, ...], sound: Sound, number: int) -> Sound:
    """Speech with one of the recordings under it, again and again."""
    added = babble(len(sound), [noises[number % len(noises)]], np.random.default_rng(number))
    return mix(sound, added, 10.0)


if __name__ == "__main__":
    main()
