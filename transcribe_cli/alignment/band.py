"""Viterbi over a long text in a moving band, with gaps that swallow speech and words that may be left out.

    n labels in the band, g gaps in it

    B[i] ← max(B[i], Y[i−1])                                       the blank before label i, as in `ctc.viterbi`
    G[w] ← max over u ≤ w of G[u] − min(Σ skip costs of words u…w−1, jump cost)        at the gaps among them
    Y[i] ← max(Y[i], B[i]) + r[t, i]
    G[w] ← G[w] + what the gap makes of frame t

The maximum over all u is a running maximum of G plus summed costs, so a frame takes vector operations only. Choices
are kept as bits until they are older than the lag; then a walk back from the best state decides them.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..alphabet import Alphabet
from ..ctc.viterbi import relative_to_blank
from .target import ForcedOptions, Places, Target

Floats = npt.NDArray[np.floating]
Decided = tuple[Places, Floats, npt.NDArray[np.float64]]  # label of each frame or −1, log-probabilities, seconds

PIECE = 128  # frames searched at a time, small enough for a processor's cache; the band moves between pieces


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is kept of a searched piece until it is decided: emissions, and a bit for each choice of a predecessor."""

    log_probs: Floats
    times: npt.NDArray[np.float64]
    low: int  # first label of the band
    n_labels: int
    gaps: list[int]  # indices in the band of the gaps in it
    left: bytes  # (t, n): the blank after the label entered from it
    stayed: bytes  # (t, n): the label went on
    skipped: bytes  # (t, g): the gap reached by leaving out the word before it
    jumped: bytes  # (t, g): the gap reached by a jump …
    source: bytes  # (t, g): … from the nearest gap before it with this bit


class BandSearch:
    """Viterbi in a moving band, decided with a lag. push() and flush() give (labels (t,), log_probs, times)."""

    def __init__(self, target: Target, alphabet: Alphabet, options: ForcedOptions, lag: int) -> None:
        self._target, self._options, self._lag = target, options, lag
        self._blank, self._boundary = alphabet.blank, alphabet.boundary_id
        self._low = 0
        n = min(options.band_labels, len(target.columns))
        self._in_blank = np.full(n + 1, -np.inf, dtype=np.float32)
        self._in_label = np.full(n, -np.inf, dtype=np.float32)
        self._in_blank[0] = 0.0
        # fresh memory for every piece would cost as much as the search
        self._scores_blank = np.empty((PIECE + 1, n + 1), dtype=np.float32)
        self._scores_label = np.empty((PIECE + 1, n), dtype=np.float32)
        self._gains = np.empty((PIECE, n), dtype=np.float32)
        self._pieces: deque[_Piece] = deque()
        self._kept = 0

    def push(self, log_probs: Floats, times: npt.NDArray[np.float64]) -> Iterator[Decided]:
        self._move()
        self._pieces.append(self._step(log_probs, times))
        self._kept += len(log_probs)
        if self._kept >= 2 * self._lag:
            best = int(np.argmax(self._in_label)) if len(self._in_label) else 0
            on_label = len(self._in_label) > 0 and self._in_label[best] >= self._in_blank.max()
            start = best if on_label else int(np.argmax(self._in_blank))
            yield from self._decide(start + self._low, bool(on_label), keep=self._lag)

    def flush(self) -> Iterator[Decided]:
        target = self._target
        # the end of the text, where the band has it, else the best gap: what comes after it was not said
        low, high = self._low, self._low + len(self._in_label)
        gaps = target.gaps[(target.gaps >= low) & (target.gaps <= high)]
        if len(gaps) == 0:
            gaps = np.array([low])
        in_gap = self._in_blank[gaps - low].astype(np.float64)
        before = np.full(len(gaps), -np.inf)
        before[gaps > low] = self._in_label[gaps[gaps > low] - low - 1]
        value = np.maximum(in_gap, before)
        rest = np.minimum(target.cost[-1] - target.cost[np.searchsorted(target.gaps, gaps)], self._options.jump_cost)
        i = int(np.argmax(value - np.where(gaps == target.gaps[-1], 0.0, rest)))
        on_label = bool(before[i] > in_gap[i])
        yield from self._decide(int(gaps[i]) - on_label, on_label, keep=0)

    def _move(self) -> None:
        """Shifts the band so that a third of it lies behind the best state. It never goes back."""
        columns, band = self._target.columns, self._options.band_labels
        n = len(self._in_label)
        if self._low + n == len(columns):
            return
        best = int(np.argmax(np.maximum(self._in_blank[:-1], self._in_label)))
        rest = len(columns) - self._low - n
        shift = min(max(0, best - band // 3), rest)
        if shift < min(band // 16, rest):  # not for every trifle, but all the way to the end
            return
        self._in_blank = np.concatenate((self._in_blank[shift:], np.full(shift, -np.inf, dtype=np.float32)))
        self._in_label = np.concatenate((self._in_label[shift:], np.full(shift, -np.inf, dtype=np.float32)))
        self._low += shift

    def _step(self, log_probs: Floats, times: npt.NDArray[np.float64]) -> _Piece:
        target, options, low, n = self._target, self._options, self._low, len(self._in_label)
        relative = relative_to_blank(log_probs, self._blank).astype(np.float32)
        swallow = self._swallowed(relative)
        n_frames = len(relative)
        first, stop = np.searchsorted(target.gaps, [low, low + n + 1])
        gaps = target.gaps[first:stop] - low
        before = np.maximum(gaps - 1, 0)  # the label before each gap
        orphan = int(len(gaps) > 0 and gaps[0] == 0)  # no such label in the band
        cost = target.cost[first:stop] - (target.cost[first] if first < stop else 0.0)
        in_blank, in_label = self._scores_blank[: n_frames + 1], self._scores_label[: n_frames + 1]
        in_blank[0], in_label[0] = self._in_blank, self._in_label
        in_blank[:, 0] = in_blank[0, 0]
        # Gaps are kept apart, in float64: (value + cost) − cost must be the value again.
        arrived = np.empty((n_frames, len(gaps)))  # best of going on in the gap and coming from the label, + cost
        skipping = np.empty_like(arrived)  # the same after leaving out words
        here = in_blank[0, gaps].astype(np.float64)
        from_label = np.empty((n_frames, len(gaps)), dtype=np.bool_)
        gains = relative.take(target.columns[low : low + n], axis=1, out=self._gains[:n_frames], mode="clip")
        maximum, add = np.maximum, np.add
        for t in range(n_frames):
            last_label, tail, label = in_label[t], in_blank[t + 1, 1:], in_label[t + 1]
            maximum(in_blank[t, 1:], last_label, out=tail)
            if len(gaps):
                came = last_label.take(before).astype(np.float64) if n else np.full(len(gaps), -np.inf)
                if orphan:
                    came[0] = -np.inf
                np.greater(came, here, out=from_label[t])
                total = arrived[t]
                maximum(came, here, out=total)
                total += cost
                kept = skipping[t]
                maximum.accumulate(total, out=kept)
                kept -= cost
                here = maximum.accumulate(kept)
                here -= options.jump_cost
                maximum(here, kept, out=here)
                # Labels are entered from the gap as it is before this frame is spent in it …
                in_blank[t + 1, gaps] = here
            maximum(last_label, in_blank[t + 1, :-1], out=label)
            add(label, gains[t], out=label)
            here += swallow[t]  # … and only then what the gap makes of the frame is added, for the frames to come
        left = in_label[:-1] > in_blank[:-1, 1:]
        left[:, gaps[orphan:] - 1] = from_label[:, orphan:]
        stayed = in_label[:-1] >= in_blank[1:, :-1]
        skipped = np.zeros_like(from_label)
        skipped[:, 1:] = np.maximum.accumulate(arrived, axis=1)[:, :-1] > arrived[:, 1:]
        highest = np.maximum.accumulate(skipping, axis=1)
        jumped = highest - options.jump_cost > skipping
        self._in_blank, self._in_label = in_blank[-1].copy(), in_label[-1].copy()
        self._in_blank[gaps] = here
        best = max(self._in_blank.max(), self._in_label.max(initial=-np.inf))
        self._in_blank -= best  # float32 is fine near zero
        self._in_label -= best
        return _Piece(
            np.array(log_probs, dtype=np.float32),
            times,
            low,
            n,
            gaps.tolist(),
            *(np.packbits(bits, axis=1).tobytes() for bits in (left, stayed, skipped, jumped, skipping >= highest)),
        )

    def _swallowed(self, relative: npt.NDArray[np.float32]) -> list[float]:
        """What a gap makes of each frame: 0 for the blank, as much as the boundary or, at a cost, the best letter."""
        letters = np.delete(relative, [self._blank] + ([] if self._boundary is None else [self._boundary]), axis=1)
        gain = np.maximum(letters.max(axis=1, initial=-np.inf) - self._options.extra_cost, 0.0)
        if self._boundary is not None:
            gain = np.maximum(gain, relative[:, self._boundary])
        return [float(x) for x in gain]

    def _decide(self, index: int, on_label: bool, keep: int) -> Iterator[Decided]:
        """Walks back from a state and hands out all pieces but the last ones that make up `keep` frames."""
        traces = []
        for piece in reversed(self._pieces):
            trace = np.full(len(piece.times), -1, dtype=np.intp)
            index, on_label = _walk(piece, index, on_label, trace)
            traces.append(trace)
        while self._pieces and self._kept - len(self._pieces[0].times) >= keep:
            piece = self._pieces.popleft()
            self._kept -= len(piece.times)
            yield traces.pop(), piece.log_probs, piece.times


def _walk(piece: _Piece, index: int, on_label: bool, trace: Places) -> tuple[int, bool]:
    """Walks a piece back from label `index`, or the blank before it, and writes labels; returns where it comes out."""
    row, gap_row = (piece.n_labels + 7) // 8, (len(piece.gaps) + 7) // 8
    gap_at = {place: g for g, place in enumerate(piece.gaps)}

    def bit(bits: bytes, width: int, t: int, i: int) -> int:
        return bits[t * width + (i >> 3)] >> (7 - (i & 7)) & 1

    i = index - piece.low
    for t in range(len(trace) - 1, -1, -1):
        if on_label:
            trace[t] = i + piece.low
            if bit(piece.stayed, row, t, i):
                continue
        # Now in the blank before label i as it was when this frame began.
        g = gap_at.get(i)
        if g is not None:
            if bit(piece.jumped, gap_row, t, g):
                g -= 1
                while g > 0 and not bit(piece.source, gap_row, t, g):
                    g -= 1
            while bit(piece.skipped, gap_row, t, g):
                g -= 1
            i = piece.gaps[g]
        on_label = i > 0 and bool(bit(piece.left, row, t, i - 1))
        i -= on_label
    return i + piece.low, on_label
