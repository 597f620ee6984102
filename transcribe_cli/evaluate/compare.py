"""Two systems on the same utterances: is the difference more than chance?

The matched-pairs test takes the difference of errors on every utterance, Z_i = errors of A − errors of B; if the
systems were alike, √n · mean(Z) / std(Z) would be standard normal. Of few utterances it is not, so there all ways are
counted in which the signs of the Z_i could have fallen. Beside it stands the share of bootstrap sets in which B is
better, and an interval of the difference of the rates.

Source: Gillick and Cox 1989 (with utterances as segments); Fisher 1935 (the signs); Bisani and Ney 2004.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .edits import Counts

FEW = 16  # utterances with a difference, up to which every choice of signs is counted


@dataclass(frozen=True, slots=True)
class Comparison:
    """A against B. difference: rate of A − rate of B, above 0 where B is better; p: two-sided, of the test."""

    n_utterances: int
    first: Counts
    second: Counts
    first_better: int  # utterances with fewer errors in A
    second_better: int
    difference: float
    difference_low: float
    difference_high: float
    z: float
    p: float
    second_wins: float  # share of bootstrap sets with a lower rate of B


def compare(first: Mapping[str, Counts], second: Mapping[str, Counts], draws: int = 2000, seed: int = 0) -> Comparison:
    """Compares word counts by utterance id.

    Raises:
        InputError: other utterances in one than in the other, or another reference length under the same id.
    """
    if first.keys() != second.keys():
        odd = sorted(first.keys() ^ second.keys())
        raise InputError(
            f"{len(odd)} utterances are in one evaluation only ({odd[0]!r}): evaluate both on the same set"
        )
    ids = list(first)
    if not ids:
        raise InputError("there are no utterances to compare")
    other = next((id for id in ids if first[id].reference != second[id].reference), None)
    if other is not None:
        raise InputError(
            f"{other!r} has {first[other].reference} reference words in one, {second[other].reference} in the other: "
            "use the same references and normaliser"
        )
    a, b = (np.array([side[id].errors for id in ids], np.float64) for side in (first, second))
    words = np.array([first[id].reference for id in ids], np.float64)
    z, p = matched_pairs(a - b)
    random = np.random.default_rng(seed)
    n = len(ids)
    differences = []
    for start in range(0, draws, 50):
        weights = random.multinomial(n, np.full(n, 1 / n), size=min(50, draws - start))
        differences.append(weights @ (a - b) / np.maximum(weights @ words, 1))
    drawn = np.concatenate(differences)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Comparison(
        n,
        sum(first.values(), Counts()),
        sum(second.values(), Counts()),
        int(np.sum(a < b)),
        int(np.sum(b < a)),
        float((a - b).sum() / max(words.sum(), 1)),
        float(low),
        float(high),
        z,
        p,
        float(np.mean(drawn > 0) + np.mean(drawn == 0) / 2),
    )


def matched_pairs(differences: "Sequence[float] | np.typing.NDArray[np.float64]") -> tuple[float, float]:
    """(z, two-sided p) of the hypothesis that the differences' mean is 0. Fewer than two, or all 0: (0, 1)."""
    z_i = np.asarray(differences, np.float64)
    if len(z_i) < 2 or not z_i.any():
        return 0.0, 1.0
    spread = float(z_i.std(ddof=1))
    z = float(z_i.mean()) / spread * math.sqrt(len(z_i)) if spread else math.copysign(math.inf, float(z_i[0]))
    other = z_i[z_i != 0]
    if len(other) > FEW:
        return z, math.erfc(abs(z) / math.sqrt(2))
    signs = 1 - 2 * (np.arange(1 << len(other))[:, None] >> np.arange(len(other)) & 1)
    return z, float(np.mean(np.abs(signs @ other) >= abs(float(other.sum())) - 1e-9))
