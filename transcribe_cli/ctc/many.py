"""Many short texts at once: the loss of each over rows of its own.

As `forward_backward.loss`, for alternatives to be compared: one pass over time for all of them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_NEVER = -1e30  # stands for −inf, whose differences are no numbers


def losses(
    log_probs: NDArray[np.floating], texts: Sequence[Sequence[int]], spans: Sequence[tuple[int, int]], blank: int = 0
) -> NDArray[np.float64]:
    """−ln P(labels | rows) of each text over its own span of the rows.

    Args:
        log_probs: (T, V) natural log-probabilities.
        texts: M sequences of labels without blanks; none of them may be a blank.
        spans: for each text the rows [first, end) that it is to explain.

    Returns:
        (M,) nats, infinite where a text is too long for its rows, or its span empty and it is not.
    """
    n_texts, longest = len(texts), max(map(len, texts), default=0)
    labels = np.full((n_texts, 2 * longest + 1), blank, np.intp)
    sizes = np.array([len(text) for text in texts], np.intp)
    for row, text in zip(labels, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
    first = np.array([span[0] for span in spans], np.intp)
    n_rows = np.array([span[1] - span[0] for span in spans], np.intp)
    # a label is entered from the label before it too, unless that is the same one
    skips = np.zeros(labels.shape, bool)
    skips[:, 2:] = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])
    alpha = np.full((n_texts, labels.shape[1] + 2), _NEVER)  # two columns in front, from which nothing comes
    alpha[:, 2] = 0.0  # before the first row, as if a blank had just been read
    for t in range(int(n_rows.max(initial=0))):
        stay, step, skip = alpha[:, 2:], alpha[:, 1:-1], np.where(skips, alpha[:, :-2], _NEVER)
        best = np.maximum(np.maximum(stay, step), skip)
        total = best + np.log(np.exp(stay - best) + np.exp(step - best) + np.exp(skip - best))
        total += log_probs[np.minimum(first + t, len(log_probs) - 1)[:, None], labels]
        inside = t < n_rows
        alpha[inside, 2:] = total[inside]
    every = np.arange(n_texts)
    ends = np.logaddexp(alpha[every, 2 * sizes + 2], np.where(sizes > 0, alpha[every, 2 * sizes + 1], _NEVER))
    return np.asarray(np.where(ends > _NEVER / 2, -ends, np.inf))
