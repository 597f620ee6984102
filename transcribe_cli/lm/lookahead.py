"""What the likeliest word that begins so is worth: a language model's say while a word is still being spelt.

Without it a search hears from the model only when a word ends, and carries until then every beginning that some word
has. With it a beginning that only rare words have falls behind at once, so that fewer hypotheses need be kept.

Source: look-ahead over a lexicon's tree (Ortmanns, Ney & Eiden 1996), with unigrams.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


class LookAhead:
    """Beginnings of words → the natural logarithm of the likeliest such word's unigram probability.

    log_probs: (words,) natural logarithms of the words' unigram probabilities, in some order.
    span: a beginning → the words that begin so, as [first, end) of that order.
    """

    def __init__(self, log_probs: NDArray[np.float32], span: Callable[[str], tuple[int, int]]) -> None:
        self._log_probs, self._span = log_probs, span

    def __call__(self, beginning: str) -> float:
        """−inf where no word begins so."""
        first, end = self._span(beginning)
        return float(self._log_probs[first:end].max()) if end > first else float("-inf")
