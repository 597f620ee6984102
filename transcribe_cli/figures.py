"""Numbers in figures: where "twenty five people in nineteen eighty four" was heard, "25 people in 1984" is written.

Which words make a number is text2num's to find, in its eight languages; here stand what English does with years, digits
in a row and small numbers, and what becomes of the words' times.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from .errors import MissingExtra, OptionError
from .options import check, option
from .transcript import Segment, Word

SIGNS = ".,?!;:"
PAUSE_SECONDS = 0.5  # between words that make no number together
SMALLEST = 10  # what is less stays a word, as in print

_NONE, _PAUSE, _END = range(3)  # between two words: nothing, a pause or comma, the end of a sentence

_DIGITS = {
    "oh": "0", "o": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
    "seven": "7", "eight": "8", "nine": "9",
}  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_DECADES = {ten.removesuffix("y") + "ies": f"{i}0s" for i, ten in enumerate(_TENS, start=2)}
_SCALES = ("hundred", "thousand", "million", "billion", "trillion")
_LEAST_GROUP, _LEAST_DIGITS = 2, 3  # in a row, and in all, that make a number: of a room, a flight, a telephone
_CENTURIES = range(13, 21)  # "twelve thirty" is a time of day
_WITH_COMMAS = 10_000  # and above, in English


@dataclass(frozen=True, slots=True)
class FiguresOptions:
    """Whether numbers are written in figures."""

    figures: bool = option(False, "write numbers from ten on in figures, 25 for twenty five (extra `figures`)")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class _Number:
    """Words [first, end) that make a number, and how it is written. value: of a cardinal; None of anything else."""

    first: int
    end: int
    text: str
    value: int | None = None


class _Token:
    """A word as text2num asks for it; its methods' names are that library's."""

    def __init__(self, text: str, apart: bool, taken: bool) -> None:
        self._text, self._apart, self._taken = text, apart, taken

    def text(self) -> str:
        return self._text

    def nt_separated(self, previous: object) -> bool:
        return self._apart

    def not_a_number_part(self) -> bool:
        return self._taken


class Figures:
    """Writes the numbers of a language. Raises MissingExtra, or OptionError for a language without rules."""

    def __init__(self, language: str) -> None:
        try:
            from text_to_num import find_numbers
        except ImportError as error:
            raise MissingExtra("--figures", "text2num", "figures") from error
        try:
            find_numbers([], language, SMALLEST)
        except ValueError as error:
            raise OptionError(f"--figures: there are no rules for numbers in {language!r}") from error
        self._find, self._language = find_numbers, language

    def write(self, words: Sequence[Word]) -> list[Word]:
        """The words; those of a number are one, from the first one's beginning, as sure as the least sure of them."""
        bare = [word.text.rstrip(SIGNS) for word in words]
        heard = [text.lower() for text in bare]
        breaks = [_NONE] + [
            _break(a.text[len(text) :], b.start_seconds - a.end_seconds)
            for a, b, text in zip(words, words[1:], bare, strict=False)
        ]
        found: list[Word] = []
        at = 0
        for number in self._numbers(heard, breaks):
            parts = words[number.first : number.end]
            sign = parts[-1].text[len(bare[number.end - 1]) :]
            confidence = min(word.confidence for word in parts)
            end = parts[-1].end_seconds
            whole = replace(parts[0], text=number.text + sign, end_seconds=end, confidence=confidence, characters=())
            found += [*words[at : number.first], whole]
            at = number.end
        return [*found, *words[at:]]

    def _numbers(self, heard: Sequence[str], breaks: Sequence[int]) -> list[_Number]:
        """breaks: what stands before each word."""
        english = self._language == "en"
        rows = list(_digit_rows(heard, breaks)) if english else []
        taken = {i for row in rows for i in range(row.first, row.end)}
        tokens = [_Token(text, bool(breaks[i]), i in taken) for i, text in enumerate(heard)]
        said = []
        for one in self._find(tokens, self._language, SMALLEST):
            whole = one.value is not None and not one.is_ordinal and one.text.isdigit()
            said.append(_Number(one.start, one.end, one.text, int(one.text) if whole else None))
        if english:
            said = _english(said, heard, breaks)
        return sorted([*said, *rows], key=lambda number: number.first)


def in_figures(segments: Iterable[Segment], figures: Figures) -> Iterator[Segment]:
    """The segments, each with its numbers in figures; a number ends where its segment does."""
    for segment in segments:
        yield replace(segment, words=tuple(figures.write(segment.words)))


def _break(sign: str, pause_seconds: float) -> int:
    if sign and sign != ",":
        return _END
    return _PAUSE if sign or pause_seconds >= PAUSE_SECONDS else _NONE


def _digit_rows(heard: Sequence[str], breaks: Sequence[int]) -> Iterator[_Number]:
    """Digits one after the other, as of a telephone's number, whose groups a pause or a comma may part."""
    groups: list[tuple[int, int]] = []
    for at, text in enumerate(heard):
        if text in _DIGITS:
            if groups and groups[-1][1] == at and not breaks[at]:
                groups[-1] = groups[-1][0], at + 1
            else:
                groups.append((at, at + 1))
    rows: list[tuple[int, int]] = []
    for first, end in groups:
        behind_ten = first > 0 and heard[first - 1] in _TENS and not breaks[first]
        goes_on = end < len(heard) and heard[end] in (*_SCALES, "point") and not breaks[end]
        if end - first < _LEAST_GROUP or behind_ten or goes_on:
            continue
        if rows and rows[-1][1] == first and breaks[first] != _END:
            first = rows.pop()[0]
        rows.append((first, end))
    for first, end in rows:
        if end - first >= _LEAST_DIGITS:
            yield _Number(first, end, "".join(_DIGITS[text] for text in heard[first:end]))


def _english(said: Sequence[_Number], heard: Sequence[str], breaks: Sequence[int]) -> list[_Number]:
    """Years put together; "a hundred", "thousands" and what is less than ten left as words; commas in large numbers."""
    kept: list[_Number] = []
    for i, number in enumerate(said):
        if kept and number.first < kept[-1].end:  # the second half of a year
            continue
        if number.value in _CENTURIES and (year := _year(number, said[i + 1 : i + 2], heard, breaks)) is not None:
            kept.append(year)
            continue
        small = number.value is not None and number.value < SMALLEST
        if small or heard[number.first] in _SCALES or heard[number.end - 1].endswith("s"):
            continue
        if number.value is not None and number.value >= _WITH_COMMAS:
            number = replace(number, text=f"{number.value:,}")
        kept.append(number)
    return kept


def _year(
    century: _Number, following: Sequence[_Number], heard: Sequence[str], breaks: Sequence[int]
) -> _Number | None:
    """ "nineteen" with "eighty four", "oh five" or "eighties" behind it."""
    at = century.end
    if at == len(heard) or breaks[at]:
        return None
    if heard[at] in _DECADES:
        return _Number(century.first, at + 1, century.text + _DECADES[heard[at]])
    if heard[at] in ("oh", "o") and at + 1 < len(heard) and not breaks[at + 1] and heard[at + 1] in _DIGITS:
        return _Number(century.first, at + 2, f"{century.text}0{_DIGITS[heard[at + 1]]}")
    for number in following:
        if number.first == at and number.value is not None and 10 <= number.value <= 99:
            return _Number(century.first, number.end, century.text + number.text)
    return None
