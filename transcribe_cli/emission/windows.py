"""Where a stream of frames is cut into overlapping windows. Plain integers and loudness in, plain integers out.

    frames    0 ─────────────────────────────────────────────▶
    keep      [ a      )[ b         )[ c    )               kept parts tile the recording
    window    [ a    +ctx)                                  each sees up to `context` frames of its neighbours
                  [ctx+ b       +ctx)

A cut lies at the quietest place in the last part of the longest allowed stretch, so it rarely falls into a word.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..options import check, option

SMOOTHING = 15  # frames (0.15 s) over which loudness is averaged: a stop consonant's closure is shorter than that


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How the recording is cut before the network; None: as the model's card says."""

    window_seconds: float | None = option(
        None, "longest window the network sees at once; default: the model's own", minimum=2, maximum=600
    )
    context_seconds: float | None = option(
        None, "sound shared with each neighbouring window; default: the model's own", minimum=0, maximum=60
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class Window:
    """Frames [start, stop) go into the network; of its output the part for frames [keep_start, keep_stop) is kept."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int


class Windower:
    """Loudness of frames in, windows out, as soon as they are decided.

    longest: most frames in a window. context: frames shared with each neighbour. grid: kept parts begin at multiples of
    it (frames an output row, or more, so that rows of neighbouring windows fall on one lattice).
    Cut anywhere, the windows are the same; the kept parts tile [0, n).
    """

    def __init__(self, longest: int, context: int, grid: int) -> None:
        if grid < 1 or context < 0 or longest - 2 * context < 4 * grid:
            raise ValueError(
                f"a window of {longest} frames cannot hold twice {context} frames of context on a grid of {grid}"
            )
        self._longest, self._grid = longest, grid
        self._context = -(-context // grid) * grid
        self._core = max((longest - 2 * self._context) // grid, 2) * grid
        self._keep_start = 0
        self._loudness: NDArray[np.float32] = np.zeros(0, np.float32)  # from _keep_start on

    @property
    def context(self) -> int:
        """Frames shared with each neighbour, rounded up to the grid."""
        return self._context

    def push(self, loudness: NDArray[np.float32]) -> list[Window]:
        """(t,) loudness of the next frames, any monotone scale → the windows that are now decided."""
        self._loudness = np.concatenate([self._loudness, loudness])
        windows = []
        while len(self._loudness) >= self._core + self._context:
            windows.append(self._cut())
        return windows

    def flush(self) -> list[Window]:
        """The windows of what is left."""
        windows = []
        while len(self._loudness) > self._longest - self._context:
            windows.append(self._cut())
        if len(self._loudness):
            stop = self._keep_start + len(self._loudness)
            windows.append(Window(max(0, self._keep_start - self._context), stop, self._keep_start, stop))
        self._keep_start += len(self._loudness)
        self._loudness = self._loudness[:0]
        return windows

    def _cut(self) -> Window:
        start, n_known = self._keep_start, len(self._loudness)
        first = self._core * 3 // 5 // self._grid * self._grid  # not shorter: every cut costs twice the context
        box = np.ones(SMOOTHING, np.float32) / SMOOTHING
        part = self._loudness[: self._core].astype(np.float32)
        smooth = np.convolve(np.pad(part, SMOOTHING // 2, mode="edge"), box, mode="valid")
        candidates = np.arange(max(first, self._grid), self._core + 1, self._grid)
        length = int(candidates[np.argmin(smooth[np.minimum(candidates, len(smooth) - 1)])])
        window = Window(
            max(0, start - self._context), start + min(length + self._context, n_known), start, start + length
        )
        self._keep_start += length
        self._loudness = self._loudness[length:]
        return window
