"""The text that punctuation is learned from: sentences as people write them → words as they are said, each marked.

A mark says which sign follows a word and how the word is capitalised (`punctuation.SIGNS`, `CASES`). Signs are taken
together as Tilk and Alumäe have it ("Bidirectional recurrent neural network with attention mechanism for punctuation
restoration", 2016): an exclamation mark is a full stop; a colon, a semicolon and a dash are commas. Quotation marks
and brackets are left out: nobody hears them.
"""

import re
from array import array
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import TrainingError
from ..lm.packed import read_lines
from ..lm.recipe import BLOCK_LINES, Recipe, Say, find_text
from ..lm.text import ABBREVIATIONS, PLAIN, normalise
from ..punctuation import CASES, SIGNS
from . import language_text
from .language_network import LONGEST
from .language_text import STARTS, Lines, Spelled, Texts

FILE = "punctuation-text.npz"
NONE = 255  # the mark of a piece that ends no word
UNTOLD = 7  # the sign of a word behind which a line ends without one

_VERSION = 1  # of the marks; another one makes them anew
_LENGTHS = (LONGEST, LONGEST // 2, LONGEST, LONGEST // 4)  # of the rows of a step and those after it
_MISHEARD = 0.02  # of the pieces are others, as a recogniser's words are not all right

_AMOUNT = re.compile(r"([$£€]\d\S*) (?=(?:hundred|thousand|million|billion|trillion)\b)")  # said with the unit last
_SHOUTED = 0.6  # a line with more capitals than that among its letters is a heading
_COMMA, _STOP, _QUESTION = (SIGNS.index(sign) for sign in ",.?")
_LOWER, _CAPITAL, _UPPER = range(len(CASES))


def marked(line: str) -> tuple[list[str], bytes] | None:
    """A sentence as written → its words as they are said, and a mark for each (sign · 4 + case).

    None where it cannot be read with a–z and ', or is a heading in capitals.
    """
    letters = [c for c in line if c.isalpha()]
    if sum(map(str.isupper, letters)) > _SHOUTED * len(letters):
        return None
    words: list[str] = []
    signs: list[int] = []
    cases: list[int] = []
    line = _AMOUNT.sub(r"\1-", line.translate(PLAIN).replace("--", " - ").replace("/", " / "))
    tokens = line.split()
    for i, token in enumerate(tokens):
        said = _said(token)
        if said is None:
            return None
        new, sign, how = said
        words += new
        cases += how
        signs += [0] * len(new)
        if not words or not sign:
            continue
        if token.endswith("..") and i + 1 < len(tokens):  # dots of a pause; what follows says whether the sentence ends
            sign = _STOP if tokens[i + 1][:1].isupper() and tokens[i + 1] != "I" else _COMMA
        elif sign == _STOP and i + 1 < len(tokens) and new and _shortened(token):
            continue
        signs[-1] = max(signs[-1], sign)
    if words and signs[-1] not in (_STOP, _QUESTION):
        signs[-1] = UNTOLD
    return words, bytes(sign * 4 + case for sign, case in zip(signs, cases, strict=True))


@lru_cache(maxsize=300_000)
def _said(token: str) -> tuple[tuple[str, ...], int, tuple[int, ...]] | None:
    """What stands between two blanks → the words that are said, the sign behind it, how each word is capitalised."""
    said = normalise(f"{token} A")  # some abbreviations are told by a capital behind them
    if said is None:
        return None
    words = tuple(said.split()[:-1])
    behind = re.split(r"[a-z0-9%]", token, flags=re.I)[-1] if words else token
    if "?" in behind:
        sign = _QUESTION
    elif "." in behind or "!" in behind:
        sign = _STOP
    else:
        sign = _COMMA if any(c in behind for c in ",;:-") else 0
    parts = [part for part in re.split(r"[^a-z']+", token, flags=re.I) if part.strip("'")]
    if len(parts) != len(words) or any(c.isdigit() for c in token):
        # an abbreviation (Mr.) is capitalised as it is written, a number is not
        first = _CAPITAL if token[:1].isupper() and token.rstrip(".,;:").lower() in ABBREVIATIONS else _LOWER
        return words, sign, (first, *[_LOWER] * (len(words) - 1)) if words else ()
    return words, sign, tuple(map(_case, parts))


def _case(word: str) -> int:
    letters = [c for c in word.removesuffix("'s") if c.isalpha()]
    if len(letters) > 1 and all(map(str.isupper, letters)):
        return _UPPER
    return _CAPITAL if letters and letters[0].isupper() else _LOWER


def _shortened(token: str) -> bool:
    """Whether the stop belongs to an abbreviation or to initials, so that no sentence need end there."""
    core = token.strip("\"'([").rstrip("\"'),;:]").rstrip(".")
    return len(core) == 1 or "." in core or core.lower() in ABBREVIATIONS


def prepare(recipe: Recipe, data: Path, work: Path, n_pieces: int, say: Say) -> Texts:
    """The recipe's texts in pieces with marks, from `work` where they lie there already.

    Raises InputNotFound, TrainingError (too little text), MissingExtra, OutputError.
    """
    mark, kept = f"{language_text.fingerprint(recipe, data, n_pieces)}-{_VERSION}", work / FILE
    found = language_text.load(kept, mark)
    if found is not None:
        say(f"{kept}: {sum(found.words.values())} words, in pieces already")
        return found
    work.mkdir(parents=True, exist_ok=True)
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    parts = {}
    for source in (source for component in recipe.components for source in component.sources):
        parts[source.name] = _read(find_text(data, source.file), recipe.held_out, numbers)
        say(f"{source.name}: {len(parts[source.name][0].words)} words")
    words = list(numbers)
    importance = language_text.importance([train.words for train, _ in parts.values()], len(words))
    inventory = language_text.inventory_of(words, importance, n_pieces)
    say(f"{len(words)} different words in {len(inventory)} kinds of pieces")
    spelled = Spelled(words, inventory)
    train, report = ({name: _in_pieces(one[i], spelled) for name, one in parts.items()} for i in range(2))
    texts = Texts(inventory, train, report, {name: len(one[0].words) for name, one in parts.items()}, 0, mark)
    language_text.save(texts, kept)
    return texts


@dataclass(frozen=True, slots=True)
class _Read:
    """Lines one behind the other: words by number (n,), their marks (n,), and how many words each line has."""

    words: npt.NDArray[np.uint32]
    marks: npt.NDArray[np.uint8]
    lengths: npt.NDArray[np.int64]


def _read(path: Path, period: int, numbers: defaultdict[str, int]) -> tuple[_Read, _Read]:
    """A text's lines to learn from, and those held out: a block of lines in each `period` blocks."""
    words, marks, lengths = (array("I"), array("I")), (bytearray(), bytearray()), (array("q"), array("q"))
    for i, line in enumerate(read_lines(path)):
        found = marked(line.decode("utf-8", "replace"))
        if found is None or not found[0]:
            continue
        held_out = i // BLOCK_LINES % period == period // 2
        words[held_out].extend(map(numbers.__getitem__, found[0]))
        marks[held_out].extend(found[1])
        lengths[held_out].append(len(found[0]))
    train, report = (
        _Read(np.array(words[i], np.uint32), np.frombuffer(marks[i], np.uint8), np.array(lengths[i], np.int64))
        for i in range(2)
    )
    return train, report


def _in_pieces(read: _Read, spelled: Spelled) -> Lines:
    lines = spelled(read.words, read.lengths)
    marks = np.full(len(lines.pieces), NONE, np.uint8)
    marks[np.cumsum(spelled.sizes[read.words]) - 1] = read.marks
    return replace(lines, marks=marks)


def labels(marks: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Marks → signs and cases of the same shape; −1 where nothing is asked for."""
    signs, cases = marks >> 2, marks & 3
    nothing = marks == NONE
    return np.where(nothing | (signs == UNTOLD), -1, signs), np.where(nothing, -1, cases)


class Rows:
    """A step's rows of pieces with what is to be said of them, always the same for a seed and a step.

    (3, rows, length) int64: pieces, signs and cases; −1 where nothing is asked for. The length changes from step to
    step, the pieces of a step do not. A row is a stretch of one source's text; half of them begin with a recording's
    start, the others within it. In half of them recordings end, at the end of sentences: there the start's piece stands
    between.
    """

    def __init__(self, texts: Texts, n_rows: int, seed: int) -> None:
        self.sources = [lines for lines in texts.train.values() if len(lines.pieces) > LONGEST]
        if not self.sources:
            raise TrainingError("there is too little text to learn from")
        self.n_pieces, self.seed = n_rows * LONGEST, seed
        self.shares, self.ends = language_text.shares(self.sources), language_text.ends_of_words(texts.inventory)
        self.kinds = [np.flatnonzero(self.ends), np.flatnonzero(~self.ends)[len(language_text.SPECIAL) :]]

    def __call__(self, step: int) -> npt.NDArray[np.int64]:
        rng = np.random.default_rng((self.seed, step))
        length = _LENGTHS[step % len(_LENGTHS)]
        n_rows = self.n_pieces // length
        pieces, marks = np.empty((n_rows, length), np.int64), np.full((n_rows, length), NONE, np.int64)
        for i, source in enumerate(rng.choice(len(self.sources), n_rows, p=self.shares)):
            pieces[i], marks[i] = self._row(self.sources[source], length, rng)
        self._mishear(pieces, rng)
        return np.stack([pieces, *labels(marks)])

    def _row(
        self, lines: Lines, length: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        start, at = language_text.beginning(lines, self.ends, rng)
        places = np.arange(at, at + length - 1) % len(lines.pieces)
        pieces, marks = lines.pieces[places].astype(np.int64), lines.marks[places].astype(np.int64)
        if rng.random() < 0.5:
            first, last = np.searchsorted(lines.starts, [at + 1, at + length - 1])
            ends = lines.starts[first:last]
            ends = ends[rng.random(len(ends)) < 0.5] - at
            pieces = np.insert(pieces, ends, STARTS["sentence"])[: length - 1]
            marks = np.insert(marks, ends, NONE)[: length - 1]
        return np.append(start, pieces), np.append(NONE, marks)

    def _mishear(self, pieces: npt.NDArray[np.int64], rng: np.random.Generator) -> None:
        """Some pieces become others; where words end stays."""
        chosen = (rng.random(pieces.shape) < _MISHEARD) & (pieces >= len(language_text.SPECIAL))
        ends = self.ends[pieces]
        for kind, where in zip(self.kinds, (chosen & ends, chosen & ~ends), strict=True):
            pieces[where] = rng.choice(kind, int(where.sum()))
