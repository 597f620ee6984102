"""The most probable single alignment of a target: which frame says which label.

    T frames, V columns, L labels

Scores are kept relative to the blank, r[t, i] = log p(yᵢ) − log p(blank) at t, so a blank costs nothing and the
lattice needs three vector operations a frame (B: best path now in the blank before label i, Y: now in label i):

    B[i] ← max(B[i], Y[i−1])        Y[i] ← max(Y[i], B[i] as just updated) + r[t, i]

B as just updated already holds Y[i−1], which is the jump over the blank. Between equal labels, where that jump is
forbidden, the target gets one more label that *is* the blank (r = 0): a mandatory one. For a maximum, unlike a sum,
it does not matter that a blank frame can then be spent in two places.

Source: Graves et al., ICML 2006, section 4.1, with max for the sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import CTCError
from .check import TOLERANCE, check_labels, check_log_probs
from .lattice import Labels, why_impossible

# Stands for log 0 at one frame, since ∞ − ∞ is no number: far below any real score, and near enough that float64
# still resolves 1e-5 beside a thousand of them. A path that had to take it is found out when it is scored from the true
# values.
_NEVER = -1e7


@dataclass(frozen=True, slots=True)
class Path:
    """An alignment. frames: (T,) int32, the place in the labels (0…L−1) said at each frame, −1 for a blank;
    score: its natural log-probability, the sum of the frames' ones."""

    frames: npt.NDArray[np.int32]
    score: float

    def spans(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """First frame and one past the last frame of every label: two (L,) arrays."""
        if len(self.frames) == 0:
            return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
        said = self.frames >= 0
        change = self.frames[1:] != self.frames[:-1]
        starts = np.flatnonzero(said & np.concatenate(([True], change)))
        ends = np.flatnonzero(said & np.concatenate((change, [True]))) + 1
        return starts, ends


def align(log_probs: npt.ArrayLike, labels: Sequence[int] | Labels, blank: int = 0, *, checked: bool = False) -> Path:
    """The most probable alignment of labels (L,) to log_probs (T, V). Memory O(T · L); `banded` takes hours.

    checked: the caller vouches that the rows are normalised, which saves a pass over them.

    Raises:
        CTCError: what `check` refuses, or labels that the frames cannot hold.
    """
    rows = np.asarray(log_probs) if checked else check_log_probs(log_probs, TOLERANCE)
    target = check_labels(labels, rows.shape[1], blank)
    reason = why_impossible(len(rows), target)
    if reason:
        raise CTCError(reason)
    places = _shortcut(rows, target, blank) if len(target) else np.full(len(rows), -1, dtype=np.int32)
    if places is None:
        places = _search(rows, target, blank)
    return Path(places, score(rows, target, places, blank))


def score(rows: npt.NDArray[np.floating], target: Labels, places: npt.NDArray[np.int32], blank: int) -> float:
    """Natural log-probability of an alignment. Raises CTCError where it is −∞."""
    columns = np.append(target, blank)[places]  # place −1 is the appended blank
    total = float(rows[np.arange(len(rows)), columns].sum(dtype=np.float64))
    if total == -np.inf:
        raise CTCError("every alignment of the labels has probability zero")
    return total


def relative_to_blank(rows: npt.NDArray[np.floating], blank: int) -> npt.NDArray[np.floating]:
    """rows (T, V) minus their blank column, always finite; float32 where that is exact enough, else float64."""
    if not np.isfinite(rows).all():
        rows = np.maximum(rows, _NEVER, dtype=np.float64)
    return rows - rows[:, blank, None]


def with_mandatory_blanks(target: Labels, blank: int) -> tuple[Labels, npt.NDArray[np.int32]]:
    """Target with a blank put between equal neighbours, and each entry's place in the labels (−1 for those blanks)."""
    before = np.flatnonzero(target[1:] == target[:-1]) + 1
    return np.insert(target, before, blank), np.insert(np.arange(len(target), dtype=np.int32), before, np.int32(-1))


def _shortcut(rows: npt.NDArray[np.floating], target: Labels, blank: int) -> npt.NDArray[np.int32] | None:
    """The best path of all, if it happens to say the target: nothing can beat it."""
    best = rows.argmax(axis=1)
    said = best != blank
    fresh = said.copy()
    fresh[1:] &= best[1:] != best[:-1]
    if not np.array_equal(best[fresh], target):
        return None
    return np.where(said, np.cumsum(fresh) - 1, -1).astype(np.int32)


def _search(rows: npt.NDArray[np.floating], target: Labels, blank: int) -> npt.NDArray[np.int32]:
    columns, places = with_mandatory_blanks(target, blank)
    relative = relative_to_blank(rows, blank)[:, columns]
    n_frames, n_labels = relative.shape
    # Row t + 1 holds frame t. Before the first frame all paths wait in the blank before the first label.
    in_blank = np.empty((n_frames + 1, n_labels + 1), dtype=relative.dtype)
    in_label = np.empty((n_frames + 1, n_labels), dtype=relative.dtype)
    in_blank[0] = in_label[0] = -np.inf
    in_blank[:, 0] = 0.0
    maximum, add = np.maximum, np.add
    last_tail, last_label = in_blank[0, 1:], in_label[0]
    for tail, head, label, gain in zip(in_blank[1:, 1:], in_blank[1:, :-1], in_label[1:], relative, strict=True):
        maximum(last_tail, last_label, out=tail)
        maximum(last_label, head, out=label)
        add(label, gain, out=label)
        last_tail, last_label = tail, label
    # where the best predecessor lay, for all cells at once; bytes index far faster than arrays in the loop below
    left = (in_blank[1:, 1:] > in_blank[:-1, 1:]).tobytes()  # blank i+1 entered from label i (else it stayed)
    stayed = (
        in_label[:-1] >= in_blank[1:, :-1]
    ).tobytes()  # label i held on (else entered from blank or the last label)
    trace = np.empty(n_frames, dtype=np.intp)
    i, on_label = n_labels - 1, bool(in_label[-1, -1] >= in_blank[-1, -1])
    # i: label the path is in, or has behind it when in the blank after it (−1: none yet)
    for t in range(n_frames - 1, -1, -1):
        if on_label:
            trace[t] = i
            if not stayed[t * n_labels + i]:
                i -= 1
                # B as just updated: from the previous label if it was entered at this very frame, else from the blank
                on_label = i >= 0 and bool(left[t * n_labels + i])
        else:
            trace[t] = n_labels
            if i >= 0 and left[t * n_labels + i]:
                on_label = True
    result: npt.NDArray[np.int32] = np.append(places, np.int32(-1))[trace]
    return result
