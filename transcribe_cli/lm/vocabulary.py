"""The words of a language model, in order."""

from collections.abc import Iterable, Iterator, Set

from ..lines import SortedLines


class Vocabulary(Set[str]):
    """A set of words that also tells which beginnings they have. Iterating gives the words in order."""

    __slots__ = ("_lines",)

    def __init__(self, words: Iterable[str]) -> None:
        self._lines = SortedLines(words)

    def __contains__(self, word: object) -> bool:
        return word in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def has_prefix(self, prefix: str) -> bool:
        """Whether some word starts with this."""
        return self._lines.has_prefix(prefix)

    def span(self, prefix: str) -> tuple[int, int]:
        """The words that start with this, as [first, end) of their order."""
        return self._lines.span(prefix)

    def every(self, step: int) -> list[str]:
        """Every `step`-th word, in order."""
        return [self._lines[i] for i in range(0, len(self), step)]

    @classmethod
    def _from_iterable(cls, words: Iterable[str]) -> frozenset[str]:  # type: ignore[override]
        return frozenset(words)  # what - and & give is looked through once and needs no order
