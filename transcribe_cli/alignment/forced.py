"""Forced alignment: a known text of any length against emissions that stream by, in bounded memory.

    V columns, L labels of the text, W words

The search is Viterbi's over the text's lattice (see `ctc.viterbi`) with two freedoms between words, because texts and
recordings seldom agree to the letter:

  * the gap before a word may swallow speech: a frame costs `extra_cost` there, or nothing where the blank or the word
    boundary is the best column anyway;
  * words may be left out: each of their labels costs `skip_cost`, and any stretch, however long, at most `jump_cost`.

Only the labels around the best path so far, `band_labels` of them, are followed, and what lies more than `lag_seconds`
back is decided for good, so that an hour and a day take the same memory. Words that the path leaves out, or that the
audio contradicts, come marked as not supported; letters heard in the gaps come as `ExtraSpeech`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from ..alphabet import Alphabet
from ..errors import CTCError
from .band import PIECE, BandSearch, Decided, Floats
from .target import ForcedOptions, Places, TextWord, lay_out, spell
from .teller import AlignedWord, ExtraSpeech, Teller

__all__ = ["AlignedWord", "ExtraSpeech", "ForcedOptions", "TextWord", "align_text", "spell"]


def align_text(
    emissions: Iterable[tuple[Floats, float]],
    words: Sequence[TextWord],
    alphabet: Alphabet,
    frame_seconds: float,
    options: ForcedOptions | None = None,
    temperature: float = 1.0,
    listener: Callable[[Places, Floats], None] | None = None,
) -> Iterator[AlignedWord | ExtraSpeech]:
    """Every word of the text once and in order, with the extra speech between them, as soon as they are decided.

    emissions: blocks of (log_probs (t, V) natural, seconds at which the first row begins), in order of time; what lies
    between two blocks is taken as silence. temperature: the card's `confidence_temperature`. listener: called with each
    piece that is decided, the places (t,) in the target's columns, −1 in gaps and blanks, and its log_probs (t, V).

    Raises:
        CTCError: emissions of another alphabet, a spelling outside the alphabet, or units that span words.
    """
    options = options or ForcedOptions()
    target = lay_out(words, alphabet, options)
    search = BandSearch(target, alphabet, options, max(1, round(options.lag_seconds / frame_seconds)))
    teller = Teller(words, target, alphabet, frame_seconds, options, temperature)
    for log_probs, start_seconds in emissions:
        if log_probs.ndim != 2 or log_probs.shape[1] != len(alphabet):
            raise CTCError(f"emissions of shape {log_probs.shape} do not fit an alphabet of {len(alphabet)} tokens")
        for begin in range(0, len(log_probs), PIECE):
            piece = log_probs[begin : begin + PIECE]
            times = start_seconds + frame_seconds * np.arange(begin, begin + len(piece), dtype=np.float64)
            yield from _tell(search.push(piece, times), teller, listener)
    yield from _tell(search.flush(), teller, listener)
    yield from teller.flush()


def _tell(
    decided: Iterable[Decided], teller: Teller, listener: Callable[[Places, Floats], None] | None
) -> Iterator[AlignedWord | ExtraSpeech]:
    for labels, log_probs, times in decided:
        if listener is not None:
            listener(labels, log_probs)
        yield from teller.push(labels, log_probs, times)
