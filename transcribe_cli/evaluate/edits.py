"""Edit counts and alignment of two sequences of words or characters.

What comes in are two sequences of strings (a string is the sequence of its characters), what goes out are counts of
hits, substitutions, deletions, insertions, or the list of edits. The number of errors is the least possible
(Levenshtein); of all alignments with that many, one with the most hits is taken, as NIST's weights (4 a substitution,
3 the others) wish.

Both wishes are one integer cost, E·2⁴⁰ + S·2²⁰ for E errors of which S are substitutions, and a row of the table is a
few NumPy operations: insertions cost the constant c = 2⁴⁰, so min over k ≤ j of tmp[k] + (j − k)·c is a running minimum
of tmp[k] − k·c. Counts need no table at all: with n and m units, D + I = E − S and D − I = n − m. Short pairs are
counted many at once, a row of each in one operation; what a row holds right of a pair's own end does not reach the end.
Among alignments that are equal so far, `align` takes one that pairs words of like spelling: its costs are below 2²⁰.

Source: Wagner and Fischer 1974; Hirschberg 1975 for alignments in little memory.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]

ERROR = 1 << 40  # cost of a deletion or insertion
SUBSTITUTION = ERROR + (1 << 20)
MOST_CELLS = 30_000_000  # of the table kept for an alignment, a byte each; longer sequences are halved first


@dataclass(frozen=True, slots=True)
class Counts:
    """How a hypothesis differs from a reference; counts of several utterances are added."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference(self) -> int:
        """Units of the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def hypothesis(self) -> int:
        """Units of the hypothesis."""
        return self.hits + self.substitutions + self.insertions

    @property
    def rate(self) -> float:
        """Errors a unit of the reference; it may exceed 1. Nothing expected: 0 if nothing was said, else infinite."""
        if self.reference:
            return self.errors / self.reference
        return float("inf") if self.errors else 0.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of counts."""
    return sum(counts, Counts())


@dataclass(frozen=True, slots=True)
class Edit:
    """One column of an alignment: a unit of the reference, of the hypothesis, or both; None where there is none."""

    reference: str | None
    hypothesis: str | None

    @property
    def kind(self) -> str:
        """ "hit", "substitution", "deletion" or "insertion"."""
        if self.reference is None:
            return "insertion"
        if self.hypothesis is None:
            return "deletion"
        return "hit" if self.reference == self.hypothesis else "substitution"


def count(reference: Sequence[str], hypothesis: Sequence[str]) -> Counts:
    """Counts of the best alignment, in memory that grows with the lengths' sum."""
    return count_all([(reference, hypothesis)])[0]


def count_all(pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> list[Counts]:
    """Counts of each (reference, hypothesis), in order."""
    ends = [_same_ends(*pair) for pair in pairs]
    middles = [
        _ids(a[before : len(a) - after], b[before : len(b) - after])
        for (a, b), (before, after) in zip(pairs, ends, strict=True)
    ]
    costs = np.zeros(len(pairs), np.int64)
    order = sorted(range(len(pairs)), key=lambda k: (len(middles[k][0]), len(middles[k][1])))
    while order:
        # pairs of like length share a table of at most 2¹⁶ columns
        some = [order.pop()]
        width = len(middles[some[0]][1])
        while order and (len(some) + 1) * max(width, len(middles[order[-1]][1])) <= 1 << 16 and len(some) < 256:
            some.append(order.pop())
            width = max(width, len(middles[some[-1]][1]))
        costs[some] = _costs([middles[k] for k in some])
    return [_counts(len(a), len(b), int(cost)) for (a, b), cost in zip(pairs, costs, strict=True)]


def _counts(n: int, m: int, cost: int) -> Counts:
    errors, rest = divmod(cost, ERROR)
    substitutions = rest // (SUBSTITUTION - ERROR)
    deletions = (errors - substitutions + n - m) // 2
    insertions = (errors - substitutions - n + m) // 2
    return Counts(n - substitutions - deletions, substitutions, deletions, insertions)


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Edit]:
    """The best alignment, column by column; its counts are those of `count`."""
    n, m = len(reference), len(hypothesis)
    before, after = _same_ends(reference, hypothesis)
    middle = reference[before : n - after], hypothesis[before : m - after]
    columns = [Edit(unit, unit) for unit in reference[:before]]
    i = j = 0
    most = ((SUBSTITUTION - ERROR) - 1) // max(1, min(map(len, middle)))  # all together stay below a substitution
    spelling = _spelling(middle[0]), _spelling(middle[1])
    for step in _path(*_ids(*middle), *spelling, min(most, 1000)):
        columns.append(Edit(None if step == 2 else middle[0][i], None if step == 1 else middle[1][j]))
        i, j = i + (step != 2), j + (step != 1)
    return columns + [Edit(unit, unit) for unit in reference[n - after :]]


def counts_of(columns: Iterable[Edit]) -> Counts:
    """Counts of an alignment's columns."""
    kinds = [column.kind for column in columns]
    return Counts(*(kinds.count(kind) for kind in ("hit", "substitution", "deletion", "insertion")))


def _same_ends(a: Sequence[str], b: Sequence[str]) -> tuple[int, int]:
    """How many units are the same at the start and, of the rest, at the end: some best alignment pairs them."""
    shorter = min(len(a), len(b))
    before = 0
    while before < shorter and a[before] == b[before]:
        before += 1
    after = 0
    while after < shorter - before and a[-1 - after] == b[-1 - after]:
        after += 1
    return before, after


def _ids(a: Sequence[str], b: Sequence[str]) -> tuple[Ids, Ids]:
    ids: dict[str, int] = {}
    return tuple(np.array([ids.setdefault(x, len(ids)) for x in s], np.int64) for s in (a, b))  # type: ignore[return-value]


def _costs(pairs: Sequence[tuple[Ids, Ids]]) -> Ids:
    """The cost of each pair, (len(pairs),)."""
    n, m = (np.array([len(pair[side]) for pair in pairs]) for side in (0, 1))
    a, b = (np.full((len(pairs), width), fill) for width, fill in ((n.max(), -1), (m.max(), -2)))
    for k, pair in enumerate(pairs):
        a[k, : n[k]], b[k, : m[k]] = pair
    slope = np.arange(b.shape[1] + 1) * ERROR
    rows = np.tile(slope, (len(pairs), 1))
    costs: Ids = rows[np.arange(len(pairs)), m]  # of the pairs without reference
    for i in range(a.shape[1]):
        rows = _next(rows, a[:, i : i + 1] == b, slope)
        done = np.flatnonzero(n == i + 1)
        costs[done] = rows[done, m[done]]
    return costs


def _next(rows: Ids, same: NDArray[np.bool_], slope: Ids) -> Ids:
    """The next row of tables: rows (…, m + 1), same (…, m) whether the reference's unit is the hypothesis's."""
    step: Ids = rows + (ERROR - slope)  # deletion
    paired = np.where(same, rows[..., :-1], rows[..., :-1] + SUBSTITUTION) - slope[1:]
    np.minimum(step[..., 1:], paired, out=step[..., 1:])
    np.minimum.accumulate(step, axis=-1, out=step)
    step += slope
    return step


def _last_row(a: Ids, b: Ids) -> Ids:
    """Costs of the whole of a against every beginning of b, (len(b) + 1,)."""
    slope = np.arange(len(b) + 1) * ERROR
    row = slope
    for unit in a:
        row = _next(row, b == unit, slope)
    return row


def _path(a: Ids, b: Ids, a_spelling: Ids, b_spelling: Ids, unlike: int) -> list[int]:
    """Steps of the best alignment: 0 both advance, 1 deletion (a advances), 2 insertion (b advances).

    unlike: what pairing two words without a common letter costs more than pairing two that are spelled alike.
    """
    n, m = len(a), len(b)
    if n * m > MOST_CELLS and n > 1:
        half = n // 2
        cut = int(np.argmin(_last_row(a[:half], b) + _last_row(a[half:][::-1], b[::-1])[::-1]))
        before = _path(a[:half], b[:cut], a_spelling[:half], b_spelling[:cut], unlike)
        return before + _path(a[half:], b[cut:], a_spelling[half:], b_spelling[cut:], unlike)
    slope = np.arange(m + 1) * ERROR
    row = slope
    steps = np.full((n + 1, m + 1), 2, np.int8)
    lengths = np.maximum(b_spelling.sum(axis=1), 1)
    for i, unit in enumerate(a, 1):
        own = a_spelling[i - 1]
        common = np.minimum(b_spelling, own).sum(axis=1) / np.maximum(lengths, own.sum())
        paired = row[:-1] + np.where(b == unit, 0, SUBSTITUTION + np.rint(unlike * (1 - common)).astype(np.int64))
        deleted = row + ERROR
        best = deleted.copy()
        np.minimum(best[1:], paired, out=best[1:])
        row = np.minimum.accumulate(best - slope) + slope
        steps[i, row == deleted] = 1
        steps[i, 1:][row[1:] == paired] = 0
    i, j, path = n, m, []
    while i or j:
        step = int(steps[i, j])
        path.append(step)
        i, j = i - (step != 2), j - (step != 1)
    return path[::-1]


def _spelling(words: Sequence[str]) -> Ids:
    """How often each letter and pair of letters is in each word, in 64 baskets: (len(words), 64)."""
    found = np.zeros((len(words), 64), np.int64)
    for row, word in zip(found, words, strict=True):
        codes = [ord(character) for character in f" {word} "]
        for left, right in pairwise(codes):
            row[right % 32] += 1
            row[32 + (left * 31 + right) % 32] += 1
    return found
