"""Scores of many utterances: counts first, rates derived, confidence intervals by bootstrap.

What comes in are pairs of reference and hypothesis, what goes out a Score that keeps every utterance's counts, so that
any group can be scored by adding them up. The README has the policy for empty texts as a table.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from .edits import Counts, Edit, align, count_all, total
from .normalise import normaliser


@dataclass(frozen=True, slots=True)
class Pair:
    """One utterance as it should be and as it was recognised; `keys` are what it can be grouped by."""

    id: str
    reference: str
    hypothesis: str
    duration_seconds: float | None = None
    keys: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Utterance:
    """A pair with its texts normalised and its edits counted."""

    pair: Pair
    reference: str
    hypothesis: str
    words: Counts
    characters: Counts

    def alignment(self) -> list[Edit]:
        """Word by word."""
        return align(self.reference.split(), self.hypothesis.split())


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of a rate."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """The counts of a set of utterances."""

    utterances: tuple[Utterance, ...]
    normaliser: str

    @property
    def words(self) -> Counts:
        return total(utterance.words for utterance in self.utterances)

    @property
    def characters(self) -> Counts:
        return total(utterance.characters for utterance in self.utterances)

    @property
    def wrong_sentences(self) -> int:
        """Utterances with at least one word error."""
        return sum(utterance.words.errors > 0 for utterance in self.utterances)

    @property
    def sentence_error_rate(self) -> float:
        return self.wrong_sentences / len(self.utterances) if self.utterances else 0.0

    @property
    def duration_seconds(self) -> float:
        """Of the utterances whose duration is known."""
        return sum(utterance.pair.duration_seconds or 0.0 for utterance in self.utterances)

    def group(self, key: Callable[[Utterance], str | None]) -> dict[str, "Score"]:
        """A score for each value of `key`, in the values' order; None leaves an utterance out."""
        found: dict[str, list[Utterance]] = {}
        for utterance in self.utterances:
            value = key(utterance)
            if value is not None:
                found.setdefault(value, []).append(utterance)
        return {value: Score(tuple(found[value]), self.normaliser) for value in sorted(found)}


def score(pairs: Iterable[Pair], normaliser_name: str = "basic") -> Score:
    """Normalise, align and count every pair. Raises OptionError for an unknown normaliser."""
    pairs = list(pairs)
    normalise = normaliser(normaliser_name)
    texts = [(normalise(pair.reference), normalise(pair.hypothesis)) for pair in pairs]
    words = count_all([(reference.split(), hypothesis.split()) for reference, hypothesis in texts])
    characters = count_all(texts)
    counted = zip(pairs, texts, words, characters, strict=True)
    return Score(tuple(Utterance(pair, *text, own, signs) for pair, text, own, signs in counted), normaliser_name)


def bootstrap(
    score: Score,
    of: Callable[[Utterance], Counts] = lambda utterance: utterance.words,
    block: Callable[[Utterance], str] | None = None,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Interval:
    """A confidence interval of an error rate: utterances are drawn anew with replacement, the rate taken each time.

    Args:
        of: which counts (`lambda u: u.characters` for the character error rate).
        block: utterances with the same block are drawn together (speakers: their errors are alike, and an interval
            that drew utterances one by one would be too narrow).
        draws: how many sets are drawn.

    Source: Bisani and Ney 2004, "Bootstrap estimates for confidence intervals in ASR performance evaluation".
    """
    blocks: dict[str, list[int]] = {}
    for i, utterance in enumerate(score.utterances):
        sums = blocks.setdefault(block(utterance) if block else str(i), [0, 0])
        counts = of(utterance)
        sums[0] += counts.errors
        sums[1] += counts.reference
    return interval(np.array(list(blocks.values()), np.float64).reshape(-1, 2), level, draws, seed)


def interval(table: "np.typing.NDArray[np.float64]", level: float, draws: int, seed: int) -> Interval:
    """Percentiles of Σ column 0 / Σ column 1 over sets of rows drawn with replacement; rows are (errors, reference)."""
    n = len(table)
    if n == 0 or table[:, 1].sum() == 0:
        rate = float("inf") if n and table[:, 0].sum() else 0.0
        return Interval(rate, rate)
    random = np.random.default_rng(seed)
    rates = []
    for start in range(0, draws, 50):  # a few sets at once keep memory small for large n
        weights = random.multinomial(n, np.full(n, 1 / n), size=min(50, draws - start))
        errors, reference = (weights @ table).T
        rates.append(errors / np.maximum(reference, 1))
    low, high = np.quantile(np.concatenate(rates), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def frequent(columns: Iterable[Edit], kind: str) -> list[tuple[tuple[str | None, str | None], int]]:
    """Edits of a kind with how often they happened, most frequent first, ties in alphabetical order."""
    seen: dict[tuple[str | None, str | None], int] = {}
    for column in columns:
        if column.kind == kind:
            pair = (column.reference, column.hypothesis)
            seen[pair] = seen.get(pair, 0) + 1
    return sorted(seen.items(), key=lambda entry: (-entry[1], entry[0][0] or "", entry[0][1] or ""))


def bands(value: float | None, edges: Sequence[float], unit: str) -> str | None:
    """The band of a value as a label that sorts by size ("1: < 2 s", "2: 2–5 s", …); None for None."""
    if value is None:
        return None
    k = sum(value >= edge for edge in edges)
    if k == 0:
        return f"{k + 1}: < {edges[0]:g} {unit}"
    if k == len(edges):
        return f"{k + 1}: ≥ {edges[-1]:g} {unit}"
    return f"{k + 1}: {edges[k - 1]:g}–{edges[k]:g} {unit}"
