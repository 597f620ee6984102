"""A text as it is written and as it is said: "Zoë – in 1984," → zoe · in · nineteen eighty four.

What is aligned is what is said; what is shown is what was written. So every word of the text, with the punctuation
that belongs to it, owns any number of spoken words, and after alignment they become one again.

English numbers, money, dates, abbreviations, initials and Roman numerals are read aloud by `lm.text` in the company of
the words beside them ("$3 million" → three million dollars). Where a word cannot be read with the alphabet's letters,
its place in the sound is what was heard between its neighbours (see `alignment.forced`). What nobody says – tags, a
note's number – is shown with the word beside it and not looked for; what may be said or not – "[applause]", a speaker's
"PETER:" – is optional, and shown with the word beside it where it is not heard.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..alphabet import Alphabet
from ..lm.text import ABBREVIATIONS, normalise
from ..transcript import Word
from .target import TextWord, spell
from .teller import AlignedWord, ExtraSpeech

_CONTEXT = 2  # words on each side that may decide how a number is read
_LONGEST = 3  # words that are read as one: "$3 million", "3 p. m."
_SIGNS = ("&", "%")  # stand alone and are said
_APART = re.compile(r"[-‐‑‒–—―/\\_+…|]+|(?<=\w)[.,;:!?]+(?=\w)")  # signs that part words without a space
# tags, music, the number of a note, ">>" of another speaker
_NEVER_SAID = re.compile(r"<[^>]*>|\{\\[^}]*\}|[♪♫]|\[\d+\]|^\s*(?:-\s*)?>+\s*", re.MULTILINE)
_IN_BRACKETS = re.compile(r"\[[^\]]*\]|^\s*\([^)]*\)\s*$", re.MULTILINE)
_SPEAKER = re.compile(r"^[\s\0]*(?:-\s*)?[A-Z][A-Z0-9 .'’-]{1,30}:(?=\s|$)", re.MULTILINE)
# the same as it stands in minutes and interviews, and the time of day or of the recording
_TIME = r"[\[(]?\d{1,2}(?::\d\d){1,2}(?:[.,]\d+)?[\])]?(?=\s|$)"
_NAME = r"[^\W\d_a-z][\w.'’-]*(?: [^\W_a-z][\w.'’-]*){0,2}:(?=\s|$)"
_HEAD = re.compile(rf"^\s*(?:-\s*)?(?:{_TIME}\s*)?(?:{_NAME})?")
_UNSAID = "\0"  # in place of each of their characters
# what English reads otherwise than it is spelled
_SPECIAL = re.compile(r"[\d$£€%&#½¼¾⅓⅔]|^[IVXLC]+\W*$|^\W*(?:[A-Za-z]\.){2,}|^\W*[Nn]os?\.$")


@dataclass(frozen=True, slots=True)
class Script:
    """shown: the text's words as written, what is not said joined to a neighbour; lines: (n,) line of each, from
    0; words: what is said, in order; owner: (W,) which shown word each of `words` belongs to."""

    shown: tuple[str, ...]
    lines: tuple[int, ...]
    words: tuple[TextWord, ...]
    owner: tuple[int, ...]

    @property
    def n_letters(self) -> int:
        """Letters to be said."""
        return sum(len(word.spelled) for word in self.words if not word.optional)

    def optional(self, i: int) -> bool:
        """Whether shown word i may be said or not."""
        return self.words[bisect_left(self.owner, i)].optional

    @property
    def unspelled(self) -> tuple[str, ...]:
        """Shown words that hold letters or digits and cannot be spelled."""
        lost = dict.fromkeys(
            i for i, word in zip(self.owner, self.words, strict=True) if not word.spelled and not word.optional
        )
        return tuple(self.shown[i] for i in lost)


def read_aloud(lines: Iterable[str], alphabet: Alphabet, language: str = "en") -> Script:
    """Lines of running text → their script. language: the card's; numbers are only read aloud in English."""
    expand = language.lower().startswith("en") and not alphabet.spells("7")
    shown: list[str] = []
    bare: list[str] = []  # without what is not said
    optional: list[bool] = []
    at: list[int] = []
    for number, line in enumerate(lines):
        waiting = ""  # signs before the first word of a line
        first = len(shown)
        for token, audible, free in _tokens(line):
            if any(c.isalnum() for c in audible) or (expand and audible in _SIGNS):
                shown.append(f"{waiting}{token}")
                bare.append(audible)
                optional.append(free)
                at.append(number)
                waiting = ""
            elif len(shown) > first:
                shown[-1] += f" {token}"
            else:
                waiting += f"{token} "
    words: list[TextWord] = []
    owner: list[int] = []
    i = 0
    while i < len(shown):
        stop, said = i + 1, None
        if expand and _special(bare[i]):
            stop, said = _in_context(bare, i)
        parts = [_plain(bare[k], alphabet) for k in range(i, stop)] if said is None else _shared(said, stop - i)
        for k, part in enumerate(parts):
            # a part that cannot be spelled makes its word wait for whatever is heard at its place
            spelled = [word.spelled for piece in part for word in spell(piece, alphabet)]
            for one in spelled if all(spelled) else [""]:
                words.append(TextWord(shown[i + k], one, optional[i + k]))
                owner.append(i + k)
            if not spelled:
                words.append(TextWord(shown[i + k], "", optional[i + k]))
                owner.append(i + k)
        i = stop
    return Script(tuple(shown), tuple(at), tuple(words), tuple(owner))


def hushed(text: str) -> str:
    """A subtitle with zero characters in place of what nobody says in it, white space excepted; as long as before."""

    def hide(found: re.Match[str]) -> str:
        return re.sub(r"\S", _UNSAID, found[0])

    plain = _IN_BRACKETS.sub(hide, _NEVER_SAID.sub(hide, text.replace(_UNSAID, "�")))
    return _SPEAKER.sub(hide, plain)


def as_written(told: Iterable[AlignedWord | ExtraSpeech], script: Script) -> Iterator[AlignedWord | ExtraSpeech]:
    """What `align_text` says of `script.words` → the same of the words as written, each once and in order.

    Optional ones that were not said are shown with the word before or behind them on their line.
    """
    ready: list[AlignedWord | ExtraSpeech] = []  # the last word, and what was told behind it
    waiting, line = "", -1  # optional words in front of a line's first word that is said
    for one in _whole(told, script):
        if isinstance(one, ExtraSpeech):
            ready.append(one)
            continue
        last = ready[0] if ready and isinstance(ready[0], AlignedWord) else None
        if script.lines[one.index] != line:
            waiting, line = "", script.lines[one.index]
        if one.supported or not script.optional(one.index):
            yield from ready
            ready, waiting = [_showing(one, f"{waiting}{one.word.text}")], ""
        elif last is not None and script.lines[last.index] == line:
            ready[0] = _showing(last, f"{last.word.text} {one.word.text}")
        else:
            waiting += f"{one.word.text} "
    yield from ready


def _showing(one: AlignedWord, text: str) -> AlignedWord:
    return replace(one, word=replace(one.word, text=text))


def _whole(told: Iterable[AlignedWord | ExtraSpeech], script: Script) -> Iterator[AlignedWord | ExtraSpeech]:
    """Spoken words joined to written ones."""
    parts: list[AlignedWord] = []
    later: list[ExtraSpeech] = []
    for one in told:
        if isinstance(one, ExtraSpeech):
            if parts:
                later.append(one)  # within a word: told after it
            else:
                yield one
            continue
        parts.append(one)
        mine = script.owner[one.index]
        if one.index + 1 == len(script.owner) or script.owner[one.index + 1] != mine:
            yield _joined(parts, script, mine)
            yield from later
            parts, later = [], []


def characters(shown: str, units: Sequence[Word]) -> tuple[Word, ...]:
    """Times of a shown word's characters out of the units that were aligned for it.

    Signs go with the letter before them (the first with the one after). Where the units do not spell the word (a
    number read aloud), the whole word is one.
    """
    if not units:
        return ()
    pieces: list[str] = []
    for c in shown:
        if c.isalnum() or not pieces or not any(x.isalnum() for x in pieces[-1]):
            if pieces and not any(x.isalnum() for x in pieces[-1]):
                pieces[-1] += c
            else:
                pieces.append(c)
        else:
            pieces[-1] += c
    letters = [unit for unit in units if any(c.isalnum() for c in unit.text)]
    if len(letters) != len(pieces):
        sure = sum(unit.confidence for unit in units) / len(units)
        return (Word(shown, units[0].start_seconds, units[-1].end_seconds, sure),)
    return tuple(replace(unit, text=piece) for unit, piece in zip(letters, pieces, strict=True))


def _tokens(line: str) -> Iterator[tuple[str, str, bool]]:
    """(word as written, what of it may be said, whether it may as well not be said)"""
    hidden, free = _covered(line, _NEVER_SAID), _covered(line, _IN_BRACKETS, _HEAD)
    for found in re.finditer(r"\S+", line):
        at = [i for i in range(*found.span()) if not hidden[i]]
        yield found[0], "".join(line[i] for i in at), all(free[i] for i in at if line[i].isalnum())


def _covered(line: str, *patterns: re.Pattern[str]) -> bytearray:
    """For each character, 1 where one of the patterns holds it: a whole book may be one line, with a thousand notes."""
    covered = bytearray(len(line))
    for pattern in patterns:
        for found in pattern.finditer(line):
            covered[slice(*found.span())] = b"\1" * len(found[0])
    return covered


def _special(token: str) -> bool:
    if _SPECIAL.search(token):
        return True
    bare = token.strip("\"'“”‘’([,;:!?)]").rstrip(".").lower()
    dotted = token.rstrip("\"'”’)],;:!?").endswith(".")
    return bare in ("mr", "mrs", "dr") or (dotted and bare in ABBREVIATIONS)


def _in_context(bare: Sequence[str], i: int) -> tuple[int, list[str] | None]:
    """Where the words that are read together with word i end, and what they are read as; None: cannot be read."""
    before = " ".join(bare[max(0, i - _CONTEXT) : i])
    left = normalise(before)
    for stop in range(i + 1, min(i + _LONGEST, len(bare)) + 1):
        after = " ".join(bare[stop : stop + _CONTEXT])
        right = normalise(after)
        whole = normalise(" ".join([before, *bare[i:stop], after]))
        if left is None or right is None or whole is None:
            break
        said, head, tail = whole.split(), left.split(), right.split()
        end = len(said) - len(tail)
        if said[: len(head)] == head and said[end:] == tail and end > len(head):
            return stop, said[len(head) : end]
    alone = normalise(bare[i])
    return i + 1, alone.split() if alone else None


def _shared(said: Sequence[str], n: int) -> list[list[str]]:
    """Spoken words shared out among n written ones."""
    return [list(said[k * len(said) // n : (k + 1) * len(said) // n]) for k in range(n)]


def _plain(token: str, alphabet: Alphabet) -> list[str]:
    """Parts of a token that are spelled each by itself; the whole where the alphabet knows it so."""
    if alphabet.boundary is None and spell(token, alphabet)[0].spelled:
        return [token]
    return [part for part in _APART.split(token) if any(c.isalnum() for c in part)]


def _joined(parts: Sequence[AlignedWord], script: Script, mine: int) -> AlignedWord:
    """The spoken words of one written word as one: from the first that was said to the last."""
    shown = script.shown[mine]
    if len(parts) == 1:
        return replace(parts[0], index=mine, word=replace(parts[0].word, text=shown))
    letters = [max(len(script.words[part.index].spelled), 1) for part in parts]
    said = [part for part in parts if part.supported] or parts
    heard = sum(n for n, part in zip(letters, parts, strict=True) if part.supported)
    sure = sum(n * part.word.confidence for n, part in zip(letters, parts, strict=True)) / sum(letters)
    word = Word(shown, said[0].word.start_seconds, said[-1].word.end_seconds, sure)
    return AlignedWord(word, mine, 2 * heard >= sum(letters), tuple(unit for part in said for unit in part.units))
