"""How sure the network was of each word, in 0…1, from the emissions that the word was aligned to."""

import numpy as np
import numpy.typing as npt


def label_confidences(
    log_probs: npt.NDArray[np.floating],
    labels: npt.NDArray[np.intp],
    starts: npt.NDArray[np.intp],
    ends: npt.NDArray[np.intp],
    temperature: float = 1.0,
) -> npt.NDArray[np.float64]:
    """Highest posterior that each label reaches within its frames: (L,) in 0…1.

    log_probs: (T, V) natural; labels: (L,) columns; starts, ends: (L,) frame spans, disjoint, in order of time.
    temperature: the log-probabilities are divided by it and normalised anew; above 1 it makes the network less sure of
    itself. CTC's posteriors are spiky, so the peak says more than the mean over the span.
    """
    if len(labels) == 0:
        return np.zeros(0)
    lengths = ends - starts
    first = np.cumsum(lengths) - lengths  # of each label within the frames said, laid end to end
    frames = np.repeat(starts - first, lengths) + np.arange(int(lengths.sum()))
    rows = log_probs[frames].astype(np.float64)
    own = rows[np.arange(len(rows)), np.repeat(labels, lengths)]
    if temperature != 1.0:
        scaled = rows / temperature
        top = scaled.max(axis=1, keepdims=True)
        own = own / temperature - (top[:, 0] + np.log(np.exp(scaled - top).sum(axis=1)))
    peaks: npt.NDArray[np.float64] = np.maximum.reduceat(own, first)
    return np.exp(np.minimum(peaks, 0.0))


def word_confidences(
    labels: npt.NDArray[np.float64], first: npt.NDArray[np.intp], last: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Geometric mean of each word's label confidences: (W,) in 0…1; first, last: (W,) places, last inclusive."""
    logs = np.concatenate(([0.0], np.cumsum(np.log(np.maximum(labels, 1e-12)))))
    means = np.exp((logs[last + 1] - logs[first]) / (last + 1 - first))
    return np.clip(means, 0.0, 1.0)
