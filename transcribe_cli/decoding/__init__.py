"""From log-probabilities to texts: greedy, our own searches, or the C++ engine, behind one Protocol."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet
from ..errors import OptionError
from ..lm.model import LanguageModel
from . import hotwords as hot
from . import lexicon
from .beam import BeamSearch
from .both import SEARCHED, BothSearch
from .fast import FastSearch, can, installed
from .greedy import Greedy
from .hypothesis import Decoder, Hypothesis
from .judge import Heads
from .lexicon import Sounding
from .options import DecodingOptions
from .respelling import Respelling
from .words import WordSearch

__all__ = ["BothSearch", "Decoder", "DecodingOptions", "Hypothesis", "Respelling", "Sounding", "build"]


def build(
    alphabet: Alphabet,
    language_model: LanguageModel | None = None,
    options: DecodingOptions = DecodingOptions(),  # noqa: B008 (frozen)
    sounding: Sounding | None = None,
) -> Decoder:
    """The decoder that the options ask for, with its language model and hotwords checked against the alphabet.

    Weights that the options leave open are the usual ones: whoever has a model's card fills in the card's before.

    sounding: where the rows hold sounds behind the letters; the decoder takes the whole rows then.

    Raises LanguageModelError, HotwordError, InputNotFound (the file of hotwords), MissingExtra (decoder "fast"),
    ModelError (the lexicon).
    """
    words = hot.told(options)
    if options.decoder == "greedy" and words:
        raise OptionError("--decoder greedy cannot listen for hotwords: take --decoder beam")
    fitted = hot.fit(words, alphabet)
    if language_model is not None:
        language_model.check_fits(alphabet)
    if sounding is None:
        return _of_letters(alphabet, language_model, options, fitted)
    engine = options.decoder in ("python", "fast")  # to insist on it is to do without all else
    # a model of characters, or a binary that does not say which words it has
    wordless = language_model is not None and (
        language_model.unit != "word" or not (language_model.words or options.decoder == "greedy")
    )
    if sounding.lexicon_path is None or engine or wordless:
        return _OfLetters(_of_letters(alphabet, language_model, options, fitted), alphabet)
    known, matcher = lexicon.load(sounding.lexicon_path), _matcher(fitted, options)
    if matcher is not None:
        known = known.completed_by_rule(matcher.words, alphabet)
    if language_model is None or options.decoder == "greedy":
        by_letters = _of_letters(alphabet, None, options, fitted)
        kept = frozenset(matcher.words) if matcher is not None else frozenset()
        return Respelling(Heads(alphabet, sounding.alphabet, known, options.softening), by_letters, kept)
    known = known.completed(language_model.words, alphabet)
    heads = Heads(alphabet, sounding.alphabet, known, options.softening)
    several = replace(options, nbest=max(options.nbest, SEARCHED))
    # of texts that no model can tell apart any more one is enough: what differs before is weighed at its own spot
    by_letters = BeamSearch(alphabet, language_model, several, matcher, prune_history=True)
    by_words = WordSearch(sounding.alphabet, known, language_model, several, matcher, prune_history=True)
    return BothSearch(heads, by_letters, by_words, language_model, options, matcher)


def _of_letters(
    alphabet: Alphabet, language_model: LanguageModel | None, options: DecodingOptions, fitted: Sequence[hot.Hotword]
) -> Decoder:
    if options.decoder == "greedy":
        return Greedy(alphabet)
    if options.decoder != "python" and not fitted and can(alphabet, language_model):
        if options.decoder == "fast" or installed():
            return FastSearch(alphabet, language_model, options)
    elif options.decoder == "fast":
        raise OptionError(
            "--decoder fast knows neither these hotwords, character models nor alphabets of longer units: "
            "take --decoder beam"
        )
    return BeamSearch(alphabet, language_model, options, _matcher(fitted, options))


def _matcher(fitted: Sequence[hot.Hotword], options: DecodingOptions) -> hot.HotwordMatcher | None:
    return hot.HotwordMatcher(fitted, hot.MOST_LENT * abs(options.limits[1])) if fitted else None


class _OfLetters:
    """A decoder of letters for rows that hold sounds behind them."""

    def __init__(self, decoder: Decoder, alphabet: Alphabet) -> None:
        self._decoder, self._size = decoder, len(alphabet)

    def decode(self, log_probs: NDArray[np.floating], context: str = "") -> list[Hypothesis]:
        return self._decoder.decode(log_probs[:, : self._size], context)
