"""MP3s whose headers say nothing of their length, or not all of it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from transcribe_cli import audio
from transcribe_cli.audio import AudioOptions, mp3, sndfile

RATE = 16000
KILOBITS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # of MPEG 2, by the header's index
FRAME = 576
NOISE = np.random.default_rng(0)


def tone(seconds: float, hz: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def noise(seconds: float) -> np.ndarray:
    return (0.3 * NOISE.standard_normal(round(seconds * RATE))).astype(np.float32)


def encoded(path: Path, *parts: np.ndarray, rate: int = RATE) -> bytes:
    """What a variable bit rate makes of the parts one after another, with a Xing header in the first frame."""
    soundfile.write(path, np.concatenate(parts), rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    data = path.read_bytes()
    assert b"Xing" in data[:60]
    return data


def bare(data: bytes) -> bytes:
    """Without its first frame, which is the Xing header."""
    return data[72 * 1000 * KILOBITS[(data[2] >> 4) - 1] // RATE + (data[2] >> 1 & 1) :]


def read(path: Path, options: AudioOptions = AudioOptions()) -> np.ndarray:  # noqa: B008
    return np.concatenate(list(audio.stream(path, RATE, options)))


def pitch(values: np.ndarray, seconds: float) -> float:
    """What is loudest in half a second from `seconds` on, in Hz."""
    first = round(seconds * RATE)
    return 2.0 * float(np.argmax(np.abs(np.fft.rfft(values[first : first + RATE // 2]))))


@pytest.mark.parametrize("quiet_first", [False, True])
def test_without_a_header_that_counts_them_all_frames_are_read(tmp_path, quiet_first, caplog):
    path = tmp_path / "a.mp3"
    first = (np.zeros(2 * RATE), noise(4.0)) if quiet_first else (noise(6.0),)
    path.write_bytes(bare(encoded(path, *first, tone(6.0, 400))))
    guessed = soundfile.info(path).duration
    assert guessed > 15 if quiet_first else guessed < 10
    got = read(path)
    assert len(got) == pytest.approx(12 * RATE, abs=4 * FRAME)
    assert pitch(got, 11.0) == pytest.approx(400, abs=2)
    assert audio.probe(path).duration_seconds == pytest.approx(len(got) / RATE, abs=0.001)
    assert not caplog.records


def test_a_part_of_it_is_found_where_the_whole_has_it(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(bare(encoded(path, noise(4.0), *(tone(1.0, 300 + 50 * i) for i in range(8)))))
    whole = read(path)
    for start, duration in ((0.5, 1.0), (9.3, 1.5), (11.0, None)):
        part = read(path, AudioOptions(start=start, duration=duration))
        first = round(start * RATE)
        assert np.abs(part - whole[first : first + len(part)]).max() < 0.02  # an offset is measured on what is read
        assert len(part) == (len(whole) - first if duration is None else round(duration * RATE))


def test_the_size_of_the_blocks_read_does_not_matter(tmp_path, monkeypatch):
    path = tmp_path / "a.mp3"  # quiet frames leave room to the loud ones behind them
    encoded(path, *(part for _ in range(6) for part in (1e-3 * noise(0.3), noise(0.2), tone(0.2, 500))))
    whole = read(path)
    monkeypatch.setattr(sndfile, "block_frames", lambda rate, channels: 1700)
    assert np.abs(read(path) - whole).max() < 1e-4


TAG = b"ID3\x03\x00\x00\x00\x01\x00\x00" + bytes(range(256)) * 64  # 16,384 bytes
LAST = b"TAG" + bytes(125)


@pytest.mark.parametrize("between", [b"", LAST, TAG, LAST + TAG])
@pytest.mark.parametrize("first_is_bare", [False, True])
def test_mp3s_one_after_another_are_all_read(tmp_path, between, first_is_bare, caplog):
    path = tmp_path / "a.mp3"
    one, other = encoded(path, tone(4.0, 400)), encoded(path, tone(3.0, 700))
    path.write_bytes(TAG + (bare(one) if first_is_bare else one) + between + other + LAST)
    got = read(path)
    assert len(got) == pytest.approx(7 * RATE, abs=8 * FRAME)
    assert (pitch(got, 1.0), pitch(got, 6.0)) == (pytest.approx(400, abs=2), pytest.approx(700, abs=2))
    assert not caplog.records


def test_what_follows_at_another_rate_is_told(tmp_path, caplog):
    path = tmp_path / "a.mp3"
    path.write_bytes(encoded(path, tone(4.0, 400)) + encoded(path, tone(4.0, 400), rate=24_000))
    assert len(read(path)) == pytest.approx(4 * RATE, abs=4 * FRAME)
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        f"{path}: ends after {len(read(path)) / RATE:.2f} s of {audio.probe(path).duration_seconds:.2f} s"
    ]


def test_a_header_that_is_right_is_believed(tmp_path, monkeypatch, caplog):
    path = tmp_path / "a.mp3"
    data = encoded(path, noise(1.0), tone(2.0, 400))
    path.write_bytes(TAG + data + LAST)
    assert mp3.count(str(path)) is None
    assert len(read(path)) == 3 * RATE
    assert not caplog.records


def test_damage_costs_the_count_little_and_no_time(tmp_path):
    path = tmp_path / "a.mp3"
    data = bare(encoded(path, *(noise(0.5) for _ in range(12))))
    path.write_bytes(data)
    whole = mp3.count(str(path)).n_samples
    assert whole == pytest.approx(6 * RATE, abs=4 * FRAME)
    for i in range(60):
        spoilt = bytearray(data)
        for at in NOISE.integers(0, len(data), 1 + i % 7):
            spoilt[at : at + 4] = NOISE.bytes(4)
        path.write_bytes(spoilt)
        found = mp3.count(str(path))
        assert 0.8 * whole < found.n_samples <= whole + 2 * FRAME


@pytest.mark.parametrize(
    "data", [b"", b"ID3", b"\xff", b"\xff\xfb\x90", TAG[:-1], b"\xff\xfb\x10" * 5000, b"ID3\x03" * 5000, TAG + b"\xff"]
)
def test_of_what_is_no_mp3_nothing_is_counted(tmp_path, data):
    path = tmp_path / "a.mp3"
    path.write_bytes(data)
    assert mp3.count(str(path)) is None


def test_frames_over_the_edge_of_a_block_are_counted(tmp_path, monkeypatch):
    path = tmp_path / "a.mp3"
    path.write_bytes(bare(encoded(path, noise(5.0))) + TAG + LAST)
    whole = mp3.count(str(path)).n_samples
    for size in (2500, 4096, 5003):
        monkeypatch.setattr(mp3, "_BLOCK", size)
        assert mp3.count(str(path)).n_samples == whole
