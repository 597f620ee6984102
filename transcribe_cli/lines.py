"""Many short strings in order, held as one.

A hundred thousand strings of their own take seven times as much memory as their characters, a hash table over them
twice that again, and every bit of it counts on a small machine. Looking one up takes some microseconds.
"""

from array import array
from collections.abc import Iterable, Iterator

import numpy as np

_END = "\0"  # behind every line; before all that a line can hold
_PIECE = 1 << 16  # characters looked at together
_LAST = "\U0010ffff"  # behind all that a line can go on with


class SortedLines:
    """Lines in order, each once; made from any order."""

    __slots__ = ("_starts", "_text")

    def __init__(self, lines: Iterable[str]) -> None:
        kept = list(dict.fromkeys(sorted(lines)))
        self._text = _END.join([*kept, ""])
        self._starts = array("Q", bytes(8))
        sizes = np.fromiter(map(len, kept), np.uint64, len(kept)) + np.uint64(1)
        self._starts.frombytes(np.cumsum(sizes, dtype=np.uint64).tobytes())

    def __contains__(self, line: object) -> bool:
        return isinstance(line, str) and self._text.startswith(f"{line}{_END}", self._starts[self._place(line)])

    def __iter__(self) -> Iterator[str]:
        at = 0
        while at < len(self._text):  # piece by piece: all at once would be what this is to save
            end = self._text.find(_END, at + _PIECE)
            end = len(self._text) - 1 if end < 0 else end
            yield from self._text[at:end].split(_END)
            at = end + 1

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, index: int) -> str:
        return self._text[self._starts[index] : self._starts[index + 1] - 1]

    def has_prefix(self, prefix: str) -> bool:
        """Whether some line starts with this."""
        return len(self) > 0 and self._text.startswith(prefix, self._starts[self._place(prefix)])

    def span(self, prefix: str) -> tuple[int, int]:
        """The lines that start with this, as [first, end) of their order."""
        first = self._place(prefix)
        return first, self._place(prefix + _LAST, first)

    def ending(self, suffix: str) -> list[str]:
        """The lines that end so; the whole text is looked through, which takes a fraction of a millisecond."""
        wanted, found, at = f"{suffix}{_END}", [], -1
        while (at := self._text.find(wanted, at + 1)) >= 0:
            start = self._text.rfind(_END, 0, at) + 1
            found.append(self._text[start : at + len(suffix)])
        return found

    def _place(self, key: str, low: int = 0) -> int:
        """Index of the first line, from `low` on, that does not begin with something before the key."""
        text, starts, size = self._text, self._starts, len(key)
        high = len(self)
        while low < high:
            middle = (low + high) // 2
            start = starts[middle]
            if text[start : start + size] < key:
                low = middle + 1
            else:
                high = middle
        return low
