"""Which words texts write in a way of their own: "Zoë", "GitHub", "NASA".

What is heard has neither capitals nor accents; a user's own texts show how the words are meant.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from ..alphabet import without_accents
from .text import normalise

SURE = 0.8  # share of a word's occurrences that must be written alike
GENITIVE = "'s"
_AROUND_WORDS = "\"'“”‘’«».,;:!?()[]…*—–-"
_NEW_SENTENCE = "\"'“‘«.:!?…(["  # behind or before which a capital says nothing of the word

Ways = Mapping[str, Counter[str]]  # a plain word → how often it is written how


def ways(sentences: Iterable[str]) -> Ways:
    """How texts write their words where a capital says something: not first in a sentence, not in a title."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence in sentences:
        for word in _inside(sentence):
            bare = word.strip(_AROUND_WORDS).replace("’", "'").removesuffix(GENITIVE)
            heard = without_accents(bare).lower()
            if heard and normalise(bare) == heard:
                found[heard][bare] += 1
    return found


def _inside(sentence: str) -> Iterator[str]:
    words = sentence.split()
    long = [word for word in words if len(word) > 3]
    if sum(word[0].isupper() for word in long) > max(1, 2 * len(long) / 3):  # a title
        return
    for before, word in pairwise(words):
        if before[-1] not in _NEW_SENTENCE and word[0] not in _NEW_SENTENCE:
            yield word


def own(found: Ways, common: Iterable[str]) -> list[str]:
    """The words that texts write in a way of their own, in order of the alphabet.

    common: words whose capital hangs on what is meant ("mark", "may"); a capital in front alone is not taken of them.
    """
    kept, ordinary = [], frozenset(common)
    for heard, counted in sorted(found.items()):
        written, n = counted.most_common(1)[0]
        special = written != heard and not (heard in ordinary and written == heard.capitalize())
        if special and n >= SURE * counted.total():
            kept.append(written)
    return kept
