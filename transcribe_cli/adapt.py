"""Teach a model the words of a user's texts: a bundle with its language model mixed with one made of them.

In go texts and a model's bundle, out comes a folder that is a bundle too, with `hotwords.txt` and `adaptation.json`
beside. No sound is needed. Steps: read and normalise, find the words that are new, estimate a model of the texts, find
the weight at which both together predict texts that were held out, mix, write.
"""

import hashlib
import json
import math
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from .alphabet import Alphabet
from .bundle.store import Bundle, find, read_card
from .errors import InputError, ModelError, OptionError
from .lm import binary, casing, files, interpolate, ngrams
from .lm.build import BuildOptions, build
from .lm.model import unit_of
from .lm.ngrams import NGramModel
from .lm.notes import find_notes, paragraphs
from .lm.text import normalise, sentences
from .options import check, option
from .outputs import replacing
from .spellings import taught

# what an adapted model has beside a model's files
REPORT, HOTWORDS, SPELLINGS = "adaptation.json", "hotwords.txt", "spellings.txt"
TERMS = ("licence", "license", "notice", "copying", "readme")  # how the names of texts begin that go with a model
HELD_OUT = 8  # every eighth sentence tells the weight; all of them make the final model
# the bounds: the texts always count, and general English keeps half (more of them bought next to nothing, see RESULTS)
LIGHTEST, HEAVIEST = 0.05, 0.5
LITTLE_TEXT = 0.1  # the weight of seven sentences or fewer, which are too few to hold one out
ONE_SENTENCE = 30  # words; what is longer is several without full stops
COMMON = -5.0  # log10 P of words that general English has a capital or none for, by what is meant


@dataclass(frozen=True, slots=True)
class AdaptOptions:
    """How a model is taught a user's words."""

    order: int = option(3, "longest n-gram taken from the texts", minimum=2, maximum=6)
    weight: float | None = option(
        None, "share of the texts' model in the mixture; default: what predicts held-out sentences best",
        minimum=0, maximum=1,
    )  # fmt: skip
    hotwords: int = option(30, "words to propose for --hotwords-file", minimum=0, maximum=1000)
    overwrite: bool = option(False, "replace the output folder's model")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class Texts:
    """What the user's texts hold."""

    n_files: int
    sentences: tuple[str, ...]  # normalised
    n_unreadable: int  # sentences left out whole: addresses, code, other scripts
    unspellable: tuple[tuple[str, str], ...]  # (word, the characters that the alphabet lacks), most frequent first
    written: casing.Ways  # how the texts write their words

    @property
    def words(self) -> Counter[str]:
        return Counter(word for sentence in self.sentences for word in sentence.split())


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What came of it; `report` is what `adaptation.json` holds."""

    folder: Path
    texts: Texts
    weight: float
    new_words: tuple[tuple[str, int], ...]  # with how often they occur, most frequent first
    hotwords: tuple[tuple[str, int], ...]
    spellings: tuple[str, ...]  # words that are written in a way of their own
    report: dict[str, Any]


def read_texts(paths: Sequence[Path], alphabet: Alphabet) -> Texts:
    """Files and folders → normalised sentences, and the words that cannot be spelt.

    Raises InputNotFound for what is not there, InputError where no sentence is left.
    """
    found = find_notes(paths)
    kept: list[str] = []
    as_written: list[str] = []
    refused: Counter[str] = Counter()
    n_unreadable = 0
    for path in found:
        for paragraph in paragraphs(path):
            for sentence in sentences(paragraph):
                words = normalise(sentence)
                if words is None:
                    n_unreadable += 1
                    refused.update(_foreign(sentence))
                    kept += _readable(sentence, alphabet)
                elif words and alphabet.spells(words):
                    kept.append(words)
                    as_written.append(sentence)
                elif words:
                    refused.update(word for word in words.split() if not alphabet.spells(word))
    if not kept:
        raise InputError(f"{paths[0]}: no sentence that the model could write: are these texts in its language?")
    lacking = tuple((word, "".join(_lacks(word, alphabet))) for word, _ in refused.most_common())
    return Texts(len(found), tuple(kept), n_unreadable, lacking, casing.ways(as_written))


def _readable(sentence: str, alphabet: Alphabet) -> list[str]:
    """Stretches of what cannot be read whole and is too long for one sentence, as subtitles without full stops are.

    An address must not cost all of it; of a sentence the rest says little.
    """
    if len(sentence.split()) <= ONE_SENTENCE:
        return []
    runs: list[list[str]] = [[]]
    for word in sentence.split():
        plain = normalise(word)
        if plain is None or not alphabet.spells(plain):
            runs.append([])
        elif plain:
            runs[-1].append(plain)
    return [" ".join(run) for run in runs if len(run) > 3]


def _foreign(sentence: str) -> Iterable[str]:
    """The words of a refused sentence that are the reason: those in another script. Addresses and code are no words."""
    for word in sentence.split():
        bare = word.strip("\"'“”‘’«».,;:!?()[]…—–-")
        if bare.isalpha() and normalise(bare) is None:
            yield bare


def _lacks(word: str, alphabet: Alphabet) -> list[str]:
    return [letter for letter in dict.fromkeys(word.lower()) if normalise(letter) is None or alphabet.missing(letter)]


def adapt(
    paths: Sequence[Path],
    output: Path,
    model: str = "en",
    options: AdaptOptions = AdaptOptions(),
    say: Callable[[str], None] = lambda _: None,
) -> Adaptation:
    """Makes the adapted bundle in a folder, whole or not at all.

    Raises InputError (texts), ModelError (a model without language model), OptionError (the folder is there already, or
    holds what is no adapted model).
    """
    started = time.perf_counter()
    bundle = find(model)
    if bundle.language_model_path is None:
        raise ModelError(f"{model}: has no language model to mix the texts with: build one with `transcribe lm build`")
    described = bundle.language_model_path.with_suffix(".json")
    _check_free(output, paths, bundle, described, options.overwrite)
    texts = read_texts(paths, bundle.card.alphabet)
    counted = texts.words
    say(f"{texts.n_files} files: {len(texts.sentences)} sentences, {counted.total()} words, {len(counted)} different")

    general = files.load(bundle.language_model_path)
    if unit_of(general.words)[0] == "char":
        raise ModelError(
            f"{model}: its language model is of characters, which cannot learn words: give it one of words"
        )
    own = build(texts.sentences, BuildOptions(order=options.order)).model
    weight = find_weight(general, texts.sentences, options.order) if options.weight is None else options.weight
    mixed = interpolate.mix([general, own], [1 - weight, weight])
    say(f"the texts' model has {sum(own.sizes)} n-grams and weighs {weight:.2f} in the mixture")

    known = frozenset(general.words)
    new_words = tuple((word, n) for word, n in counted.most_common() if word not in known)
    proposed = propose_hotwords(counted, general, options.hotwords)
    spellings = casing.own(texts.written, common_words(general))
    canary = canary_sentences()
    report = {
        "made_of": [str(path) for path in paths],
        "model": bundle.card.id,
        "sentences": len(texts.sentences),
        "words": counted.total(),
        "weight": round(weight, 4),
        "new_words": dict(new_words),
        "unspellable": dict(texts.unspellable),
        "hotwords": dict(proposed),
        "spellings": spellings,
        "perplexity_of_general_text": {
            "before": round(perplexity(general, canary), 1),
            "after": round(perplexity(mixed, canary), 1),
        },
    }
    _write_bundle(bundle, mixed, described, output, report)
    report["seconds"] = round(time.perf_counter() - started, 1)
    return Adaptation(output, texts, weight, new_words, proposed, tuple(spellings), report)


def _check_free(output: Path, texts: Sequence[Path], bundle: Bundle, described: Path, overwrite: bool) -> None:
    """Refuses a place that is taken. What gives way to `overwrite` is an adapted model and nothing beside it.

    described: the language model's own card, which the adapted one has even where the bundle has none.
    """
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not overwrite:
        raise OptionError(f"{output}: is there already: choose another folder, or give --overwrite")
    if not output.is_dir():
        raise OptionError(f"{output}: is a file: choose a folder for the model")
    assert bundle.language_model_path is not None
    there = {path.name for path in output.iterdir()}
    ours = {*_copied(bundle), bundle.language_model_path.name, described.name, "card.json", REPORT, HOTWORDS, SPELLINGS}
    if REPORT not in there or there - ours:
        other = min(there - ours, default="a model that was not adapted")
        raise OptionError(f"{output}: holds {other}, which --overwrite would delete: choose another folder")
    inside = [path for path in texts if output.resolve() in (path.resolve(), *path.resolve().parents)]
    if inside:
        raise OptionError(f"{inside[0]}: lies in the folder that is to be replaced: choose another folder")


def find_weight(general: NGramModel, text: Sequence[str], order: int) -> float:
    """The weight of a text's own model that predicts held-out sentences of it best, within bounds."""
    held_out = [sentence for i, sentence in enumerate(text) if i % HELD_OUT == HELD_OUT - 1]
    rest = [sentence for i, sentence in enumerate(text) if i % HELD_OUT != HELD_OUT - 1]
    if not held_out:
        return LITTLE_TEXT
    own = build(rest, BuildOptions(order=order)).model
    return float(np.clip(interpolate.find_weights([general, own], held_out)[1], LIGHTEST, HEAVIEST))


def propose_hotwords(counted: Counter[str], general: NGramModel, limit: int) -> tuple[tuple[str, int], ...]:
    """Words that the texts use much more than general English does, with their counts.

    A word's rank is its count times the logarithm of how much more frequent it is here. Words of one letter and what
    occurs once are left out, and so are words that general English uses more than once in ten thousand, or that are
    not ten times as frequent here.
    """
    total = counted.total()
    index = {word: i for i, word in enumerate(general.words)}
    unigrams = general.tables[0].log10_probs
    rated = []
    for word, n in counted.items():
        if n < 2 or len(word) < 3:
            continue
        # a word that general English lacks counts as seen once in ten million words
        ordinary = max(float(unigrams[index[word]]), -7.0) if word in index else -7.0
        gain = math.log10(n / total) - ordinary
        if gain >= 1 and ordinary <= -4:
            rated.append((n * gain, word))
    rated.sort(key=lambda pair: (-pair[0], pair[1]))
    return tuple((word, counted[word]) for _, word in rated[:limit])


def common_words(general: NGramModel) -> list[str]:
    """Words that general English uses once in a hundred thousand words and more often."""
    log10_probs = general.tables[0].log10_probs
    return [word for word, log10_prob in zip(general.words, log10_probs, strict=True) if log10_prob > COMMON]


def canary_sentences() -> list[str]:
    """General English that no adaptation should make much less likely: a page of public-domain sentences."""
    text = resources.files(__package__).joinpath("lm/canary.txt").read_text(encoding="utf-8")
    return text.splitlines()


def perplexity(model: NGramModel, text: Sequence[str]) -> float:
    """Perplexity over the words that are known, and the sentences' ends."""
    tokens = ngrams.encode(text, model.words)
    counts = (tokens != ngrams.BOS) & (tokens != ngrams.UNK)
    return float(10 ** -ngrams.score(model, tokens)[counts].mean())


def _write_bundle(bundle: Bundle, mixed: NGramModel, described: Path, output: Path, report: dict[str, Any]) -> None:
    entry = bundle.card.language_model
    assert entry is not None
    # of a model that was taught before, its own first
    spellings = dict.fromkeys([*taught(bundle.spellings_path), *report["spellings"]])
    with replacing(output) as folder:
        for name, path in _copied(bundle).items():
            shutil.copy(path, folder / name)
        binary.write(mixed, folder / entry.file)
        with (folder / entry.file).open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        card = read_card(bundle)
        card["name"] = output.resolve().name
        card["language_model"]["id"] = f"{entry.id or entry.file}, adapted"
        card["adapted_from"] = bundle.card.id
        card["spellings"] = SPELLINGS
        sums = card.get("checksums", {})
        if entry.file in sums:
            sums[entry.file] = checksum
        if "measured" in card:  # with the other language model
            card["measured_before_adaptation"] = card.pop("measured")
        facts = _facts(card["language_model"]["id"], mixed, report, described) | {"sha256": checksum}
        for name, text in {
            "card.json": json.dumps(card, indent=1, ensure_ascii=False) + "\n",
            described.name: json.dumps(facts, indent=1, ensure_ascii=False) + "\n",
            REPORT: json.dumps(report, indent=1, ensure_ascii=False) + "\n",
            HOTWORDS: "".join(f"{word}\n" for word in report["hotwords"]),
            SPELLINGS: "".join(f"{word}\n" for word in spellings),
        }.items():
            (folder / name).write_text(text, encoding="utf-8")


def _copied(bundle: Bundle) -> dict[str, Path]:
    """What an adapted model has from the one that it began with, by its name there; whatever else lies beside stays.

    The graph, with weights that lie in a file of their own, what else the card names, and the terms of use.
    """
    entry = bundle.card.language_model
    named = {bundle.card.lexicon, None if entry is None else entry.rescorer, *bundle.card.checksums}
    found = {bundle.card.graph: bundle.graph_path}
    for path in sorted(bundle.folder.iterdir()):
        terms = path.name.lower().startswith(TERMS)
        if path.is_file() and (terms or path.name in named or path.name == f"{bundle.graph_path.name}.data"):
            found.setdefault(path.name, path)
    return found


def _facts(name: str, mixed: NGramModel, report: dict[str, Any], described: Path) -> dict[str, Any]:
    """What the mixture's card says: its own sizes and weights, and whole the card of the model that it began with."""
    began_with = json.loads(described.read_text(encoding="utf-8")) if described.exists() else None
    return {
        "name": name,
        "order": mixed.order,
        "ngrams": list(mixed.sizes),
        "estimation": "linear mixture of what it began with and a model of texts, interpolated modified Kneser-Ney",
        "weights": {"began_with": round(1 - report["weight"], 4), "texts": report["weight"]},
        "texts": {"sentences": report["sentences"], "words": report["words"]},
        "began_with": began_with,
    }
