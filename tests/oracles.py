"""Slow, obvious versions of what the package computes cleverly."""

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def random_log_probs(
    rng: np.random.Generator, n_frames: int, n_tokens: int, sharpness: float = 2.0
) -> npt.NDArray[np.float64]:
    """Rows of a random distribution, (T, V) natural logarithms."""
    scores = rng.normal(scale=sharpness, size=(n_frames, n_tokens))
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def collapse_slowly(path: Sequence[int], blank: int) -> tuple[int, ...]:
    """Merge repeats, then drop blanks, by the definition."""
    return tuple(column for column, _ in itertools.groupby(path) if column != blank)


def every_path(log_probs: npt.NDArray[np.float64]) -> list[tuple[tuple[int, ...], float]]:
    """All V^T paths with their probabilities."""
    n_frames, n_tokens = log_probs.shape
    return [
        (path, math.exp(sum(log_probs[t, column] for t, column in enumerate(path))))
        for path in itertools.product(range(n_tokens), repeat=n_frames)
    ]


def probability_by_enumeration(log_probs: npt.NDArray[np.float64], labels: Sequence[int], blank: int) -> float:
    """P(labels | frames): the sum over all paths that collapse to the labels."""
    return math.fsum(p for path, p in every_path(log_probs) if collapse_slowly(path, blank) == tuple(labels))


def every_labelling(log_probs: npt.NDArray[np.float64], blank: int) -> dict[tuple[int, ...], float]:
    """P(y | frames) of every labelling y that any path collapses to."""
    total: dict[tuple[int, ...], float] = defaultdict(float)
    for path, p in every_path(log_probs):
        total[collapse_slowly(path, blank)] += p
    return dict(total)


def best_alignment_by_enumeration(log_probs: npt.NDArray[np.float64], labels: Sequence[int], blank: int) -> float:
    """Probability of the best single path that collapses to the labels; 0 where there is none."""
    return max((p for path, p in every_path(log_probs) if collapse_slowly(path, blank) == tuple(labels)), default=0.0)


def occupancy_by_enumeration(
    log_probs: npt.NDArray[np.float64], labels: Sequence[int], blank: int
) -> npt.NDArray[np.float64]:
    """P(column v at frame t | frames, labels): (T, V)."""
    occupancy = np.zeros_like(log_probs)
    for path, p in every_path(log_probs):
        if collapse_slowly(path, blank) == tuple(labels):
            occupancy[np.arange(len(path)), list(path)] += p
    return occupancy / probability_by_enumeration(log_probs, labels, blank)
