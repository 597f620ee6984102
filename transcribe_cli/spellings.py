"""Words as their owner writes them: where "zoe's github" was heard, "Zoë's GitHub" is written.

A phrase with capitals or accents of its own, told as a hotword or found in a user's texts, stands for the plain words
that a recogniser writes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from .alphabet import without_accents
from .errors import ModelError
from .transcript import Word

GENITIVE = "'s"


def taught(path: Path | None) -> list[str]:
    """What a model was taught, of a file of one phrase a line. Raises ModelError where it cannot be read."""
    if path is None:
        return []
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: the words' spellings cannot be read ({error})") from error


class Spellings:
    """What is written for which words; of two ways to write the same words the later one counts."""

    def __init__(self, phrases: Iterable[str] = ()) -> None:
        self._written: dict[tuple[str, ...], list[str]] = {}
        for phrase in phrases:
            heard = phrase.lower().replace("’", "'")
            without = without_accents(heard)
            if phrase != without:  # else it says no more than the words do
                written = phrase.split()
                ways = (tuple(way.split()) for way in (heard, without))
                self._written |= {way: written for way in ways if len(way) == len(written)}
        self._longest = max(map(len, self._written), default=0)

    def spell(self, words: Sequence[Word]) -> list[Word]:
        """The words, those that are known as they are written; the longest phrase counts."""
        heard, found, at = [word.text.lower() for word in words], list(words), 0
        while at < len(words):
            size, written = self._phrase(heard, at)
            for word, text in zip(words[at : at + size], written, strict=True):
                found[at] = replace(word, text=text)
                at += 1
            at += not size
        return found

    def _phrase(self, heard: Sequence[str], at: int) -> tuple[int, list[str]]:
        """How many words from there on make a phrase, and how they are written."""
        for size in range(min(self._longest, len(heard) - at), 0, -1):
            words = tuple(heard[at : at + size])
            if words in self._written:
                return size, self._written[words]
            if words[-1].endswith(GENITIVE):
                owner = self._written.get((*words[:-1], words[-1].removesuffix(GENITIVE)))
                if owner is not None:
                    return size, [*owner[:-1], owner[-1] + GENITIVE]
        return 0, []
