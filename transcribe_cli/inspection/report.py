"""One pass over a recording → a report: what was decoded, how it sounds."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..audio.info import AudioInfo
from ..audio.levels import quantise, to_mono
from ..audio.options import AudioOptions
from ..audio.resample import Resampler
from ..audio.source import open_source, shown
from ..errors import AudioError
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
    broken: int  # values that were no numbers
    levels: tuple[Level, ...]  # one a channel
    pair: Pair | None
    loudness: float
    bandwidth_hz: float | None
    speech: Speech
    features: FeatureStatistics


def inspect(path: str | Path | BinaryIO, options: AudioOptions | None = None) -> Report:
    """Measures a recording in one pass; memory does not grow with its length, but for a byte every 10 ms.

    Raises InputNotFound, InputError, AudioError, MissingExtra.
    """
    options = options or AudioOptions()
    name = shown(path)
    with open_source(path, options) as source:
        info = source.info
        levels = LevelMeter(info.sample_rate, info.channels)
        spectrum, speech = SpectrumMeter(info.sample_rate), SpeechMeter()
        for mono in _model_view(_measured(source.blocks(options.start, options.duration), levels, spectrum), info):
            speech.push(mono)
    if not levels.n:
        raise AudioError(f"{name}: holds no samples")
    return Report(
        name,
        info,
        levels.n / info.sample_rate,
        not options.start and options.duration is None,
        levels.broken,
        levels.levels,
        levels.pair,
        spectrum.loudness,
        spectrum.bandwidth_hz,
        speech.speech,
        speech.statistics,
    )


def _measured(blocks: Iterator[Floats], levels: LevelMeter, spectrum: SpectrumMeter) -> Iterator[Floats]:
    """Blocks as decoded → mono, measured on the way."""
    for block in blocks:
        mono = to_mono(levels.push(block), None)
        spectrum.push(mono)
        yield mono


def _model_view(mono: Iterator[Floats], info: AudioInfo) -> Iterator[Floats]:
    """Mono at the recording's rate → log-mel frames as Whisper's encoder sees them."""
    resampler, extractor = Resampler(info.sample_rate, RECIPE.sample_rate), Extractor(RECIPE)
    for block in mono:
        yield extractor.push(quantise(resampler.push(block)))
    yield extractor.push(quantise(resampler.flush()))
    yield extractor.flush()
