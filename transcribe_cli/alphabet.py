"""The units a model writes: token ids ↔ text, the blank, and how units join to words."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.intp]


def without_accents(text: str) -> str:
    """The same letters, as an alphabet without accents has them; ligatures and wide forms are taken apart."""
    unfolded = unicodedata.normalize("NFKD", text)
    return "".join(character for character in unfolded if not unicodedata.combining(character))


@dataclass(frozen=True, slots=True)
class Alphabet:
    """Output units of a CTC model, in the order of its output columns.

    tokens: the text of each unit; the blank's entry is a name, never printed.
    blank: index of the blank.
    boundary: the token that separates words (" " for characters); None where every unit is a word of its own.
    """

    tokens: tuple[str, ...]
    blank: int = 0
    boundary: str | None = " "
    _index: dict[str, int] = field(init=False, repr=False, compare=False)
    _by_length: tuple[str, ...] = field(init=False, repr=False, compare=False)  # empty where all are single characters

    def __post_init__(self) -> None:
        if not 0 <= self.blank < len(self.tokens):
            raise ValueError(f"the blank's index {self.blank} is outside the {len(self.tokens)} tokens")
        index = {token: i for i, token in enumerate(self.tokens) if i != self.blank}
        if len(index) != len(self.tokens) - 1:
            raise ValueError("the alphabet has the same token twice")
        object.__setattr__(self, "_index", index)
        longest_first = () if all(len(token) == 1 for token in index) else sorted(index, key=len, reverse=True)
        object.__setattr__(self, "_by_length", tuple(longest_first))

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def boundary_id(self) -> int | None:
        return None if self.boundary is None else self._index.get(self.boundary)

    def spells(self, text: str) -> bool:
        """Whether every unit of the text is in the alphabet."""
        return not self.missing(text)

    def missing(self, text: str) -> list[str]:
        """Units of the text that the alphabet lacks, each once, in order of appearance."""
        return list(dict.fromkeys(unit for unit in self._split(text) if unit not in self._index))

    def encode(self, text: str) -> list[int]:
        """Text → label ids without blanks. Raises KeyError on a unit outside the alphabet (ask `missing` first)."""
        return [self._index[unit] for unit in self._split(text)]

    def decode(self, ids: Iterable[int]) -> str:
        """Collapsed label ids (blanks skipped) → text with single spaces and none at the ends."""
        units = [self.tokens[i] for i in ids if i != self.blank]
        joined = ("" if self.boundary is not None else " ").join(units)
        if self.boundary is not None and self.boundary != " ":
            joined = joined.replace(self.boundary, " ")
        return " ".join(joined.split())

    def words(self, labels: Places) -> tuple[Places, Places]:
        """Places of each word's first and last label among labels (L,), boundaries left out: two (words,) arrays.

        A unit that holds the boundary inside itself ("▁the") belongs to the word it goes on with.
        """
        if self.boundary is None:
            every = np.arange(len(labels))
            return every, every
        if self.boundary_id is not None and not self._by_length:
            gaps = np.flatnonzero(labels == self.boundary_id)
            return np.concatenate(([0], gaps + 1)), np.concatenate((gaps - 1, [len(labels) - 1]))
        first: list[int] = []
        last: list[int] = []
        fresh = True
        for place, label in enumerate(labels):
            for n, piece in enumerate(self.tokens[label].split(self.boundary)):
                fresh = fresh or n > 0
                if piece and fresh:
                    first.append(place)
                    last.append(place)
                    fresh = False
                elif piece:
                    last[-1] = place
        return np.asarray(first, dtype=np.intp), np.asarray(last, dtype=np.intp)

    def _split(self, text: str) -> Sequence[str]:
        words = text.split()
        if self.boundary is None:
            return words
        if not self._by_length:
            return list(self.boundary.join(words))
        # longest match first, for alphabets with units of several characters
        rest, units = self.boundary.join(words), []
        while rest:
            unit = next((token for token in self._by_length if rest.startswith(token)), rest[0])
            units.append(unit)
            rest = rest[len(unit) :]
        return units
