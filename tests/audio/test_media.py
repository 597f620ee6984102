"""m4a, mp4, webm, mkv through PyAV: made with it, read back, sought in, and politely refused without it."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from transcribe_cli import audio
from transcribe_cli.audio import AudioOptions
from transcribe_cli.errors import AudioError, MissingExtra

RATE = 16000
SAMPLES = Path(__file__).parents[2] / "samples"
KINDS = [
    ("talk.m4a", "aac", 44100, "stereo", False),
    ("talk.mp4", "aac", 48000, "mono", True),
    ("talk.webm", "libopus", 48000, "mono", False),
    ("talk.mkv", "flac", 16000, "stereo", True),
    ("talk.aac", "aac", 16000, "mono", False),
    ("talk.avi", "mp3", 44100, "stereo", True),
    ("talk.ts", "mp2", 48000, "stereo", False),
]


def make(path: Path, codec: str, rate: int, layout: str, video: bool, seconds: float = 2.0) -> np.ndarray:
    """Writes speech at a nominal rate into a container; returns what was put in, (n,) float32."""
    av = pytest.importorskip("av")
    speech = soundfile.read(SAMPLES / "palestine.flac", frames=round(seconds * rate), dtype="float32")[0]
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=10) if video else None
        if pictures is not None:
            pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        try:
            stream = container.add_stream(codec, rate=rate)
        except (ValueError, av.error.FFmpegError):
            pytest.skip(f"this PyAV cannot write {codec}")
        stream.layout = layout
        for i in range(round(seconds * 10) if pictures is not None else 0):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), i, np.uint8), format="rgb24")
            container.mux(pictures.encode(picture))
        if pictures is not None:
            container.mux(pictures.encode(None))
        fit = av.AudioResampler(format=stream.codec_context.format or "fltp", layout=layout, rate=rate)
        for i in range(0, len(speech), rate):
            block = np.tile(speech[i : i + rate], (2 if layout == "stereo" else 1, 1))
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, i
            for fitted in fit.resample(frame):
                container.mux(stream.encode(fitted))
        container.mux(stream.encode(None))
    return speech


def read(path: Path, rate: int, options: AudioOptions = AudioOptions()) -> np.ndarray:  # noqa: B008
    return np.concatenate(list(audio.stream(path, rate, options)))


def lag_and_match(reference: np.ndarray, other: np.ndarray) -> tuple[int, float]:
    """Samples by which `other` is late, and the correlation there."""
    n = 1 << (len(reference) + len(other)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(other, n) * np.conj(np.fft.rfft(reference, n)), n)
    lag = int(np.argmax(cross))
    return (lag if lag < n // 2 else lag - n), float(cross.max() / np.linalg.norm(reference) / np.linalg.norm(other))


@pytest.mark.parametrize(("name", "codec", "rate", "layout", "video"), KINDS, ids=[kind[0] for kind in KINDS])
def test_containers_and_videos_give_their_sound_whole_and_in_excerpts(
    tmp_path: Path, name: str, codec: str, rate: int, layout: str, video: bool
) -> None:
    speech = make(tmp_path / name, codec, rate, layout, video)
    info = audio.probe(tmp_path / name)
    assert (info.sample_rate, info.channels) == (rate, 2 if layout == "stereo" else 1)
    assert info.duration_seconds is None or info.duration_seconds == pytest.approx(2.0, abs=0.4)
    whole = read(tmp_path / name, rate)
    lag, match = lag_and_match(speech, whole)
    assert match > 0.97
    assert 0 <= lag <= 1200  # what an encoder puts before the beginning, where the container cannot say so
    assert len(whole) - len(speech) < 2500

    spans = [(1.25, 0.75), (0.25, 0.5), (1.0, 0.5)]
    for (start, duration), blocks in zip(spans, audio.excerpts(tmp_path / name, spans, rate), strict=True):
        values = np.concatenate(list(blocks))
        assert len(values) == round(duration * rate)
        lag, match = lag_and_match(whole, np.pad(values, (0, 10)))
        assert match > 0.3  # of the whole's energy, of which this is a part
        # Matroska's clock ticks in milliseconds
        assert abs(-lag - round(start * rate)) <= (rate // 1000 if name.endswith(("webm", "mkv")) else 1)


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "talk.mp4"
    path.write_bytes(b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00" + bytes(100))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtra, match=r"talk\.mp4 needs av: pip install 'transcribe-cli\[media\]'"):
        read(path, RATE)


def test_content_is_believed_before_the_name(tmp_path: Path) -> None:
    speech = make(tmp_path / "talk.m4a", "aac", 16000, "mono", False)
    (tmp_path / "talk.m4a").rename(tmp_path / "talk.wav")
    assert lag_and_match(speech, read(tmp_path / "talk.wav", RATE))[1] > 0.97
    (tmp_path / "talk.mp4").write_bytes((SAMPLES / "part-two.flac").read_bytes())
    expected = soundfile.read(SAMPLES / "part-two.flac", dtype="float32")[0]
    assert np.array_equal(read(tmp_path / "talk.mp4", RATE), expected)


def test_a_video_without_sound_a_playlist_and_nonsense_are_refused(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    silent = tmp_path / "silent.mp4"
    with av.open(str(silent), "w") as container:
        pictures = container.add_stream("mpeg4", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        container.mux(pictures.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(pictures.encode(None))
    with pytest.raises(AudioError, match="holds no sound"):
        read(silent, RATE)
    secret = SAMPLES / "adam.flac"
    for name, content in {
        "list.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{secret}\n",
        "list.mkv": f"ffconcat version 1.0\nfile {secret}\n",
    }.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(AudioError, match="holds text"):
            read(tmp_path / name, RATE)
        (tmp_path / name).write_bytes(content.encode() + b"\0")
        with pytest.raises(AudioError, match="not a recording"):
            read(tmp_path / name, RATE)


def test_a_truncated_container_gives_what_is_there_or_one_line(tmp_path: Path) -> None:
    make(tmp_path / "talk.webm", "libopus", 48000, "mono", False)
    data = (tmp_path / "talk.webm").read_bytes()
    (tmp_path / "cut.webm").write_bytes(data[: len(data) // 2])
    assert 0.3 < len(read(tmp_path / "cut.webm", RATE)) / RATE < 1.9
    make(tmp_path / "talk.mp4", "aac", 48000, "mono", False)
    data = (tmp_path / "talk.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])  # its index lies at the end
    with pytest.raises(AudioError) as caught:
        read(tmp_path / "cut.mp4", RATE)
    assert "\n" not in str(caught.value)


def test_a_number_of_channels_that_changes_ends_the_recording_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make(tmp_path / "mono.aac", "aac", 16000, "mono", False)
    make(tmp_path / "stereo.aac", "aac", 16000, "stereo", False)
    joined = tmp_path / "joined.aac"
    joined.write_bytes((tmp_path / "mono.aac").read_bytes() + (tmp_path / "stereo.aac").read_bytes())
    assert 1.9 < len(read(joined, RATE)) / RATE < 4.3
    assert len(caplog.records) <= 1
    assert all("joined.aac" in record.message for record in caplog.records)
