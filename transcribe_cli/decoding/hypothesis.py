"""What a search returns: a text with its scores, and the Protocol that every decoder follows."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A text and why it ranks where it does. All scores are natural logarithms.

    acoustic: log of the summed probability of the paths the search kept that collapse to the text.
    language: what was added to it: weighted language model, word bonus, penalties of unknown words, hotwords.
    total: what the search ranked by, acoustic + language.
    """

    text: str
    acoustic: float
    language: float
    total: float


class Decoder(Protocol):
    """Anything that turns log-probabilities into texts."""

    def decode(self, log_probs: NDArray[np.floating], context: str = "") -> list[Hypothesis]:
        """(T, V) natural log-probabilities → hypotheses, best first, at least one, at most `nbest`.

        context: the text just before, where the decoder can make use of it.
        """
        ...


def checked(log_probs: NDArray[np.floating], n_tokens: int) -> NDArray[np.floating]:
    """The array, (T, V) floating, or a ValueError that says what is wrong with it.

    Rows are taken as they are, natural log-probabilities; they are never guessed to be something else.
    """
    if log_probs.ndim != 2 or log_probs.shape[1] != n_tokens:
        raise ValueError(f"log_probs must be (frames, {n_tokens}), not {log_probs.shape}")
    if not np.issubdtype(log_probs.dtype, np.floating):
        raise ValueError(f"log_probs must be floating, not {log_probs.dtype}")
    if log_probs.size:
        highest = log_probs.max(axis=1)
        # NaN fails both comparisons; −inf everywhere is a row without any outcome. Half precision rounds near 0
        if not bool(np.all((highest > -np.inf) & (highest <= 1e-2))):
            raise ValueError(
                "log_probs must be natural log-probabilities: every row needs a finite maximum, none above 0"
            )
        if bool(np.isnan(log_probs).any()):
            raise ValueError("log_probs hold NaN")
    return log_probs


def softened(log_probs: NDArray[np.floating], temperature: float) -> NDArray[np.floating]:
    """(T, V) natural log-probabilities → the log softmax of their temperature-th part; above 1 evens them out."""
    if temperature == 1 or not len(log_probs):
        return log_probs
    scaled = (log_probs - log_probs.max(axis=1, keepdims=True)) / log_probs.dtype.type(temperature)
    return np.asarray(scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True)))
