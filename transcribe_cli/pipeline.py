"""From a recording to timed words: the one way, for files, streams and the library alike. Read this file first.

audio.stream → emission.rows (features → windows → network) → stretches between pauses → reader (decode, time, group)
→ punctuation and figures, where they are asked for
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from . import audio, emission
from .alignment.segments import SegmentOptions
from .audio.options import AudioOptions
from .bundle.card import LanguageModelEntry
from .bundle.session import Network, RuntimeOptions
from .bundle.store import DEFAULT, find
from .decoding import hotwords
from .decoding.lexicon import Sounding
from .decoding.options import TUNED, DecodingOptions
from .emission.pauses import Emissions, PauseRule, Splitter
from .emission.windows import WindowOptions
from .errors import OptionError
from .figures import Figures, FiguresOptions, in_figures
from .options import check, option
from .punctuation import PunctuationOptions, Punctuator, punctuated
from .reader import Reader, ReaderPool, ReaderSettings
from .spellings import Spellings, taught
from .transcript import Segment, Transcript

log = logging.getLogger("transcribe_cli.pipeline")

Array = NDArray[np.float32]
Sound = str | Path | BinaryIO | Array  # an array is mono and at the model's sample rate: see audio.from_array
Heard = Callable[[float], None]

PAUSE_SECONDS = 0.8  # a pause that ends what is decoded at once; shorter ones often lie within a sentence
STRETCH_SECONDS = 30.0  # longest stretch decoded at once; the beam's cost is linear, so this bounds delay, not work


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Which acoustic and language model."""

    model: str = option(DEFAULT, "model: a name (see `transcribe models`), a folder or an .onnx file", short="m")
    lm: str | None = option(
        None, "language model (ARPA, .arpa.gz or KenLM binary) in place of the model's own", metavar="FILE"
    )
    no_lm: bool = option(False, "decode without a language model")

    def __post_init__(self) -> None:
        check(self)
        if self.no_lm and self.lm is not None:
            raise OptionError("--no-lm and --lm: leave one of them out")


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that decides what a recording is turned into; one frozen value a room."""

    model: ModelOptions = ModelOptions()
    audio: AudioOptions = AudioOptions()
    runtime: RuntimeOptions = RuntimeOptions()
    windows: WindowOptions = WindowOptions()
    decoding: DecodingOptions = DecodingOptions()
    segments: SegmentOptions = SegmentOptions()
    punctuation: PunctuationOptions = PunctuationOptions()
    figures: FiguresOptions = FiguresOptions()


def tuned(decoding: DecodingOptions, entry: LanguageModelEntry) -> DecodingOptions:
    """The options, with what they leave open as the card has it."""
    left_open = (name for name in TUNED if getattr(decoding, name) is None)
    return replace(decoding, **{name: getattr(entry, name) for name in left_open})


class Recogniser:
    """The loaded parts. Made once, used for any number of recordings, from any thread.

    jobs: worker processes that decode while this one runs the network; 0: this one decodes too.
    """

    def __init__(self, options: Options, jobs: int = 0) -> None:
        self.options = options
        self.bundle = find(options.model.model)
        own = self.bundle.card.language_model
        greedy = options.decoding.decoder == "greedy"
        self.language_model_id: str | None = None
        lm_path = rescorer_path = None
        if greedy and options.model.lm is not None:
            log.warning("--decoder greedy reads no language model: %s is not used", options.model.lm)
        if not (options.model.no_lm or greedy):
            if options.model.lm is not None:
                lm_path, self.language_model_id = options.model.lm, Path(options.model.lm).name
            elif own is not None:
                lm_path, self.language_model_id = str(self.bundle.language_model_path), own.id or own.file
                rescorer_path = None if self.bundle.rescorer_path is None else str(self.bundle.rescorer_path)
        decoding = options.decoding
        if own is not None:  # what was typed wins over what the card was tuned at
            decoding = tuned(decoding, own)
        punctuation = options.punctuation.path(self.bundle.card.language)
        self.punctuator = None if punctuation is None else Punctuator(punctuation)
        self.figures = Figures(self.bundle.card.language) if options.figures.figures else None
        self.spellings = Spellings() if punctuation is None else self._spellings()
        sounding = Sounding.of(self.bundle.card.sounds, self.bundle.lexicon_path)
        self.settings = settings = ReaderSettings(
            self.bundle.card, lm_path, decoding, options.segments, sounding, rescorer_path
        )
        # the network is read by a library that leaves Python free meanwhile: both parts at once
        with ThreadPoolExecutor(1) as beside:
            reader = beside.submit(ReaderPool, settings, jobs) if jobs else beside.submit(Reader, settings)
            self.network = Network(self.bundle, options.runtime)
            self.reader: Reader | ReaderPool = reader.result()

    def segments(self, sound: Sound, channel: int | None = None, heard: Heard | None = None) -> Iterator[Segment]:
        """One channel's segments, each as soon as it is decided; memory does not grow with the recording's length.

        heard: called with the seconds of every block of audio that was read.
        """
        samples = self._samples(sound, channel)
        if heard is not None:
            samples = _telling(samples, self.bundle.card.sample_rate, heard)
        # with `start`, times still count from the recording's beginning
        origin = 0.0 if isinstance(sound, np.ndarray) else self.options.audio.start or 0.0
        return self._segments(samples, channel, origin)

    def transcribe(self, sound: Sound, heard: Heard | None = None) -> Transcript:
        """The whole recording; where channels are split, their segments merged by time."""
        found: list[Segment] = []
        durations = []
        for channel in [None] if isinstance(sound, np.ndarray) else audio.channels(sound, self.options.audio):
            durations.append(0.0)

            def count(seconds: float) -> None:
                durations[-1] += seconds
                if heard is not None:
                    heard(seconds)

            found += self.segments(sound, channel, count)
        return self.transcript(found, max(durations))

    def transcribe_blocks(self, samples: Iterable[Array], heard: Heard | None = None) -> Transcript:
        """(n,) blocks of one channel at the model's rate, however many; memory does not grow with them."""
        seconds = [0.0]

        def count(more: float) -> None:
            seconds[0] += more
            if heard is not None:
                heard(more)

        blocks = _telling(iter(samples), self.bundle.card.sample_rate, count)
        return self.transcript(list(self._segments(blocks, None, 0.0)), seconds[0])

    def transcript(self, segments: list[Segment], duration_seconds: float) -> Transcript:
        """Segments in any order → a transcript that says what made it."""
        return Transcript(
            tuple(sorted(segments, key=lambda s: (s.start_seconds, s.channel or 0))),
            duration_seconds,
            model=self.bundle.card.id,
            language_model=self.language_model_id,
            language=self.bundle.card.language,
        )

    def close(self) -> None:
        self.network.close()
        self.reader.close()

    def __enter__(self) -> "Recogniser":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spellings(self) -> Spellings:
        """What the model was taught of the user's words and, before that, what hotwords say."""
        typed = [hotword.phrase for hotword in hotwords.told(self.options.decoding)]
        return Spellings([*taught(self.bundle.spellings_path), *typed])

    def _samples(self, sound: Sound, channel: int | None) -> Iterator[Array]:
        if isinstance(sound, np.ndarray):
            return iter([sound])
        return audio.stream(sound, self.bundle.card.sample_rate, self.options.audio, channel)

    def _segments(self, samples: Iterator[Array], channel: int | None, origin_seconds: float) -> Iterator[Segment]:
        found = self._heard(samples, channel, origin_seconds)
        if self.punctuator is not None:
            found = punctuated(found, self.punctuator, self.spellings)
        return found if self.figures is None else in_figures(found, self.figures)

    def _heard(self, samples: Iterator[Array], channel: int | None, origin_seconds: float) -> Iterator[Segment]:
        rows = emission.rows(samples, self.network, self.options.windows)
        waiting: deque[Future[list[Segment]]] = deque()
        for stretch in self.stretches(rows, origin_seconds):
            waiting.append(self.reader.submit(stretch))
            while waiting and (waiting[0].done() or len(waiting) > self.network.lookahead):
                yield from _on_channel(waiting.popleft().result(), channel)
        for future in waiting:
            yield from _on_channel(future.result(), channel)

    def stretches(self, rows: Iterator[Array], origin_seconds: float = 0.0) -> Iterator[Emissions]:
        """Blocks of rows → what is decoded at once."""
        frame_seconds = self.bundle.card.output.frame_seconds
        rule = PauseRule(round(PAUSE_SECONDS / frame_seconds), round(STRETCH_SECONDS / frame_seconds))
        splitter = Splitter(self.bundle.card.alphabet, frame_seconds, rule, origin_seconds)
        for block in rows:
            yield from splitter.push(block)
        yield from splitter.flush()


def _telling(blocks: Iterator[Array], rate: int, heard: Heard) -> Iterator[Array]:
    for block in blocks:
        heard(len(block) / rate)
        yield block


def _on_channel(segments: list[Segment], channel: int | None) -> list[Segment]:
    return segments if channel is None else [replace(segment, channel=channel) for segment in segments]
