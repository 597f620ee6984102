"""Preconditions of the CTC algebra: what it computes is meaningless, not merely inexact, where they do not hold."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..errors import CTCError

TOLERANCE = 1e-3  # of a row's sum; float16 networks stay within it, logits and unnormalised scores never do


def check_log_probs(log_probs: npt.ArrayLike, tolerance: float = TOLERANCE) -> npt.NDArray[np.float64]:
    """Log-probabilities (T, V) as float64, proven to be a distribution in every row.

    −∞ is a probability of zero and welcome. T may be 0, V must be at least 1.

    Raises:
        CTCError: not two dimensions, no column, NaN, or a row whose probabilities do not sum to 1 ± tolerance.
    """
    rows = np.asarray(log_probs, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise CTCError(f"log-probabilities must be (frames, tokens), not of shape {rows.shape}")
    if np.isnan(rows).any():
        frame = int(np.flatnonzero(np.isnan(rows).any(axis=1))[0])
        raise CTCError(f"frame {frame} holds NaN: the network's output is broken")
    with np.errstate(over="ignore"):  # raw scores may overflow; the sum then says so
        sums = np.exp(rows).sum(axis=1)
    wrong = np.flatnonzero(~(np.abs(sums - 1) <= tolerance))
    if len(wrong):
        raise CTCError(
            f"frame {wrong[0]} sums to {sums[wrong[0]]:.4g}, not 1: "
            "give natural log-probabilities, the log-softmax of the scores"
        )
    return rows


def check_labels(labels: Sequence[int] | npt.NDArray[np.integer], n_tokens: int, blank: int) -> npt.NDArray[np.intp]:
    """Labels (L,) as an index array, proven to be columns other than the blank's.

    Raises:
        CTCError: the blank or a label outside the columns, or the blank among the labels.
    """
    array = np.asarray(labels)
    if array.size == 0:
        array = np.zeros(0, dtype=np.intp)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise CTCError(f"labels must be a list of whole numbers, not {array.dtype} of shape {array.shape}")
    if not 0 <= blank < n_tokens:
        raise CTCError(f"the blank's index {blank} is outside the {n_tokens} columns")
    outside = array[(array < 0) | (array >= n_tokens)]
    if len(outside):
        raise CTCError(f"label {outside[0]} is outside the {n_tokens} columns")
    if (array == blank).any():
        raise CTCError(f"the blank ({blank}) is among the labels: a target is written without blanks")
    return array.astype(np.intp)
