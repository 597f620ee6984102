"""The first step of the way: a recording → blocks of (n,) float32 mono at the model's rate, on the 16-bit grid.

    open → repair → one channel → resample → offset → (denoise) → 16-bit grid

Every way in (file, pipe, array, excerpt) runs through `_prepared`; there is no second one.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError, OptionError
from .info import AudioInfo, Floats, block_frames, check_shape
from .levels import OffsetRemoval, quantise, repair, to_mono
from .options import AudioOptions
from .resample import Resampler
from .source import open_source, shown

PathLike = str | os.PathLike[str]

DEFAULT = AudioOptions()
LONGEST_SECONDS = 5.0  # of an outgoing block
# energy that mixing leaves, below which the channels are mirror images; 1: they have nothing in common
CANCELLED = 0.04
log = logging.getLogger("transcribe_cli.audio")


def stream(
    path: PathLike | BinaryIO, sample_rate: int, options: AudioOptions = DEFAULT, channel: int | None = None
) -> Iterator[Floats]:
    """A recording's samples: blocks of (n,) float32 in ±1, 1 ≤ n ≤ 5 s, at `sample_rate`.

    `path` may be "-" (standard input) or a binary file object. `channel` counts from 0 and overrides
    `options.channel`, which must not be "split" without it (`channels` says what there is).
    Raises InputNotFound, InputError, AudioError or MissingExtra when the first block is asked for.
    """
    with open_source(path, options) as source:
        chosen = chosen_channel(options, channel, source.info, shown(path))
        yield from _prepared(
            source.blocks(options.start, options.duration), source.info, sample_rate, options, chosen, shown(path)
        )


def excerpts(
    path: PathLike | BinaryIO,
    spans: Sequence[tuple[float, float | None]],
    sample_rate: int,
    options: AudioOptions = DEFAULT,
    channel: int | None = None,
) -> Iterator[Iterator[Floats]]:
    """Several spans (start_seconds, duration_seconds or None for the rest) of one recording, opened once.

    Yields, span by span in the order given, the blocks that `stream` would give for it; finish one before the next.
    A span that cannot be read raises AudioError from its own blocks, and the next is still there. `options.start`
    and `options.duration` do not count here.
    """
    with open_source(path, options) as source:
        chosen = chosen_channel(options, channel, source.info, shown(path))
        for start, duration in spans:
            yield _prepared(source.blocks(start, duration), source.info, sample_rate, options, chosen, shown(path))


def channels(path: PathLike | BinaryIO, options: AudioOptions) -> list[int | None]:
    """What to give `stream` as `channel`, one after the other: [None], or every channel where they are split.

    Raises InputNotFound, InputError, AudioError or MissingExtra, and OptionError for splitting a pipe.
    """
    if options.channel != "split":
        return [None]
    if not isinstance(path, (str, os.PathLike)) or os.fspath(path) == "-" or _is_pipe(path):
        raise OptionError("--channel split needs a file that can be read twice: save it to a file first")
    n = probe(path, options).channels
    return [None] if n == 1 else list(range(n))


def _is_pipe(path: PathLike) -> bool:
    return os.path.exists(path) and not os.path.isfile(path)


def probe(path: PathLike | BinaryIO, options: AudioOptions = DEFAULT) -> AudioInfo:
    """What a recording's header says. Raises InputNotFound, InputError, AudioError, MissingExtra."""
    with open_source(path, options) as source:
        return source.info


def from_array(array: Any, rate: int, sample_rate: int, options: AudioOptions = DEFAULT) -> Floats:
    """Samples in memory → (n,) float32 mono at `sample_rate`, on the 16-bit grid.

    `array` is (n,) or (n, channels): floats in ±1, or integers, which are divided by their type's full scale.
    Raises AudioError for another shape or type, no samples, or an absurd rate.
    """
    values = np.asarray(array)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.dtype.kind not in "iuf":
        raise AudioError(
            f"an array of shape {np.shape(array)} and type {values.dtype} is not (n,) or (n, channels) numbers"
        )
    if not len(values):
        raise AudioError("the array holds no samples")
    check_shape("array", rate, values.shape[1])
    first = round(options.start * rate)
    last = len(values) if options.duration is None else first + max(1, round(options.duration * rate))
    if first >= len(values):
        raise AudioError(f"the array lasts {len(values) / rate:.2f} s, nothing begins at {options.start:.2f} s")
    info = AudioInfo(
        path=Path("array"),
        duration_seconds=len(values) / rate,
        sample_rate=rate,
        channels=values.shape[1],
        format="array",
    )
    chosen = chosen_channel(options, None, info, "array")
    return np.concatenate(
        list(_prepared(_slices(values[first:last], rate), info, sample_rate, options, chosen, "array"))
    )


def _slices(values: NDArray[Any], rate: int) -> Iterator[Floats]:
    size = block_frames(rate, values.shape[1])
    kind, bits = values.dtype.kind, 8 * values.dtype.itemsize - 1
    for i in range(0, len(values), size):
        with np.errstate(
            over="ignore"
        ):  # a double beyond float32 becomes infinite and is silenced like other broken values
            block = values[i : i + size].astype(np.float32)
        if kind == "u":
            block -= np.float32(2**bits)
        yield block / np.float32(2**bits) if kind in "iu" else block


def chosen_channel(options: AudioOptions, channel: int | None, info: AudioInfo, name: str) -> int | None:
    """The channel to read, None for the mean of all. Raises AudioError where the recording does not have it."""
    if channel is None:
        if options.channel == "split" and info.channels > 1:
            raise OptionError("--channel split gives several streams: ask for one channel after the other")
        names = {"mix": None, "split": None, "left": 0, "right": 1}
        channel = names[options.channel] if options.channel in names else int(options.channel)
    if channel is not None and not 0 <= channel < info.channels:
        have = "1 channel" if info.channels == 1 else f"channels 0 to {info.channels - 1}"
        raise AudioError(f"{name}: has {have}, not channel {channel}; try --channel mix")
    return channel


def _prepared(
    blocks: Iterable[Floats], info: AudioInfo, sample_rate: int, options: AudioOptions, channel: int | None, name: str
) -> Iterator[Floats]:
    """(n, channels) blocks at the recording's rate → what a model is fed; warns of broken and clipped values."""
    stages: list[Any] = [Resampler(info.sample_rate, sample_rate), OffsetRemoval(sample_rate)]
    if options.denoise:
        from .denoise import Denoiser

        stages.append(Denoiser(sample_rate))
    longest = int(LONGEST_SECONDS * sample_rate)
    mono, n_clipped, n_out = _ToMono(channel), 0, 0
    for block in through(stages, map(mono.push, blocks)):
        n_clipped += int(np.count_nonzero(np.abs(block) > 1.0))
        n_out += len(block)
        block = quantise(block)
        for i in range(0, len(block), longest):
            yield block[i : i + longest]
    if mono.n_broken:
        log.warning("%s: %d values that are no numbers (NaN or infinite) were taken as silence", name, mono.n_broken)
    if mono.cancelled:
        log.warning("%s: its channels are mirror images and cancel each other when mixed; try --channel left", name)
    if n_clipped > n_out / 100:
        log.warning("%s: %.0f %% of it is beyond full scale and was clipped", name, 100 * n_clipped / n_out)
    if not n_out:
        raise AudioError(f"{name}: holds no samples")


class _ToMono:
    """(n, channels) blocks → (n,) of one channel, or of the mean of all (None); remembers what was lost by it."""

    def __init__(self, channel: int | None) -> None:
        self._channel = channel
        self.n_broken = 0
        self._energy = self._kept = 0.0  # of the channels, on average, and of their mean

    def push(self, block: Floats) -> Floats:
        if self._channel is not None:
            mono, n_broken = repair(to_mono(block, self._channel))
        else:
            block, n_broken = repair(block)
            mono = to_mono(block, None)
            if block.shape[1] > 1:
                self._energy += float(np.vdot(block, block))
                self._kept += float(np.vdot(mono, mono)) * block.shape[1] ** 2
        self.n_broken += n_broken
        return mono

    @property
    def cancelled(self) -> bool:
        """Whether next to nothing is left where the channels had sound."""
        return self._kept < CANCELLED * self._energy


def through(stages: Sequence[Any], blocks: Iterable[Floats]) -> Iterator[Floats]:
    """Blocks through push() of one stage after the other, then what flush() brings."""
    for block in blocks:
        for stage in stages:
            block = stage.push(block)
        if len(block):
            yield block
    for i, stage in enumerate(stages):
        block = stage.flush()
        for later in stages[i + 1 :]:
            block = later.push(block)
        if len(block):
            yield block
