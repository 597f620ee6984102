"""The run of rows → stretches of speech, cut where the network hears a pause. What is decoded at once is one stretch.

A row is quiet when its best token is the blank or the word boundary. A pause of `pause_seconds` ends a stretch; a
stretch that grows too long is cut in its longest quiet run. Stretches that are quiet throughout are not given out at
all, so silence costs nothing after the network and no word can be found in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Emissions:
    """A stretch of speech: (rows, columns) natural log-probabilities and the time of its first row."""

    log_probs: Array
    start_seconds: float


@dataclass(frozen=True, slots=True)
class PauseRule:
    """pause: quiet rows that end a stretch. longest: rows after which a stretch is cut anyhow."""

    pause: int
    longest: int


class Splitter:
    """Blocks of rows in, stretches out; cut anywhere, the stretches are the same."""

    def __init__(self, alphabet: Alphabet, frame_seconds: float, rule: PauseRule, start_seconds: float = 0.0) -> None:
        if rule.pause < 2 or rule.longest < 4 * rule.pause:
            raise ValueError(f"a pause of {rule.pause} rows does not fit stretches of at most {rule.longest}")
        self._alphabet, self._frame_seconds, self._rule = alphabet, frame_seconds, rule
        self._origin_seconds = start_seconds  # of row 0
        self._blocks: list[Array] = []  # rows from _start on
        self._quiet: list[bool] = []  # one a row from _start on
        self._start = 0  # index of the first held row
        self._run = 0  # quiet rows at the end of what was looked at
        self._looked = 0  # rows of _quiet that were looked at

    def push(self, rows: Array) -> Iterator[Emissions]:
        """(t, columns) rows → the stretches that are now complete."""
        if len(rows):
            best = rows[:, : len(self._alphabet)].argmax(axis=1)  # sounds may stand behind the letters
            quiet = best == self._alphabet.blank
            if self._alphabet.boundary_id is not None:
                quiet |= best == self._alphabet.boundary_id
            self._blocks.append(rows)
            self._quiet.extend(quiet.tolist())
        while self._looked < len(self._quiet):
            self._run = self._run + 1 if self._quiet[self._looked] else 0
            self._looked += 1
            if self._run >= self._rule.pause:
                if self._run == self._looked:  # nothing but quiet so far: keep half a pause as lead-in
                    self._drop(self._looked - self._rule.pause // 2)
                else:
                    yield self._take(self._looked - self._rule.pause // 2)
            elif self._looked >= self._rule.longest:
                yield self._take(self._longest_quiet_middle())

    def flush(self) -> Iterator[Emissions]:
        """What is left, if there is speech in it."""
        if not all(self._quiet):
            yield self._take(len(self._quiet))
        self._drop(len(self._quiet))

    def _take(self, n_rows: int) -> Emissions:
        rows = np.concatenate(self._blocks)
        emissions = Emissions(rows[:n_rows], self._origin_seconds + self._start * self._frame_seconds)
        self._blocks = [rows]
        self._drop(n_rows)
        return emissions

    def _drop(self, n_rows: int) -> None:
        if n_rows <= 0:
            return
        rows = np.concatenate(self._blocks)[n_rows:] if self._blocks else None
        self._blocks = [] if rows is None or not len(rows) else [rows]
        del self._quiet[:n_rows]
        self._start += n_rows
        self._looked = max(0, self._looked - n_rows)
        self._run = min(self._run, self._looked)
        if self._looked and all(self._quiet[: self._looked]):
            self._run = self._looked

    def _longest_quiet_middle(self) -> int:
        """Middle of the longest quiet run in the later half of the held rows; the end where there is none."""
        low, high = self._rule.longest // 2, self._looked
        best_length, best_middle, length = 0, high, 0
        for i in range(low, high):
            length = length + 1 if self._quiet[i] else 0
            if length >= best_length and length > 0:
                best_length, best_middle = length, i - length // 2
        return max(1, best_middle)
