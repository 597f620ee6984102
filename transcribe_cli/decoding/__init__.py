"""From log-probabilities to texts: greedy, our own beam search, or the C++ engine, behind one Protocol."""

from ..alphabet import Alphabet
from ..errors import OptionError
from ..lm.model import LanguageModel
from . import hotwords as hot
from .beam import BeamSearch
from .fast import FastSearch, can, installed
from .greedy import Greedy
from .hypothesis import Decoder, Hypothesis
from .options import DecodingOptions

__all__ = ["Decoder", "DecodingOptions", "Hypothesis", "build"]


def build(
    alphabet: Alphabet,
    language_model: LanguageModel | None = None,
    options: DecodingOptions = DecodingOptions(),  # noqa: B008 (frozen)
) -> Decoder:
    """The decoder that the options ask for, with its language model and hotwords checked against the alphabet.

    Weights that the options leave open are the usual ones: whoever has a model's card fills in the card's before.

    Raises LanguageModelError, HotwordError, InputNotFound (the file of hotwords), MissingExtra (decoder "fast").
    """
    words = [hot.parse(text, options.hotword_boost, "--hotword") for text in options.hotword]
    if options.hotwords_file is not None:
        words = hot.read(options.hotwords_file, options.hotword_boost) + words
    if options.decoder == "greedy":
        if words:
            raise OptionError("--decoder greedy cannot listen for hotwords: take --decoder beam")
        return Greedy(alphabet)
    if language_model is not None:
        language_model.check_fits(alphabet)
    fitted = hot.fit(words, alphabet)

    if options.decoder != "python" and not fitted and can(alphabet, language_model):
        if options.decoder == "fast" or installed():
            return FastSearch(alphabet, language_model, options)
    elif options.decoder == "fast":
        raise OptionError(
            "--decoder fast knows neither these hotwords, character models nor alphabets of longer units: "
            "take --decoder beam"
        )
    return BeamSearch(alphabet, language_model, options, hot.HotwordMatcher(fitted) if fitted else None)
