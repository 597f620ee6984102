"""Signs and capitals for words that were heard: a small network reads each word with what stands around it.

Its graph ("pieces" (1, length) int64 → "signs" (1, length, 4) and "cases" (1, length, 3), natural logs) and its
inventory of pieces, in the graph's metadata, are written by `training.punctuation`. What counts is said of the piece
that ends a word.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bundle.pieces import UNFIT, PieceGraph
from .bundle.store import roots
from .errors import ModelError, ModelNotFound
from .options import check, option
from .spellings import Spellings
from .transcript import Segment, Word

Floats = NDArray[np.floating]

SIGNS = ("", ",", ".", "?")  # behind a word
ENDS = (".", "?")  # those of them behind which a sentence begins
CASES = ("lower", "capital", "upper")
FORMAT = 1

PAUSE_SECONDS = 3.0  # nobody takes as long to breathe: what was being said is over
_AROUND = 12  # words to either side that a decision looks at, where there are as many


@dataclass(frozen=True, slots=True)
class PunctuationOptions:
    """Whether words get signs and capitals."""

    punctuate: bool = option(False, "write sentences: full stops, commas, question marks, capitals")
    punctuation_model: str | None = option(
        None, "what --punctuate asks, in place of the model of the language", metavar="FILE"
    )

    def __post_init__(self) -> None:
        check(self)

    def path(self, language: str) -> Path | None:
        """The model's file; None where no signs are wanted.

        Raises ModelNotFound where there is none of that name, or of a language.
        """
        if not self.punctuate:
            return None
        if self.punctuation_model is not None:
            path = Path(self.punctuation_model)
            if not path.is_file():
                raise ModelNotFound(f"--punctuation-model {path}: no such file")
            return path
        if (found := known().get(language)) is not None:
            return found
        raise ModelNotFound(
            f"--punctuate: there is no model that punctuates {language!r}: name one with --punctuation-model "
            "(see `transcribe lm punctuation --help`)"
        )


def known() -> dict[str, Path]:
    """Language → the model that punctuates it, of all in the known folders; the first of a language is taken."""
    found: dict[str, Path] = {}
    for root in roots():
        for path in sorted((root / "punctuation").glob("*.onnx")):
            if path.is_file():
                found.setdefault(path.stem, path)
    return found


@dataclass(frozen=True, slots=True)
class Pauses:
    """How much likelier a pause is before which a sign stands than one before which none does.

    seconds: lengths of pauses, rising; logs: (signs, lengths), natural logs of likelihood ratios.
    """

    seconds: Floats
    logs: Floats

    @classmethod
    def of(cls, told: Any, signs: Sequence[str]) -> "Pauses | None":
        """As the model's metadata have it. Raises KeyError, TypeError or ValueError where that makes no sense."""
        if told is None:
            return None
        seconds = np.array(told["seconds"], np.float64)
        logs = np.array([told["logs"].get(sign, [0.0] * len(seconds)) for sign in signs], np.float64)
        if logs.shape != (len(signs), len(seconds)) or not (np.diff(seconds) > 0).all() or not np.isfinite(logs).all():
            raise ValueError("its pauses make no sense")
        return cls(seconds, logs)

    def bonus(self, gaps: Sequence[float]) -> Floats:
        """(n,) seconds → (n, signs); 0 where a length is NaN."""
        known = np.stack([np.interp(gaps, self.seconds, row) for row in self.logs], axis=1)
        return np.where(np.isnan(known), 0.0, known)


class Punctuator:
    """A loaded model; used from any thread. Raises ModelError where the file is none."""

    def __init__(self, path: Path) -> None:
        self._graph = PieceGraph(path, "punctuation", FORMAT, "punctuation model")
        about = self._graph.about
        try:
            self.signs, cases = tuple(map(str, about["signs"])), tuple(map(str, about["cases"]))
            self._pauses = Pauses.of(about.get("pauses"), self.signs)
        except UNFIT as error:
            raise self._graph.unfit(error) from error
        if cases != CASES or self.signs[:1] != ("",):
            raise ModelError(f"{path}: knows other signs or capitals than this version: update transcribe")

    def log_probs(self, words: Sequence[str], first: int, last: int, begins: bool, ends: bool) -> tuple[Floats, Floats]:
        """Lower-case words → natural logs of the signs (n, signs) and cases (n, 3) of words[first:last].

        The other words are what is around. begins, ends: whether speech begins with the first of all words, and ends
        with the last one. A long text is read in parts that overlap.
        """
        longest = self._graph.longest
        pieces = [self._graph.pieces.of(word)[-(longest // 4) :] for word in words]  # the last one is asked
        signs, cases = np.zeros((last - first, len(self.signs))), np.zeros((last - first, len(CASES)))
        done = first
        while done < last:
            start, end = done, done + 1
            room = longest - 2 - len(pieces[done])
            while start > max(0, done - _AROUND) and len(pieces[start - 1]) <= room / 2:
                start -= 1
                room -= len(pieces[start])
            while end < len(words) and len(pieces[end]) <= room:
                room -= len(pieces[end])
                end += 1
            said = self._asked(pieces[start:end], begins and start == 0, ends and end == len(words))
            # what stands near the end of a part is read once more, with what follows it
            sure = last if end == len(words) else min(last, max(done + 1, end - _AROUND))
            for whole, part in zip((signs, cases), said, strict=True):
                whole[done - first : sure - first] = part[done - start : sure - start]
            done = sure
        return signs, cases

    def with_pauses(self, signs: Floats, gaps: Sequence[float]) -> Floats:
        """log_probs' signs (n, signs) → scores of the same shape that know how long the pause behind each word is.

        gaps: seconds, NaN where there is none to speak of.
        """
        return signs if self._pauses is None else signs + self._pauses.bonus(gaps)

    def _asked(self, words: Sequence[Sequence[int]], begins: bool, ends: bool) -> tuple[Floats, Floats]:
        row = [self._graph.start if begins else self._graph.cut, *(piece for word in words for piece in word)]
        row += [self._graph.start] * ends
        places = np.cumsum([len(word) for word in words])
        signs, cases = self._graph.run(["signs", "cases"], {"pieces": np.array([row], np.int64)})
        return signs[0][places], cases[0][places]


def _capital(word: str) -> str:
    """The first letter becomes a capital."""
    for i, c in enumerate(word):
        if c.isalpha():
            return word[:i] + c.upper() + word[i + 1 :]
    return word


def _upper(word: str) -> str:
    """All letters become capitals, but not those of a genitive."""
    stem = word.removesuffix("'s")
    return stem.upper() + word[len(stem) :]


_CASED: dict[str, Callable[[str], str]] = {"lower": str, "capital": _capital, "upper": _upper}


def written(word: str, sign: str, case: str) -> str:
    """A word as it was heard → as it is written. One that has capitals of its own keeps them."""
    return (_CASED[case](word) if word == word.lower() else word) + sign


class _Writer:
    """Words in a row as they are written; what the last one was decides how the next one begins."""

    def __init__(self, punctuator: Punctuator) -> None:
        self._punctuator = punctuator
        self._ends = np.isin(punctuator.signs, ENDS)
        self.begins, self._ended = True, 0.0  # whether a sentence begins; how likely that was by the words alone

    def write(self, words: Sequence[Word], signs: Floats, cases: Floats, gaps: Sequence[float]) -> list[Word]:
        """signs, cases: as `Punctuator.log_probs` has them; gaps: seconds to the next word, or NaN."""
        chosen = self._punctuator.with_pauses(signs, gaps).argmax(axis=1)
        ended = np.exp(signs[:, self._ends]).sum(axis=1)
        done = []
        for word, sign, case, end in zip(words, chosen, np.exp(cases), ended, strict=True):
            done.append(replace(word, text=written(word.text, self._punctuator.signs[sign], self._case(case))))
            self.begins, self._ended = bool(self._ends[sign]), float(end)
        return done

    def _case(self, probabilities: Floats) -> str:
        """A capital may be that of a sentence or the word's own; where none begins only the latter counts."""
        lower, capital, upper = probabilities.tolist()
        if self.begins:
            return "upper" if upper > 0.5 else "capital"
        capital = max(0.0, capital - self._ended)
        return "lower" if lower >= capital + upper else "upper" if upper > capital else "capital"


def punctuated(
    segments: Iterable[Segment],
    punctuator: Punctuator,
    spellings: Spellings = Spellings(),  # noqa: B008 (never changes)
) -> Iterator[Segment]:
    """The segments of one channel with signs and capitals, in order; words that have a spelling of their own with that.

    A segment is given out once enough words behind it are known, or a long pause says that speech was over.
    """
    before: list[str] = []  # lower-case words that were given out, as far back as they are looked at
    whole = True  # whether speech begins with the first of them
    writer, held = _Writer(punctuator), list[Segment]()

    def decided(n: int, ends: bool) -> Iterator[Segment]:
        nonlocal before, whole
        words = [word for segment in held for word in segment.words]
        heard = [word.text.lower() for word in words]
        n_words = sum(len(segment.words) for segment in held[:n])
        signs, cases = punctuator.log_probs(before + heard, len(before), len(before) + n_words, whole, ends)
        gaps = [b.start_seconds - a.end_seconds for a, b in pairwise(words)] + [math.nan] * bool(words)
        done = iter(writer.write(spellings.spell(words)[:n_words], signs, cases, gaps[:n_words]))
        for segment in held[:n]:
            yield replace(segment, words=tuple(islice(done, len(segment.words))))
        del held[:n]
        before += heard[:n_words]
        whole = whole and len(before) <= _AROUND
        before = before[-_AROUND:]

    for segment in segments:
        if held and segment.start_seconds - held[-1].end_seconds > PAUSE_SECONDS:
            yield from decided(len(held), ends=True)
            before, whole, writer.begins = [], True, True
        held.append(segment)
        behind, n = 0, len(held)
        while n and behind < _AROUND:
            n -= 1
            behind += len(held[n].words)
        if n:
            yield from decided(n, ends=False)
    yield from decided(len(held), ends=True)
