"""Time stamps of media containers: pauses and a late beginning are silence, whatever is read of them; damage is not."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from transcribe_cli import audio
from transcribe_cli.audio import AudioOptions
from transcribe_cli.audio.clock import MOST_SILENT_SECONDS, Clock

RATE = 16000
SECONDS = 24
SPEECH = soundfile.read(
    Path(__file__).parents[2] / "samples" / "palestine.flac", frames=SECONDS * RATE, dtype="float32"
)[0]


def make(path: Path, codec: str, rate: int, leaps: list[tuple[float, float]], video: bool = False) -> Path:
    """Speech in a container. leaps: (seconds into the speech, seconds that the stamps leap there)."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=10) if video else None
        if pictures is not None:
            pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        stream = container.add_stream(codec, rate=rate, layout="mono")
        for i in range(10 if video else 0):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), i, np.uint8), format="rgb24")
            container.mux(pictures.encode(picture))
        if pictures is not None:
            container.mux(pictures.encode(None))
        fit = av.AudioResampler(
            format=stream.codec_context.format.name, layout="mono", rate=rate, frame_size=stream.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(SPEECH[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        position = 0
        for fitted in fit.resample(frame) + fit.resample(None):
            late = sum(leap for at, leap in leaps if position >= at * rate)
            fitted.pts, fitted.time_base = position + round(late * rate), Fraction(1, rate)
            position += fitted.samples
            container.mux(stream.encode(fitted))
        container.mux(stream.encode(None))
    return path


def read(path: Path, options: AudioOptions = AudioOptions()) -> np.ndarray:  # noqa: B008
    return np.concatenate(list(audio.stream(path, RATE, options)))


def found(values: np.ndarray, begin: float, seconds: float = 2.0) -> float:
    """Where in the values a stretch of the speech is, in seconds."""
    part = SPEECH[round(begin * RATE) : round((begin + seconds) * RATE)]
    n = 1 << (len(values) + len(part)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(values, n) * np.conj(np.fft.rfft(part, n)), n)
    return int(np.argmax(cross[: len(values)])) / RATE


KINDS = [
    ("a.webm", "libopus", 48000), ("a.mkv", "flac", 16000), ("a.mkv", "aac", 44100), ("a.mp4", "aac", 44100),
    ("a.ts", "aac", 48000), ("a.flv", "aac", 44100),
]  # fmt: skip


@pytest.mark.parametrize(("name", "codec", "rate"), KINDS, ids=str)
def test_a_pause_within_a_container_is_silence(tmp_path, name, codec, rate, caplog):
    path = make(tmp_path / name, codec, rate, [(6.0, 5.0), (15.0, 0.4)])
    whole = read(path)
    assert len(whole) == pytest.approx((SECONDS + 5.4) * RATE, abs=0.05 * RATE)
    assert [found(whole, at) for at in (2.0, 8.0, 18.0)] == pytest.approx([2.0, 13.0, 23.4], abs=0.05)
    assert np.abs(whole[round(6.2 * RATE) : round(10.8 * RATE)]).max() < 1e-3
    assert not caplog.records


@pytest.mark.parametrize(("name", "codec", "rate"), KINDS[:-1], ids=str)
def test_sound_that_begins_after_the_picture_keeps_its_time(tmp_path, name, codec, rate, caplog):
    path = make(tmp_path / name.replace("webm", "mkv"), codec, rate, [(0.0, 3.0)], video=True)
    whole = read(path)
    assert [found(whole, at) for at in (0.0, 10.0)] == pytest.approx([3.0, 13.0], abs=0.05)
    assert np.abs(whole[: round(2.8 * RATE)]).max() < 1e-3
    assert audio.probe(path).duration_seconds == pytest.approx(SECONDS + 3, abs=0.1)
    assert not caplog.records


@pytest.mark.parametrize(("name", "codec", "rate"), KINDS, ids=str)
@pytest.mark.parametrize("leaps", [[], [(0.0, 1000.0)]], ids=["from 0", "from 1000 s"])
def test_sound_without_pauses_is_what_it_was(tmp_path, name, codec, rate, leaps, caplog):
    whole = read(make(tmp_path / name, codec, rate, leaps))
    assert len(whole) == pytest.approx(SECONDS * RATE, abs=0.1 * RATE)
    assert [found(whole, at) for at in (2.0, 20.0)] == pytest.approx([2.0, 20.0], abs=0.05)
    assert not caplog.records


@pytest.mark.parametrize(("name", "codec", "rate"), KINDS, ids=str)
@pytest.mark.parametrize("leaps", [[], [(6.0, 5.0)], [(0.0, 3.0), (6.0, 5.0)]], ids=str)
def test_parts_agree_with_the_whole(tmp_path, name, codec, rate, leaps):
    late = bool(leaps) and leaps[0][0] == 0.0 and name != "a.flv"
    path = make(tmp_path / name.replace("webm", "mkv"), codec, rate, leaps, video=late)
    whole = read(path)
    spans = [(1.0, 6.0), (4.0, 9.0), (12.0, 4.0), (17.5, None), (0.0, 3.5)]  # after the first, each by seeking
    single = [read(path, AudioOptions(start=start, duration=duration)) for start, duration in spans]
    again = [np.concatenate(list(blocks)) for blocks in audio.excerpts(path, spans, RATE)]
    for (start, duration), *parts in zip(spans, single, again, strict=True):
        first = round(start * RATE)
        expected = whole[first:] if duration is None else whole[first : first + round(duration * RATE)]
        for part in parts:
            assert len(part) == pytest.approx(len(expected), abs=0.05 * RATE)
            n = 1 << (2 * len(expected)).bit_length()
            cross = np.fft.irfft(np.fft.rfft(part, n) * np.conj(np.fft.rfft(expected, n)), n)
            if np.abs(expected).max() > 0.01:
                assert (np.argmax(cross) + n // 2) % n - n // 2 == pytest.approx(0, abs=0.05 * RATE)


def test_a_leap_past_the_stated_end_is_told_and_not_followed(tmp_path, caplog, monkeypatch):
    path = make(tmp_path / "a.mkv", "flac", 16000, [(6.0, 5.0)])
    monkeypatch.setattr("transcribe_cli.audio.media.Clock", lambda name, rate, _: Clock(name, rate, 8.0))
    assert len(read(path)) == SECONDS * RATE
    (record,) = caplog.records
    assert "its time stamps leap from 6.0" in record.getMessage()


# --- which stamps are believed ------------------------------------------------------------------------------------


def silences(stamps: list[int | None], frame: int = 20, length: float | None = None) -> list[int]:
    """Silent samples before each frame, at 1000 samples a second."""
    clock, position, found = Clock("a.mkv", 1000, length), 0, []
    for stamp, following in zip(stamps, [*stamps[1:], None], strict=True):
        found.append(clock.silence(position, stamp, following))
        position += found[-1] + frame
    return found


def test_stamps_that_jitter_lack_or_go_back_change_nothing():
    assert not any(silences([0, 21, 39, 95, 80, 100]))
    assert not any(silences([None, None, None]))
    assert not any(silences([-21, 0, 20, 40]))
    assert not any(silences([0, 20, 0, 20, 40]))
    assert not any(silences([5000, 20, 40, 60]))  # one that is damaged
    assert not any(silences([0, 20, 5000]))  # the last one has no witness


def test_a_leap_is_followed_once_and_up_to_where_it_goes():
    assert silences([0, 20, 540, 560, 1080, 1100]) == [0, 0, 500, 0, 500, 0]
    assert silences([0, None, 540, 560]) == [0, 0, 500, 0]
    assert silences([100, 120, 140]) == [100, 0, 0]
    assert silences([0, 20, 540, 0, 20, 540, 1060, 1080]) == [0, 0, 0, 0, 0, 440, 500, 0]


def test_absurd_leaps_are_told_and_what_follows_is_measured_from_there(caplog):
    day = 86_400_000
    assert silences([0, day, day + 20, day + 540, day + 560]) == [0, 0, 0, 500, 0]
    assert len(caplog.records) == 1
    caplog.clear()
    assert silences([0, 20, 5040, 5060], length=3.0) == [0, 0, 0, 0]
    assert len(caplog.records) == 1
    assert "leap from 0.04 s to 5.04 s" in caplog.text
    caplog.clear()
    assert silences([0, 20, 5040, 5060], length=0.01) == [0, 0, 5000, 0]  # a length that was wrong already
    assert not caplog.records


def test_all_silence_together_is_bounded():
    hour = 3_600_000
    stamps = [stamp for i in range(40) for stamp in (i * hour, i * hour + 20)]
    assert sum(silences(stamps)) <= MOST_SILENT_SECONDS * 1000
