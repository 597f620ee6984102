"""What a model should write: the same small recipe with each kind of output unit, word errors against the same texts.

    transcribe prepare configs/units.toml --cache
    python benchmarks/units.py --work build/units

Every kind hears the same speech for as long, and is decoded greedily. Words are compared as they were said, so
that what a kind cannot write counts as wrong; phonemes are read back by looking each word's sounds up among the
training words, the most frequent of those that sound alike. With --lm characters and phonemes are also searched with a
language model, phonemes over a lexicon of its words.
"""

import argparse
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch

from transcribe_cli.alphabet import Alphabet
from transcribe_cli.decoding import Decoder, DecodingOptions
from transcribe_cli.decoding.beam import BeamSearch
from transcribe_cli.decoding.words import WordSearch
from transcribe_cli.evaluate.edits import count_all, total
from transcribe_cli.lm.model import LanguageModel
from transcribe_cli.training import checkpoint, loop, manifest, measure, options, together, units
from transcribe_cli.training.cache import Entry
from transcribe_cli.training.data import Source
from transcribe_cli.training.options import RunOptions
from transcribe_cli.training.pronounce import lexicon_of

ROOT = Path(__file__).resolve().parent.parent


def by_sound(words: Counter[str]) -> dict[str, str]:
    """Sounds → the most frequent word that is spoken so."""
    found: dict[str, str] = {}
    for word, _ in words.most_common():
        found.setdefault(" ".join(units.phonemes(word)), word)
    return found


def as_words(read: str, kind: str, spoken: dict[str, str]) -> list[str]:
    """A decoding's words; of phonemes the words that sound so, or the sounds where none does."""
    if kind != "phoneme":
        return read.split()
    parts = [" ".join(part.split()) for part in read.split("|")]
    return [spoken.get(part, part) for part in parts if part]


def errors(heard: list[measure.Heard], kind: str, spoken: dict[str, str]) -> str:
    counts = total(count_all([(one.text.split(), as_words(one.hypothesis, kind, spoken)) for one in heard]))
    return f"{100 * counts.errors / max(counts.reference, 1):.1f}"


def search(kind: str, alphabet: Alphabet, lm: LanguageModel) -> Decoder:
    """With the weights that suit an untuned network; they were not chosen for either kind."""
    options = DecodingOptions(lm_weight=0.6, word_bonus=1.0)
    if kind == "char":
        return BeamSearch(alphabet, lm, options)
    sounds = Alphabet(alphabet.tokens, alphabet.blank, units.WORD_END)
    return WordSearch(sounds, lexicon_of(lm.words, units.CHARACTERS), lm, options)


def searched(
    network: torch.nn.Module, dev: list[Entry], source: Source, decoder: Decoder, limit: int
) -> list[measure.Heard]:
    """At most `limit` utterances a source (0: all), spread over it, read with a language model."""
    found = []
    for entry in measure.spread(dev, limit):
        inputs, lengths, _ = loop.collate([entry], source, 0, print)
        with torch.inference_mode():
            log_probs, rows = network(loop.transposed(inputs, source), lengths)
        text = decoder.decode(log_probs[0, : int(rows[0])].numpy())[0].text
        found.append(measure.Heard(entry.source, entry.text, entry.text, text, 0.0, 0))
    return found


def learn(
    run: RunOptions, folder: Path, lm: LanguageModel | None, limit: int
) -> tuple[list[measure.Heard], list[measure.Heard], int, float]:
    """Trains (or goes on) and decodes the dev sets, greedily and by search; also the inventory's size, minutes."""
    loop.train(run, folder, lambda line: print(f"  {line}", flush=True))
    state = checkpoint.load(folder / "last.pt")
    speller, _ = loop.spellers(run, state)
    source, network = loop.assemble(run, len(speller.alphabet), 0)
    network.load_state_dict(state["model"])
    (dev,), _ = source.entries(run.data.dev, set(source.names(run.data.dev)))
    heard = loop.evaluate(network, dev, source, speller, 0, together.join(), torch.device("cpu"))
    found = []
    if lm is not None and run.data.units in ("char", "phoneme"):
        found = searched(network, dev, source, search(run.data.units, speller.alphabet, lm), limit)
    return heard, found, len(speller.alphabet) - 1, state["minutes"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "units.toml")
    parser.add_argument("--work", type=Path, required=True, help="folder of the runs; they go on where they stopped")
    parser.add_argument("--kinds", default=",".join(units.KINDS))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="options of the config")
    parser.add_argument("--lm", type=Path, help="also search characters and phonemes with this language model")
    parser.add_argument("--limit", type=int, default=0, help="utterances of each source for that; 0: all")
    arguments = parser.parse_args()
    lm = None if arguments.lm is None else LanguageModel.load(arguments.lm)
    config = options.load(arguments.config, tuple(arguments.set))
    paths = [path for one in config.data.train for path in manifest.find(one.manifest)]
    spoken = by_sound(Counter(word for path in paths for one in manifest.read(path) for word in one.text.split()))
    rows = []
    for kind in arguments.kinds.split(","):
        print(f"{kind}:", flush=True)
        began = time.monotonic()
        run = replace(config, data=replace(config.data, units=kind))
        heard, by_search, inventory, minutes = learn(run, arguments.work / kind, lm, arguments.limit)
        sources = sorted({one.source for one in heard})
        rates = [errors([one for one in heard if one.source == source], kind, spoken) for source in sources]
        if by_search:
            some = [errors([one for one in by_search if one.source == source], "char", {}) for source in sources]
            print(f"  with language model: {', '.join(map(' '.join, zip(sources, some, strict=True)))}", flush=True)
        rows.append([kind, str(inventory), *rates, errors(heard, kind, spoken), f"{minutes:.0f}"])
        print(f"  took {(time.monotonic() - began) / 60:.1f} min", flush=True)
    print(f"\n| units | inventory | {' | '.join(sources)} | all | minutes of training |")
    print("|---" * (len(sources) + 4) + "|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
