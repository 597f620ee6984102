"""From a path, one column a frame, to what it says: merge repeats, then drop blanks."""

import numpy as np
import numpy.typing as npt


def run_starts(path: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """First frame of every run of equal columns of a path (T,)."""
    return np.flatnonzero(np.concatenate(([True], path[1:] != path[:-1]))) if len(path) else np.zeros(0, np.intp)


def collapse(path: npt.ArrayLike, blank: int = 0) -> list[int]:
    """Path (T,) of columns → labels without blanks. The order matters: merging after dropping would lose repeats."""
    columns = np.asarray(path, dtype=np.intp)
    said = columns[run_starts(columns)]
    return [int(column) for column in said[said != blank]]


def greedy(log_probs: npt.ArrayLike, blank: int = 0) -> list[int]:
    """Labels of the single most probable path of log_probs (T, V); not always the most probable labelling."""
    return collapse(np.asarray(log_probs).argmax(axis=1), blank)
