"""The graph that a target spans: its labels with a blank before, between and after them.

    T frames, V columns, L labels, S = 2 L + 1 states
    state  0      1    2      3    …   2L−1  2L
           blank  y₁   blank  y₂   …   y_L   blank

A path stays in its state, goes on to the next, or jumps over a blank to the next label; jumping is forbidden between
equal labels, for without a blank they would collapse into one. It starts in state 0 or 1 and ends in S − 1 or S − 2.

Source: Graves, Fernández, Gomez, Schmidhuber, "Connectionist Temporal Classification", ICML 2006, section 4.1.
"""

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.intp]


def interleave(labels: Labels, blank: int) -> Labels:
    """Column of each state: labels (L,) → (2 L + 1,), blanks at even places."""
    columns = np.full(2 * len(labels) + 1, blank, dtype=np.intp)
    columns[1::2] = labels
    return columns


def may_skip(labels: Labels) -> npt.NDArray[np.bool_]:
    """Whether a state may be entered from two states before: (2 L + 1,), true at a label that differs from the last."""
    skip = np.zeros(2 * len(labels) + 1, dtype=np.bool_)
    skip[3::2] = labels[1:] != labels[:-1]
    return skip


def minimum_frames(labels: npt.ArrayLike) -> int:
    """Frames without which a target has no path: one a label, and one for the blank between equal neighbours."""
    array = np.asarray(labels)
    return int(len(array) + np.count_nonzero(array[1:] == array[:-1]))


def why_impossible(n_frames: int, labels: npt.ArrayLike) -> str | None:
    """The sentence that explains an infinite loss for want of frames; None where there are enough."""
    needed, n_labels = minimum_frames(labels), len(np.asarray(labels))
    if needed <= n_frames:
        return None
    blanks = f" and {needed - n_labels} blanks between equal ones" if needed > n_labels else ""
    return (
        f"{n_labels} labels{blanks} need {needed} frames and there are {n_frames}: shorten the text or give more audio"
    )
