"""Words and phrases that are likelier than the models think: read, checked, and matched while the search runs.

All hotwords become one automaton over characters (Aho & Corasick 1975), so the cost of a step does not depend on how
many there are. A hotword counts where it stands between word boundaries. While it is being spelt, the part
`boost × spelt / length` is lent to the hypothesis, so that it is not pruned before it is complete; if the spelling
turns elsewhere the loan is gone. No more is lent than a share of the limit by which a search prunes, lest what was said
dies beside what only might have been.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..alphabet import Alphabet, without_accents
from ..errors import HotwordError, InputNotFound
from .options import DecodingOptions

MAX_BOOST = 100.0
MOST_LENT = 0.6  # of the search's limit: with all of it, hotwords that are not said cost other words

ROOT, DEAD = 0, 1  # at a word's start with nothing matched; inside a word that no hotword begins with


@dataclass(frozen=True, slots=True)
class Hotword:
    """A word or phrase and what finding it adds to a hypothesis' score (natural log)."""

    phrase: str
    boost: float


def parse(text: str, boost: float, where: str) -> Hotword:
    """ "phrase" or "phrase:boost" → Hotword; `boost` is for those that bring none. Raises HotwordError."""
    phrase, colon, number = text.rpartition(":")
    if not colon:
        phrase = text
    else:
        try:
            boost = float(number)
        except ValueError as error:
            raise HotwordError(
                f"{where}: {number.strip()!r} after the colon is not a number, as in 'phrase:8'"
            ) from error
    phrase = " ".join(phrase.split())
    if not phrase:
        raise HotwordError(f"{where}: no hotword before the colon")
    if not 0 < boost <= MAX_BOOST:
        raise HotwordError(f"{where}: a boost of {boost:g} is not above 0 and at most {MAX_BOOST:g}")
    return Hotword(phrase, boost)


def read(path: str | Path, boost: float) -> list[Hotword]:
    """A file of one `phrase[:boost]` a line; empty lines and those that start with # are left out.

    Raises InputNotFound, or HotwordError that names the line.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise InputNotFound(f"{path}: no such file of hotwords") from error
    except UnicodeDecodeError as error:
        raise HotwordError(f"{path}: the file of hotwords is not UTF-8 text") from error
    except OSError as error:
        raise HotwordError(f"{path}: the file of hotwords cannot be read ({error.strerror})") from error
    return [
        parse(line, boost, f"{path}:{n}")
        for n, line in enumerate(lines, start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]


def told(options: DecodingOptions) -> list[Hotword]:
    """The hotwords of a file and, behind them, those that were typed. Raises HotwordError, InputNotFound."""
    typed = [parse(text, options.hotword_boost, "--hotword") for text in options.hotword]
    if options.hotwords_file is None:
        return typed
    return read(options.hotwords_file, options.hotword_boost) + typed


def fit(hotwords: Iterable[Hotword], alphabet: Alphabet) -> list[Hotword]:
    """Hotwords as the alphabet spells them: case folded where it has one case only, accents left out where it has none.

    Of doubles the last counts.

    Raises HotwordError, naming the units that are missing.
    """
    tokens = "".join(token for i, token in enumerate(alphabet.tokens) if i != alphabet.blank)
    fitted: dict[str, float] = {}
    for hotword in hotwords:
        phrase = hotword.phrase
        if tokens == tokens.lower():
            phrase = phrase.lower()
        elif tokens == tokens.upper():
            phrase = phrase.upper()
        if alphabet.missing(phrase):  # as word processors and other languages write it
            plain = without_accents(phrase.replace("’", "'"))
            phrase = phrase if alphabet.missing(plain) else plain
        missing = alphabet.missing(phrase)
        if missing:
            listed = ", ".join(map(repr, missing))
            raise HotwordError(
                f"the model cannot write the hotword {hotword.phrase!r}: it has no {listed}; write it as it is spoken"
            )
        fitted[phrase] = hotword.boost
    return [Hotword(phrase, boost) for phrase, boost in fitted.items()]


class HotwordMatcher:
    """The automaton. A state is an integer; a search carries it along and asks what it is worth.

    step(state, character): the next state; " " is the word boundary.
    loan[state]: what the hotword being spelt lends (0 where none is), at most `most_lent`.
    complete[state]: what a word boundary, or the end, earns in this state.
    longest: words of the longest one.
    """

    def __init__(self, hotwords: Iterable[Hotword], most_lent: float = MAX_BOOST) -> None:
        self.longest, self._most_lent = 0, most_lent
        self.words: set[str] = set()  # the hotwords' words, which no language model should call unknown
        self.prefixes: set[str] = set()
        self._next: list[dict[str, int]] = [{}, {" ": ROOT}]
        self.loan: list[float] = [0.0, 0.0]
        self.complete: list[float] = [0.0, 0.0]
        for hotword in hotwords:
            self._add(hotword)
        self._link()
        self.most = max(self.loan + self.complete)  # no state lends or earns more

    def step(self, state: int, character: str) -> int:
        following = self._next[state].get(character)
        if following is not None:
            return following
        return ROOT if character == " " else DEAD

    def starts(self, state: int) -> dict[str, int]:
        """The characters that lead on from this state, and where."""
        return self._next[state]

    def _add(self, hotword: Hotword) -> None:
        state = ROOT
        for depth, character in enumerate(hotword.phrase, start=1):
            following = self._next[state].get(character)
            if following is None:
                following = len(self._next)
                self._next[state][character] = following
                self._next.append({})
                self.loan.append(0.0)
                self.complete.append(0.0)
            state = following
            lent = min(hotword.boost * depth / len(hotword.phrase), self._most_lent)
            self.loan[state] = max(self.loan[state], lent)
        self.complete[state] = max(self.complete[state], hotword.boost)
        self.longest = max(self.longest, len(hotword.phrase.split()))
        for word in hotword.phrase.split():
            self.words.add(word)
            self.prefixes.update(word[:n] for n in range(1, len(word) + 1))

    def _link(self) -> None:
        """Lets every state fall back on the longest match that starts at a later word, in order of depth."""
        fallback = [ROOT, DEAD] + [DEAD] * (len(self._next) - 2)
        queue = deque(self._next[ROOT].values())
        while queue:
            state = queue.popleft()
            back = fallback[state]
            for character, child in self._next[state].items():
                fallback[child] = self.step(back, character)
                queue.append(child)
            self.loan[state] = max(self.loan[state], self.loan[back])
            self.complete[state] = max(self.complete[state], self.complete[back])
            # the shallower state is complete already, so its transitions can be copied instead of followed
            self._next[state] = {**self._next[back], **self._next[state]}
