"""Transcripts as people write them → what a model is to write, by options.

With everything on, English goes through the rules that the language model's text goes through (`lm/text.py`), so both
spell alike; any other choice keeps what it is told to keep.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from ..errors import MissingExtra, OptionError
from ..lm.text import normalise as spoken
from ..options import check, option


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How transcripts are normalised."""

    case: str = option("lower", "letters", choices=("lower", "upper", "keep"))
    punctuation: str = option("drop", "signs other than the apostrophe", choices=("drop", "keep"))
    numbers: str = option("words", "digits: as words, or kept", choices=("words", "keep"))
    accents: str = option("strip", "accents on letters", choices=("strip", "keep"))
    special: tuple[str, ...] = option((), "tokens such as <noise> that are kept as they are, as words of their own")
    language: str = option("en", "language code, for numbers")

    def __post_init__(self) -> None:
        check(self)


_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_COMMA_NUMBER = re.compile(r"\d(?:[\d.]*\d)?(?:,\d+)?")
_WITH_POINT = ("en", "ja", "ko", "zh", "th", "he")  # languages that write 1,000.5; others are taken to write 1.000,5


def normalise(text: str, options: TextOptions) -> str | None:
    """The text to learn, or None where it cannot be written with these options (another script, unreadable signs)."""
    if options.special:
        cut = re.split("(" + "|".join(map(re.escape, options.special)) + ")", text)
        parts = [part if part in options.special else _plain(part, options) for part in cut if part.strip()]
        return None if any(part is None for part in parts) else " ".join(part for part in parts if part)
    return _plain(text, options)


def _plain(text: str, options: TextOptions) -> str | None:
    whole = (options.case, options.punctuation, options.numbers, options.accents, options.language)
    if whole == ("lower", "drop", "words", "strip", "en"):
        return spoken(text)
    text = unicodedata.normalize("NFC", text).replace("’", "'")
    if options.numbers == "words":
        with_point = options.language[:2].lower() in _WITH_POINT
        group, pattern = (",", _NUMBER) if with_point else (".", _COMMA_NUMBER)

        def said(match: re.Match[str]) -> str:
            return f" {_words(match.group(0).replace(group, '').replace(',', '.'), options.language)} "

        text = pattern.sub(said, text)
    if options.accents == "strip":
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    if options.punctuation == "drop":
        text = "".join(c if c.isalnum() or c in "' " else " " for c in text)
        text = re.sub(r"(?<!\w)'|'(?!\w)", " ", text)
    text = {"lower": text.lower(), "upper": text.upper(), "keep": text}[options.case]
    return " ".join(text.split())


@lru_cache(10_000)
def _words(number: str, language: str) -> str:
    try:
        from num2words import num2words
    except ImportError as error:
        raise MissingExtra("numbers as words", "num2words", "train") from error
    value = float(number) if "." in number else int(number)
    try:
        return str(num2words(value, lang=language)).replace("-", " ").replace(",", "")
    except NotImplementedError as error:
        raise OptionError(
            f"--language {language}: its numbers cannot be written as words; use --numbers keep"
        ) from error
