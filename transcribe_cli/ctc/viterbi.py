"""The most probable single alignment of a target: which frame says which label.

    T frames, V columns, L labels

Scores are kept relative to the blank, r[t, i] = log p(yᵢ) − log p(blank) at t, so a blank costs nothing and the
lattice needs three vector operations a frame (B: best path now in the blank before label i, Y: now in label i):

    B[i] ← max(B[i], Y[i−1])        Y[i] ← max(Y[i], B[i] as just updated) + r[t, i]

B as just updated already holds Y[i−1], which is the jump over the blank. Between equal labels, where that jump is
forbidden, the target gets one more label that *is* the blank (r = 0): a mandatory one. For a maximum, unlike a sum,
it does not matter that a blank frame can then be spent in two places. The path is read backwards from comparisons of
stored scores: B[i] was entered from label i − 1 where Y[i−1] was greater than B[i] a frame before, and Y[i] was not
entered at all where Y[i] a frame before is no less than B[i] now.

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

_CELLS = 4_000_000  # frames × labels that are searched in one piece: 80 s of ordinary speech, some 40 MB

Frames = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Path:
    """An alignment. frames: (T,) int32, the place in the labels (0…L−1) said at each frame, −1 for a blank;
    score: its natural log-probability, the sum of the frames' ones."""

    frames: Frames
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
    """The most probable alignment of labels (L,) to log_probs (T, V), exact however long they are.

    Time O(T · L). Short ones keep all T · L scores. Beyond that only every block's first scores are kept, and block by
    block, from the last, the few labels that can matter are computed again: memory O((T · L)^⅔).

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


def score(rows: npt.NDArray[np.floating], target: Labels, places: Frames, blank: int) -> float:
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


def _shortcut(rows: npt.NDArray[np.floating], target: Labels, blank: int) -> Frames | None:
    """The best path of all, if it happens to say the target: nothing can beat it."""
    best = rows.argmax(axis=1)
    said = best != blank
    fresh = said.copy()
    fresh[1:] &= best[1:] != best[:-1]
    if not np.array_equal(best[fresh], target):
        return None
    return np.where(said, np.cumsum(fresh) - 1, -1).astype(np.int32)


def _search(rows: npt.NDArray[np.floating], target: Labels, blank: int, block: int | None = None) -> Frames:
    columns, places = with_mandatory_blanks(target, blank)
    relative = relative_to_blank(rows, blank)
    n_frames, n_labels = len(rows), len(columns)
    if block is None:
        small = n_frames * n_labels <= _CELLS
        # checkpoints take n_frames / block · n_labels cells, the one block that is looked into block · block
        block = n_frames if small else round((n_frames * n_labels) ** (1 / 3))
    # Before the first frame all paths wait in the blank before the first label.
    in_blank = np.full(n_labels + 1, -np.inf, dtype=relative.dtype)
    in_label = np.full(n_labels, -np.inf, dtype=relative.dtype)
    in_blank[0] = 0.0
    cuts = range(0, n_frames, block)
    saved = []
    for begin in cuts[:-1]:
        saved.append((in_blank.copy(), in_label.copy()))
        _advance(relative[begin : begin + block], columns, in_blank, in_label, begin, n_frames)
    saved.append((in_blank, in_label))

    trace = np.empty(n_frames, dtype=np.intp)
    label, on_label = n_labels - 1, None
    for begin in reversed(cuts):
        in_blank, in_label = saved.pop()
        part = relative[begin : begin + block]
        # A path moves on by one label a frame at most, so no more than these columns can lead here. What the left-most
        # one lacks for want of its neighbour spreads by one column a frame, always one behind the path.
        low = max(0, label - len(part) - 1)
        stored = _stored(part[:, columns[low : label + 1]], in_blank[low : label + 2], in_label[low : label + 1])
        if on_label is None:
            on_label = bool(stored[1][-1, -1] >= stored[0][-1, -1])
        label, on_label = _trace(stored, low, label, on_label, trace[begin : begin + block], n_labels)
    result: Frames = np.append(places, np.int32(-1))[trace]
    return result


def _advance(
    relative: npt.NDArray[np.floating],
    columns: Labels,
    in_blank: npt.NDArray[np.floating],
    in_label: npt.NDArray[np.floating],
    begin: int,
    n_frames: int,
) -> None:
    """Takes B (L + 1,) and Y (L,) in place over frames begin…, and nothing is kept but where they end."""
    maximum, add = np.maximum, np.add
    n_labels, step = len(columns), 64
    for t in range(0, len(relative), step):
        part = relative[t : t + step]
        # what can be reached from the start by now, and can still reach the end
        low = max(0, n_labels - n_frames + begin + t - 2)
        high = min(n_labels, begin + t + len(part))
        here, gain = columns[low:high], np.empty(high - low, dtype=relative.dtype)
        tail, head, label = in_blank[low + 1 : high + 1], in_blank[low:high], in_label[low:high]
        for row in part:
            maximum(tail, label, out=tail)
            maximum(label, head, out=label)
            row.take(here, out=gain, mode="clip")
            add(label, gain, out=label)
    # float32 resolves 1e-3 nats beside 1e4: keep the numbers small where it matters, near the best
    best = max(in_blank.max(), in_label.max())
    in_blank -= best
    in_label -= best


def _stored(
    relative: npt.NDArray[np.floating], blank_before: npt.NDArray[np.floating], label_before: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """B (T + 1, L + 1) and Y (T + 1, L) of every frame; row t + 1 belongs to frame t, row 0 is what came before."""
    n_frames, n_labels = relative.shape
    in_blank = np.empty((n_frames + 1, n_labels + 1), dtype=relative.dtype)
    in_label = np.empty((n_frames + 1, n_labels), dtype=relative.dtype)
    in_blank[0], in_label[0] = blank_before, label_before
    in_blank[1:, 0] = blank_before[0]
    maximum, add = np.maximum, np.add
    last_tail, last_label = in_blank[0, 1:], in_label[0]
    for tail, head, label, gain in zip(in_blank[1:, 1:], in_blank[1:, :-1], in_label[1:], relative, strict=True):
        maximum(last_tail, last_label, out=tail)
        maximum(last_label, head, out=label)
        add(label, gain, out=label)
        last_tail, last_label = tail, label
    return in_blank, in_label


def _trace(
    stored: tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]],
    low: int,
    label: int,
    on_label: bool,
    trace: Labels,
    nothing: int,
) -> tuple[int, bool]:
    """Walks back from (label, on_label), writing label or `nothing` of each frame; returns where the walk comes out.

    label: the one the path is in, or has behind it when in a blank (−1: none yet). low: label of the first column.
    """
    in_blank, in_label = stored
    # Where the best predecessor lay, for all cells at once; bytes are indexed far faster than arrays in the loop below.
    left = (in_label[:-1] > in_blank[:-1, 1:]).tobytes()  # the blank after the label entered from it (else it went on)
    stayed = (in_label[:-1] >= in_blank[1:, :-1]).tobytes()  # the label went on (else entered from a blank or a label)
    width = in_label.shape[1]
    i = label - low
    for t in range(len(trace) - 1, -1, -1):
        if on_label:
            trace[t] = i + low
            if not stayed[t * width + i]:
                i -= 1
                # B as just updated: from the label before if it was entered at this very frame, else from the blank
                on_label = i >= 0 and bool(left[t * width + i])
        else:
            trace[t] = nothing
            if i >= 0 and left[t * width + i]:
                on_label = True
    return i + low, on_label
