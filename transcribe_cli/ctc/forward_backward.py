"""−log P(y | x) and its gradient: the sum over every alignment of a target, by dynamic programming in log space.

    T frames, V columns, L labels, S = 2 L + 1 states of the lattice, s's column c(s)
    α[t, s] = log of the summed probability of all partial paths over frames 0…t that end in s (frame t included)
    β[t, s] = log of the summed probability of all ways to finish over frames t+1…T−1, being in s at t (t excluded)

so that α[t, s] + β[t, s] is the log-probability of all full paths through s at t, and its log-sum over s is
log P(y | x) at every t alike. Time is a Python loop, the states are vectorised. All logarithms are natural.

Source: Graves et al., ICML 2006, sections 4.1 and 4.2 (β here leaves frame t out, so nothing is divided out again).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..errors import CTCError
from .check import TOLERANCE, check_labels, check_log_probs
from .lattice import Labels, interleave, may_skip, why_impossible

Floats = npt.NDArray[np.float64]


def loss(
    log_probs: npt.ArrayLike, labels: Sequence[int] | Labels, blank: int = 0, tolerance: float = TOLERANCE
) -> float:
    """−log P(labels | frames) in nats, summed over every alignment; +∞ where no alignment exists.

    log_probs: (T, V) natural log-probabilities; labels: (L,) columns without blanks, L may be 0.
    `lattice.why_impossible` puts an infinite loss for want of frames into words.

    Raises:
        CTCError: rows that do not sum to one, NaN, or labels that are no labels (`check`).
    """
    rows, target = _checked(log_probs, labels, blank, tolerance)
    return -_log_likelihood(_forward(rows, target, blank, only_last=True), len(rows))


def forward(log_probs: npt.ArrayLike, labels: Sequence[int] | Labels, blank: int = 0) -> Floats:
    """α (T, 2 L + 1), −∞ where no path leads. Raises CTCError as `loss` does."""
    rows, target = _checked(log_probs, labels, blank, TOLERANCE)
    return _forward(rows, target, blank)


def backward(log_probs: npt.ArrayLike, labels: Sequence[int] | Labels, blank: int = 0) -> Floats:
    """β (T, 2 L + 1), −∞ where no path goes on to the end. Raises CTCError as `loss` does."""
    rows, target = _checked(log_probs, labels, blank, TOLERANCE)
    return _backward(rows, target, blank)


def posteriors(log_probs: npt.ArrayLike, labels: Sequence[int] | Labels, blank: int = 0) -> Floats:
    """P(state s at frame t | frames, labels): (T, 2 L + 1), every row sums to one.

    Raises:
        CTCError: as `loss`, and where the loss is infinite, for nothing can be conditioned on the impossible.
    """
    rows, target = _checked(log_probs, labels, blank, TOLERANCE)
    return _posteriors(rows, target, blank)


def gradient(
    log_probs: npt.ArrayLike, labels: Sequence[int] | Labels, blank: int = 0, *, wrt: str = "logits"
) -> Floats:
    """Derivative of `loss`: (T, V).

    wrt="log_probs": each log-probability a free variable; −(occupancy of the column at the frame), rows sum to −1.
    wrt="logits": log_probs = log-softmax(logits), the network's last layer; probability − occupancy, rows sum to 0.

    Raises:
        CTCError: as `posteriors`.
    """
    if wrt not in ("logits", "log_probs"):
        raise CTCError(f"wrt cannot be {wrt!r}: choose logits or log_probs")
    rows, target = _checked(log_probs, labels, blank, TOLERANCE)
    column_of_state = np.zeros((2 * len(target) + 1, rows.shape[1]))
    column_of_state[np.arange(len(column_of_state)), interleave(target, blank)] = 1
    occupancy = _posteriors(rows, target, blank) @ column_of_state
    return np.exp(rows) - occupancy if wrt == "logits" else -occupancy


def _checked(
    log_probs: npt.ArrayLike, labels: Sequence[int] | Labels, blank: int, tolerance: float
) -> tuple[Floats, Labels]:
    rows = check_log_probs(log_probs, tolerance)
    return rows, check_labels(labels, rows.shape[1], blank)


def _forward(rows: Floats, target: Labels, blank: int, only_last: bool = False) -> Floats:
    columns, skip = interleave(target, blank), np.where(may_skip(target), 0.0, -np.inf)
    # two rows taken in turns are enough where only the last one is wanted
    alpha = np.full((min(2, len(rows)) if only_last else len(rows), len(columns)), -np.inf)
    alpha[:1, :2] = rows[:1, columns[:2]]
    last = alpha[:1].ravel()
    for t in range(1, len(rows)):
        now = alpha[t % len(alpha)]
        now[:] = last
        now[1:] = np.logaddexp(now[1:], last[:-1])
        now[2:] = np.logaddexp(now[2:], last[:-2] + skip[2:])
        now += rows[t, columns]
        last = now
    return alpha if not only_last or len(rows) == 0 else alpha[(len(rows) - 1) % len(alpha)][None]


def _backward(rows: Floats, target: Labels, blank: int) -> Floats:
    emitted, skip = rows[:, interleave(target, blank)], np.where(may_skip(target), 0.0, -np.inf)
    beta = np.full(emitted.shape, -np.inf)
    beta[-1:, -2:] = 0.0
    for t in range(len(rows) - 2, -1, -1):
        rest, now = beta[t + 1] + emitted[t + 1], beta[t]
        now[:] = rest
        now[:-1] = np.logaddexp(now[:-1], rest[1:])
        now[:-2] = np.logaddexp(now[:-2], rest[2:] + skip[2:])
    return beta


def _log_likelihood(alpha: Floats, n_frames: int) -> float:
    if n_frames == 0:  # no frame says nothing, with certainty
        return 0.0 if alpha.shape[1] == 1 else -np.inf
    return float(np.logaddexp.reduce(alpha[-1, -2:]))


def _posteriors(rows: Floats, target: Labels, blank: int) -> Floats:
    alpha = _forward(rows, target, blank)
    total = _log_likelihood(alpha, len(rows))
    if total == -np.inf:
        raise CTCError(why_impossible(len(rows), target) or "every alignment of the labels has probability zero")
    return np.exp(alpha + _backward(rows, target, blank) - total)
