"""What hotwords gain and cost: words that the model missed, given as hotwords, and words that nobody says.

    python benchmarks/hotwords.py DATA/dev.jsonl --source librispeech --every 7

Every n-th utterance of a labelled set is read without hotwords, with all words of five letters and more that it missed,
and with 10, 100 and 1000 words of the language model that no reference of the set holds.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transcribe_cli import Transcriber, audio
from transcribe_cli.audio.manifest import read_manifest
from transcribe_cli.bundle.store import find
from transcribe_cli.decoding.options import DecodingOptions
from transcribe_cli.evaluate.measure import line_id
from transcribe_cli.evaluate.score import Pair, score
from transcribe_cli.lm.model import LanguageModel

RATE = 16000
UNSAID = (10, 100, 1000)
LONG = 5  # letters of a word that is worth a hotword


def read(model: str, sounds: Sequence[NDArray[np.float32]], hotwords: Sequence[str]) -> list[str]:
    with Transcriber(model, decoding=DecodingOptions(hotword=tuple(hotwords))) as transcriber:
        return [transcriber.transcribe(sound, RATE).text for sound in sounds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="en")
    parser.add_argument("--source", help="of the manifest's lines")
    parser.add_argument("--every", type=int, default=1, help="n: every n-th utterance")
    arguments = parser.parse_args()
    labelled = [line for line in read_manifest(arguments.manifest) if line.text]
    lines = [line for line in labelled if arguments.source in (None, line.keys.get("source"))][:: arguments.every]
    sounds = []
    for line in lines:
        (parts,) = [list(blocks) for blocks in audio.excerpts(line.audio, [(line.start, line.duration)], RATE)]
        sounds.append(np.concatenate(parts))
    texts = [line.text or "" for line in lines]
    path = find(arguments.model).language_model_path
    said = {word for line in labelled for word in (line.text or "").split()}
    words = LanguageModel.load(path).words if path is not None else ()
    unsaid = sorted(word for word in words if word not in said and len(word) >= LONG)

    def errors(heard: Sequence[str]) -> int:
        pairs = [Pair(line_id(line), text, own) for line, text, own in zip(lines, texts, heard, strict=True)]
        return score(pairs, "basic").words.errors

    plain = read(arguments.model, sounds, ())
    missed = dict.fromkeys(
        word
        for text, own in zip(texts, plain, strict=True)
        for word in text.split()
        if len(word) >= LONG and word not in own.split()
    )
    print(f"{len(lines)} utterances, {sum(len(text.split()) for text in texts)} words")
    print(f"without hotwords: {errors(plain)} errors")
    heard = read(arguments.model, sounds, tuple(missed))
    places = [(word, own) for text, own in zip(texts, heard, strict=True) for word in missed if word in text.split()]
    found = sum(word in own.split() for word, own in places)
    print(f"{len(missed)} that were missed: {errors(heard)} errors, {found} of {len(places)} found")
    for n in UNSAID:
        chosen = random.Random(n).sample(unsaid, min(n, len(unsaid)))
        print(f"{len(chosen)} that nobody says: {errors(read(arguments.model, sounds, chosen))} errors", flush=True)


if __name__ == "__main__":
    main()
