"""A neural language model's opinion of a few words behind others, asked for where the searches differ.

It has seen far more words before a word than an n-gram looks back to, and is too slow to be asked at every step of a
search. Its graph ("pieces" (batch, length) int64, "asked" (n,) flat positions, "wanted" (n,) pieces → "log_probs" (n,)
natural logs) and its inventory of pieces, in the graph's metadata, are written by `training.language`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..bundle.pieces import PieceGraph
from ..errors import LanguageModelError, ModelError

Words = Sequence[str]

FORMAT = 1
_BATCH = 64  # rows of one call: enough to be quick, few enough that memory stays small


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about: words behind others. beginning: whether a sentence begins with the first of `before`."""

    before: Words
    words: Words
    beginning: bool


class Rescorer:
    """A loaded model. Raises LanguageModelError where the file is none."""

    def __init__(self, path: str | Path) -> None:
        try:
            self._graph = PieceGraph(Path(path), "rescorer", FORMAT, "neural language model")
        except ModelError as error:
            raise LanguageModelError(str(error)) from error
        self._pieces, self._longest = self._graph.pieces, self._graph.longest

    def log_probs(self, asked: Sequence[Asked]) -> list[NDArray[np.float64]]:
        """ln P of each of the words, behind all before it: an array (words,) each.

        Of what stands before only as much is looked at as the model can hold; so too of longer words than that.
        """
        rows = [self._row(one) for one in asked]
        found: list[NDArray[np.float64]] = [np.empty(0)] * len(rows)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))  # of like lengths: little padding
        for first in range(0, len(order), _BATCH):
            part = order[first : first + _BATCH]
            for i, log_probs in zip(part, self._ask([rows[i] for i in part]), strict=True):
                found[i] = log_probs
        return found

    def _row(self, asked: Asked) -> tuple[list[int], int, list[int]]:
        """The row of pieces with its start in front, where the words begin in it, and where each of them ends."""
        words = [list(self._pieces.of(word)) for word in asked.words]
        said = [piece for word in words for piece in word][: self._longest]
        room = self._longest - len(said)
        before = [piece for word in asked.before[-room:] for piece in self._pieces.of(word)] if room else []
        whole = asked.beginning and len(before) <= room and len(asked.before) <= room
        row = [self._graph.start if whole else self._graph.cut, *before[len(before) - min(room, len(before)) :]]
        ends = np.minimum(np.cumsum([len(word) for word in words]), len(said)) + len(row)
        return [*row, *said], len(row), ends.tolist()

    def _ask(self, rows: Sequence[tuple[list[int], int, list[int]]]) -> list[NDArray[np.float64]]:
        length = max(len(row) for row, _, _ in rows) - 1  # nothing is asked of what follows the last piece
        pieces = np.zeros((len(rows), max(1, length)), np.int64)
        asked: list[int] = []
        wanted: list[int] = []
        for i, (row, begin, _) in enumerate(rows):
            pieces[i, : len(row) - 1] = row[:-1]
            asked += range(i * pieces.shape[1] + begin - 1, i * pieces.shape[1] + len(row) - 1)
            wanted += row[begin:]
        feed = {"pieces": pieces, "asked": np.array(asked, np.int64), "wanted": np.array(wanted, np.int64)}
        try:
            each = np.asarray(self._graph.run(["log_probs"], feed)[0], np.float64)
        except ModelError as error:
            raise LanguageModelError(str(error)) from error
        sums = np.concatenate(([0.0], np.cumsum(each)))
        found, at = [], 0
        for row, begin, ends in rows:
            places = at + np.array([begin, *ends]) - begin
            found.append(np.diff(sums[places]))
            at += len(row) - begin
        return found
