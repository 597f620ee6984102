"""Frames → windows → network → one seamless run of log-probabilities; a few windows in memory, never the file."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from .. import features
from ..bundle.card import Card
from ..bundle.session import Network
from ..errors import OptionError
from .windows import Window, Windower, WindowOptions

Array = NDArray[np.float32]

GRID_ROWS = (
    4  # kept parts start at multiples of four rows: covers networks that halve the rows once or twice more inside
)


def rows(samples: Iterable[Array], network: Network, options: WindowOptions) -> Iterator[Array]:
    """Blocks of (n,) float32 samples → blocks of (rows, columns) float32 log-probabilities, in order, gapless.

    The first row belongs to the start of the samples; rows are `card.output.frame_seconds` apart.
    """
    card = network.card
    windower, stride = _windower(card, options)
    extractor = features.Extractor(card.features)
    buffer = _Buffer()
    pending: deque[tuple[Window, Future[Array]]] = deque()

    def submit(raw: Array, last: bool) -> None:
        buffer.append(raw)
        loudness = features.energy(raw, card.features)
        windows = windower.push(loudness)
        if last:
            windows += windower.flush()
        for window in windows:
            # the features' last step (floor under the window's loudest point, scale) is part of what a window is
            pending.append(
                (window, network.submit(features.finish(buffer.slice(window.start, window.stop), card.features)))
            )
            buffer.forget(window.keep_stop - windower.context)  # the next window starts there

    def ready(limit: int) -> Iterator[Array]:
        while pending and (len(pending) > limit or pending[0][1].done()):
            window, future = pending.popleft()
            yield _kept(future.result(), window, stride)

    for block in samples:
        submit(extractor.push(block), last=False)
        yield from ready(network.lookahead)
    submit(extractor.flush(), last=True)
    yield from ready(0)


def _kept(result: Array, window: Window, stride: int) -> Array:
    """The rows of a window's result that belong to its kept frames; a row more or less at a window's end is normal."""
    first = (window.keep_start - window.start) // stride
    if window.keep_stop == window.stop:  # nothing follows within the window: what rows there are
        return result[first : first + -(-(window.stop - window.keep_start) // stride)]
    return result[first : first + (window.keep_stop - window.keep_start) // stride]


def _windower(card: Card, options: WindowOptions) -> tuple[Windower, int]:
    hop = card.features.hop_seconds
    stride = max(1, round(card.output.frame_seconds / hop))
    longest = round((options.window_seconds or card.windows.seconds) / hop)
    if card.input.max_frames is not None:
        longest = min(longest, card.input.max_frames)
    context = card.windows.context_seconds if options.context_seconds is None else options.context_seconds
    try:
        return Windower(longest, round(context / hop), GRID_ROWS * stride), stride
    except ValueError as error:
        raise OptionError(f"{error}: raise --window-seconds or lower --context-seconds") from error


class _Buffer:
    """Frames by their index in the recording; what no later window can need is forgotten."""

    def __init__(self) -> None:
        self._frames: Array | None = None
        self._start = 0

    def append(self, frames: Array) -> None:
        self._frames = frames if self._frames is None else np.concatenate([self._frames, frames])

    def slice(self, start: int, stop: int) -> Array:
        assert self._frames is not None
        return self._frames[start - self._start : stop - self._start]

    def forget(self, before: int) -> None:
        if self._frames is not None and before > self._start:
            self._frames = self._frames[before - self._start :]
            self._start = before
