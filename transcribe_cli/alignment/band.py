"""Viterbi over a long text in a moving band, with gaps that swallow speech and words that may be left out.

    n labels in the band, g gaps in it, c(u, w) = Σ skip costs of words u…w−1

    B[i] ← max(B[i], Y[i−1])                                       the blank before label i, as in `ctc.viterbi`
    G[w] ← max over u ≤ w of G[u] − leaving_out(c(u, w))           at the gaps among them
    Y[i] ← max(Y[i], B[i]) + r[t, i]
    G[w] ← G[w] + what the gap makes of frame t

`leaving_out` is the least of three lines, and the maximum over all u of each is a running maximum of G plus costs, so a
frame takes vector operations only. Choices are kept as bits until walks back from all states that may still win come
together in one: what lies before is decided, and the band begins there. It is wide at first, and grows while they do
not come together – the text or the recording has something else then, and how much is not known yet.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..alphabet import Alphabet
from ..ctc.viterbi import relative_to_blank
from .target import ForcedOptions, Places, Target

Floats = npt.NDArray[np.floating]
Decided = tuple[Places, Floats, npt.NDArray[np.float64]]  # label of each frame or −1, log-probabilities, seconds

PIECE = 128  # frames searched at a time, small enough for a processor's cache; the band moves between pieces
_WIDEST = 16  # times as many labels ahead are followed while it is not known where in the text the recording is
_MARGIN = 2  # jump costs; a path that is further behind the best does not win any more
_JUMP_SHARE = 0.5  # of what words cost by themselves that they cost in a stretch, as far as it is above the jump cost …
_JUMPS = 4  # … and so many jump costs at most
_MOST_ALIVE = 200  # of these; a text that says the same over and over has thousands, and each is walked back
_KEPT_BYTES = 200_000_000  # of undecided choices; beyond that the best path is believed


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
    jumped: bytes  # (t, g): the gap reached by a long jump …
    source: bytes  # (t, g): … from the nearest gap before it with this bit
    leapt: bytes  # (t, g): the same for the longest ones, before that
    spring: bytes  # (t, g)

    @property
    def n_bytes(self) -> int:
        bits = (self.left, self.stayed, self.skipped, self.jumped, self.source, self.leapt, self.spring)
        return sum(map(len, bits)) + self.log_probs.nbytes


class BandSearch:
    """Viterbi in a moving band. push() and flush() give (labels (t,), log_probs, times) of what is decided.

    lag: frames that are kept at least; after twice as many it is looked at whether older ones can be decided.
    """

    def __init__(self, target: Target, alphabet: Alphabet, options: ForcedOptions, lag: int) -> None:
        self._target, self._options, self._lag = target, options, lag
        self._blank, self._boundary = alphabet.blank, alphabet.boundary_id
        self._ahead = _WIDEST * options.band_labels  # labels followed ahead of the best state
        self._low = self._bottom = 0  # first label of the band, and the first that an undecided path may use
        n = min(self._ahead, len(target.columns))
        self._in_blank = np.full(n + 1, -np.inf, dtype=np.float32)
        self._in_label = np.full(n, -np.inf, dtype=np.float32)
        self._in_blank[0] = 0.0
        # a recording that begins with a later word does not begin with the boundary in front of that word
        inner = target.gaps[1:-1][target.gaps[1:-1] < n]
        inner = inner[target.columns[inner] == self._boundary]
        left_out = target.cost[np.searchsorted(target.gaps, inner)]
        self._in_blank[inner + 1] = -leaving_out(left_out, options.jump_cost)
        # fresh memory for every piece would cost as much as the search
        self._buffers = [np.empty(0, dtype=np.float32) for _ in range(3)]
        self._pieces: deque[_Piece] = deque()
        self._kept, self._kept_bytes, self._look = 0, 0, 2 * lag

    def push(self, log_probs: Floats, times: npt.NDArray[np.float64]) -> Iterator[Decided]:
        self._move()
        self._pieces.append(self._step(log_probs, times))
        self._kept += len(log_probs)
        self._kept_bytes += self._pieces[-1].n_bytes
        if self._kept < self._look:
            return
        states = self._alive()
        n_decided, came = self._agreed(states)
        if not n_decided and self._kept_bytes > _KEPT_BYTES:
            n_decided, came = self._agreed(states[:1])
        if n_decided:
            self._ahead = self._options.band_labels
            self._bottom = max(self._bottom, came[0] - 1)
            yield from self._decide(*came, n_decided)
        else:
            self._ahead = min(2 * self._ahead, _WIDEST * self._options.band_labels)
        self._look = max(2 * self._lag, self._kept + self._lag)

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
        rest = leaving_out(target.cost[-1] - target.cost[np.searchsorted(target.gaps, gaps)], self._options.jump_cost)
        i = int(np.argmax(value - np.where(gaps == target.gaps[-1], 0.0, rest)))
        on_label = bool(before[i] > in_gap[i])
        yield from self._decide(int(gaps[i]) - on_label, on_label, len(self._pieces))

    def _move(self) -> None:
        """Lets the band begin where paths are undecided and end `_ahead` labels beyond the best state."""
        n, low = len(self._in_label), max(self._low, self._bottom)
        best = self._low + (int(np.argmax(np.maximum(self._in_blank[:-1], self._in_label))) if n else 0)
        high = max(low, min(len(self._target.columns), best + self._ahead))
        shift, size = low - self._low, high - low
        if not shift and size == n:
            return
        for name, length in (("_in_blank", size + 1), ("_in_label", size)):
            states = getattr(self, name)[shift:][:length]
            more = np.full(length - len(states), -np.inf, dtype=np.float32)
            setattr(self, name, np.concatenate((states, more)))
        self._low = low

    def _alive(self) -> list[tuple[int, bool]]:
        """The best state and the gaps that are not far behind it, as (label, whether on it and not before it)."""
        low, gaps = self._low, self._target.gaps
        gaps = gaps[(gaps >= low) & (gaps <= low + len(self._in_label))] - low
        best = int(np.argmax(self._in_label)) if len(self._in_label) else 0
        top = self._in_blank.max()
        on_label = len(self._in_label) > 0 and bool(self._in_label[best] >= top)
        first = (best if on_label else int(np.argmax(self._in_blank))) + low, on_label
        top = self._in_label[best] if on_label else top
        near = gaps[self._in_blank[gaps] >= top - _MARGIN * self._options.jump_cost]
        near = near[np.argsort(-self._in_blank[near], kind="stable")[:_MOST_ALIVE]]
        return [first, *((int(i) + low, False) for i in near)]

    def _agreed(self, states: Sequence[tuple[int, bool]]) -> tuple[int, tuple[int, bool]]:
        """How many of the oldest pieces, but not the last `lag` frames, all these states come from one path in; and
        the state behind those pieces."""
        together = set(states)
        kept = 0
        for k in range(len(self._pieces) - 1, 0, -1):
            together = _back(self._pieces[k], together)
            kept += len(self._pieces[k].times)
            if len(together) == 1 and kept >= self._lag:
                return k, together.pop()
        return 0, states[0]

    def _step(self, log_probs: Floats, times: npt.NDArray[np.float64]) -> _Piece:
        target, options, low, n = self._target, self._options, self._low, len(self._in_label)
        relative = relative_to_blank(log_probs, self._blank).astype(np.float32)
        swallow = self._swallowed(relative)
        n_frames, jump = len(relative), options.jump_cost
        first, stop = np.searchsorted(target.gaps, [low, low + n + 1])
        gaps = target.gaps[first:stop] - low
        before = np.maximum(gaps - 1, 0)  # the label before each gap
        orphan = int(len(gaps) > 0 and gaps[0] == 0)  # no such label in the band
        cost = target.cost[first:stop] - (target.cost[first] if first < stop else 0.0)
        in_blank, in_label = self._buffer(0, n_frames + 1, n + 1), self._buffer(1, n_frames + 1, n)
        in_blank[0], in_label[0] = self._in_blank, self._in_label
        in_blank[:, 0] = in_blank[0, 0]
        # Gaps are kept apart, in float64: (value + cost) − cost must be the value again.
        arrived = np.empty((n_frames, len(gaps)))  # best of going on in the gap and coming from the label, + cost
        skipping = np.empty_like(arrived)  # the same after leaving out words
        here = in_blank[0, gaps].astype(np.float64)
        from_label = np.empty((n_frames, len(gaps)), dtype=np.bool_)
        gains = relative.take(target.columns[low : low + n], axis=1, out=self._buffer(2, n_frames, n), mode="clip")
        part = _JUMP_SHARE * cost
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
                here = maximum.accumulate(kept + part)
                here -= part + (1 - _JUMP_SHARE) * jump
                far = maximum.accumulate(kept)
                far -= _JUMPS * jump
                maximum(here, far, out=here)
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
        sloped = skipping + part
        highest, high_slope = np.maximum.accumulate(skipping, axis=1), np.maximum.accumulate(sloped, axis=1)
        jump_value, leap_value = high_slope - (part + (1 - _JUMP_SHARE) * jump), highest - _JUMPS * jump
        leapt = leap_value > np.maximum(skipping, jump_value)
        jumped = (jump_value > skipping) & ~leapt
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
            *(
                np.packbits(bits, axis=1).tobytes()
                for bits in (left, stayed, skipped, jumped, sloped >= high_slope, leapt, skipping >= highest)
            ),
        )

    def _buffer(self, i: int, rows: int, columns: int) -> npt.NDArray[np.float32]:
        if len(self._buffers[i]) < rows * columns:
            self._buffers[i] = np.empty((PIECE + 1) * columns, dtype=np.float32)
        return self._buffers[i][: rows * columns].reshape(rows, columns)

    def _swallowed(self, relative: npt.NDArray[np.float32]) -> list[float]:
        """What a gap makes of each frame: 0 for the blank, as much as the boundary or, at a cost, the best letter."""
        letters = np.delete(relative, [self._blank] + ([] if self._boundary is None else [self._boundary]), axis=1)
        gain = np.maximum(letters.max(axis=1, initial=-np.inf) - self._options.extra_cost, 0.0)
        if self._boundary is not None:
            gain = np.maximum(gain, relative[:, self._boundary])
        return [float(x) for x in gain]

    def _decide(self, index: int, on_label: bool, n_pieces: int) -> Iterator[Decided]:
        """Walks back from the state behind the oldest `n_pieces` and hands them out."""
        traces = []
        for piece in [self._pieces[k] for k in range(n_pieces - 1, -1, -1)]:
            trace = np.full(len(piece.times), -1, dtype=np.intp)
            for t in range(len(trace) - 1, -1, -1):
                if on_label:
                    trace[t] = index
                index, on_label = _before(piece, t, index, on_label)
            traces.append(trace)
        for _ in range(n_pieces):
            piece = self._pieces.popleft()
            self._kept -= len(piece.times)
            self._kept_bytes -= piece.n_bytes
            yield traces.pop(), piece.log_probs, piece.times


def leaving_out(cost: npt.NDArray[np.float64], jump_cost: float) -> npt.NDArray[np.float64]:
    """What a stretch of the text whose letters cost so much by themselves costs together, both in nats.

    Up to the jump cost as it is, beyond that a part of it, so that a word more is never free, and at most a few jumps'.
    """
    jump = _JUMP_SHARE * cost + (1 - _JUMP_SHARE) * jump_cost
    return np.minimum(np.minimum(cost, jump), _JUMPS * jump_cost)


def _back(piece: _Piece, states: set[tuple[int, bool]]) -> set[tuple[int, bool]]:
    """States behind a piece → those before it that they come from."""
    for t in range(len(piece.times) - 1, -1, -1):
        states = {_before(piece, t, *state) for state in states}
    return states


def _before(piece: _Piece, t: int, index: int, on_label: bool) -> tuple[int, bool]:
    """The state before frame t that a state behind it comes from: label `index`, or the blank before it."""
    i = index - piece.low
    row, gap_row = (piece.n_labels + 7) // 8, (len(piece.gaps) + 7) // 8
    if on_label and _bit(piece.stayed, row, t, i):
        return index, True
    # Now in the blank before label i as it was when this frame began.
    g = bisect_left(piece.gaps, i)
    if g < len(piece.gaps) and piece.gaps[g] == i:
        for taken, source in ((piece.leapt, piece.spring), (piece.jumped, piece.source)):
            if _bit(taken, gap_row, t, g):
                g -= 1
                while g > 0 and not _bit(source, gap_row, t, g):
                    g -= 1
                break
        while _bit(piece.skipped, gap_row, t, g):
            g -= 1
        i = piece.gaps[g]
    on_label = i > 0 and bool(_bit(piece.left, row, t, i - 1))
    return i + piece.low - on_label, on_label


def _bit(bits: bytes, width: int, t: int, i: int) -> int:
    return bits[t * width + (i >> 3)] >> (7 - (i & 7)) & 1
