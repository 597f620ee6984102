"""Letters and sounds of one network, searched apart and judged together.

Letters know how a word that is in no dictionary may be spelt, sounds how a word is pronounced whose spelling the
network never learnt; where one errs the other often does not. So each has its own search, `beam.BeamSearch` over
letters and `words.WordSearch` over sounds, and both give their best few texts. Where these differ from the best one
they make spots of a few words, and at each spot all that any of them says there is weighed, together with the word on
either side:

    half of ln P(letters | rows) + half of ln P(sounds | rows) + what the language model and the hotwords say

with the rows at the search's temperature, over the rows of just these words. Spots lie apart, so that each is decided
by itself; a long stretch costs no more than its spots do. A word that the lexicon lacks sounds as it was heard where
the letters read it: a name pays for being unknown, not for a pronunciation that nobody told.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice, product

import kenlm
import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet
from ..ctc.many import losses
from ..ctc.viterbi import align
from ..errors import CTCError
from ..lm.model import LOG_10, LanguageModel
from .hotwords import ROOT, HotwordMatcher
from .hypothesis import Decoder, Hypothesis, checked, softened
from .lexicon import Lexicon
from .options import DecodingOptions
from .words import WordSearch

Rows = NDArray[np.floating]
Words = tuple[str, ...]

SEARCHED = 10  # texts asked of each search; with 20 nothing changes any more
_READINGS = 4  # most ways of pronouncing a few words that are looked at
_EDGE = 2  # rows before and after a few words that may belong to them
_HALF = 0.5
# rows by which the middles of a word's letters and of its sounds may lie apart; both come from the same layer
_APART = 3


class BothSearch:
    """A decoder of rows that hold letters and, behind them, sounds.

    Args:
        by_letters: a decoder of the letters' columns that gives its best few texts.
        by_words: the search over sounds, the same.
        lexicon, language_model, options, hotwords: what the searches were made with.
    """

    def __init__(
        self, letters: Alphabet, sounds: Alphabet, by_letters: Decoder, by_words: WordSearch, lexicon: Lexicon,
        language_model: LanguageModel, options: DecodingOptions, hotwords: HotwordMatcher | None = None,
    ) -> None:  # fmt: skip
        self._letters, self._sounds, self._lexicon = letters, sounds, lexicon
        self._by_letters, self._by_words = by_letters, by_words
        self._lm, self._hotwords, self._nbest = language_model, hotwords, options.nbest
        (self._alpha, self._beta), self._unknown = options.weights, options.unknown_penalty
        self._temperature = options.softening
        self._codes = lexicon.coded(sounds.tokens)  # of the columns
        self._columns = {of_sound: i for i, of_sound in enumerate(self._codes) if of_sound}
        self._pronounced: dict[str, tuple[str, ...]] = {}  # words of this stretch → their sounds by the lexicon
        self._strangers: dict[str, str] = {}  # unknown words of this stretch → their sounds as heard

    def decode(self, log_probs: Rows, context: str = "") -> list[Hypothesis]:
        """(T, letters and sounds) natural log-probabilities → hypotheses, best first, one at least.

        The scores of the best one are those of the search that found its greater part, with what its spots changed;
        of others, where several are asked for, all are worked out as `total` does.

        Raises ValueError where the array is no such thing.
        """
        size = len(self._letters)
        log_probs = checked(log_probs, size + len(self._sounds))
        found = [
            *self._by_words.decode(log_probs[:, size:], context),
            *self._by_letters.decode(log_probs[:, :size], context),
        ]
        texts = list(dict.fromkeys(tuple(one.text.split()) for one in found))
        pivot = next((text for text in texts if text), ())
        if len(texts) == 1 or not pivot:
            return found[:1]
        written = softened(log_probs[:, :size], self._temperature)
        heard = softened(log_probs[:, size:], self._temperature)
        self._pronounced.clear()
        self._strangers = self._as_heard(written, heard)
        best, gain = self._mend(pivot, texts, written, heard, context)
        first = next(one for one in found if tuple(one.text.split()) == pivot)
        chosen = Hypothesis(" ".join(best), first.acoustic + gain, first.language, first.total + gain)
        if self._nbest == 1:
            return [chosen]
        others = [self._judged(text, written, heard, context) for text in texts if text != best]
        others.sort(key=lambda one: one.total, reverse=True)
        return [self._judged(best, written, heard, context), *others][: self._nbest]

    def total(self, log_probs: Rows, text: str) -> float:
        """What a whole text is worth by both; −inf where it does not fit the rows."""
        size = len(self._letters)
        written = softened(log_probs[:, :size], self._temperature)
        heard = softened(log_probs[:, size:], self._temperature)
        self._strangers = self._as_heard(written, heard)
        return self._judged(tuple(text.split()), written, heard, "").total

    def _judged(self, text: Words, written: Rows, heard: Rows, context: str) -> Hypothesis:
        acoustic = float(self._acoustic([text], [(0, len(written))], written, heard)[0])
        language = self._language(tuple(context.split()), text, ended=True)
        return Hypothesis(" ".join(text), acoustic, language, acoustic + language)

    def _mend(
        self, pivot: Words, texts: Sequence[Words], written: Rows, heard: Rows, context: str
    ) -> tuple[Words, float]:
        """The pivot with the best alternative at every spot, and what that gained."""
        try:
            path = align(written, self._letters.encode(" ".join(pivot)), self._letters.blank, checked=True)
        except (CTCError, KeyError):  # too long for its rows, or a word that the letters cannot write
            return pivot, 0.0
        begin, end = _word_rows(pivot, *path.spans())
        spots = list(_spots(pivot, texts))
        said: list[Words] = []
        spans: list[tuple[int, int]] = []
        for low, high, others in spots:
            before, after = max(low - 1, 0), min(high + 1, len(pivot))
            rows = max(int(begin[before]) - _EDGE, 0), min(int(end[after - 1]) + _EDGE, len(written))
            rows = (0 if not before else rows[0]), (len(written) if after == len(pivot) else rows[1])
            said += [(*pivot[before:low], *other, *pivot[high:after]) for other in others]
            spans += [rows] * len(others)
        acoustic = self._acoustic(said, spans, written, heard)
        mended: list[str] = []
        at, first, gain = 0, 0, 0.0
        for low, high, others in spots:
            earlier = (*context.split(), *mended, *pivot[at:low])
            later = pivot[high : high + self._lm.order - 1]
            ended = high + self._lm.order - 1 >= len(pivot)
            worth = [
                float(acoustic[first + i]) + self._language(earlier, (*other, *later), ended)
                for i, other in enumerate(others)
            ]
            chosen = int(np.argmax(worth))
            gain += worth[chosen] - worth[0] if worth[0] > float("-inf") else 0.0  # the first is the pivot's own
            mended += [*pivot[at:low], *others[chosen]]
            at, first = high, first + len(others)
        return (*mended, *pivot[at:]), gain

    def _acoustic(
        self, texts: Sequence[Words], spans: Sequence[tuple[int, int]], written: Rows, heard: Rows
    ) -> NDArray[np.float64]:
        """Half of the letters' and half of the sounds' log-probability of texts over their rows: (texts,)."""
        spelt = [self._letters.encode(" ".join(text)) for text in texts]
        by_letters = losses(written, spelt, spans, self._letters.blank)
        readings = [self._readings(text) for text in texts]
        owners = [i for i, some in enumerate(readings) for _ in some]
        each = losses(heard, [one for some in readings for one in some], [spans[i] for i in owners], self._sounds.blank)
        by_sounds = np.full(len(texts), np.inf)
        np.minimum.at(by_sounds, owners, each)
        return np.asarray(-_HALF * (by_letters + by_sounds))

    def _readings(self, text: Words) -> list[list[int]]:
        """The ways some words may sound, as labels with boundaries between them."""
        boundary = self._sounds.boundary_id
        assert boundary is not None
        found = []
        for combination in islice(product(*map(self._pronunciations, text)), _READINGS):
            labels: list[int] = []
            for word in combination:
                labels += [boundary] * bool(labels) + [self._columns[sound] for sound in word]
            found.append(labels)
        return found

    def _pronunciations(self, word: str) -> tuple[str, ...]:
        found = self._pronounced.get(word)
        if found is None:
            found = self._pronounced[word] = self._lexicon.sounding(word)
        if found:
            return found
        by_rule = self._lexicon.by_rule(word)
        return (self._strangers[word], by_rule) if word in self._strangers else (by_rule,)

    def _as_heard(self, written: Rows, heard: Rows) -> dict[str, str]:
        """Unknown words that the letters read, with what the sounds read at the same place."""
        sounds = list(_read(heard, self._sounds, self._codes))
        middles, found = [middle for _, middle in sounds], {}
        for word, middle in _read(written, self._letters, self._letters.tokens):
            near = sounds[bisect_left(middles, middle - _APART) : bisect_right(middles, middle + _APART)]
            if len(near) == 1 and not self._lm.knows(word):
                found[word] = near[0][0]
        return found

    def _language(self, before: Words, text: Words, ended: bool) -> float:
        """What language model, word bonus and hotwords add for a text behind other words; ended: a sentence's end."""
        lm, hotwords = self._lm, self._hotwords
        reach = lm.order - 1
        state = lm.state(" ".join(before[-reach:]), boundary=len(before) <= reach)
        total, hot = self._beta * len(text), ROOT
        for word in text:
            following = kenlm.State()
            total += self._alpha * float(lm.kenlm.BaseScore(state, word, following)) * LOG_10
            state = following
            if not lm.knows(word) and not (hotwords is not None and word in hotwords.words):
                total -= self._alpha * self._unknown * LOG_10  # as the searches have it: it is one of log10
        if ended:
            total += self._alpha * float(lm.kenlm.BaseScore(state, "</s>", kenlm.State())) * LOG_10
        if hotwords is not None:
            for word in (*before[-8:], *text):
                for character in word:
                    hot = hotwords.step(hot, character)
                total += hotwords.complete[hot]
                hot = hotwords.step(hot, " ")
        return total


def _read(log_probs: Rows, alphabet: Alphabet, adds: Sequence[str]) -> Iterator[tuple[str, float]]:
    """The best path's words and the row of each one's middle; adds: what every column adds to a word."""
    if not len(log_probs):
        return
    best = log_probs.argmax(axis=1)
    word: list[tuple[int, str]] = []
    for row in np.flatnonzero(np.concatenate(([True], best[1:] != best[:-1]))).tolist():
        token = int(best[row])
        if token == alphabet.boundary_id and word:
            yield "".join(unit for _, unit in word), (word[0][0] + word[-1][0]) / 2
            word = []
        elif token not in (alphabet.boundary_id, alphabet.blank):
            word.append((row, adds[token]))
    if word:
        yield "".join(unit for _, unit in word), (word[0][0] + word[-1][0]) / 2


def _word_rows(
    words: Words, starts: NDArray[np.intp], ends: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First row and one past the last of every word, of the rows of the letters and spaces of the whole text."""
    sizes = np.array([len(word) for word in words])
    first = np.concatenate(([0], np.cumsum(sizes + 1)[:-1]))
    return starts[first], ends[first + sizes - 1]


def _spots(pivot: Words, texts: Sequence[Words]) -> Iterator[tuple[int, int, list[Words]]]:
    """Stretches [low, high) of the pivot's words where some text differs, with what the texts say there.

    The pivot's own words come first. A word that a text adds belongs to the word before it, the first one's to it.
    """
    changes: list[list[tuple[int, int, Words]]] = []
    for text in texts:
        own = []
        matcher = SequenceMatcher(None, pivot, text, autojunk=False)
        for tag, low, high, start, stop in matcher.get_opcodes():
            if tag == "equal":
                continue
            if low == high:
                low, start = (low - 1, start - 1) if low else (low, start)
                high, stop = (high, stop) if low < high else (high + 1, stop + 1)
            own.append((low, high, text[start:stop]))
        changes.append(own)
    edges = sorted({(low, high) for own in changes for low, high, _ in own})
    merged: list[list[int]] = []
    for low, high in edges:
        if merged and low < merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], high)
        else:
            merged.append([low, high])
    for low, high in merged:
        others = dict.fromkeys([pivot[low:high]])
        for own in changes:
            said: list[str] = []
            at = low
            for start, stop, words in own:
                if low <= start and stop <= high:
                    said += [*pivot[at:start], *words]
                    at = stop
            others[(*said, *pivot[at:high])] = None
        yield low, high, list(others)
