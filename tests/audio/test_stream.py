"""Recordings of every kind → blocks: what comes in comes out, however it is cut, packed, or damaged."""

import io
import logging
import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from transcribe_cli import audio
from transcribe_cli.audio import AudioOptions
from transcribe_cli.errors import AudioError, InputError, InputNotFound, OptionError

SAMPLES = Path(__file__).parents[2] / "samples"
RATE = 16000


def wave(seconds: float = 1.0, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Tones and a little noise on the 16-bit grid, half of full scale, no offset."""
    n = round(seconds * rate)
    t = np.arange(n) / rate
    values = 0.3 * np.sin(2 * np.pi * 300 * t) + 0.15 * np.sin(2 * np.pi * 1100 * t + 1)
    values += 0.01 * np.random.default_rng(seed).standard_normal(n)
    return (np.round(values * 32768) / 32768).astype(np.float32)


def read(path: object, options: AudioOptions = AudioOptions(), channel: int | None = None) -> np.ndarray:  # noqa: B008
    return np.concatenate(list(audio.stream(path, RATE, options, channel)))


def write(path: Path, values: np.ndarray, rate: int = RATE, **kind: str) -> Path:
    soundfile.write(path, values, rate, **kind)
    return path


# --- every kind, written by soundfile and read back ---------------------------------------------------------------

EXACT = [
    ("a.wav", {"subtype": "PCM_16"}, 0.0),
    ("a.wav", {"subtype": "PCM_24"}, 0.0),
    ("a.wav", {"subtype": "PCM_32"}, 0.0),
    ("a.wav", {"subtype": "FLOAT"}, 0.0),
    ("a.wav", {"subtype": "DOUBLE"}, 0.0),
    ("a.wav", {"subtype": "PCM_16", "format": "WAVEX"}, 0.0),
    ("a.wav", {"subtype": "FLOAT", "format": "WAVEX"}, 0.0),
    ("a.w64", {"subtype": "PCM_16"}, 0.0),
    ("a.rf64", {"subtype": "PCM_16"}, 0.0),
    ("a.wav", {"subtype": "PCM_U8"}, 1 / 128),
    ("a.wav", {"subtype": "ALAW"}, 1 / 32),
    ("a.wav", {"subtype": "ULAW"}, 1 / 32),
    ("a.wav", {"subtype": "IMA_ADPCM"}, 0.1),
    ("a.flac", {"subtype": "PCM_16"}, 0.0),
    ("a.flac", {"subtype": "PCM_24"}, 0.0),
    ("a.aiff", {"subtype": "PCM_16"}, 0.0),
    ("a.aiff", {"subtype": "FLOAT"}, 0.0),
    ("a.au", {"subtype": "PCM_16"}, 0.0),
    ("a.caf", {"subtype": "PCM_16"}, 0.0),
]


@pytest.mark.parametrize(("name", "kind", "error"), EXACT, ids=lambda value: str(value))
def test_every_kind_of_wav_and_its_relatives_come_back_as_written(
    tmp_path: Path, name: str, kind: dict[str, str], error: float
) -> None:
    values = wave(0.7)
    path = write(tmp_path / name, values, **kind)
    got = read(path)
    assert got.dtype == np.float32
    assert abs(len(got) - len(values)) < (1 if error < 0.1 else 1024)  # ADPCM fills its last block
    assert np.abs(got[: len(values)] - values).max() <= error
    info = audio.probe(path)
    assert (info.sample_rate, info.channels) == (RATE, 1)
    assert info.duration_seconds == pytest.approx(0.7, abs=0.07)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.ogg", {"subtype": "VORBIS"}), ("a.opus", {"format": "OGG", "subtype": "OPUS"}), ("a.mp3", {})],
    ids=["vorbis", "opus", "mp3"],
)
def test_lossy_kinds_keep_length_and_most_of_the_sound(tmp_path: Path, name: str, kind: dict[str, str]) -> None:
    values = wave(1.5)
    got = read(write(tmp_path / name, values, **kind))
    assert abs(len(got) - len(values)) <= 1
    got = np.pad(got, (0, len(values) - len(got)))
    inner = slice(800, -800)
    assert np.square(got[inner] - values[inner]).mean() < 0.01 * np.square(values[inner]).mean()


def test_the_ending_of_a_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    write(path, wave())
    path.rename(other := tmp_path / "a.wav")
    assert np.array_equal(read(other), wave())


@pytest.mark.parametrize(
    "sample", sorted(p.name for p in SAMPLES.glob("*.*") if p.suffix in (".flac", ".wav", ".opus"))
)
def test_clean_speech_passes_every_stage_unchanged(sample: str) -> None:
    """16 kHz mono speech comes out as it was decoded: no filter, no gain, no offset touches it."""
    expected = soundfile.read(SAMPLES / sample, dtype="float32")[0]
    got = read(SAMPLES / sample)
    rate = soundfile.info(SAMPLES / sample).samplerate
    assert rate == RATE
    assert np.array_equal(got, np.round(expected * 32768) / np.float32(32768))


# --- rates, channels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 22050, 44100, 47999, 48000, 96000, 192000])
def test_any_rate_becomes_the_models(tmp_path: Path, rate: int) -> None:
    t = np.arange(rate) / rate
    got = read(write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * t), rate, subtype="FLOAT"))
    assert abs(len(got) - RATE) <= 1
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(got)) / RATE)
    assert np.abs(got - expected)[800:-800].max() < 2e-3


def test_what_lies_above_half_the_new_rate_is_gone(tmp_path: Path) -> None:
    t = np.arange(48000) / 48000
    got = read(write(tmp_path / "a.wav", 0.9 * np.sin(2 * np.pi * 15000 * t), 48000, subtype="FLOAT"))
    assert np.abs(got[800:-800]).max() < 1e-3


def test_mix_left_right_number_and_split_choose_channels(tmp_path: Path) -> None:
    a, b, c = wave(0.5, seed=1), wave(0.5, seed=2) * np.float32(0.5), wave(0.5, seed=3) * np.float32(0.25)
    path = write(tmp_path / "a.wav", np.stack([a, b, c], axis=1), subtype="FLOAT")
    assert np.abs(read(path) - (a + b + c) / 3).max() < 2e-5
    assert np.array_equal(read(path, AudioOptions(channel="left")), a)
    assert np.abs(read(path, AudioOptions(channel="right")) - b).max() < 2e-5
    assert np.abs(read(path, AudioOptions(channel="2")) - c).max() < 2e-5
    split = AudioOptions(channel="split")
    assert audio.channels(path, split) == [0, 1, 2]
    assert np.array_equal(read(path, split, 0), a)
    assert audio.channels(path, AudioOptions()) == [None]
    with pytest.raises(AudioError, match="channels 0 to 2, not channel 3"):
        read(path, AudioOptions(channel="3"))
    with pytest.raises(OptionError, match="one channel after the other"):
        read(path, split)


def test_right_of_a_mono_recording_is_refused_and_its_split_is_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", wave(0.2))
    with pytest.raises(AudioError, match="has 1 channel"):
        read(path, AudioOptions(channel="right"))
    assert audio.channels(path, AudioOptions(channel="split")) == [None]
    assert np.array_equal(read(path, AudioOptions(channel="split")), wave(0.2))


def test_sixty_four_channels_are_read_and_more_are_refused(tmp_path: Path) -> None:
    many = np.tile(wave(0.1)[:, None], (1, 64))
    assert np.abs(read(write(tmp_path / "a.wav", many)) - wave(0.1)).max() < 2e-5
    with pytest.raises(AudioError, match="65 channels; 1 to 64"):
        read(write(tmp_path / "b.wav", np.zeros((100, 65)), subtype="PCM_16"))


@pytest.mark.parametrize("rate", [1, 3999, 192001, 2**31 - 1])
def test_absurd_rates_are_refused_before_anything_is_read(tmp_path: Path, rate: int) -> None:
    with pytest.raises(AudioError, match=f"{rate} Hz, not 4000 to 192000"):
        read(write(tmp_path / "a.wav", wave(0.1), rate))


# --- blocks -------------------------------------------------------------------------------------------------------


def test_blocks_are_at_most_five_seconds_and_never_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", wave(12.3, 8000), 8000)
    sizes = [len(block) for block in audio.stream(path, RATE)]
    assert min(sizes) >= 1
    assert max(sizes) <= 5 * RATE
    assert sum(sizes) == pytest.approx(12.3 * RATE, abs=1)


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("denoise", [False, True])
def test_the_size_of_the_blocks_read_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int, denoise: bool
) -> None:
    path = write(tmp_path / "a.flac", wave(1.7, rate) + np.float32(0.01), rate)
    whole = read(path, AudioOptions(denoise=denoise))
    for seconds in (0.0137, 0.5, 100):
        monkeypatch.setattr(
            "transcribe_cli.audio.sndfile.block_frames", lambda r, c, s=2.0, one=seconds: max(1, int(r * one))
        )
        assert np.array_equal(read(path, AudioOptions(denoise=denoise)), whole)


# --- start, duration, excerpts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "rate"),
    [
        ("a.wav", {}, 16000), ("a.flac", {}, 44100), ("a.ogg", {}, 16000), ("a.ogg", {}, 44100),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}, 16000),
        ("b.opus", {"format": "OGG", "subtype": "OPUS"}, 48000),
        ("a.mp3", {}, 16000), ("a.mp3", {}, 44100), ("a.aiff", {}, 22050),
    ],
    ids=str,
)  # fmt: skip
def test_starting_inside_gives_what_reading_from_the_beginning_gives(
    tmp_path: Path, name: str, kind: dict[str, str], rate: int
) -> None:
    # speech, since a lossy decoder recovers from a seek only at its next independent packet, which pure tones lack
    path = write(tmp_path / name, soundfile.read(SAMPLES / "palestine.flac", frames=3 * rate)[0], rate, **kind)
    whole = soundfile.read(path, dtype="float32")[0]
    for start, duration in ((0.0001, 0.5), (1.25, 1.0), (1.777, 0.5), (2.5, None)):
        got = read(path, AudioOptions(start=start, duration=duration))
        first = round(start * rate)
        expected = audio.from_array(whole[first:][: round(duration * rate) if duration else None], rate, RATE)
        assert len(got) == len(expected)
        # one step of the grid; an Opus decoder goes on predicting from before the seek for a while, −54 dB at most
        assert np.abs(got - expected).max() < (2e-3 if "opus" in name else 4e-5)


def test_excerpts_equal_single_reads_in_any_order(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ogg", wave(8.0))
    spans = [(5.0, 1.0), (0.0, 0.5), (4.9, 1.0), (7.0, None), (2.5, 3.25)]
    got = [np.concatenate(list(blocks)) for blocks in audio.excerpts(path, spans, RATE)]
    for (start, duration), values in zip(spans, got, strict=True):
        assert np.array_equal(values, read(path, AudioOptions(start=start, duration=duration)))


def test_an_excerpt_behind_the_end_fails_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", wave(2.0))
    lengths: list[object] = []
    for blocks in audio.excerpts(path, [(0.0, 1.0), (9.0, 1.0), (1.5, 1.0)], RATE):
        try:
            lengths.append(sum(map(len, blocks)))
        except AudioError as error:
            lengths.append(str(error))
    assert lengths[0] == RATE
    assert "lasts 2.00 s, nothing begins at 9.00 s" in str(lengths[1])
    assert lengths[2] == RATE // 2


def test_a_start_behind_the_end_says_how_long_it_is(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"lasts 1.00 s, nothing begins at 30.00 s"):
        read(write(tmp_path / "a.wav", wave()), AudioOptions(start=30))


# --- pipes and file objects ---------------------------------------------------------------------------------------


def through_stdin(data: bytes, monkeypatch: pytest.MonkeyPatch, options: AudioOptions = AudioOptions()) -> np.ndarray:  # noqa: B008
    """Reads "-" from a real pipe, which cannot be sought in."""
    reading, writing = os.pipe()

    def feed() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(data)

    thread = threading.Thread(target=feed)
    thread.start()
    with os.fdopen(reading, "rb") as pipe:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(pipe))
        try:
            return read("-", options)
        finally:
            thread.join()


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_containers_come_through_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = write(tmp_path / name, wave(3.0))
    assert np.array_equal(through_stdin(path.read_bytes(), monkeypatch), read(path))


def test_raw_samples_come_through_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    data = (wave(3.0) * 32768).astype("<i2").tobytes()
    assert np.array_equal(through_stdin(data, monkeypatch, AudioOptions(raw="s16le")), wave(3.0))
    later = through_stdin(data, monkeypatch, AudioOptions(raw="s16le", start=1.5, duration=1.0))
    assert np.array_equal(later, wave(3.0)[24000:40000])
    with pytest.raises(AudioError, match=r"lasts 3.00 s, nothing begins at 4.00 s"):
        through_stdin(data, monkeypatch, AudioOptions(raw="s16le", start=4))


def test_an_empty_pipe_is_an_error_with_and_without_raw(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AudioError, match="standard input: is empty"):
        through_stdin(b"", monkeypatch)
    with pytest.raises(AudioError, match="standard input: holds no samples"):
        through_stdin(b"", monkeypatch, AudioOptions(raw="s16le"))


def test_a_pipe_cannot_be_split(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="read twice"):
        audio.channels("-", AudioOptions(channel="split"))


def test_a_wav_whose_writer_could_not_know_its_length_is_read_to_the_end_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data = bytearray(write(tmp_path / "a.wav", wave()).read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    assert np.array_equal(through_stdin(bytes(data), monkeypatch), wave())
    assert not caplog.records


def test_file_objects_and_named_pipes_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", wave())
    assert np.array_equal(read(io.BytesIO(path.read_bytes())), wave())
    with path.open("rb") as file:
        assert np.array_equal(read(file), wave())
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    with subprocess.Popen(["sh", "-c", 'cat "$0" > "$1"', path, fifo]):
        assert np.array_equal(read(fifo), wave())


def test_five_minutes_take_no_more_memory_than_half_a_minute() -> None:
    class Silence(io.RawIOBase):
        name = "silence"

        def __init__(self, seconds: int) -> None:
            self.left = seconds * RATE * 2

        def read(self, n: int = -1) -> bytes:
            n = min(n, self.left)
            self.left -= n
            return bytes(n)

    def peak(seconds: int) -> int:
        tracemalloc.start()
        n = sum(map(len, audio.stream(Silence(seconds), RATE, AudioOptions(raw="s16le", denoise=True))))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert n == seconds * RATE
        return most

    peak(1)  # what is imported and cached once
    assert peak(300) < peak(30) + 500_000  # all of it would be 9.6 MB as bytes, 19.2 MB as float32


def test_a_full_temporary_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(InputError, match=r"No space left.*TMPDIR"):
        read(io.BytesIO(b"RIFF"))


# --- what is wrong with recordings --------------------------------------------------------------------------------


def broken(tmp_path: Path, data: bytes, name: str = "talk.wav") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(f"{path}: ")


def test_bad_files_get_one_line_that_says_what_is_wrong(tmp_path: Path) -> None:
    assert broken(tmp_path, b"") == "is empty (0 bytes)"
    assert broken(tmp_path, b"Dear all,\nthe minutes of today\n" * 100) == "holds text, not audio"
    assert "damaged, or raw PCM (--raw)" in broken(tmp_path, bytes(range(256)) * 40)
    wav = write(tmp_path / "ok.wav", wave()).read_bytes()
    assert broken(tmp_path, wav[:44]) == "holds no samples"
    assert "not a recording that can be read" in broken(tmp_path, wav[:20])
    flac = write(tmp_path / "ok.flac", wave()).read_bytes()
    assert "is it damaged?" in broken(tmp_path, flac[:60])
    assert "is it damaged?" in broken(tmp_path, flac[:120])


def test_missing_unreadable_and_strange_paths_are_input_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputNotFound, match="no such file"):
        read(tmp_path / "nothing.wav")
    with pytest.raises(InputError, match="is a directory"):
        read(tmp_path)
    with pytest.raises(InputError, match="cannot be opened"):
        read(str(tmp_path / "nul\0byte.wav"))

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbidden)  # root may read everything, so the refusal is played
    with pytest.raises(InputError, match="no permission"):
        read(tmp_path / "a.wav")


def test_names_with_spaces_newlines_and_other_bytes_are_read_and_shown_in_one_line(tmp_path: Path) -> None:
    for name in (b"two words.wav", b"two\nlines.wav", b"caf\xe9.wav", "日本.wav".encode()):
        path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
        Path(path).write_bytes(write(tmp_path / "ok.wav", wave(0.1)).read_bytes())
        assert np.array_equal(read(path), wave(0.1))
        Path(path).write_bytes(b"")
        with pytest.raises(AudioError) as caught:
            read(path)
        assert "\n" not in str(caught.value)
        str(caught.value).encode()


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.opus", "a.aiff"])
def test_a_truncated_recording_gives_what_is_there_and_a_warning(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    kind = {"format": "OGG", "subtype": "OPUS"} if name == "a.opus" else {}
    path = write(tmp_path / name, wave(4.0), **kind)
    whole = read(path)
    assert not caplog.records
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    got = read(path)
    assert 1.5 < len(got) / RATE < 3.5
    assert np.abs(got[:RATE] - whole[:RATE]).max() < 1e-3
    assert len(caplog.records) == 1
    assert "is left out" in caplog.text or "as it is" in caplog.text
    caplog.clear()
    read(path, AudioOptions(start=0.5, duration=0.5))  # what was asked for is whole
    assert not caplog.records


def test_a_damaged_mp3_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """libmpg123 writes its complaints past Python, to the terminal; they would tear the progress bar."""
    path = write(tmp_path / "a.mp3", wave(2.0))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = b"\x5a" * 400
    path.write_bytes(data[: len(data) * 3 // 4])
    assert len(read(path)) > RATE // 2
    os.write(2, b"still here")
    assert capfd.readouterr() == ("", "still here")


def test_numbers_that_are_none_become_silence_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = wave()
    values[100:110] = np.nan
    values[200] = np.inf
    values[300] = -np.inf
    got = read(write(tmp_path / "a.wav", values, subtype="FLOAT"))
    keep = np.isfinite(values)
    assert np.array_equal(got[keep], values[keep])
    assert not got[~keep].any()
    assert "12 values that are no numbers" in caplog.text


def test_a_broken_channel_does_not_break_the_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    values = np.stack([wave(), np.full(RATE, np.nan, np.float32)], axis=1)
    path = write(tmp_path / "a.wav", values, subtype="FLOAT")
    assert np.array_equal(read(path, AudioOptions(channel="left")), wave())
    assert not caplog.records
    assert np.abs(read(path) - wave() / 2).max() < 2e-5


def test_what_is_beyond_full_scale_is_clipped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "a.wav", 4 * wave(), subtype="FLOAT")
    got = read(path)
    assert got.max() == 32767 / 32768
    assert got.min() == -1
    assert "beyond full scale" in caplog.text
    caplog.clear()
    read(write(tmp_path / "b.wav", np.full(RATE, 1e38, np.float32), subtype="DOUBLE"))
    read(write(tmp_path / "c.wav", wave()))
    assert all("b.wav" in record.message for record in caplog.records)


def test_every_value_lies_on_the_16_bit_grid(tmp_path: Path) -> None:
    steps = read(write(tmp_path / "a.wav", wave(1.0, 44100), 44100)) * 32768
    assert np.array_equal(steps, np.round(steps))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 400))
def test_very_short_recordings_are_read_whole(n: int) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, wave()[:n], RATE, format="WAV")
    buffer.seek(0)
    assert np.array_equal(read(buffer), wave()[:n])


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_mutated_recordings_give_samples_or_one_line(data: st.DataObject) -> None:
    """Bytes changed, taken away or doubled, in header and payload: never anything but blocks or an InputError."""
    name, kind = data.draw(
        st.sampled_from([("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("AIFF", "PCM_24")])
    )
    buffer = io.BytesIO()
    soundfile.write(buffer, wave(0.1), RATE, format=name, subtype=kind)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        top = len(content) - 1 if data.draw(st.booleans()) else 100
        at = data.draw(st.integers(0, min(top, len(content) - 1)))
        content[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    logging.disable(logging.WARNING)
    try:
        n = 0
        for block in audio.stream(io.BytesIO(bytes(content)), RATE):
            assert np.isfinite(block).all()
            n += len(block)
        outcome = f"{n} samples"
    except InputError as error:
        outcome = str(error)
    finally:
        logging.disable(logging.NOTSET)
    assert outcome != "0 samples"
    assert "\n" not in outcome


# --- arrays -------------------------------------------------------------------------------------------------------


def test_arrays_equal_the_files_they_would_be(tmp_path: Path) -> None:
    stereo = np.stack([wave(2.0, 44100, 1), wave(2.0, 44100, 2)], axis=1)
    path = write(tmp_path / "a.wav", stereo, 44100, subtype="FLOAT")
    assert np.array_equal(audio.from_array(stereo, 44100, RATE), read(path))
    options = AudioOptions(start=0.5, duration=1.0, channel="right")
    assert np.array_equal(audio.from_array(stereo, 44100, RATE, options), read(path, options))


@pytest.mark.parametrize("kind", ["int16", "int32", "float32", "float64", ">i2"])
def test_arrays_of_every_type_are_scaled_to_full_scale(kind: str) -> None:
    factor = 2 ** (8 * np.dtype(kind).itemsize - 1) if "i" in kind else 1
    assert np.array_equal(audio.from_array((wave() * np.float64(factor)).astype(kind), RATE, RATE), wave())


def test_unsigned_arrays_have_their_silence_in_the_middle() -> None:
    got = audio.from_array(np.array([0, 64, 128, 192, 255], np.uint8), RATE, RATE)
    np.testing.assert_allclose(got - got[2], [-1, -0.5, 0, 0.5, 127 / 128], atol=1e-4)


def test_senseless_arrays_are_refused() -> None:
    for array in (np.zeros((2, 3, 4)), np.array(["a"]), np.array([1j]), np.array(1.0), np.array([True])):
        with pytest.raises(AudioError, match="is not"):
            audio.from_array(array, RATE, RATE)
    with pytest.raises(AudioError, match="no samples"):
        audio.from_array(np.zeros(0), RATE, RATE)
    with pytest.raises(AudioError, match="1 to 64"):
        audio.from_array(np.zeros((2, RATE)), RATE, RATE)  # the axes are the wrong way round
    with pytest.raises(AudioError, match="100 Hz"):
        audio.from_array(wave(), 100, RATE)
