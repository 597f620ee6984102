"""How words sound: a pronunciation lexicon in the compact form that the search asks again and again.

In go words and their sounds, out come answers to two questions: which words sound just so, and which begin so. Every
sound is one character (`code`), so a word being heard is a string, and an entry a line: its sounds, a tab, the word.

The file (`Lexicon.save`, `load`): gzip; a first line with the names of the sounds in the order of their codes and a
checksum of the vocabulary that it is complete for; then the entries, sorted.
"""

import gzip
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet
from ..errors import ModelError
from ..lines import SortedLines
from ..lm.vocabulary import Vocabulary
from ..outputs import write_atomically
from . import letters

_FIRST = 0x30  # code of the first sound, "0"; all of a file is printable


@dataclass(frozen=True, slots=True)
class Sounding:
    """What a search over sounds needs beside letters: their alphabet and the lexicon's file. Small and picklable."""

    alphabet: Alphabet
    lexicon_path: str | None

    @classmethod
    def of(cls, alphabet: Alphabet | None, path: str | Path | None) -> "Sounding | None":
        """None for a network that hears letters alone."""
        return None if alphabet is None else cls(alphabet, None if path is None else str(path))


def code(index: int) -> str:
    """The character that stands for the index-th sound."""
    return chr(_FIRST + index)


class Lexicon:
    """Words by their sounds. Made by `Lexicon.of` or `load`.

    sounds: names of the sounds, in the order of their codes.
    checksum: of the vocabulary that it lacks no word of; 0 where that is not known.
    """

    __slots__ = ("_by_hash", "_codes", "_hashes", "_lines", "checksum", "sounds")

    def __init__(self, sounds: tuple[str, ...], lines: SortedLines, checksum: int = 0) -> None:
        self.sounds, self.checksum, self._lines = sounds, checksum, lines
        self._codes = {sound: code(i) for i, sound in enumerate(sounds)}
        # a table of words would take ten times as much memory as their hashes; whoever finds one reads the line too
        hashes = _hashes(self.in_order(), len(lines))
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._by_hash = hashes[order], order.astype(np.uint32)

    def __reduce__(self) -> tuple[object, ...]:
        return Lexicon, (self.sounds, self._lines, self.checksum)  # another process hashes otherwise

    @classmethod
    def of(cls, entries: Iterable[tuple[str, str]], sounds: tuple[str, ...], checksum: int = 0) -> "Lexicon":
        """(word, its sounds as codes) pairs → a lexicon; what has no sounds is left out."""
        return cls(sounds, SortedLines(f"{heard}\t{word}" for word, heard in entries if heard), checksum)

    def __len__(self) -> int:
        return len(self._lines)

    def entries(self) -> list[tuple[str, str]]:
        """(word, sounds as codes), sorted by the sounds."""
        pairs = (line.split("\t") for line in self._lines)
        return [(word, heard) for heard, word in pairs]

    def in_order(self) -> Iterator[str]:
        """The entries' words, sorted by the sounds."""
        return map(itemgetter(2), map(str.partition, self._lines, repeat("\t")))

    def span(self, heard: str) -> tuple[int, int]:
        """The entries that begin with these sounds, as [first, end) of their order."""
        return self._lines.span(heard)

    def words(self, heard: str) -> tuple[str, ...]:
        """The words that sound just so, in the order of their letters."""
        first, end = self._lines.span(f"{heard}\t")
        return tuple(self._lines[i][len(heard) + 1 :] for i in range(first, end))

    def sounding(self, word: str) -> tuple[str, ...]:
        """How a word may sound; () where the lexicon lacks it."""
        wanted = np.int64(hash(word))
        first, end = self._hashes.searchsorted(wanted), self._hashes.searchsorted(wanted, "right")
        lines = (self._lines[i].partition("\t") for i in self._by_hash[first:end].tolist())
        return tuple(heard for heard, _, found in lines if found == word)

    def places(self, words: Vocabulary) -> NDArray[np.intp]:
        """Each entry's word's place among these words, −1 where it is none of them: (entries,)."""
        if not len(words):
            return np.full(len(self), -1)
        hashes = _hashes(words, len(words))
        order = np.argsort(hashes)
        found = order[np.minimum(hashes.searchsorted(self._hashes, sorter=order), len(words) - 1)]
        places = np.empty(len(self), np.intp)
        places[self._by_hash] = np.where(hashes[found] == self._hashes, found, -1)
        return places

    def coded(self, sounds: Iterable[str]) -> list[str]:
        """The codes of sounds; "" for what is none of the lexicon's."""
        return [self._codes.get(sound, "") for sound in sounds]

    def by_rule(self, word: str) -> str:
        """How a word sounds by its letters, as codes."""
        return "".join(self.coded(letters.sounds(word)))

    def completed(self, vocabulary: Collection[str], alphabet: Alphabet) -> "Lexicon":
        """The lexicon with every word of a vocabulary in it that the alphabet can write.

        What it lacked sounds as its letters do by rule.
        """
        return self if checksum_of(vocabulary) == self.checksum else self.completed_by_rule(vocabulary, alphabet)

    def completed_by_rule(self, vocabulary: Collection[str], alphabet: Alphabet) -> "Lexicon":
        """As `completed`, whatever the checksum says."""
        lacking = np.isin(_hashes(vocabulary, len(vocabulary)), self._hashes, invert=True).tolist()
        missing = [word for word, lacks in zip(vocabulary, lacking, strict=True) if lacks and alphabet.spells(word)]
        if not missing:
            return self
        more = [(word, self.by_rule(word)) for word in missing]
        return Lexicon.of([*self.entries(), *more], self.sounds, self.checksum)

    def save(self, path: Path) -> None:
        """Writes the file that `load` reads. Raises OutputError."""
        lines = "".join(f"{line}\n" for line in self._lines)
        text = f"{' '.join(self.sounds)} {self.checksum}\n{lines}"
        write_atomically(path, gzip.compress(text.encode("utf-8"), 9, mtime=0))


def _hashes(words: Iterable[str], n_words: int) -> NDArray[np.int64]:
    """64 bits of each word, other ones in every process; that two of 100,000 words share them takes 10⁹ processes."""
    return np.fromiter(map(hash, words), np.int64, n_words)


def checksum_of(vocabulary: Iterable[str]) -> int:
    """A number that tells one sorted vocabulary from another."""
    return zlib.crc32("\n".join(vocabulary).encode("utf-8"))


def load(path: str | Path) -> Lexicon:
    """Reads what `Lexicon.save` wrote. Raises ModelError where it is missing, damaged or something else."""
    try:
        head, _, lines = gzip.decompress(Path(path).read_bytes()).decode("utf-8").partition("\n")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ModelError(f"{path}: the pronunciation lexicon cannot be read ({error})") from error
    *sounds, checksum = head.split(" ")
    n_entries = lines.count("\n")
    if sounds and checksum.isdecimal() and n_entries and lines.count("\t") == n_entries:
        found = Lexicon(tuple(sounds), SortedLines(iter(lines.splitlines())), int(checksum))
        if not found.sounding(""):  # as many tabs as lines, and one in each
            return found
    raise ModelError(f"{path}: no pronunciation lexicon, or a damaged one")
