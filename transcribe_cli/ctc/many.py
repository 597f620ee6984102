"""Many short texts at once: the loss of each over rows of its own.

As `forward_backward.loss`, for alternatives to be compared: one pass over time for all of them, with probabilities in
place of logarithms, which is several times as fast. They are scaled up as they shrink (Rabiner 1989, section V.A).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .forward_backward import loss
from .lattice import why_impossible

_RESCALE = 8  # rows between two scalings; even rows of e⁻⁸⁰ each cannot leave the range of float64 in between
# Paths below e⁻⁷⁰⁸ of the best one at their row are lost. What was lost is no part of a likelihood above this.
_SAFE = 600.0


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
    if not texts:
        return np.zeros(0)
    # longest span first, so that those with rows left are always the first few
    order = sorted(range(len(texts)), key=lambda i: spans[i][0] - spans[i][1])
    found = np.empty(len(texts))
    found[order] = _scaled([texts[i] for i in order], [spans[i] for i in order], log_probs, blank)
    for i in np.flatnonzero(~(found < _SAFE)).tolist():
        (first, end), labels = spans[i], np.asarray(texts[i], np.int64)
        impossible = why_impossible(end - first, labels) is not None
        found[i] = np.inf if impossible else loss(log_probs[first:end], labels, blank, np.inf)
    return found


def _scaled(
    texts: Sequence[Sequence[int]], spans: Sequence[tuple[int, int]], log_probs: NDArray[np.floating], blank: int
) -> NDArray[np.float64]:
    """(M,) losses; infinite also where a likelihood is too small for a float64."""
    n_texts, longest = len(texts), max(map(len, texts))
    labels = np.full((n_texts, 2 * longest + 1), blank, np.intp)
    for row, text in zip(labels, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
    # a label is entered from the label before it too, unless that is the same one
    skips = np.zeros(labels.shape)
    skips[:, 2:] = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])
    n_rows = np.array([end - first for first, end in spans], np.intp)
    low = min(first for first, _ in spans)
    probs = np.exp(log_probs[low : max(end for _, end in spans)], dtype=np.float64)
    place = labels + (np.array([first for first, _ in spans], np.intp) - low)[:, None] * probs.shape[1]
    alpha = np.zeros((n_texts, labels.shape[1] + 2))  # two columns in front, from which nothing comes
    alpha[:, 2] = 1.0  # before the first row, as if a blank had just been read
    logs = np.zeros(n_texts)
    for t in range(int(n_rows[0])):
        active = int(np.searchsorted(-n_rows, -t))  # those with more than t rows
        now = alpha[:active]
        following = now[:, :-2] * skips[:active]
        following += now[:, 1:-1]
        following += now[:, 2:]
        following *= probs.take(place[:active] + t * probs.shape[1])
        now[:, 2:] = following
        if t % _RESCALE == _RESCALE - 1:
            most = following.max(axis=1)
            most[most == 0.0] = 1.0
            now /= most[:, None]
            logs[:active] += np.log(most)
    every, sizes = np.arange(n_texts), np.array([len(text) for text in texts], np.intp)
    ends = alpha[every, 2 * sizes + 2] + np.where(sizes > 0, alpha[every, 2 * sizes + 1], 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(-(np.log(ends) + logs))
