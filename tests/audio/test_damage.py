"""Recordings that are damaged or were never finished: what can be read is read, at its own time; the rest is told."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from transcribe_cli import audio
from transcribe_cli.audio import AudioOptions, media, sndfile
from transcribe_cli.errors import AudioError

RATE = 16000


def tones(seconds: float, hz: float = 300.0, seed: int = 0) -> np.ndarray:
    """(n,) float32 on the 16-bit grid, no two stretches of it alike."""
    t = np.arange(round(seconds * RATE)) / RATE
    values = 0.3 * np.sin(2 * np.pi * hz * t) + 0.02 * np.random.default_rng(seed).standard_normal(len(t))
    return (np.round(values * 32768) / 32768).astype(np.float32)


def read(path: Path, options: AudioOptions = AudioOptions()) -> np.ndarray:  # noqa: B008
    return np.concatenate(list(audio.stream(path, RATE, options)))


def spoilt(path: Path, *spans: tuple[float, int]) -> Path:
    """Bytes of the file turned over: (share of its length, how many)."""
    data = bytearray(path.read_bytes())
    for share, n in spans:
        at = int(share * len(data))
        data[at : at + n] = bytes(255 - byte for byte in data[at : at + n])
    path.write_bytes(data)
    return path


@pytest.fixture
def flac(tmp_path: Path) -> tuple[Path, np.ndarray]:
    values = tones(20.0)
    soundfile.write(tmp_path / "a.flac", values, RATE)
    return tmp_path / "a.flac", values


# --- damage in the middle -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("spans", [[(0.5, 2)], [(0.3, 2), (0.7, 2)], [(0.4, 30_000)]])
def test_what_follows_a_damaged_stretch_is_there_and_keeps_its_time(flac, spans, caplog):
    path, values = flac
    got = read(spoilt(path, *spans))
    assert len(got) == len(values)
    differs = np.flatnonzero(got != values)
    assert not got[differs].any()  # silence stands for what cannot be decoded
    assert 0 < len(differs) < RATE * (0.8 * len(spans) + spans[0][1] / 20_000)
    assert len(caplog.records) == 1
    assert "of it became silence" in caplog.text


def test_a_damaged_stretch_is_passed_over_in_blocks_of_any_size_and_in_parts(flac, caplog, monkeypatch):
    path, values = flac
    whole = read(spoilt(path, (0.5, 20_000)))
    part = read(path, AudioOptions(start=9.0, duration=4.0))
    assert np.array_equal(part[-RATE:], values[12 * RATE : 13 * RATE])
    assert np.array_equal(part[: RATE // 2], values[9 * RATE : 9 * RATE + RATE // 2])
    for size in (700, 5000, 1 << 20):
        monkeypatch.setattr(sndfile, "block_frames", lambda rate, channels, size=size: size)
        again = read(path)
        assert len(again) == len(whole)
        assert np.array_equal(again[-RATE:], values[-RATE:])


def test_a_span_after_a_damaged_one_is_read(flac):
    path, values = flac
    spoilt(path, (0.5, 2))
    spans = [(9.0, 3.0), (15.0, 1.0), (1.0, 1.0)]
    _, late, early = (np.concatenate(list(blocks)) for blocks in audio.excerpts(path, spans, RATE))
    assert np.array_equal(late, values[15 * RATE : 16 * RATE])
    assert np.array_equal(early, values[RATE : 2 * RATE])


def test_of_a_file_cut_short_the_rest_is_left_out_and_not_looked_for_long(flac, caplog, monkeypatch):
    path, values = flac
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    opened = []
    real = sndfile.SoundFileSource._opened
    monkeypatch.setattr(sndfile.SoundFileSource, "_opened", lambda self: opened.append(1) or real(self))
    got = read(path)
    assert 8 * RATE < len(got) < 11 * RATE
    assert np.array_equal(got, values[: len(got)])
    assert len(caplog.records) == 1
    assert "the rest is left out" in caplog.text
    assert len(opened) < 40


def test_where_nothing_can_be_decoded_it_is_an_error(flac):
    path, _ = flac
    data = path.read_bytes()
    path.write_bytes(data[:200] + bytes(len(data) - 200))
    with pytest.raises(AudioError, match=r"nothing in it can be decoded .*damaged\?"):
        read(path)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_pages_that_an_ogg_file_lost_are_told(tmp_path, subtype, caplog):
    path = tmp_path / "a.ogg"
    soundfile.write(path, tones(20.0), RATE, format="OGG", subtype=subtype)
    read(path)
    assert not caplog.records
    assert len(read(spoilt(path, (0.5, 3)))) > 8 * RATE
    assert len(caplog.records) == 1
    assert "damaged" in caplog.text


# --- headers that were never finished -----------------------------------------------------------------------------


def unfinished(values: np.ndarray, riff: int = 0, before: bytes = b"", behind: bytes = b"") -> bytes:
    """A WAV whose sound is zero bytes long by its own account."""
    head = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    sound = np.round(values * 32768).astype("<i2").tobytes()
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + before + b"data" + bytes(4) + sound + behind
    return b"RIFF" + struct.pack("<I", riff) + body


@pytest.mark.parametrize("riff", [0, 36, 0xFFFFFFFF])
@pytest.mark.parametrize("before", [b"", b"JUNK" + struct.pack("<I", 5001) + bytes(5002)])
def test_a_wav_that_was_never_finished_is_read_to_its_end(tmp_path, riff, before, caplog):
    values = tones(3.0)
    path = tmp_path / "a.wav"
    path.write_bytes(unfinished(values, riff, before))
    assert np.array_equal(read(path), values)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: was never finished; all that follows its header is read as sound"
    ]
    assert audio.probe(path).duration_seconds == pytest.approx(3.0)
    assert np.array_equal(read(path, AudioOptions(start=1.0, duration=0.5)), values[RATE : RATE + RATE // 2])


def test_a_finished_wav_of_no_sound_stays_one(tmp_path):
    notes = b"LIST" + struct.pack("<I", 4000) + b"INFO" + bytes(3996)
    data = unfinished(np.zeros(0, np.float32), behind=notes)
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(data) - 8) + data[8:])
    with pytest.raises(AudioError, match="holds no samples"):
        read(path)


def stated(values: np.ndarray, n_bytes: int, behind: bytes = b"") -> bytes:
    """A WAV that says its sound is `n_bytes` long, as a recorder does that comes by now and then."""
    data = bytearray(unfinished(values, 36 + n_bytes, behind=behind))
    data[40:44] = struct.pack("<I", n_bytes)
    return bytes(data)


@pytest.mark.parametrize("quiet", [0, 4000])
def test_a_wav_whose_header_lags_behind_its_sound_is_read_to_its_end(tmp_path, quiet, caplog):
    values = tones(3.0)
    values[RATE : RATE + quiet] = 0  # zeros alone do not tell sound from what fills a sector
    path = tmp_path / "a.wav"
    path.write_bytes(stated(values, 2 * RATE))
    assert np.array_equal(read(path), values)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: was never finished; all that follows its header is read as sound"
    ]
    assert np.array_equal(read(path, AudioOptions(start=2.0, duration=0.5)), values[2 * RATE : 2 * RATE + RATE // 2])


@pytest.mark.parametrize(
    "behind",
    [
        b"LIST" + struct.pack("<I", 9000) + bytes(range(1, 251)) * 36,
        b"TAG" + b"words" * 1000,
        b"ID3\x03" + bytes(range(1, 251)) * 20,
        bytes(5000),
        b"\r\n" * 50,
    ],
    ids=["chunk", "ID3v1", "ID3v2", "zeros", "little"],
)
def test_what_follows_the_sound_of_a_finished_wav_is_left_alone(tmp_path, behind, caplog):
    values = tones(1.0)
    path = tmp_path / "a.wav"
    path.write_bytes(stated(values, 2 * len(values), behind))
    assert np.array_equal(read(path), values)
    assert not caplog.records


@pytest.mark.parametrize("padding", [b"", b"\0"])
def test_a_chunk_behind_an_odd_number_of_bytes_is_known(tmp_path, padding, caplog):
    path = tmp_path / "a.wav"
    soundfile.write(path, tones(1.0)[:-1], RATE, subtype="PCM_U8")
    notes = b"LIST" + struct.pack("<I", 9000) + bytes(range(1, 251)) * 36
    path.write_bytes(path.read_bytes()[: 44 + RATE - 1] + padding + notes)
    assert len(read(path)) == RATE - 1
    assert not caplog.records


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize(("name", "at"), [("a.rf64", 20), ("a.au", 8)])
def test_other_headers_that_were_never_finished_are_read_past_as_well(tmp_path, name, at, share, caplog):
    values = tones(3.0)
    path = tmp_path / name
    soundfile.write(path, values, RATE, subtype="PCM_16")
    data, n_bytes = bytearray(path.read_bytes()), int(share * 2 * len(values))
    sizes = struct.pack("<QQ", n_bytes, n_bytes) if name == "a.rf64" else struct.pack(">I", n_bytes)
    data[at : at + len(sizes)] = sizes
    path.write_bytes(data)
    assert np.array_equal(read(path), values)
    assert "was never finished" in caplog.text
    assert audio.probe(path).duration_seconds == pytest.approx(3.0)


# --- FLAC without a length ----------------------------------------------------------------------------------------


@pytest.fixture
def piped(flac) -> tuple[Path, np.ndarray]:
    """What an encoder writes into a pipe: it cannot go back to say how many samples there were."""
    path, values = flac
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert audio.probe(path).duration_seconds is None
    return path, values


def test_a_flac_out_of_a_pipe_is_read_to_its_last_sample(piped, caplog):
    path, values = piped
    assert np.array_equal(read(path), values)
    assert np.array_equal(read(path, AudioOptions(start=19.5)), values[-RATE // 2 :])
    assert np.array_equal(read(path, AudioOptions(start=3.0, duration=1.0)), values[3 * RATE : 4 * RATE])
    assert not caplog.records


def test_damage_to_a_flac_out_of_a_pipe_is_read_around(piped, caplog):
    path, values = piped
    got = read(spoilt(path, (0.5, 200)))
    assert len(got) == len(values)
    differs = np.flatnonzero(got != values)
    assert not got[differs].any()
    assert 0 < len(differs) < RATE
    assert len(caplog.records) == 1
    assert "of it became silence" in caplog.text
    caplog.clear()
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    assert 14 * RATE < len(read(path)) < 15.5 * RATE
    assert "the rest is left out" in caplog.text


# --- several recordings in one file -------------------------------------------------------------------------------


@pytest.fixture
def chained(tmp_path: Path) -> Path:
    for i, name in enumerate(("a.ogg", "b.ogg")):
        soundfile.write(tmp_path / name, tones(2.0, 300 + 200 * i, seed=i), RATE, format="OGG", subtype="OPUS")
    path = tmp_path / "both.ogg"
    path.write_bytes((tmp_path / "a.ogg").read_bytes() + (tmp_path / "b.ogg").read_bytes())
    return path


def test_ogg_recordings_one_after_another_are_all_read(chained):
    pytest.importorskip("av")
    got = read(chained)
    assert len(got) == pytest.approx(4 * RATE, abs=RATE // 10)
    for begin, hz in ((0.5, 300), (2.7, 500)):
        spectrum = np.abs(np.fft.rfft(got[int(begin * RATE) : int(begin * RATE) + RATE]))
        assert np.argmax(spectrum) == pytest.approx(hz, abs=2)


def test_without_pyav_the_first_is_read_and_the_others_are_told(chained, monkeypatch, caplog):
    monkeypatch.setattr(media, "available", lambda: False)
    assert len(read(chained)) == pytest.approx(2 * RATE, abs=RATE // 10)
    assert "several recordings in one file" in caplog.text
    caplog.clear()
    read(chained.with_name("a.ogg"))
    assert not caplog.records


# --- channels that cancel each other ------------------------------------------------------------------------------


def test_channels_that_are_mirror_images_are_told(tmp_path, caplog):
    values = tones(2.0)
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([values, -0.9 * values], axis=1), RATE)
    read(path)
    assert "mirror images" in caplog.text
    assert "--channel left" in caplog.text
    caplog.clear()
    read(path, AudioOptions(channel="left"))
    assert not caplog.records


@pytest.mark.parametrize("other", [tones(2.0, 500, seed=1), np.zeros(2 * RATE, np.float32), tones(2.0)])
def test_of_other_channels_nothing_is_told(tmp_path, other, caplog):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tones(2.0), other, np.zeros(2 * RATE)], axis=1), RATE)
    read(path)
    assert not caplog.records
