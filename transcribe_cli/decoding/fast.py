"""The same search in C++: ctc-beam-decoder (extra `fast`) behind our Protocol.

It reproduces pyctcdecode, so it differs from `beam.py` where that does, and nowhere else:

- a hypothesis that ends on a word boundary has an empty last word scored, as an unknown one, so a text may gain a
  letter or lose one at its end; ours ends after the word. Behind the last letter the boundary's share is given to the
  blank before the engine sees it, which changes no text's probability and makes that rare;
- rows are renormalised in single precision and clipped at 1e-15; ours are taken as they are;
- no context of words before, no phrases or boosts of their own among hotwords, no character or unigram models, no
  alphabets of whole words: `can` says so, and the caller then takes `beam.py`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet
from ..errors import MissingExtra
from ..lm.model import LanguageModel
from .hypothesis import Hypothesis, checked, softened
from .options import DecodingOptions


def installed() -> bool:
    """Whether the C++ engine can be imported here."""
    try:
        import ctc_beam_decoder  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


def can(alphabet: Alphabet, language_model: LanguageModel | None) -> bool:
    """Whether the engine decodes this alphabet with this model as `beam.py` would."""
    letters = [token for i, token in enumerate(alphabet.tokens) if i != alphabet.blank]
    if alphabet.boundary_id is None or any(len(token) != 1 for token in letters):
        return False
    if language_model is None:
        return True
    # it opens the file itself, and needs the words to know which beginnings lead somewhere
    return bool(language_model.unit == "word" and language_model.words and language_model.plain)


class FastSearch:
    """A decoder with everything but the emissions fixed; the arguments are those of `beam.BeamSearch`.

    Raises MissingExtra where the engine is not installed.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        language_model: LanguageModel | None,
        options: DecodingOptions = DecodingOptions(),  # noqa: B008 (frozen)
        *,
        prune_history: bool | None = None,
    ) -> None:
        try:
            import ctc_beam_decoder
        except (ImportError, OSError) as error:
            raise MissingExtra("decoding with the C++ engine", "ctc-beam-decoder", "fast") from error
        labels = [
            "" if i == alphabet.blank else " " if token == alphabet.boundary else token
            for i, token in enumerate(alphabet.tokens)
        ]
        self._n_tokens, self._options = len(alphabet), options
        self._prune_history = options.nbest == 1 if prune_history is None else prune_history
        alpha, beta = options.weights
        self._blank, self._boundary = alphabet.blank, alphabet.boundary_id or 0  # `can` sees to it that there is one
        self._engine: Any = ctc_beam_decoder.BeamSearchDecoder(
            labels,
            kenlm_model_path=None if language_model is None else language_model.path,
            unigrams=None if language_model is None else list(language_model.words),
            alpha=alpha,
            beta=beta,
            unk_score_offset=-options.unknown_penalty,
        )

    def decode(self, log_probs: NDArray[np.floating], context: str = "") -> list[Hypothesis]:
        """(T, V) natural log-probabilities → hypotheses, best first, one at least. The context changes nothing.

        Raises ValueError where the array is no such thing.
        """
        log_probs = softened(checked(log_probs, self._n_tokens), self._options.softening)
        if not len(log_probs):
            return [Hypothesis("", 0.0, 0.0, 0.0)]
        options, (least, prune) = self._options, self._options.limits
        found = self._engine.decode_beams(
            self._without_last_boundary(np.array(log_probs, dtype=np.float32)),
            beam_width=options.width,
            beam_prune_logp=prune,
            token_min_logp=least,
            prune_history=self._prune_history,
        )
        return [
            Hypothesis(text, acoustic, total - acoustic, total)
            for text, _, _, acoustic, total in found[: options.nbest]
        ]

    def _without_last_boundary(self, log_probs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Where no letter can come any more, ending on a blank or on a boundary is the same text. In place."""
        letters = np.ones(self._n_tokens, dtype=bool)
        letters[[self._blank, self._boundary]] = False
        rows = np.flatnonzero(
            (log_probs[:, letters].max(axis=1) >= self._options.limits[0])
            | np.isin(log_probs.argmax(axis=1), np.flatnonzero(letters))
        )
        end = rows[-1] + 1 if len(rows) else 0
        tail = log_probs[end:]
        tail[:, self._blank] = np.logaddexp(tail[:, self._blank], tail[:, self._boundary])
        tail[:, self._boundary] = -np.inf
        return log_probs
