"""Signs and capitals for words that were heard: a small network reads each word with what stands around it.

Its graph ("pieces" (1, length) int64 → "signs" (1, length, 4) and "cases" (1, length, 3), natural logs) and its
inventory of pieces, in the graph's metadata, are written by `training.punctuation`. What counts is said of the piece
that ends a word.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .bundle.session import open_graph
from .bundle.store import roots
from .errors import ModelError, ModelNotFound
from .lm.pieces import Pieces
from .options import check, option
from .transcript import Segment

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


class Punctuator:
    """A loaded model; used from any thread. Raises ModelError where the file is none."""

    def __init__(self, path: Path) -> None:
        self._session, self._path = open_graph(path, ["CPUExecutionProvider"], 1), path
        try:
            about = json.loads(self._session.get_modelmeta().custom_metadata_map["punctuation"])
            if about["format"] > FORMAT:
                raise ModelError(f"{path}: written by a later version: update transcribe")
            self._pieces = Pieces(about["pieces"], int(about["unknown"]))
            self._longest = int(about["longest"])
            self._cut, self._start = int(about["starts"]["cut"]), int(about["starts"]["sentence"])
            self._signs, self._cases = tuple(map(str, about["signs"])), tuple(map(str, about["cases"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path}: no punctuation model of this program ({error})") from error
        if not set(self._cases) <= set(CASES):
            raise ModelError(f"{path}: knows capitals of which this version does not: update transcribe")

    def marks(
        self, words: Sequence[str], first: int, last: int, begins: bool, ends: bool
    ) -> tuple[list[str], list[str]]:
        """Lower-case words → the sign behind each of words[first:last], and its case; the others are what is around.

        begins, ends: whether speech begins with the first of all words, and ends with the last one. A long text is
        read in parts that overlap.
        """
        pieces = [self._pieces.of(word)[-(self._longest // 4) :] for word in words]  # the last one is asked
        signs: list[str] = []
        cases: list[str] = []
        done = first
        while done < last:
            start, end = done, done + 1
            room = self._longest - 2 - len(pieces[done])
            while start > max(0, done - _AROUND) and len(pieces[start - 1]) <= room / 2:
                start -= 1
                room -= len(pieces[start])
            while end < len(words) and len(pieces[end]) <= room:
                room -= len(pieces[end])
                end += 1
            said = self._asked(pieces[start:end], begins and start == 0, ends and end == len(words))
            # what stands near the end of a part is read once more, with what follows it
            sure = last if end == len(words) else min(last, max(done + 1, end - _AROUND))
            signs += said[0][done - start : sure - start]
            cases += said[1][done - start : sure - start]
            done = sure
        return signs, cases

    def _asked(self, words: Sequence[Sequence[int]], begins: bool, ends: bool) -> tuple[list[str], list[str]]:
        row = [self._start if begins else self._cut, *(piece for word in words for piece in word)]
        row += [self._start] * ends
        places = np.cumsum([len(word) for word in words])
        try:
            signs, cases = self._session.run(["signs", "cases"], {"pieces": np.array([row], np.int64)})
        except Exception as error:  # onnxruntime's own exception types have no common public base
            raise ModelError(f"{self._path}: the model fails: {str(error).splitlines()[0][:200]}") from error
        chosen = _best(signs[0], places), _best(cases[0], places)
        return [self._signs[i] for i in chosen[0]], [self._cases[i] for i in chosen[1]]


def _best(scores: NDArray[np.float32], places: NDArray[np.int64]) -> list[int]:
    found: list[int] = scores[places].argmax(axis=-1).tolist()
    return found


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


def punctuated(segments: Iterable[Segment], punctuator: Punctuator) -> Iterator[Segment]:
    """The segments of one channel with signs and capitals, in order.

    A segment is given out once enough words behind it are known, or a long pause says that speech was over.
    """
    before: list[str] = []  # lower-case words that were given out, as far back as they are looked at
    whole = capital = True  # whether speech begins with the first of them; whether a sentence begins behind them
    held: list[Segment] = []

    def decided(n: int, ends: bool) -> Iterator[Segment]:
        nonlocal before, whole, capital
        heard = [word.text.lower() for segment in held for word in segment.words]
        n_words = sum(len(segment.words) for segment in held[:n])
        last = len(before) + n_words
        marks = iter(zip(*punctuator.marks(before + heard, len(before), last, whole, ends), strict=True))
        for segment in held[:n]:
            words = []
            for word in segment.words:
                sign, case = next(marks)
                words.append(
                    replace(word, text=written(word.text, sign, "capital" if capital and case == "lower" else case))
                )
                capital = sign in ENDS
            yield replace(segment, words=tuple(words))
        del held[:n]
        before += heard[:n_words]
        whole = whole and len(before) <= _AROUND
        before = before[-_AROUND:]

    for segment in segments:
        if held and segment.start_seconds - held[-1].end_seconds > PAUSE_SECONDS:
            yield from decided(len(held), ends=True)
            before, whole, capital = [], True, True
        held.append(segment)
        behind, n = 0, len(held)
        while n and behind < _AROUND:
            n -= 1
            behind += len(held[n].words)
        if n:
            yield from decided(n, ends=False)
    yield from decided(len(held), ends=True)
