"""What the likeliest word that begins so is worth: a language model's say while a word is still being spelt.

Without it a search hears from the model only when a word ends, and carries until then every beginning that some word
has. With it a beginning that only rare words have falls behind at once, so that fewer hypotheses need be kept.

Source: look-ahead over a lexicon's tree (Ortmanns, Ney & Eiden 1996), with unigrams.
"""

from collections.abc import Callable, Iterable
from itertools import repeat

import kenlm
import numpy as np
from numpy.typing import NDArray

from .model import LOG_10, LanguageModel


class LookAhead:
    """Beginnings of words → the natural logarithm of the likeliest such word's unigram probability.

    words: in some order, perhaps one more than once; n_words of them.
    span: a beginning → the words that begin so, as [first, end) of that order.
    """

    def __init__(
        self,
        language_model: LanguageModel,
        words: Iterable[str],
        n_words: int,
        span: Callable[[str], tuple[int, int]],
    ) -> None:
        nothing, after = kenlm.State(), kenlm.State()
        language_model.kenlm.NullContextWrite(nothing)
        score = language_model.kenlm.BaseScore
        found = np.fromiter(map(score, repeat(nothing), words, repeat(after)), np.float32, n_words)
        self._scores: NDArray[np.float32] = found * np.float32(LOG_10)
        self._span = span

    def __call__(self, beginning: str) -> float:
        """−inf where no word begins so."""
        first, end = self._span(beginning)
        return float(self._scores[first:end].max()) if end > first else float("-inf")
