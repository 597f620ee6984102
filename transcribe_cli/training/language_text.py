"""The text that a rescorer learns from: a recipe's sources as pieces of words, and the rows that are drawn from them.

A recipe's lines (`lm.recipe.prepare`) become words, and each different word once pieces (`lm.pieces`), of an inventory
that is made of the same words. All of it is kept in one file, so that a second start goes on at once.
"""

import hashlib
import json
import re
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MissingExtra, TrainingError
from ..lm import recipe as recipes
from ..lm.pieces import END, Pieces
from ..lm.recipe import Recipe, Say
from ..outputs import atomically

Inventory = tuple[tuple[str, float], ...]  # pieces with natural-log probabilities, by id

STARTS = {"sentence": 0, "cut": 1}  # what a row begins with: at a sentence's start, or in the middle of one
UNKNOWN = 2
SPECIAL = ("<s>", "<cut>", "<unk>")
FILE = "rescorer-text.npz"

_VERSION = 1  # of the file
_FLATTER = 0.7  # a source's part grows with this power of its size, so that the largest does not drown the others
_MOST_WORDS = 300_000  # that the inventory is made of; rarer ones, mostly names and misprints, add nothing
_BLOCK = 100_000  # lines, or words, that are handled together


@dataclass(frozen=True, slots=True)
class Lines:
    """A source's lines, one behind the other: pieces (n,) uint16, and starts (lines,) int64, where each begins.

    marks: of a text whose punctuation is learned, what each piece says of the word that it ends, (n,).
    """

    pieces: npt.NDArray[np.uint16]
    starts: npt.NDArray[np.int64]
    marks: npt.NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))

    def rows(self, most: int, longest: int) -> list[list[int]]:
        """At most so many lines, spread evenly, each behind a sentence's start; `longest` pieces of each at most."""
        ends = np.append(self.starts[1:], len(self.pieces))
        chosen = np.linspace(0, len(ends) - 1, min(most, len(ends))).astype(int)
        parts = (self.pieces[self.starts[i] : min(ends[i], self.starts[i] + longest)] for i in chosen)
        return [[STARTS["sentence"], *part.tolist()] for part in parts]


@dataclass(frozen=True, slots=True)
class Texts:
    """All sources by name: to learn from, and held out; words to learn from; lines dropped for overlap."""

    inventory: Inventory
    train: dict[str, Lines]
    report: dict[str, Lines]
    words: dict[str, int]
    dropped: int
    fingerprint: str


def prepare(recipe: Recipe, data: Path, work: Path, n_pieces: int, say: Say) -> Texts:
    """The recipe's texts in pieces, from `work` where they lie there already.

    Raises InputNotFound, TrainingError (too little text), MissingExtra, OutputError.
    """
    mark, kept = fingerprint(recipe, data, n_pieces), work / FILE
    found = load(kept, mark)
    if found is not None:
        say(f"{kept}: {sum(found.words.values())} words, in pieces already")
        return found
    work.mkdir(parents=True, exist_ok=True)
    sources, dropped = recipes.prepare(recipe, data, work, say)
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    train, report = {}, {}
    for name in list(sources):
        lines = sources.pop(name)  # a hundred million words as strings are given back, one source after the other
        train[name], report[name] = _numbered(lines.train, numbers), _numbered(lines.report, numbers)
    words = list(numbers)
    inventory = inventory_of(words, importance([one for one, _ in train.values()], len(words)), n_pieces)
    say(f"{len(words)} different words in {len(inventory)} kinds of pieces")
    spelled = Spelled(words, inventory)
    texts = Texts(
        inventory,
        {name: spelled(*one) for name, one in train.items()},
        {name: spelled(*one) for name, one in report.items()},
        {name: len(one) for name, (one, _) in train.items()},
        dropped,
        mark,
    )
    save(texts, kept)
    return texts


def corpora(recipe: Recipe, texts: Texts) -> list[dict[str, Any]]:
    """What a card tells of each source: how many words were learned from, under which licence, and where it is from."""
    return [
        {
            "component": component.name,
            "words": texts.words[source.name],
            "file": source.name,
            "licence": source.licence,
            "origin": source.origin,
        }
        for component in recipe.components
        for source in component.sources
    ]


def fingerprint(recipe: Recipe, data: Path, n_pieces: int) -> str:
    """What the pieces depend on, as a hash: keys of the recipe, sizes of the files, the size of the inventory."""

    def sizes(pattern: str) -> list[int]:
        return [path.stat().st_size for path in sorted(data.glob(pattern))]

    sources = [source for component in recipe.components for source in component.sources]
    files = [(one.name, sizes(one.file if one.is_manifest else f"text/{one.file}.txt*")) for one in sources]
    tested = [(name, sizes(name)) for name in recipe.exclude]
    facts = json.dumps([_VERSION, n_pieces, recipe.held_out, tested, files])
    return hashlib.sha256(facts.encode()).hexdigest()


def _numbered(
    lines: Sequence[str], numbers: defaultdict[str, int]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Each word's number, new words getting the next ones, and how many words each line has; without empty lines."""
    words, lengths = [np.empty(0, np.uint32)], [np.empty(0, np.int64)]
    for start in range(0, len(lines), _BLOCK):
        parts = [part for line in lines[start : start + _BLOCK] if (part := line.split())]
        words.append(np.fromiter(map(numbers.__getitem__, chain.from_iterable(parts)), np.uint32))
        lengths.append(np.fromiter(map(len, parts), np.int64))
    return np.concatenate(words), np.concatenate(lengths)


def importance(sources: Sequence[npt.NDArray[np.uint32]], n_words: int) -> npt.NDArray[np.float64]:
    """How often each word occurs, a source counting by the power of its size."""
    total = np.zeros(n_words)
    for words in sources:
        if len(words):
            total += np.bincount(words, minlength=n_words) * len(words) ** (_FLATTER - 1)
    return total


def inventory_of(words: Sequence[str], importance: npt.NDArray[np.float64], size: int) -> Inventory:
    """The pieces of a unigram model of the words; `importance` says how much each counts.

    Raises TrainingError where the words do not give so many pieces or need more, MissingExtra.
    """
    try:
        import sentencepiece
    except ImportError as error:
        raise MissingExtra("pieces of words", "sentencepiece", "train") from error
    order = [i for i in np.argsort(-importance, kind="stable")[:_MOST_WORDS] if importance[i] > 0]
    if not order:
        raise TrainingError("there is no text to learn from")
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "words.tsv"
        listing.write_text(
            "".join(f"{words[i]}\t{max(1, round(1000 * importance[i]))}\n" for i in order), encoding="utf-8"
        )
        try:
            sentencepiece.SentencePieceTrainer.train(
                input=str(listing), input_format="tsv", model_prefix=f"{folder}/m", model_type="unigram",
                vocab_size=size, treat_whitespace_as_suffix=True, character_coverage=1.0, bos_id=0, eos_id=1, unk_id=2,
                pad_id=-1, normalization_rule_name="identity", num_threads=1, minloglevel=2,
            )  # fmt: skip
        except RuntimeError as error:
            needed, most = (re.search(pattern, str(error)) for pattern in (rf"{size} vs (\d+)", r"<= (\d+)\.$"))
            if needed:
                raise TrainingError(f"--pieces {size}: the letters alone need {needed[1]}") from error
            raise TrainingError(
                f"too little text for {size} pieces: ask for fewer with --pieces" + (f" ({most[1]})" if most else "")
            ) from error
        model = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/m.model")
        return inventory_from(model)


def inventory_from(model: "sentencepiece.SentencePieceProcessor") -> Inventory:  # type: ignore[name-defined]  # noqa: F821
    """The pieces of a sentencepiece model whose first three are <s>, </s>, <unk>; the second gets our meaning."""
    scores = [(model.id_to_piece(i), round(model.get_score(i), 4)) for i in range(model.get_piece_size())]
    return (*((name, 0.0) for name in SPECIAL), *scores[len(SPECIAL) :])


class Spelled:
    """Words by number → pieces. Each word is cut once."""

    def __init__(self, words: Sequence[str], inventory: Inventory) -> None:
        pieces = Pieces(inventory, UNKNOWN)
        each = [pieces.of(word) for word in words]
        self.sizes = np.fromiter(map(len, each), np.int64, len(each))
        self.offsets = np.cumsum(self.sizes) - self.sizes
        self.pieces = np.fromiter(chain.from_iterable(each), np.uint16)

    def __call__(self, words: npt.NDArray[np.uint32], lengths: npt.NDArray[np.int64]) -> Lines:
        """Words (n,) by number and lines' lengths in words → the lines in pieces."""
        parts = [np.empty(0, np.uint16)]
        for start in range(0, len(words), _BLOCK):
            block = words[start : start + _BLOCK]
            sizes = self.sizes[block]
            # a word's k-th piece lies k behind its first one; k counts from where the word begins in the block
            first = np.repeat(self.offsets[block] - (np.cumsum(sizes) - sizes), sizes)
            parts.append(self.pieces[first + np.arange(len(first))])
        places = np.append(0, np.cumsum(self.sizes[words]))
        return Lines(np.concatenate(parts), places[np.cumsum(lengths) - lengths])


def save(texts: Texts, path: Path) -> None:
    """Writes the texts, whole or not at all. Raises OutputError."""
    facts: dict[str, Any] = {"fingerprint": texts.fingerprint, "inventory": texts.inventory, "words": texts.words}
    facts |= {"dropped": texts.dropped, "names": list(texts.train)}
    arrays: dict[str, Any] = {"facts": np.array(json.dumps(facts))}
    for part, sources in (("train", texts.train), ("report", texts.report)):
        for i, lines in enumerate(sources.values()):
            arrays |= {
                f"{part}-{i}": lines.pieces,
                f"{part}-{i}-starts": lines.starts,
                f"{part}-{i}-marks": lines.marks,
            }
    with atomically(path) as file:
        np.savez(file, **arrays)


def load(path: Path, mark: str) -> Texts | None:
    """What `save` wrote; None where there is nothing, something else, or what another recipe made."""
    try:
        with path.open("rb") as file, np.load(file) as kept:
            facts = json.loads(str(kept["facts"]))
            if facts["fingerprint"] != mark:
                return None
            train, report = (
                {
                    name: Lines(kept[f"{part}-{i}"], kept[f"{part}-{i}-starts"], kept[f"{part}-{i}-marks"])
                    for i, name in enumerate(facts["names"])
                }
                for part in ("train", "report")
            )
            inventory = tuple((str(piece), float(score)) for piece, score in facts["inventory"])
            return Texts(inventory, train, report, facts["words"], facts["dropped"], mark)
    except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile):
        return None  # it is made anew


def shares(sources: Sequence[Lines]) -> npt.NDArray[np.float64]:
    """How often each source is drawn."""
    sizes = np.array([len(lines.pieces) for lines in sources]) ** _FLATTER
    found: npt.NDArray[np.float64] = sizes / sizes.sum()
    return found


def ends_of_words(inventory: Inventory) -> npt.NDArray[np.bool_]:
    """For each piece whether a word ends with it."""
    return np.array([piece.endswith(END) for piece, _ in inventory])


def beginning(lines: Lines, ends: npt.NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, int]:
    """What a row begins with, and the place of the piece behind it: at a sentence's start, or as often a word's."""
    if rng.random() < 0.5:
        return STARTS["sentence"], int(lines.starts[rng.integers(len(lines.starts))])
    at = int(rng.integers(len(lines.pieces)))
    while not ends[lines.pieces[at - 1]]:
        at = (at + 1) % len(lines.pieces)
    return STARTS["cut"], at


class Rows:
    """Training rows (rows, length + 1) int64, the same for a seed and a step whenever they are asked for.

    A source is drawn for every row; half of the rows begin at a sentence's start, the others at a word's in one, and
    sentences follow each other without a mark, a source's first ones behind its last.
    """

    def __init__(self, texts: Texts, n_rows: int, length: int, seed: int) -> None:
        self.sources = [lines for lines in texts.train.values() if len(lines.pieces)]
        self.n_rows, self.length, self.seed = n_rows, length, seed
        self.shares, self.ends = shares(self.sources), ends_of_words(texts.inventory)

    def __call__(self, step: int) -> npt.NDArray[np.int64]:
        rng = np.random.default_rng((self.seed, step))
        rows = np.empty((self.n_rows, self.length + 1), np.int64)
        for row, source in zip(rows, rng.choice(len(self.sources), self.n_rows, p=self.shares), strict=True):
            lines = self.sources[source]
            row[0], at = beginning(lines, self.ends, rng)
            row[1:] = lines.pieces.take(np.arange(at, at + self.length), mode="wrap")
        return rows
