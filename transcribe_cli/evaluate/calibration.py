"""Are confidences honest? Of words given the confidence p, p should be right.

What comes in are confidences and whether each word was right, what goes out a reliability table, the expected
calibration error, and how well the confidences tell right from wrong words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .edits import align
from .normalise import basic
from .score import Pair


@dataclass(frozen=True, slots=True)
class Bin:
    """Words whose confidences lie in low…high."""

    low: float
    high: float
    n_words: int
    mean_confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """ece: mean distance of confidence and accuracy over the bins, weighted by their words (0 is honest).

    auc: probability that a right word has more confidence than a wrong one (0.5 is guessing); None where all words are
    right or all wrong.
    """

    n_words: int
    accuracy: float
    mean_confidence: float
    ece: float
    auc: float | None
    bins: tuple[Bin, ...]


def judged(pairs: Iterable[tuple[Pair, Sequence[float]]]) -> tuple[list[float], list[bool]]:
    """Confidences of the hypotheses' words, and whether each word is right by the alignment to its reference.

    Words are compared under the normaliser `basic`, because others join and split words; a word of which it leaves
    nothing, or more than one word, is passed over, and so is a pair without one confidence a word.
    """
    confidences: list[float] = []
    correct: list[bool] = []
    for pair, sure in pairs:
        words = [basic(word) for word in pair.hypothesis.split()]
        if len(words) != len(sure):
            continue
        said = [(place, word) for place, own in enumerate(words) for word in own.split()]
        columns = align(basic(pair.reference).split(), [word for _, word in said])
        places = iter(place for place, _ in said)
        for column in columns:
            if column.hypothesis is not None:
                place = next(places)
                if " " not in words[place]:
                    confidences.append(sure[place])
                    correct.append(column.kind == "hit")
    return confidences, correct


def calibration(confidences: Sequence[float], correct: Sequence[bool], n_bins: int = 10) -> Calibration:
    """Reliability in bins of equal width. Source: Guo et al. 2017 (ECE); Mann and Whitney 1947 (AUC)."""
    sure, right = np.asarray(confidences, np.float64), np.asarray(correct, np.bool_)
    if not len(sure):
        return Calibration(0, 0.0, 0.0, 0.0, None, ())
    place = np.minimum((sure * n_bins).astype(np.intp), n_bins - 1)
    bins = []
    for k in range(n_bins):
        own = place == k
        if own.any():
            bins.append(
                Bin(k / n_bins, (k + 1) / n_bins, int(own.sum()), float(sure[own].mean()), float(right[own].mean()))
            )
    ece = sum(bin.n_words * abs(bin.mean_confidence - bin.accuracy) for bin in bins) / len(sure)
    return Calibration(len(sure), float(right.mean()), float(sure.mean()), ece, _auc(sure, right), tuple(bins))


def _auc(sure: "np.typing.NDArray[np.float64]", right: "np.typing.NDArray[np.bool_]") -> float | None:
    n_right, n_wrong = int(right.sum()), int((~right).sum())
    if not n_right or not n_wrong:
        return None
    _, place, sizes = np.unique(sure, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[place]  # equal confidences share their mean rank
    return float((ranks[right].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong))
