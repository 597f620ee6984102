"""The words of a language model, in order."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Set


class Vocabulary(Set[str]):
    """A set of words that also tells which beginnings they have.

    Held as one sorted tuple: a hash table over a hundred thousand words would take as much memory again as the words,
    and every bit of that counts on a small machine. Looking a word up takes some microseconds; iterating gives the
    words in order.
    """

    __slots__ = ("_sorted",)

    def __init__(self, words: Iterable[str]) -> None:
        kept = sorted(words)
        self._sorted = tuple(word for i, word in enumerate(kept) if not i or word != kept[i - 1])

    def __contains__(self, word: object) -> bool:
        if not isinstance(word, str):
            return False
        at = bisect_left(self._sorted, word)
        return at < len(self._sorted) and self._sorted[at] == word

    def __iter__(self) -> Iterator[str]:
        return iter(self._sorted)

    def __len__(self) -> int:
        return len(self._sorted)

    def has_prefix(self, prefix: str) -> bool:
        """Whether some word starts with this."""
        at = bisect_left(self._sorted, prefix)
        return at < len(self._sorted) and self._sorted[at].startswith(prefix)

    def every(self, step: int) -> list[str]:
        """Every `step`-th word, in order."""
        return list(self._sorted[::step])

    @classmethod
    def _from_iterable(cls, words: Iterable[str]) -> frozenset[str]:  # type: ignore[override]
        return frozenset(words)  # what - and & give is looked through once and needs no order
