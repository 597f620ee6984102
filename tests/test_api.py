"""The library as programs use it, with a model whose letters are tones."""

import numpy as np
import pytest
import soundfile
import toy_model

from transcribe_cli import Transcriber
from transcribe_cli.audio.options import AudioOptions
from transcribe_cli.errors import OptionError

RATE = 16000


@pytest.fixture
def two(home):
    """A recording whose left channel says "bad" and whose right one, later, "cab"."""
    left, right = toy_model.sound("bad....."), toy_model.sound("...cab")
    n = min(len(left), len(right))
    soundfile.write(home / "two.wav", np.stack([left[:n], right[:n]], axis=1), RATE)
    return home / "two.wav"


def test_a_path_an_open_file_and_an_array_say_the_same(home):
    soundfile.write(home / "a.wav", toy_model.sound("bad cab"), RATE)
    with Transcriber("toy") as transcriber:
        by_path = transcriber.transcribe(home / "a.wav")
        with (home / "a.wav").open("rb") as file:
            assert transcriber.transcribe(file).segments == by_path.segments
        samples, rate = soundfile.read(home / "a.wav", dtype="int16")
        assert transcriber.transcribe(samples, rate).text == by_path.text == "bad cab"
        assert tuple(transcriber.stream(home / "a.wav")) == by_path.segments
        with pytest.raises(ValueError, match="sample_rate"):
            transcriber.transcribe(samples)


def test_split_channels_are_streamed_one_after_the_other(two):
    with Transcriber("toy", audio=AudioOptions(channel="split")) as transcriber:
        assert [(one.channel, one.text) for one in transcriber.stream(two)] == [(0, "bad"), (1, "cab")]
        assert [(one.channel, one.text) for one in transcriber.transcribe(two).segments] == [(0, "bad"), (1, "cab")]


@pytest.mark.parametrize("options", [{"start": 0.1}, {"duration": 1.0}, {"channel": "left"}, {"denoise": True}])
def test_what_is_done_to_files_is_refused_for_arrays(home, options):
    with Transcriber("toy", audio=AudioOptions(**options)) as transcriber, pytest.raises(OptionError, match="array"):
        transcriber.transcribe(toy_model.sound("bad"), RATE)
