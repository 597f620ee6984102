"""m4a, mp4, webm, mkv and any video, through PyAV (extra `media`), which is imported when first needed."""

import contextlib
import importlib.util
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import AudioError, MissingExtra
from .clock import Clock
from .info import AudioInfo, Floats, block_frames, block_sizes, check_shape

log = logging.getLogger("transcribe_cli.audio")

# fmt: off
EXTENSIONS = frozenset((
    ".3g2", ".3gp", ".aac", ".ac3", ".amr", ".ape", ".asf", ".avi", ".dts", ".eac3", ".f4v", ".flv", ".m2ts", ".m4a",
    ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp4", ".mpc", ".mpeg", ".mpg", ".mts", ".ogv", ".ra", ".rm", ".spx",
    ".tak", ".ts", ".tta", ".vob", ".webm", ".wma", ".wmv", ".wv",
))
# demuxers that read one file; playlists (HLS, DASH, concat), devices and network formats could open others
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "aac", "ac3", "eac3", "amr", "amrnb", "amrwb", "ape", "asf", "avi",
    "dts", "flv", "mpeg", "mpegts", "mpc", "mpc8", "ogg", "rm", "tak", "tta", "wv", "wav", "w64", "aiff", "caf", "mp3",
    "flac", "au",
)
# fmt: on
# those that say when a packet is heard; in others FFmpeg makes it up, and chained Ogg recordings have a time each
STAMPED = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flv", "asf", "mpeg", "mpegts")
SEEK_PREROLL_SECONDS = 0.5  # decoders need some packets before their output is right


def available() -> bool:
    """Whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def is_media(head: bytes, name: str) -> bool:
    """Whether the first bytes or the name's ending are those of a container that libsndfile does not read."""
    known = (
        head[4:8] == b"ftyp"
        or head[4:8] in (b"moov", b"mdat", b"wide")
        or head[:4]
        in (b"\x1aE\xdf\xa3", b"FLV\x01", b"0&\xb2u", b"wvpk", b"MAC ", b"\x00\x00\x01\xba", b"MPCK", b"TTA1", b".RMF")
        or head[:6] == b"#!AMR\n"
        or head[:9] == b"#!AMR-WB\n"
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0)  # AAC in ADTS
        or (len(head) > 376 and head[0] == head[188] == head[376] == 0x47)  # MPEG transport stream
        or (head[:4] == b"OggS" and any(codec in head[:256] for codec in (b"theora", b"Speex", b"fishead")))
    )
    binary = any(byte < 9 for byte in head)
    return known or (binary and os.path.splitext(name)[1].lower() in EXTENSIONS)


def is_container(head: bytes) -> bool:
    """Whether libsndfile knows the container and may only lack the codec within (MP3 in WAV, G.726, …)."""
    return head[:4] in (b"RIFF", b"RIFX", b"RF64", b"FORM", b"OggS", b"caff", b"ID3\x03", b"ID3\x04", b"fLaC")


@contextlib.contextmanager
def opened(path: str, info_path: Path, name: str) -> Iterator["MediaSource"]:
    """Opens the first audio stream. Raises MissingExtra, AudioError."""
    try:
        import av
    except ImportError as error:
        raise MissingExtra(f"reading {name}", "av", "media") from error
    with open(path, "rb") as file:
        try:
            # a file object and a list of formats: nothing in the file can make FFmpeg open another one
            container = av.open(
                _Bytes(file), options={"format_whitelist": ",".join(FORMATS)}, metadata_errors="replace"
            )
        except (av.error.FFmpegError, ValueError, OSError) as error:
            raise AudioError(f"{name}: not a recording that can be read ({_reason(error)}); is it damaged?") from error
        try:
            yield MediaSource(container, info_path, name)
        finally:
            container.close()


class _Bytes:
    """A file for FFmpeg: a senseless position from a damaged header gives −1, where PyAV would print a traceback."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.tell, self._file = file.read, file.tell, file

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).strip().rstrip(".") or type(error).__name__


class MediaSource:
    """A container's first audio stream through FFmpeg's decoders."""

    def __init__(self, container: Any, path: Path, name: str) -> None:
        if not container.streams.audio:
            raise AudioError(f"{name}: holds no sound (no audio stream in it)")
        self._container, self._name = container, name
        self._stream = container.streams.audio[0]
        codec = self._stream.codec_context
        if codec is None:
            raise AudioError(f"{name}: its sound is in a format that cannot be decoded")
        rate, channels = int(codec.sample_rate or 0), int(codec.channels or 0)
        check_shape(name, rate, channels)
        self._begin = float((self._stream.start_time or 0) * (self._stream.time_base or 0))  # seconds, as stamped
        self._origin = self._begin  # the stamp of what counts as 0 s
        self._is_stamped = container.format.name in STAMPED
        if self._is_stamped and container.start_time is not None:
            # the sound may begin after the picture; what is stamped before 0 belongs to the codec
            self._origin = max(container.start_time / 1e6, min(self._begin, 0.0))
        seconds = None
        if self._stream.duration and self._stream.time_base:
            seconds = float(self._stream.duration * self._stream.time_base) + self._begin - self._origin
        elif container.duration:
            seconds = container.duration / 1e6
        kind = f"{container.format.name.split(',')[0]} {codec.name}".upper()
        self.info = AudioInfo(path, seconds if seconds and seconds > 0 else None, rate, channels, kind)
        self._used = False

    def blocks(self, start_seconds: float, duration_seconds: float | None) -> Iterator[Floats]:
        info, name = self.info, self._name
        first = round(start_seconds * info.sample_rate)
        end = None if duration_seconds is None else first + max(1, round(duration_seconds * info.sample_rate))
        size = min(block_frames(info.sample_rate, info.channels), info.sample_rate)
        parts: list[Floats] = []
        n_kept = n_given = position = 0
        for position, block in self._decoded(first):
            begin = max(0, first - position)
            stop = len(block) if end is None else min(len(block), end - position)
            if begin < stop:
                parts.append(block[begin:stop])
                n_kept += stop - begin
            if n_kept >= size:
                yield np.concatenate(parts)
                n_given, n_kept, parts = n_given + n_kept, 0, []
            if end is not None and position + len(block) >= end:
                break
        if parts:
            yield np.concatenate(parts)
        elif not n_given:
            length = f"lasts {info.duration_seconds:.2f} s, " if info.duration_seconds and first else ""
            at = f"nothing begins at {start_seconds:.2f} s" if first else "holds no samples that can be decoded"
            raise AudioError(f"{name}: {length}{at}")

    def _decoded(self, first: int) -> Iterator[tuple[int, Floats]]:
        """(position in samples, (n, channels)) pairs from at or before `first` on; pauses are silence."""
        import av

        info, stream = self.info, self._stream
        clock = Clock(self._name, info.sample_rate, info.duration_seconds)
        position: int | None = 0
        if self._used or first > 10 * info.sample_rate:
            self._seek(first)
            position = None
        self._used = True
        resampler = av.AudioResampler(format="fltp", layout=stream.codec_context.layout, rate=info.sample_rate)
        try:
            for frame, following in _with_next(self._container.decode(stream)):
                stamped = self._stamped(frame)
                if position is None:  # after a seek only the time stamp tells where this is
                    if stamped is None:
                        raise AudioError(
                            f"{self._name}: has no time stamps to seek by; convert it to WAV or FLAC first"
                        )
                    position = clock.begin(stamped, first) if self._is_stamped else stamped
                if self._is_stamped:
                    n_silent = clock.silence(position, stamped, self._stamped(following))
                    for n in block_sizes(n_silent, info.sample_rate, info.channels):
                        yield position, np.zeros((n, info.channels), np.float32)
                        position += n
                frame.pts = None  # the resampler would fill or drop samples to follow them
                for out in resampler.resample(frame):
                    block = np.ascontiguousarray(out.to_ndarray().T, dtype=np.float32)
                    if block.shape[1] != info.channels:
                        raise ValueError("the number of channels changes")
                    yield position, block
                    position += len(block)
            for out in resampler.resample(None):
                block = np.ascontiguousarray(out.to_ndarray().T, dtype=np.float32)
                yield position or 0, block
                position = (position or 0) + len(block)
        except (av.error.FFmpegError, ValueError) as error:
            if isinstance(error, AudioError):
                raise
            if not position:
                raise AudioError(
                    f"{self._name}: nothing in it can be decoded ({_reason(error)}); is it damaged?"
                ) from error
            seconds = position / info.sample_rate
            log.warning("%s: damaged after %.2f s (%s): the rest is left out", self._name, seconds, _reason(error))

    def _stamped(self, frame: Any) -> int | None:
        """Where a frame's time stamp puts it, in samples; None without frame or stamp."""
        if frame is None or frame.pts is None:
            return None
        seconds: float = frame.pts * float(frame.time_base) - self._origin
        return round(seconds * self.info.sample_rate)

    def _seek(self, first: int) -> None:
        """Goes to a packet before `first`, or to the first one."""
        import av

        seconds = max(0.0, first / self.info.sample_rate - SEEK_PREROLL_SECONDS)
        try:
            offset = int(max(self._begin, self._origin + seconds) / self._stream.time_base)
            self._container.seek(offset, stream=self._stream, backward=True, any_frame=False)
            self._stream.codec_context.flush_buffers()
        except (av.error.FFmpegError, ValueError) as error:
            raise AudioError(f"{self._name}: {seconds:.2f} s cannot be found in it ({_reason(error)})") from error


def _with_next(frames: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """(frame, the one after it or None) pairs; where the frames end in an error, it comes behind the last one."""
    held, failure = None, None
    try:
        for frame in frames:
            if held is not None:
                yield held, frame
            held = frame
    except Exception as error:
        failure = error
    if held is not None:
        yield held, None
    if failure is not None:
        raise failure
