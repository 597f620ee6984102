"""The library in a few names.

from transcribe_cli import Transcriber
transcriber = Transcriber()
print(transcriber.transcribe("talk.wav").text)
for segment in transcriber.stream("lecture.flac"):
    print(segment.start_seconds, segment.text)
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from .audio import channels, from_array
from .audio.options import AudioOptions
from .bundle.session import RuntimeOptions
from .decoding.options import DecodingOptions
from .errors import OptionError
from .figures import FiguresOptions
from .pipeline import ModelOptions, Options, Recogniser
from .punctuation import PunctuationOptions
from .transcript import Segment, Transcript


class Transcriber:
    """A loaded recogniser; make one and use it for many recordings, from any thread.

    Args:
        model: a model's name, folder or `.onnx` file.
        lm: a language model file in place of the model's own; False: none.
        device: "auto", "cpu" or "cuda". threads: CPU threads; 0: all cores.
        decoding: how to decode (beam width, weights, hotwords); None: the model's own settings.
        audio: how to read files (which part, which channel, denoising); arrays are heard as they are.
        punctuate: write sentences, with signs and capitals, in place of words.
        figures: write numbers in figures.

    Raises:
        ModelError, LanguageModelError, HotwordError, DeviceError, MissingExtra: each says what is wrong and what to
            try.
    """

    def __init__(
        self,
        model: str = "en",
        lm: str | Path | bool | None = None,
        *,
        device: str = "auto",
        threads: int = 0,
        decoding: DecodingOptions | None = None,
        audio: AudioOptions | None = None,
        punctuate: bool = False,
        figures: bool = False,
    ) -> None:
        path = None if lm is None or isinstance(lm, bool) else str(lm)
        self._recogniser = Recogniser(
            Options(
                model=ModelOptions(model=model, lm=path, no_lm=lm is False),
                runtime=RuntimeOptions(device=device, threads=threads),
                decoding=decoding or DecodingOptions(),
                audio=audio or AudioOptions(),
                punctuation=PunctuationOptions(punctuate=punctuate),
                figures=FiguresOptions(figures=figures),
            )
        )

    def transcribe(
        self, sound: str | Path | BinaryIO | NDArray[np.generic], sample_rate: int | None = None
    ) -> Transcript:
        """A path, an open binary file, or an array with its sample rate → its transcript.

        An array is (n,) or (n, channels), floats in ±1 or integers of full scale; several channels are mixed.
        Raises AudioError or InputNotFound when it cannot be read, ValueError when an array comes without a rate,
        OptionError where `audio` asks for something that is done to files.
        """
        return self._recogniser.transcribe(self._sound(sound, sample_rate))

    def stream(
        self, sound: str | Path | BinaryIO | NDArray[np.generic], sample_rate: int | None = None
    ) -> Iterator[Segment]:
        """As `transcribe`, segment by segment, each as soon as it is decided; split channels one after the other."""
        given = self._sound(sound, sample_rate)
        if isinstance(given, np.ndarray) or self._recogniser.options.audio.channel != "split":
            return self._recogniser.segments(given)
        parts = channels(given, self._recogniser.options.audio)
        return chain.from_iterable(self._recogniser.segments(given, channel) for channel in parts)

    def close(self) -> None:
        """Ends the network's threads."""
        self._recogniser.close()

    def __enter__(self) -> "Transcriber":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sound(
        self, sound: str | Path | BinaryIO | NDArray[np.generic], sample_rate: int | None
    ) -> str | Path | BinaryIO | NDArray[np.float32]:
        if not isinstance(sound, np.ndarray):
            return sound
        if sample_rate is None:
            raise ValueError("an array needs its sample_rate")
        options = self._recogniser.options.audio
        if replace(options, raw=None) != AudioOptions():
            raise OptionError("an array is heard as it is: take its part, its channel and its noise out of it before")
        return from_array(sound, sample_rate, self._recogniser.bundle.card.sample_rate)
