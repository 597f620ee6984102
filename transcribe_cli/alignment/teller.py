"""From the path of a forced alignment, as it is decided, to words with times and speech that the text lacks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..alphabet import Alphabet
from ..ctc.collapse import collapse
from ..ctc.viterbi import Path
from ..transcript import Word
from .band import Floats
from .confidence import REACH_SECONDS, word_confidences
from .target import ForcedOptions, Places, Target, TextWord
from .words import padded_times

_PAUSE_SECONDS = 0.5  # silence that parts one stretch of extra speech from the next
_HELD_SECONDS = 60.0  # extra speech longer than this is told in parts


@dataclass(frozen=True, slots=True)
class AlignedWord:
    """A word of the text with its times, or the mark that it was not said.

    index: its place in the text; supported: whether the audio holds it; a word without support may have no length.
    units: its units (characters, say) with times and peak posteriors, empty where it was left out.
    """

    word: Word
    index: int
    supported: bool
    units: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtraSpeech:
    """Speech that the text lacks; text: what the network heard, unpolished."""

    start_seconds: float
    end_seconds: float
    text: str


class Teller:
    """push(decided frames) and flush() give every word of the text once and in order, and the speech between them.

    The last word heard is held back until what follows it is known, for its end and confidence depend on that.
    """

    def __init__(
        self,
        words: Sequence[TextWord],
        target: Target,
        alphabet: Alphabet,
        frame_seconds: float,
        options: ForcedOptions,
        temperature: float,
    ) -> None:
        self._words, self._target, self._alphabet, self._options = words, target, alphabet, options
        self._frame, self._temperature = frame_seconds, temperature
        self._labels = np.zeros(0, dtype=np.intp)
        self._said = np.zeros(0)  # log-probability of the path's column
        self._between = np.zeros(0)  # the same between words, where the boundary is as good as the blank
        self._heard = np.zeros(0, dtype=np.intp)  # best column
        self._times = np.zeros(0)
        self._last_label = -1  # highest label seen
        self._told_label = -1  # last label of the last word told, heard or not
        self._next = 0  # place in the text of the next word to tell
        self._end = -np.inf  # of the last word told: its own last frame's end …
        self._now = 0.0  # … and the padded end, before which nothing may begin

    def push(
        self, labels: Places, log_probs: Floats, times: npt.NDArray[np.float64]
    ) -> Iterator[AlignedWord | ExtraSpeech]:
        if not len(labels):
            return
        if not len(self._times) and self._next == 0 and self._end == -np.inf:
            self._now = float(times[0])
        # A later decision may contradict an earlier one, which stands: labels never go backwards.
        reached = np.maximum.accumulate(np.maximum(labels, self._last_label))
        labels = np.where((labels == reached) & (labels > self._told_label), labels, -1)
        self._last_label = int(reached[-1])
        columns = np.append(self._target.columns, self._alphabet.blank)[labels]
        self._labels = np.concatenate((self._labels, labels))
        said = log_probs[np.arange(len(labels)), columns]
        self._said = np.concatenate((self._said, said))
        if self._alphabet.boundary_id is not None:
            said = np.where(labels < 0, np.maximum(said, log_probs[:, self._alphabet.boundary_id]), said)
        self._between = np.concatenate((self._between, said))
        self._heard = np.concatenate((self._heard, log_probs.argmax(axis=1)))
        self._times = np.concatenate((self._times, times))
        yield from self._tell(final=False)

    def flush(self) -> Iterator[AlignedWord | ExtraSpeech]:
        yield from self._tell(final=True)

    def _tell(self, final: bool) -> Iterator[AlignedWord | ExtraSpeech]:
        target, n_frames = self._target, len(self._labels)
        starts, ends = Path(self._labels.astype(np.int32), 0.0).spans()
        labels = self._labels[starts]
        inside = np.flatnonzero(target.word[labels] >= 0) if len(labels) else np.zeros(0, dtype=np.intp)
        word = target.word[labels[inside]]
        fresh = np.flatnonzero(np.diff(word, prepend=-1))
        first, last = inside[fresh], inside[np.append(fresh[1:], len(inside))[: len(fresh)] - 1]
        word = word[fresh]
        begin, end = starts[first], ends[last]
        reach = round(REACH_SECONDS / self._frame)
        n_told = len(word)
        if n_told and not final and n_frames - end[-1] < 2 * reach:
            n_told -= 1

        # stretches of extra speech in the gap before each word, and behind the last
        edges = np.concatenate(([0], end)), np.concatenate((begin, [n_frames]))
        stretches = [self._stretches(int(a), int(b)) for a, b in zip(*edges, strict=True)]
        said = self._said.copy()
        for a, b in zip(*edges, strict=True):
            said[a:b] = self._between[a:b]
        for a, b in (piece for gap in stretches for piece in gap):
            said[a:b] = np.maximum(said[a:b], 0.0)  # not the fault of the words beside it
        if n_told:
            limits = self._limits(starts, ends, first, last)
            n_labels = np.array(
                [np.count_nonzero(target.word[labels[a : b + 1]] >= 0) for a, b in zip(first, last, strict=True)]
            )
            sure = word_confidences(said, begin, end, limits, n_labels, self._frame, self._temperature)
            begin_seconds, end_seconds = self._times[begin], self._times[end - 1] + self._frame
            latest = float(self._times[-1]) + self._frame
            times = padded_times(begin_seconds, end_seconds, self._end, self._now, latest)
            for k in range(n_told):
                place = int(target.index[word[k]])
                yield from self._tell_gap(place, stretches[k], float(times[k, 0]))
                confidence = float(sure[k])
                yield AlignedWord(
                    Word(self._words[place].shown, float(times[k, 0]), float(times[k, 1]), confidence),
                    place,
                    confidence**self._temperature >= self._options.minimum_confidence,
                    self._units(starts, ends, first[k], last[k]),
                )
                self._next, self._end, self._now = place + 1, float(end_seconds[k]), float(times[k, 1])
                self._told_label = int(target.gaps[word[k] + 1]) - 1
        cut = int(end[n_told - 1]) if n_told else 0
        if final:
            yield from self._tell_gap(len(self._words), stretches[-1], float("inf"))
            cut = n_frames
        elif n_told == len(word) and (n_frames - cut) * self._frame > _HELD_SECONDS:
            yield from (self._extra(a, b) for a, b in stretches[-1])
            cut = n_frames
        self._labels, self._said, self._between = self._labels[cut:], self._said[cut:], self._between[cut:]
        self._heard, self._times = self._heard[cut:], self._times[cut:]

    def _tell_gap(
        self, place: int, stretches: list[tuple[int, int]], latest: float
    ) -> Iterator[AlignedWord | ExtraSpeech]:
        """Words of the text before `place` that were not told yet, and the speech found in their stead."""
        missed = range(self._next, place)
        unspelled = [i for i in missed if not self._words[i].spelled and not self._words[i].optional]
        extra = [self._extra(a, b) for a, b in stretches]
        span = (0.0, 0.0)
        if unspelled and extra:  # what could not be spelled is what was heard here
            span = max(extra[0].start_seconds, self._now), min(extra[-1].end_seconds, latest)
            extra = []
        for i in missed:
            share = (span[1] - span[0]) / len(unspelled) if i in unspelled else 0.0
            if share > 0:
                one = span[0] + share * unspelled.index(i)
                yield AlignedWord(Word(self._words[i].shown, one, one + share, 0.0), i, True)
                self._now = one + share
            else:
                yield AlignedWord(Word(self._words[i].shown, self._now, self._now, 0.0), i, False)
        self._next = place
        yield from extra

    def _extra(self, a: int, b: int) -> ExtraSpeech:
        text = self._alphabet.decode(collapse(self._heard[a:b], self._alphabet.blank))
        return ExtraSpeech(float(self._times[a]), float(self._times[b - 1]) + self._frame, text)

    def _stretches(self, begin: int, stop: int) -> list[tuple[int, int]]:
        """Frame spans within a gap where enough letters were heard, parted at pauses."""
        boundary = self._alphabet.boundary_id
        heard = self._heard[begin:stop]
        loud = (
            np.flatnonzero((heard != self._alphabet.blank) & (heard != boundary if boundary is not None else True))
            + begin
        )
        if len(loud) == 0:
            return []
        parted = np.flatnonzero(np.diff(self._times[loud]) > _PAUSE_SECONDS) + 1
        spans = [(int(part[0]), int(part[-1]) + 1) for part in np.split(loud, parted)]
        return [(a, b) for a, b in spans if self._letters(a, b) >= self._options.extra_letters]

    def _letters(self, a: int, b: int) -> int:
        units = collapse(self._heard[a:b], self._alphabet.blank)
        return sum(unit != self._alphabet.boundary_id for unit in units)

    def _limits(self, starts: Places, ends: Places, first: Places, last: Places) -> tuple[Places, Places]:
        """See `words.word_limits`; here labels may be missing, for words may be left out."""
        lower = np.zeros(len(first), dtype=np.intp)
        upper = np.full(len(first), len(self._labels), dtype=np.intp)
        for k, (a, b) in enumerate(zip(first, last, strict=True)):
            if a > 0:
                lower[k] = ends[a - 1] if self._target.word[self._labels[starts[a - 1]]] >= 0 else starts[a - 1]
            if b + 1 < len(starts):
                upper[k] = starts[b + 1] if self._target.word[self._labels[starts[b + 1]]] >= 0 else ends[b + 1]
        return lower, upper

    def _units(self, starts: Places, ends: Places, first: int, last: int) -> tuple[Word, ...]:
        units = []
        for a, b in zip(starts[first : last + 1], ends[first : last + 1], strict=True):
            label = self._labels[a]
            if self._target.word[label] < 0:
                continue
            token = self._alphabet.tokens[self._target.columns[label]]
            peak = float(np.exp(min(0.0, self._said[a:b].max())))
            units.append(Word(token, float(self._times[a]), float(self._times[b - 1]) + self._frame, peak))
        return tuple(units)
