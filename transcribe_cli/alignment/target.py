"""A known text as forced alignment sees it: its words as the alphabet spells them, and the lattice that they span."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..alphabet import Alphabet, without_accents
from ..ctc.viterbi import with_mandatory_blanks
from ..errors import CTCError
from ..lm.text import PLAIN
from ..options import check, option

Places = npt.NDArray[np.intp]

_UNFOLDED = {sign: letters for sign, letters in PLAIN.items() if letters and letters.isalpha()}  # æ → ae


@dataclass(frozen=True, slots=True)
class ForcedOptions:
    """How far a text and a recording may differ."""

    skip_cost: float = option(
        3.0, "cost of a letter of the text that is not said, in nats", minimum=0.0, panel="Alignment"
    )
    jump_cost: float = option(
        40.0,
        "cost above which leaving out more of the text comes at half its cost, and at most at four times this, in nats",
        minimum=0.0,
        panel="Alignment",
    )
    extra_cost: float = option(
        1.5, "cost of a frame of speech that the text lacks, in nats", minimum=0.0, panel="Alignment"
    )
    minimum_confidence: float = option(
        0.02,
        "words below this confidence, taken at temperature 1, are marked as not supported",
        minimum=0.0,
        maximum=1.0,
        panel="Alignment",
    )
    extra_letters: int = option(
        3, "letters heard beside the text from which they count as extra speech", minimum=1, panel="Alignment"
    )
    band_labels: int = option(
        1536,
        "letters ahead of the best path that are followed; about 15 a second of speech",
        minimum=256,
        panel="Alignment",
    )
    lag_seconds: float = option(
        20.0, "seconds looked at before a word's place is decided", minimum=1.0, panel="Alignment"
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class TextWord:
    """A word of the text as it is shown, and as the alphabet spells it: "Zoë," – "zoe". spelled: no white space;
    empty where the alphabet cannot spell it ("1984"), and then it takes the extra speech found at its place. optional:
    whether it may be left out for nothing ("[applause]")."""

    shown: str
    spelled: str
    optional: bool = False


def spell(text: str, alphabet: Alphabet) -> tuple[TextWord, ...]:
    """Words of a running text as an alphabet can spell them: case, accents and punctuation are brought to its own."""
    return tuple(TextWord(shown, _spelled(shown, alphabet)) for shown in text.split())


@dataclass(frozen=True, slots=True)
class Target:
    """The lattice of a text. n = labels with mandatory blanks between equal neighbours, W = words that can be spelled.

    columns: (n,) column of each; word: (n,) place among the spelled words, −1 for boundaries and mandatory blanks;
    gaps: (W + 1,) index of the blank before each word and after the last; cost: (W + 1,) summed cost of leaving out
    all words before; index: (W,) place of each spelled word in the text.
    """

    columns: Places
    word: Places
    gaps: Places
    cost: npt.NDArray[np.float64]
    index: Places


def lay_out(words: Sequence[TextWord], alphabet: Alphabet, options: ForcedOptions) -> Target:
    """Words → their lattice. Raises CTCError where a spelling does not fit the alphabet."""
    index = [i for i, word in enumerate(words) if word.spelled]
    spelled = [words[i].spelled for i in index]
    labels: list[int] = []
    firsts, lasts = [np.zeros(0, dtype=np.intp)], [np.zeros(0, dtype=np.intp)]
    for begin in range(0, len(spelled), 200):  # in parts, since units of several characters are found by search
        part = spelled[begin : begin + 200]
        missing = alphabet.missing(" ".join(part))
        if missing:
            raise CTCError(f"the model's alphabet cannot spell {missing[0]!r}: write the text in its units")
        if labels and alphabet.boundary_id is not None:
            labels.append(alphabet.boundary_id)
        codes = alphabet.encode(" ".join(part))
        first, last = alphabet.words(np.asarray(codes, dtype=np.intp))
        if len(first) != len(part):
            raise CTCError("a spelling holds white space or a word boundary: give one word at a time")
        firsts.append(first + len(labels))
        lasts.append(last + len(labels))
        labels += codes
    first, last = np.concatenate(firsts), np.concatenate(lasts)
    if (first[1:] <= last[:-1]).any():
        raise CTCError("the alphabet has units that span words, which cannot be aligned word by word")
    columns, places = with_mandatory_blanks(np.asarray(labels, dtype=np.intp), alphabet.blank)
    at = np.flatnonzero(places >= 0)
    word = np.full(len(columns), -1, dtype=np.intp)
    for i, (one, two) in enumerate(zip(at[first], at[last], strict=True)):
        word[one : two + 1] = i
    word[places < 0] = -1
    gaps = np.concatenate(([0], at[last[:-1]] + 1, [len(columns)])) if index else np.zeros(1, dtype=np.intp)
    told = np.array([not words[i].optional for i in index], dtype=np.bool_)
    cost = np.concatenate(([0.0], np.cumsum((last + 1 - first) * told * options.skip_cost)))
    return Target(columns, word, gaps.astype(np.intp), cost, np.asarray(index, dtype=np.intp))


def _spelled(shown: str, alphabet: Alphabet) -> str:
    straight = shown.replace("’", "'")
    if alphabet.boundary is None:  # whole words: only what stands around them can go
        bare = straight.strip(".,;:!?\"'()[]…–—“”‘")
        return next(
            (text for text in (straight, bare, bare.lower(), bare.upper()) if text and alphabet.spells(text)), ""
        )
    plain = without_accents(straight.translate(_UNFOLDED))
    for text in (straight, straight.lower(), plain.lower(), plain.upper()):
        kept = "".join(c for c in text if alphabet.spells(c))
        # punctuation may go, a letter or digit may not: half a word would be looked for
        if any(c.isalnum() for c in kept) and not any(c.isalnum() and not alphabet.spells(c) for c in text):
            return kept
    return ""
