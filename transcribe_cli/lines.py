"""Many short strings in order, held as one.

A hundred thousand strings of their own take seven times as much memory as their characters, a hash table over them
twice that again, and every bit of it counts on a small machine. Here only every 64th is a string of its own: among
these a line's neighbourhood is found, and in the neighbourhood the line, both by what is compiled into Python.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from operator import eq

_END = "\0"  # before and behind every line
_PIECE = 64  # lines looked at together
_LAST = "\U0010ffff"  # behind all that a line can go on with


class SortedLines:
    """Lines in order, each once; made from any order. None holds a zero character.

    An iterator that gives its lines away takes the least memory while this is made.
    """

    __slots__ = ("_heads", "_size", "_starts", "_text")

    def __init__(self, lines: Iterable[str]) -> None:
        kept = sorted(lines)
        if any(map(eq, kept, islice(kept, 1, None))):
            kept = list(dict.fromkeys(kept))
        self._size = len(kept)
        self._text = _END.join(["", *kept, ""])
        self._starts = array("Q", [1])  # of pieces in the text, and of its end
        for first in range(0, len(kept), _PIECE):
            piece = kept[first : first + _PIECE]
            self._starts.append(self._starts[-1] + sum(map(len, piece)) + len(piece))
        # not those of the lines themselves: among a thousand that are freed, one that stays keeps all of their memory
        kept.clear()
        self._heads = [self._text[start : self._text.index(_END, start)] for start in self._starts[:-1]]

    def __contains__(self, line: object) -> bool:
        if not isinstance(line, str) or not self._heads:
            return False
        piece = max(bisect_right(self._heads, line) - 1, 0)
        return self._text.find(f"{_END}{line}{_END}", self._starts[piece] - 1, self._starts[piece + 1]) >= 0

    def __iter__(self) -> Iterator[str]:
        ends = islice(self._starts, 1, None)
        return chain.from_iterable(
            self._text[start : end - 1].split(_END) for start, end in zip(self._starts, ends, strict=False)
        )

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> str:
        piece, line = divmod(index, _PIECE)
        return self._text[self._starts[piece] : self._starts[piece + 1] - 1].split(_END)[line]

    def has_prefix(self, prefix: str) -> bool:
        """Whether some line starts with this."""
        first, end = self.span(prefix)
        return first < end

    def span(self, prefix: str) -> tuple[int, int]:
        """The lines that start with this, as [first, end) of their order."""
        text, heads, starts = self._text, self._heads, self._starts
        if not heads:
            return 0, 0
        wanted = _END + prefix
        # the first of them lies in the last piece that begins before it, or is the next piece's head
        piece = max(bisect_left(heads, prefix) - 1, 0)
        at = text.find(wanted, starts[piece] - 1, starts[piece + 1] - 1)
        if at >= 0:
            first = piece * _PIECE + text.count(_END, starts[piece], at + 1)
        elif piece + 1 < len(heads) and heads[piece + 1].startswith(prefix):
            first = (piece + 1) * _PIECE
        else:
            return 0, 0
        piece = max(bisect_left(heads, prefix + _LAST, piece) - 1, 0)
        at = text.rfind(wanted, starts[piece] - 1, starts[piece + 1] - 1)
        return first, piece * _PIECE + text.count(_END, starts[piece], at + 1) + 1
