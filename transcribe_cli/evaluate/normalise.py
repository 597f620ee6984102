"""Normalisers by name: what is made equal before texts are compared. The name is always printed beside the figure.

none             words as they are, split at white space
basic            NFKC, lower case, hyphens and dashes as spaces, punctuation gone but apostrophes inside words
whisper-english  OpenAI's English normaliser (numbers as digits, British spelling as American, contractions, fillers)
                 from the package whisper-normalizer
"""

import re
import unicodedata
from collections.abc import Callable

from ..errors import MissingExtra, OptionError

NAMES = ("none", "basic", "whisper-english")

Normaliser = Callable[[str], str]


def normaliser(name: str) -> Normaliser:
    """The function of that name, text → text with single spaces.

    Raises:
        OptionError: no such name.
        MissingExtra: whisper-english without whisper-normalizer.
    """
    if name == "none":
        return spaces
    if name == "basic":
        return basic
    if name == "whisper-english":
        return _whisper_english()
    raise OptionError(f"--normalizer cannot be {name!r}: choose one of {', '.join(NAMES)}")


def spaces(text: str) -> str:
    """Text with every run of white space as one space."""
    return " ".join(text.split())


def basic(text: str) -> str:
    """See the module's docstring."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = re.sub(r"[’ʼ`]", "'", text)
    text = re.sub(r"(?<!\w)'+|'+(?!\w)", " ", text)
    kept = (c if c == "'" or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return spaces("".join(kept))


def _whisper_english() -> Normaliser:
    try:
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError as error:
        raise MissingExtra("the normaliser whisper-english", "whisper-normalizer", "evaluate") from error
    normalise = EnglishTextNormalizer()
    return lambda text: spaces(normalise(text))
