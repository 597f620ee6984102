"""From a text and the emissions it was read from to timed words.

The Viterbi path says at which frames each unit was emitted. A word's time is the span from its first unit's first
frame to its last unit's last, widened by `LEAD_SECONDS` and `TAIL_SECONDS`, because CTC's posteriors are spikes: a unit
is emitted in one or two frames within its sound, not over all of it. Where the gap to a neighbour is too small for
both, it is shared between them in that proportion. Words never overlap, never go backwards, never leave the emissions.
"""

import numpy as np
import numpy.typing as npt

from ..alphabet import Alphabet
from ..ctc.viterbi import align
from ..errors import CTCError
from ..transcript import Word
from .confidence import word_confidences

# Near the medians, over two models and the pauses of development speech, of the distance between the edge of the sound,
# by its energy, and the first or last frame of the units beside it; benchmarks/alignment.py measures them again.
LEAD_SECONDS = 0.04
TAIL_SECONDS = 0.03


def align_words(
    log_probs: npt.NDArray[np.floating],
    text: str,
    alphabet: Alphabet,
    frame_seconds: float,
    start_seconds: float = 0.0,
    temperature: float = 1.0,
) -> tuple[Word, ...]:
    """Words of a text with times and confidences, aligned to log_probs (T, V) whose first row begins at start_seconds.

    text: words separated by white space, spelled in the alphabet (a decoder's output is). temperature: the card's
    `confidence_temperature`. An empty text gives no words.

    Raises:
        CTCError: a unit outside the alphabet, or a text too long for the frames.
    """
    texts = text.split()
    if not texts:
        return ()
    missing = alphabet.missing(text)
    if missing:
        raise CTCError(f"the model's alphabet cannot spell {missing[0]!r}: write the text in its units")
    labels = np.asarray(alphabet.encode(text), dtype=np.intp)
    if log_probs.ndim != 2 or log_probs.shape[1] != len(alphabet):
        raise CTCError(f"emissions of shape {log_probs.shape} do not fit an alphabet of {len(alphabet)} tokens")
    path = align(log_probs, labels, alphabet.blank, checked=True)
    first, last = alphabet.words(labels)
    starts, ends = path.spans()
    said = log_probs[np.arange(len(log_probs)), np.append(labels, alphabet.blank)[path.frames]]
    begin, end = starts[first], ends[last]
    limits = word_limits(starts, ends, first, last, len(log_probs))
    sure = word_confidences(said, begin, end, limits, last - first + 1, frame_seconds, temperature)
    times = word_times(begin, end, len(log_probs), frame_seconds) + start_seconds
    return tuple(
        Word(word, start, end, confidence)
        for word, (start, end), confidence in zip(texts, times.tolist(), sure.tolist(), strict=True)
    )


def word_limits(
    starts: npt.NDArray[np.intp],
    ends: npt.NDArray[np.intp],
    first: npt.NDArray[np.intp],
    last: npt.NDArray[np.intp],
    n_frames: int,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """First frame and one past the last that each word answers for: two (W,) arrays.

    That is from the start of the boundary before it to the end of the boundary after it; where words follow each other
    without a boundary, from the end of the word before to the start of the word after. starts, ends: (L,) label spans.
    """
    parted = first[1:] - last[:-1] > 1  # a label lies between these two words
    lower = np.where(parted, starts[first[1:] - 1], ends[last[:-1]])
    upper = np.where(parted, ends[last[:-1] + 1], starts[first[1:]])
    return np.concatenate(([0], lower)), np.concatenate((upper, [n_frames]))


def word_times(
    starts: npt.NDArray[np.intp], ends: npt.NDArray[np.intp], n_frames: int, frame_seconds: float
) -> npt.NDArray[np.float64]:
    """Padded start and end of each word in seconds from the first frame: (W, 2), sorted, without overlap.

    starts, ends: (W,) frames of the words' units, end exclusive.
    """
    return padded_times(starts * frame_seconds, ends * frame_seconds, -np.inf, 0.0, n_frames * frame_seconds)


def padded_times(
    begin: npt.NDArray[np.floating],
    end: npt.NDArray[np.floating],
    last_end: float,
    earliest: float,
    latest: float,
    lead: float = LEAD_SECONDS,
    tail: float = TAIL_SECONDS,
) -> npt.NDArray[np.float64]:
    """Spans of the words' units, (W,) and (W,) in seconds, widened into the gaps between them: (W, 2).

    last_end: end of the units of a word before these, −∞ for none; earliest, latest: what no time may leave.
    """
    gap = np.maximum(begin - np.concatenate(([last_end], end[:-1])), 0.0)  # negative where two words share a unit
    share = np.minimum(1.0, gap / (lead + tail))
    padded_begin = np.maximum(begin - lead * share, earliest)
    padded_end = np.minimum(end + tail * np.append(share[1:], 1.0), latest)
    # rounding and shared units could leave an overlap of a hair
    padded_end[:-1] = np.minimum(padded_end[:-1], np.maximum(padded_begin[1:], padded_begin[:-1]))
    return np.stack((padded_begin, np.maximum(padded_begin, padded_end)), axis=1)
