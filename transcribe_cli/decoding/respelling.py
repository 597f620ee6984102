"""A reading of the letters, spelt anew by ear: what two heads of a network say, without search or language model.

A network that was taught spelling by some hours of speech hears better than it spells. Letters and sounds are read
apart, each by its own decoder, and put side by side in time. Where the letters' words are what was heard, they stand.
Everywhere else each head is asked for more readings of those rows, its best path with one run or two of equal tokens
read otherwise, and of all that words of the lexicon make of them, and of what the letters read at first, the likeliest
to both heads is written. A word that the lexicon lacks may stay, at a cost: names are such words.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import combinations, groupby, islice, product

import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet
from ..ctc.collapse import run_starts
from .hypothesis import Decoder, Hypothesis, checked
from .judge import Heads, Judge, Rows, Words

# nats that a word costs, or short words would be heard in every sound; and one that the lexicon lacks, besides
_WORD, _STRANGER = 2.0, 6.0
_EDGE = 1  # rows before and after a few words that may belong to them
# readings other than the best path: up to two runs of it, of the cheapest eight, read as their second or third best
_CHANGES, _SECOND, _MOST_NATS = 8, 2, 3.0
_READINGS = 6  # most of them that are judged, of each head
_ALIKE = 8  # most ways of writing what sounds alike


@dataclass(slots=True)
class _Spot:
    """Words of the letters and of the sounds whose rows overlap. first, last: rows of units, both of the spot."""

    first: int
    last: int
    written: list[str]
    heard: list[str]


class Respelling:
    """A decoder of rows that hold letters and, behind them, sounds.

    Args:
        heads: of the network; its lexicon holds the words that may be written.
        by_letters: the decoder of the letters' columns.
        kept: words of its that are not doubted: hotwords.
    """

    def __init__(self, heads: Heads, by_letters: Decoder, kept: Set[str] = frozenset()) -> None:
        self._heads, self._by_letters, self._kept = heads, by_letters, kept

    def decode(self, log_probs: NDArray[np.floating], context: str = "") -> list[Hypothesis]:
        """(T, letters and sounds) natural log-probabilities → hypotheses, as the letters' decoder gives them.

        The best one is spelt anew; its scores are still those of what the letters read.

        Raises ValueError where the array is no such thing.
        """
        size = len(self._heads.letters)
        log_probs = checked(log_probs, size + len(self._heads.sounds))
        found = self._by_letters.decode(log_probs[:, :size], context)
        text = tuple(found[0].text.split())
        if not text:
            return found  # sounds alone, without letters, are no words
        judge = Judge(self._heads, log_probs)
        spelt = self._spelt(text, judge)
        if not judge.fits(spelt):  # each word has room by itself, but rows between two were counted twice
            return found
        best = replace(found[0], text=" ".join(spelt))
        return [best, *(one for one in found[1:] if one.text != best.text)]

    def total(self, log_probs: NDArray[np.floating], text: str) -> float:
        """What a whole text is worth by both heads; −inf where it does not fit the rows."""
        judge, words = Judge(self._heads, log_probs), tuple(text.split())
        return float(judge.worth([words], [(0, len(log_probs))])[0] - self._cost(words, judge))

    def _cost(self, words: Words, judge: Judge) -> float:
        return _WORD * len(words) + _STRANGER * sum(not judge.pronunciations(word) for word in words)

    def _spelt(self, text: Words, judge: Judge) -> Words:
        begin, end = judge.places(text)
        written = [(int(first), int(last) - 1, word) for word, first, last in zip(text, begin, end, strict=True)]
        spots = _spots(written, [(first, last, word) for word, first, last in judge.heard])
        doubtful: list[tuple[_Spot, slice]] = []  # with which of the texts are its own
        texts: list[Words] = []
        rows: list[tuple[int, int]] = []
        for i, spot in enumerate(spots):
            if self._settled(spot, judge):
                continue
            low = max(spot.first - _EDGE, spots[i - 1].last + 1 if i else 0)
            high = min(spot.last + 1 + _EDGE, spots[i + 1].first if i + 1 < len(spots) else len(judge.letters))
            said = list(dict.fromkeys([tuple(spot.written), *self._readings(judge, low, high)]))
            doubtful.append((spot, slice(len(texts), len(texts) + len(said))))
            texts += said
            rows += [(low, high)] * len(said)
        if texts:
            worth = judge.worth(texts, rows) - [self._cost(words, judge) for words in texts]
            for spot, own in doubtful:
                spot.written = list(texts[own][int(worth[own].argmax())])
        return tuple(word for spot in spots for word in spot.written)

    def _settled(self, spot: _Spot, judge: Judge) -> bool:
        """Whether the letters' words are what was heard, or not to be doubted, or there are none."""
        if not spot.written or not self._kept.isdisjoint(spot.written):
            return True
        return len(spot.written) == len(spot.heard) and all(
            heard in judge.pronunciations(word) for word, heard in zip(spot.written, spot.heard, strict=True)
        )

    def _readings(self, judge: Judge, low: int, high: int) -> Iterator[Words]:
        """Words of the lexicon that the letters or the sounds of some rows may be."""
        heads = self._heads
        by_letters = _read_otherwise(judge.letters[low:high], heads.letters, heads.letters.tokens)
        known = (text for text in by_letters if all(judge.pronunciations(word) for word in text))
        yield from islice(known, _READINGS)
        by_sounds = _read_otherwise(judge.sounds[low:high], heads.sounds, heads.codes)
        alike = ([heads.lexicon.words(heard) for heard in text] for text in by_sounds)
        for words in islice((words for words in alike if all(words)), _READINGS):
            yield from islice(product(*words), _ALIKE)


def _spots(written: list[tuple[int, int, str]], heard: list[tuple[int, int, str]]) -> list[_Spot]:
    """(first row, last row, word) of the letters and of the sounds, each in order → what overlaps in time."""
    spots: list[_Spot] = []
    for first, last, is_heard, word in sorted(
        [(first, last, False, word) for first, last, word in written]
        + [(first, last, True, word) for first, last, word in heard]
    ):
        if not spots or first > spots[-1].last:
            spots.append(_Spot(first, last, [], []))
        spots[-1].last = max(spots[-1].last, last)
        (spots[-1].heard if is_heard else spots[-1].written).append(word)
    return spots


def _read_otherwise(log_probs: Rows, alphabet: Alphabet, adds: Sequence[str]) -> list[Words]:
    """The best path's words, and those of it with one or two runs changed, what costs least first.

    adds: what a column's token adds to a word.
    """
    best = log_probs.argmax(axis=1)
    starts = run_starts(best)
    runs, in_blank = best[starts].tolist(), best[starts] == alphabet.blank
    relative = log_probs - log_probs[np.arange(len(best)), best][:, None]
    # a run is another token in all of its rows; within blanks a token needs one row
    gains = np.add.reduceat(relative, starts)
    gains[in_blank] = np.maximum.reduceat(relative, starts)[in_blank]
    gains[np.arange(len(runs)), runs] = -np.inf
    second = np.argsort(-gains, axis=1)[:, :_SECOND]
    changes = [
        (-float(gains[run, token]), run, token)
        for run, tokens in enumerate(second.tolist())
        for token in tokens
        if gains[run, token] > -_MOST_NATS
    ]
    changes = sorted(changes)[:_CHANGES]
    readings: list[tuple[float, list[tuple[int, int]]]] = [(0.0, [])]
    readings += [(cost, [(run, token)]) for cost, run, token in changes]
    for (cost, run, token), (other_cost, other_run, other) in combinations(changes, 2):
        if run != other_run and cost + other_cost < _MOST_NATS:
            readings.append((cost + other_cost, [(run, token), (other_run, other)]))
    readings.sort(key=lambda reading: reading[0])
    blank, boundary = alphabet.blank, alphabet.boundary_id
    found: dict[Words, None] = {}
    for _, changed in readings:
        tokens = runs.copy()
        for run, token in changed:
            tokens[run] = token
        said = [token for token, _ in groupby(tokens) if token != blank]
        text = "".join([" " if token == boundary else adds[token] for token in said])
        if text.strip():
            found[tuple(text.split())] = None
    return list(found)
