"""The quickest decoder: the likeliest token of every frame, repeats and blanks collapsed."""

import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet
from .hypothesis import Hypothesis, checked


class Greedy:
    """Best path. The acoustic score is that of the one best path, not the sum over all paths of the text."""

    def __init__(self, alphabet: Alphabet) -> None:
        self._alphabet = alphabet

    def decode(self, log_probs: NDArray[np.floating], context: str = "") -> list[Hypothesis]:
        """(T, V) natural log-probabilities → one hypothesis; the context changes nothing.

        Raises ValueError where the array is no such thing.
        """
        log_probs = checked(log_probs, len(self._alphabet))
        if not len(log_probs):
            return [Hypothesis("", 0.0, 0.0, 0.0)]
        best = log_probs.argmax(axis=1)
        changes = np.concatenate(([True], best[1:] != best[:-1]))
        score = float(log_probs.max(axis=1).sum(dtype=np.float64))
        return [Hypothesis(self._alphabet.decode(best[changes].tolist()), score, 0.0, score)]
