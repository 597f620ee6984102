"""Headerless PCM: every encoding, and the small language that names it."""

import io

import numpy as np
import pytest
import soundfile

from transcribe_cli import audio
from transcribe_cli.audio import AudioOptions
from transcribe_cli.audio.options import ENCODINGS, RawFormat, parse_raw
from transcribe_cli.audio.raw import decode
from transcribe_cli.errors import AudioError, OptionError

VALUES = np.array([[0.0, 0.25], [-1.0, 0.5], [127 / 128, -0.125]])


def encode(values: np.ndarray, encoding: str) -> bytes:
    """An obvious writer: one sample after the other, by Python's own integers."""
    order = "big" if encoding.endswith("be") else "little"
    if encoding[0] == "f":
        return values.astype((">" if order == "big" else "<") + ("f4" if "32" in encoding else "f8")).tobytes()
    bits = int("".join(c for c in encoding if c.isdigit()))
    offset = 128 if encoding == "u8" else 0
    integers = [round(v * 2 ** (bits - 1)) + offset for v in values.reshape(-1)]
    return b"".join(i.to_bytes(bits // 8, order, signed=encoding[0] == "s") for i in integers)


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if "law" not in name])
def test_every_encoding_of_numbers_is_decoded(encoding: str) -> None:
    assert np.array_equal(decode(encode(VALUES, encoding), RawFormat(encoding, 16000, 2)), VALUES.astype(np.float32))


@pytest.mark.parametrize(("encoding", "subtype"), [("alaw", "ALAW"), ("mulaw", "ULAW")])
def test_all_codes_of_g711_equal_libsndfiles(encoding: str, subtype: str) -> None:
    codes = bytes(range(256))
    expected = soundfile.read(
        io.BytesIO(codes), format="RAW", subtype=subtype, samplerate=8000, channels=1, dtype="float32"
    )[0]
    assert np.array_equal(decode(codes, RawFormat(encoding, 8000, 1))[:, 0], expected)


def test_rate_and_channels_may_be_left_out_and_case_does_not_matter() -> None:
    assert parse_raw("s16le:8000:2") == RawFormat("s16le", 8000, 2)
    assert parse_raw("S16LE:8000") == RawFormat("s16le", 8000, 1)
    assert parse_raw("s16") == RawFormat("s16le", 16000, 1)
    assert parse_raw("mulaw:8000").frame_bytes == 1


@pytest.mark.parametrize(
    "text",
    ["", "s17le", "s16le:0", "s16le:1e3", "s16le:16000:0", "s16le:16000:65", "s16le:1:2:3", "s16le:-1", "s16le:２"],
)
def test_a_senseless_raw_format_is_an_option_error(text: str) -> None:
    with pytest.raises(OptionError, match="--raw cannot be"):
        AudioOptions(raw=text)


@pytest.mark.parametrize(
    "values",
    [
        {"channel": "middle"}, {"channel": "-1"}, {"channel": "100"}, {"start": -1.0}, {"duration": 0.0},
        {"start": float("nan")}, {"duration": 1e9},
    ],
    ids=str,
)  # fmt: skip
def test_senseless_options_are_option_errors(values: dict) -> None:
    with pytest.raises(OptionError, match="cannot be"):
        AudioOptions(**values)


def test_a_last_half_sample_is_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    data = np.arange(100, dtype="<i2").tobytes() + b"\x01"
    blocks = list(audio.stream(io.BytesIO(data), 16000, AudioOptions(raw="s16le")))
    assert np.array_equal(np.concatenate(blocks) * 32768, np.arange(100))
    assert "ends within a sample" in caplog.text


def test_a_raw_file_is_sought_in_and_has_a_length(tmp_path) -> None:
    path = tmp_path / "a.pcm"
    values = np.random.default_rng(0).integers(-900, 900, (16000, 2))
    path.write_bytes(values.astype(">i2").tobytes())
    options = AudioOptions(raw="s16be:8000:2", channel="right")
    assert audio.probe(path, options).duration_seconds == 2.0
    got = np.concatenate(list(audio.stream(path, 8000, AudioOptions(raw="s16be:8000:2", channel="right", start=1))))
    assert np.array_equal(got * 32768, values[8000:, 1])
    spans = [(1.5, 0.25), (0.0, 0.5)]
    lengths = [sum(map(len, blocks)) for blocks in audio.excerpts(path, spans, 8000, options)]
    assert lengths == [2000, 4000]


def test_a_pipe_cannot_go_back() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    pipe = Pipe(np.arange(32000, dtype="<i2").tobytes())
    forwards = audio.excerpts(pipe, [(0.5, 0.5), (1.5, 0.25)], 16000, AudioOptions(raw="s16le"))
    assert [sum(map(len, blocks)) for blocks in forwards] == [8000, 4000]
    backwards = audio.excerpts(Pipe(bytes(64000)), [(0.5, 0.5), (0.0, 0.25)], 16000, AudioOptions(raw="s16le"))
    list(next(backwards))
    with pytest.raises(AudioError, match="cannot be read twice"):
        list(next(backwards))
