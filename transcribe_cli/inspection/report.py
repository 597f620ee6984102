"""One pass over a recording → a report: what was decoded, how it sounds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..audio.denoise import Denoiser
from ..audio.info import AudioInfo
from ..audio.levels import OffsetRemoval, quantise, to_mono
from ..audio.options import AudioOptions
from ..audio.reading import chosen_channel, through
from ..audio.resample import Resampler
from ..audio.source import open_source, shown
from ..errors import AudioError, OptionError
from ..features import Extractor
from .levels import Level, LevelMeter, Pair
from .spectrum import SpectrumMeter
from .speech import RECIPE, FeatureStatistics, Speech, SpeechMeter

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Report:
    """name: as given. info: what the header says. seconds: what was decoded. Everything else is
    described where it is measured."""

    name: str
    info: AudioInfo
    seconds: float
    whole: bool  # whether all of it was asked for
    channel: int | None  # that loudness, bandwidth, speech and features are of; None: all, or their mean
    broken: int  # values that were no numbers
    levels: tuple[Level, ...]  # one a channel
    pair: Pair | None
    loudness: float
    bandwidth_hz: float | None
    speech: Speech
    features: FeatureStatistics


def inspect(path: str | Path | BinaryIO, options: AudioOptions | None = None) -> Report:
    """Measures a recording in one pass; memory does not grow with its length, but for a byte every 10 ms.

    Raises InputNotFound, InputError, AudioError, MissingExtra, and OptionError for `split`.
    """
    options = options or AudioOptions()
    check_channel(options)
    name = shown(path)
    with open_source(path, options) as source:
        info = source.info
        channel = chosen_channel(options, None, info, name)
        levels = LevelMeter(info.sample_rate, info.channels)
        spectrum = SpectrumMeter(info.sample_rate, info.channels if channel is None else 1)
        speech = SpeechMeter()
        blocks = _measured(source.blocks(options.start, options.duration), levels, spectrum, channel)
        for frames in _model_view(blocks, info, options.denoise):
            speech.push(frames)
    if not levels.n:
        raise AudioError(f"{name}: holds no samples")
    return Report(
        name,
        info,
        levels.n / info.sample_rate,
        not options.start and options.duration is None,
        channel,
        levels.broken,
        levels.levels,
        levels.pair,
        spectrum.loudness,
        spectrum.bandwidth_hz,
        speech.speech,
        speech.statistics,
    )


def check_channel(options: AudioOptions) -> None:
    """Raises OptionError where every channel is asked for on its own: a report tells of one."""
    if options.channel == "split":
        raise OptionError("--channel split: one channel is measured at a time; try --channel left, then right")


def _measured(
    blocks: Iterable[Floats], levels: LevelMeter, spectrum: SpectrumMeter, channel: int | None
) -> Iterator[Floats]:
    """Blocks as decoded → mono, measured on the way."""
    for block in blocks:
        block = levels.push(block)
        mono = to_mono(block, channel)
        spectrum.push(block if channel is None else mono[:, None])
        yield mono


def _model_view(mono: Iterable[Floats], info: AudioInfo, denoise: bool) -> Iterator[Floats]:
    """Mono at the recording's rate → log-mel frames as Whisper's encoder sees them."""
    rate, extractor = RECIPE.sample_rate, Extractor(RECIPE)
    stages = [Resampler(info.sample_rate, rate), OffsetRemoval(rate), *([Denoiser(rate)] if denoise else [])]
    for block in through(stages, mono):
        yield extractor.push(quantise(block))
    yield extractor.flush()
