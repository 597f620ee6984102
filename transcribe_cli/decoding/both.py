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

Where a neural language model travels with the n-grams, it has a say in what is still in question by then: a word's
probability is the mean of both models', and weighs more than the n-grams' alone did in the searches. Words that the
n-grams do not know keep their penalty.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

import kenlm
import numpy as np
from numpy.typing import NDArray

from ..lm.model import LOG_10, LanguageModel
from .hotwords import ROOT, HotwordMatcher
from .hypothesis import Decoder, Hypothesis, checked
from .judge import Heads, Judge, Rows, Words
from .options import DecodingOptions
from .rescorer import Asked, Rescorer
from .words import WordSearch

SEARCHED = 10  # texts asked of each search; with 20 nothing changes any more
_EDGE = 2  # rows before and after a few words that may belong to them
_BEFORE, _BEHIND = 12, 3  # words around a spot that the neural model looks at; more changes nothing
# nats by which an alternative may lie behind and still be asked about; 5 change two texts in a thousand
_IN_QUESTION = 2.0


class BothSearch:
    """A decoder of rows that hold letters and, behind them, sounds.

    Args:
        heads: of the network, with the lexicon complete for the language model and the hotwords.
        by_letters: a decoder of the letters' columns that gives its best few texts.
        by_words: the search over sounds, the same.
        language_model, options, hotwords: what the searches were made with.
    """

    def __init__(
        self, heads: Heads, by_letters: Decoder, by_words: WordSearch, language_model: LanguageModel,
        options: DecodingOptions, hotwords: HotwordMatcher | None = None,
    ) -> None:  # fmt: skip
        self._heads, self._by_letters, self._by_words = heads, by_letters, by_words
        self._lm, self._hotwords, self._nbest = language_model, hotwords, options.nbest
        (self._alpha, self._beta), self._unknown = options.weights, options.unknown_penalty
        weight, neural = options.judged_weight, language_model.rescorer
        self._rescorer = Rescorer(neural) if neural is not None and weight else None
        self._weight, self._behind = (self._alpha, 0) if self._rescorer is None else (weight, _BEHIND)

    def decode(self, log_probs: Rows, context: str = "") -> list[Hypothesis]:
        """(T, letters and sounds) natural log-probabilities → hypotheses, best first, one at least.

        The scores of the best one are those of the search that found its greater part, with what its spots changed;
        of others, where several are asked for, all are worked out as `total` does.

        Raises ValueError where the array is no such thing.
        """
        size = len(self._heads.letters)
        log_probs = checked(log_probs, size + len(self._heads.sounds))
        found = [
            *self._by_words.decode(log_probs[:, size:], context),
            *self._by_letters.decode(log_probs[:, :size], context),
        ]
        judge = Judge(self._heads, log_probs)
        # what the sounds say may have more letters than there are rows; what the letters say never has
        texts = [text for text in dict.fromkeys(tuple(one.text.split()) for one in found) if judge.fits(text)]
        pivot = next((text for text in texts if text), ())
        if len(texts) == 1 or not pivot:
            return [one for one in found if tuple(one.text.split()) in texts][:1]
        best, gain = self._mend(pivot, texts, judge, context)
        first = next(one for one in found if tuple(one.text.split()) == pivot)
        chosen = Hypothesis(" ".join(best), first.acoustic + gain, first.language, first.total + gain)
        if self._nbest == 1:
            return [chosen]
        others = [self._judged(text, judge, context) for text in texts if text != best]
        others.sort(key=lambda one: one.total, reverse=True)
        return [self._judged(best, judge, context), *others][: self._nbest]

    def total(self, log_probs: Rows, text: str) -> float:
        """What a whole text is worth by both; −inf where it does not fit the rows."""
        return self._judged(tuple(text.split()), Judge(self._heads, log_probs), "").total

    def _judged(self, text: Words, judge: Judge, context: str) -> Hypothesis:
        acoustic = float(judge.worth([text], [(0, len(judge.letters))])[0])
        before = tuple(context.split())
        told = self._language(before, text, ended=True)
        if self._rescorer is not None:
            parts = [self._asked((*before, *text[:at]), text[at : at + _BEFORE]) for at in range(0, len(text), _BEFORE)]
            told = told.mixed(np.concatenate([np.empty(0), *self._rescorer.log_probs(parts)]))
        language = told.worth(self._weight)
        return Hypothesis(" ".join(text), acoustic, language, acoustic + language)

    def _mend(self, pivot: Words, texts: Sequence[Words], judge: Judge, context: str) -> tuple[Words, float]:
        """The pivot with the best alternative at every spot, and what that gained."""
        (begin, end), n_rows = judge.places(pivot), len(judge.letters)
        spots = list(_spots(pivot, texts))
        said: list[Words] = []
        spans: list[tuple[int, int]] = []
        for low, high, others in spots:
            before, after = max(low - 1, 0), min(high + 1, len(pivot))
            rows = max(int(begin[before]) - _EDGE, 0), min(int(end[after - 1]) + _EDGE, n_rows)
            rows = (0 if not before else rows[0]), (n_rows if after == len(pivot) else rows[1])
            said += [(*pivot[before:low], *other, *pivot[high:after]) for other in others]
            spans += [rows] * len(others)
        heard = iter(judge.worth(said, spans).tolist())
        # so many words behind a spot as models may still look back from
        reach = max(self._lm.order - 1, 0 if self._hotwords is None else self._hotwords.longest - 1, self._behind)
        weighed = []
        for low, high, others in spots:
            earlier, later = (*context.split(), *pivot[:low]), pivot[high : high + reach]
            ended = high + reach >= len(pivot)
            weighed.append([_Said(earlier, (*other, *later), ended, next(heard)) for other in others])
        mended: list[str] = []
        at, gain = 0, 0.0
        for (low, high, others), worth in zip(spots, self._worth(weighed), strict=True):
            chosen = int(np.argmax(worth))
            gain += worth[chosen] - worth[0] if worth[0] > float("-inf") else 0.0  # the first is the pivot's own
            mended += [*pivot[at:low], *others[chosen]]
            at = high
        return (*mended, *pivot[at:]), gain

    def _worth(self, spots: Sequence[Sequence["_Said"]]) -> list[list[float]]:
        """What each spot's alternatives are worth, by all that has a say."""
        worth: list[list[float]] = []
        told: list[list[_Told]] = []
        for said in spots:
            told.append([self._language(one.before, one.words, one.ended) for one in said])
            worth.append([one.heard + its.worth(self._weight) for one, its in zip(said, told[-1], strict=True)])
        if self._rescorer is None:
            return worth
        asked, places = [], []
        for i, values in enumerate(worth):
            least = max(values) - _IN_QUESTION
            close = [k for k, value in enumerate(values) if value > least]
            for k in close if len(close) > 1 else ():
                asked.append(self._asked(spots[i][k].before, spots[i][k].words))
                places.append((i, k))
        for (i, k), log_probs in zip(places, self._rescorer.log_probs(asked), strict=True):
            worth[i][k] = spots[i][k].heard + told[i][k].mixed(log_probs).worth(self._weight)
        return worth

    def _asked(self, before: Words, words: Words) -> Asked:
        return Asked(before[-_BEFORE:], words, len(before) <= _BEFORE)

    def _language(self, before: Words, text: Words, ended: bool) -> "_Told":
        """What language model, word bonus and hotwords say of a text behind other words; ended: a sentence's end."""
        lm, hotwords = self._lm, self._hotwords
        reach = lm.order - 1
        state = lm.state(" ".join(before[-reach:]), boundary=len(before) <= reach)
        words, known = np.empty(len(text)), np.empty(len(text), bool)
        end, rest, hot = 0.0, self._beta * len(text), ROOT
        for i, word in enumerate(text):
            following = kenlm.State()
            words[i] = float(lm.kenlm.BaseScore(state, word, following)) * LOG_10
            state = following
            known[i] = lm.knows(word)
            if not known[i] and not (hotwords is not None and word in hotwords.words):
                rest -= self._alpha * self._unknown * LOG_10  # as the searches have it: it is one of log10
        if ended:
            end = float(lm.kenlm.BaseScore(state, "</s>", kenlm.State())) * LOG_10
        if hotwords is not None:
            for word in (*before[-hotwords.longest :], *text):
                for character in word:
                    hot = hotwords.step(hot, character)
                rest += hotwords.complete[hot]
                hot = hotwords.step(hot, " ")
        return _Told(words, known, end, rest)


@dataclass(frozen=True, slots=True)
class _Said:
    """Words that may have been said, behind others. heard: what letters and sounds make of them."""

    before: Words
    words: Words
    ended: bool
    heard: float


@dataclass(frozen=True, slots=True)
class _Told:
    """What language model, word bonus and hotwords say of some words.

    words: ln P of each, (words,). known: whether the n-grams know it, (words,). end: ln P of a sentence's end behind
    them, 0 where they end none. rest: what bonus and hotwords add, and the penalties of unknown words take off.
    """

    words: NDArray[np.float64]
    known: NDArray[np.bool_]
    end: float
    rest: float

    def worth(self, weight: float) -> float:
        """All together, with the language model's weight."""
        return weight * (float(self.words.sum()) + self.end) + self.rest

    def mixed(self, log_probs: NDArray[np.float64]) -> "_Told":
        """With the mean of the words' probabilities and a neural model's, (words,) natural logs."""
        both = np.logaddexp(self.words, log_probs) - np.log(2)
        return replace(self, words=np.where(self.known, both, self.words))


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
