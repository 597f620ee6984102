"""From a path, one column a frame, to what it says: merge repeats, then drop blanks."""

import numpy as np
import numpy.typing as npt


def collapse(path: npt.ArrayLike, blank: int = 0) -> list[int]:
    """Path (T,) of columns → labels without blanks. The order matters: merging after dropping would lose repeats."""
    columns = np.asarray(path, dtype=np.intp)
    if len(columns) == 0:
        return []
    fresh = np.concatenate(([True], columns[1:] != columns[:-1]))
    return [int(column) for column in columns[fresh & (columns != blank)]]


def greedy(log_probs: npt.ArrayLike, blank: int = 0) -> list[int]:
    """Labels of the single most probable path of log_probs (T, V); not always the most probable labelling."""
    return collapse(np.asarray(log_probs).argmax(axis=1), blank)
