"""What a text is worth to letters and sounds together, over rows that hold both.

    ½ · ln P(letters | rows) + ½ · ln P(sounds | rows)

with the rows softened as the search has them. A word sounds as the lexicon says, whichever of its ways fits best; one
that the lexicon lacks sounds as it was heard where the letters read it, or as its letters do by rule.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet, Places
from ..ctc.collapse import run_starts
from ..ctc.lattice import why_impossible
from ..ctc.many import losses
from ..ctc.viterbi import align
from .hypothesis import softened
from .lexicon import Lexicon

Rows = NDArray[np.floating]
Words = tuple[str, ...]

_READINGS = 4  # most ways of pronouncing a few words that are looked at
_HALF = 0.5
# rows by which the middles of a word's letters and of its sounds may lie apart; both come from the same layers
_APART = 3


@dataclass(frozen=True)
class Heads:
    """The two alphabets of a network's rows, letters first, with the lexicon that says how words sound."""

    letters: Alphabet
    sounds: Alphabet
    lexicon: Lexicon
    temperature: float

    @cached_property
    def codes(self) -> list[str]:
        """What each of the sounds' columns adds to a word, in the lexicon's codes."""
        return self.lexicon.coded(self.sounds.tokens)

    @cached_property
    def columns(self) -> dict[str, int]:
        """The sounds' column of each code."""
        return {of_sound: i for i, of_sound in enumerate(self.codes) if of_sound}


class Judge:
    """The rows of one stretch, ready to be asked.

    Args:
        heads: of the network.
        log_probs: (T, letters and sounds) natural log-probabilities.
    """

    def __init__(self, heads: Heads, log_probs: Rows) -> None:
        size = len(heads.letters)
        self._heads = heads
        self.letters = softened(log_probs[:, :size], heads.temperature)
        self.sounds = softened(log_probs[:, size:], heads.temperature)
        self._pronounced: dict[str, tuple[str, ...]] = {}
        self.heard = list(_read(self.sounds, heads.sounds, heads.codes))
        self._as_heard = self._side_by_side()

    def worth(self, texts: Sequence[Words], spans: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Of texts, each over its rows [first, end): (texts,); −∞ where one does not fit its rows."""
        letters, sounds = self._heads.letters, self._heads.sounds
        by_letters = losses(self.letters, [letters.encode(" ".join(text)) for text in texts], spans, letters.blank)
        readings = [self._readings(text) for text in texts]
        owners = [i for i, some in enumerate(readings) for _ in some]
        every = [one for some in readings for one in some]
        each = losses(self.sounds, every, [spans[i] for i in owners], sounds.blank)
        by_sounds = np.full(len(texts), np.inf)
        np.minimum.at(by_sounds, owners, each)
        return np.asarray(-_HALF * (by_letters + by_sounds))

    def fits(self, text: Words) -> bool:
        """Whether the letters can write the text, and the rows hold it."""
        letters, joined = self._heads.letters, " ".join(text)
        return letters.spells(joined) and why_impossible(len(self.letters), letters.encode(joined)) is None

    def places(self, text: Words) -> tuple[Places, Places]:
        """First row and one past the last of every word, by its letters: two (words,) arrays, of a text that fits."""
        letters = self._heads.letters
        labels = np.asarray(letters.encode(" ".join(text)), np.intp)
        starts, ends = align(self.letters, labels, letters.blank, checked=True).spans()
        first, last = letters.words(labels)
        return starts[first], ends[last]

    def pronunciations(self, word: str) -> tuple[str, ...]:
        """How a word sounds by the lexicon; () where it lacks it."""
        found = self._pronounced.get(word)
        if found is None:
            found = self._pronounced[word] = self._heads.lexicon.sounding(word)
        return found

    def _readings(self, text: Words) -> list[list[int]]:
        """The ways some words may sound, as labels with boundaries between them."""
        boundary = self._heads.sounds.boundary_id
        assert boundary is not None
        found = []
        for combination in islice(product(*map(self._ways, text)), _READINGS):
            labels: list[int] = []
            for word in combination:
                labels += [boundary] * bool(labels) + [self._heads.columns[sound] for sound in word]
            found.append(labels)
        return found

    def _ways(self, word: str) -> tuple[str, ...]:
        found = self.pronunciations(word)
        if found:
            return found
        by_rule = self._heads.lexicon.by_rule(word)
        return (self._as_heard[word], by_rule) if word in self._as_heard else (by_rule,)

    def _side_by_side(self) -> dict[str, str]:
        """Words that the letters read, with what the sounds read at the same place."""
        middles, found = [(first + last) / 2 for _, first, last in self.heard], {}
        letters = self._heads.letters
        for word, first, last in _read(self.letters, letters, letters.tokens):
            middle = (first + last) / 2
            near = self.heard[bisect_left(middles, middle - _APART) : bisect_right(middles, middle + _APART)]
            if len(near) == 1:
                found[word] = near[0][0]
        return found


def _read(log_probs: Rows, alphabet: Alphabet, adds: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """The best path's words, the first row of each one's first unit and of its last; adds: what a column adds."""
    best = log_probs.argmax(axis=1)
    word: list[tuple[int, str]] = []
    for row in run_starts(best).tolist():
        token = int(best[row])
        if token == alphabet.boundary_id and word:
            yield "".join(unit for _, unit in word), word[0][0], word[-1][0]
            word = []
        elif token not in (alphabet.boundary_id, alphabet.blank):
            word.append((row, adds[token]))
    if word:
        yield "".join(unit for _, unit in word), word[0][0], word[-1][0]
