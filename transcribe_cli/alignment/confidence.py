"""How sure the network was of each word, in 0…1, from the path along which the word was aligned.

A word's score is the log-probability of its stretch of the Viterbi path, the boundaries around it included, divided by
the labels that had to be said there:

    score = (Σ log p(path) over the stretch) / (labels of the word + 2)        confidence = e^(score / temperature)

The stretch holds the boundaries on both sides, but reaches at most `REACH_SECONDS` beyond the word's own labels: a
wrong word is betrayed as often by what was left out or squeezed beside it (a frame that wanted to be a letter and had
to be a blank) as by its own letters.
Of the candidates tried on development speech (peak, mean, minimum and product of the letters' posteriors; gap to the
best competing path; with and without boundaries and surroundings) this one told right words from wrong ones best
after beam search, and nearly best after greedy decoding. `benchmarks/alignment.py` measures it again.
"""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

REACH_SECONDS = 0.16  # shorter forgets the boundary, longer blames a word for its neighbour's neighbour


def word_confidences(
    path_log_probs: npt.NDArray[np.floating],
    starts: Places,
    ends: Places,
    limits: tuple[Places, Places],
    n_labels: Places,
    frame_seconds: float,
    temperature: float = 1.0,
) -> Floats:
    """Confidence of each word: (W,) in 0…1.

    path_log_probs: (T,) log-probability of the path's column at each frame; starts, ends: (W,) frames of the words'
    own labels, end exclusive, in order of time; n_labels: (W,) labels of each word; temperature: above 1 the numbers
    rise, their order stays (`fit_temperature` finds the honest one).
    """
    reach = round(REACH_SECONDS / frame_seconds)
    begin = np.minimum(np.maximum(starts - reach, limits[0]), starts)
    stop = np.maximum(np.minimum(ends + reach, limits[1]), ends)
    total = np.concatenate(([0.0], np.cumsum(path_log_probs, dtype=np.float64)))
    scores: Floats = (total[stop] - total[begin]) / (n_labels + 2)
    confidences: Floats = np.exp(np.minimum(scores / temperature, 0.0))
    return confidences


def fit_temperature(confidences: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Temperature under which confidences, taken at temperature 1, are honest: of words given p, p are right.

    confidences: (W,) in 0…1; correct: (W,) whether each word was right. Minimises the cross entropy over 0.1…20.

    Raises:
        ValueError: no word, or all words right or all wrong, for then there is nothing to fit.
    """
    scores = np.log(np.maximum(np.asarray(confidences, dtype=np.float64), 1e-300))
    right = np.asarray(correct, dtype=np.bool_)
    if right.all() or not right.any():
        raise ValueError("a temperature needs both right and wrong words")

    def cross_entropy(log_temperature: float) -> float:
        p = np.clip(np.exp(scores / math.exp(log_temperature)), 1e-6, 1 - 1e-6)
        return float(-np.log(np.where(right, p, 1 - p)).mean())

    grid = np.linspace(math.log(0.1), math.log(20), 400)  # one smooth dimension: a grid is exact enough and never fails
    return math.exp(min(grid.tolist(), key=cross_entropy))
