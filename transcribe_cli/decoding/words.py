"""CTC prefix beam search over sounds, held to the words of a lexicon.

The search is `beam.BeamSearch`'s; what it spells are sounds, and three things differ. A prefix lives only as long as
some word begins with its sounds. Where a word ends, each word that sounds so goes on as a prefix of its own, and only
then do language model and hotwords hear of it. And what it gives out are the words.

A word that no entry of the lexicon sounds like would be a dead end, and all that follows it lost. So where the network
hears a word end and no hypothesis can end one, each of them leaves its word out and goes on.

Source: Graves & Jaitly 2014 and Collobert et al. 2016 (wav2letter) for the search over a lexicon with a language model.
"""

from collections.abc import Iterable

import kenlm
import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet
from ..lm.lookahead import LookAhead
from ..lm.model import LanguageModel
from .beam import BeamSearch, _Beam, _Node, _Words
from .hotwords import DEAD, ROOT, HotwordMatcher
from .hypothesis import Hypothesis
from .lexicon import Lexicon
from .options import DecodingOptions

# nats for a word left out; less than the limit of pruning, or it would not live to see the next word
_LEFT_OUT = 4.0
UNKNOWN = "<unk>"  # to the language model


class WordSearch(BeamSearch):
    """A decoder of sounds; see `beam.BeamSearch` for what it shares.

    Args:
        sounds: the alphabet of the rows, with a boundary between words.
        lexicon: how words sound, complete for the language model and the hotwords.
    """

    def __init__(
        self,
        sounds: Alphabet,
        lexicon: Lexicon,
        language_model: LanguageModel,
        options: DecodingOptions = DecodingOptions(),  # noqa: B008 (frozen)
        hotwords: HotwordMatcher | None = None,
        *,
        prune_history: bool | None = None,
    ) -> None:
        super().__init__(sounds, language_model, options, hotwords, prune_history=prune_history, look_ahead=False)
        self._adds = lexicon.coded(sounds.tokens)
        self._lexicon, self._dead_ends = lexicon, True
        self._ahead = LookAhead(_log_probs(language_model, lexicon), lexicon.span)
        self._known: dict[str, tuple[str, ...]] = {}  # of this call: sounds → the words that sound so

    def decode(self, log_probs: NDArray[np.floating], context: str = "") -> list[Hypothesis]:
        self._known.clear()
        return super().decode(log_probs, context)

    def _spell(self, node: _Node, token: int) -> _Node:
        part = node.part + self._adds[token]
        lang = node.words.base + self._penalty(part)
        if self._hotwords is not None:
            lang += self._hotwords.loan[node.hot]
        child = self._grow(node, token, node.words, part, lang, node.hot, node.history * self._n_tokens + token)
        self._nodes[node.key + token] = child
        return child

    def _close(self, node: _Node, token: int) -> tuple[_Node, ...]:
        return tuple(self._next_word(node, token, word) for word in self._sounding(node.part))

    def _left_out(self, node: _Node, token: int) -> _Node:
        assert self._lm is not None
        before, state, hot = node.words, kenlm.State(), DEAD if self._hotwords is None else ROOT
        self._lm.kenlm.BaseScore(before.state, UNKNOWN, state)
        words = _Words(before.text, (*before.units, UNKNOWN)[-self._reach :], state, before.base - _LEFT_OUT)
        return self._behind(node, token, words, hot)

    def _next_word(self, node: _Node, token: int, word: str) -> _Node:
        return self._behind(node, token, *self._with_word(node, word))

    def _behind(self, node: _Node, token: int, words: _Words, hot: int) -> _Node:
        """The child that waits for the next word."""
        lang = words.base + (0.0 if self._hotwords is None else self._hotwords.loan[hot])
        child = self._grow(node, token, words, "", lang, hot, (words.units, "", hot))
        child.starts = True
        return child

    def _with_word(self, node: _Node, word: str) -> tuple[_Words, int]:
        """The node's words with one more, and where the hotwords then are."""
        words, hot, hotwords = self._closed(node.words, word), node.hot, self._hotwords
        if hotwords is not None:
            for character in word:
                hot = hotwords.step(hot, character)
            words.base += hotwords.complete[hot]
            hot = hotwords.step(hot, " ")
        return words, hot

    def _sounding(self, heard: str) -> tuple[str, ...]:
        found = self._known.get(heard)
        if found is None:
            found = self._known[heard] = self._lexicon.words(heard) if heard else ()
        return found

    def _penalty(self, part: str) -> float:
        penalty = self._parts.get(part)
        if penalty is None:
            assert self._ahead is not None
            likeliest = self._ahead(part)
            # without a weight the model has no say, but what no word begins with stays impossible
            penalty = self._parts[part] = self._alpha * likeliest if likeliest > float("-inf") else likeliest
        return penalty

    def _closing_gain(self, node: _Node, token: int) -> float:
        # a hotword counts when its last word ends, and lends for the next one
        return max(0.0, self._beta) + (0.0 if self._hotwords is None else 2 * self._hotwords.most)

    def _spelling_gain(self, node: _Node, token: int) -> float:
        return 0.0

    def _finish(self, beams: list[_Beam]) -> list[Hypothesis]:
        whole = [beam for beam in beams if not beam[1].part or self._sounding(beam[1].part)]
        if whole:
            return super()._finish(whole)
        # only beginnings of words are left at the end: they are not written
        _, node, _, acoustic = beams[0]
        language = node.words.base - self._unknown + self._end(node.words)
        return [Hypothesis(node.words.text, acoustic, language, acoustic + language)]

    def _texts(self, node: _Node) -> Iterable[str]:
        if not node.part:
            return (node.words.text,)
        return [f"{node.words.text} {word}".strip() for word in self._sounding(node.part)]

    def _ending(self, node: _Node, text: str) -> float:
        words = node.words
        if node.part:
            words, _ = self._with_word(node, text[len(words.text) :].strip())
        return words.base + self._end(words)


def _log_probs(language_model: LanguageModel, lexicon: Lexicon) -> NDArray[np.float32]:
    """(entries,) natural logarithms of the unigram probabilities of a lexicon's words."""
    places = lexicon.places(language_model.words)
    log_probs = language_model.unigrams[places]
    if (places < 0).any():
        log_probs[places < 0] = language_model.unknown
    return log_probs
