"""Opens a recording of any kind and gives its samples in blocks: (n, channels) float32 at the recording's own rate.

    path or pipe → Source.blocks(start, duration) → blocks of at most 2 s and 4 MB

What the bytes say decides, then the name: libsndfile first, PyAV (extra `media`) for what it does not know. Rates and
channels are bounded before memory is taken. Damaged recordings give what can still be read, with a warning in the log.
"""

import contextlib
import logging
import os
import re
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..errors import AudioError, InputError, InputNotFound
from .options import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS, AudioOptions, RawFormat
from .raw import decode

Floats = NDArray[np.float32]
PathLike = str | os.PathLike[str]

BLOCK_SECONDS = 2.0
BLOCK_VALUES = 1 << 20  # 4 MB of float32, however many channels there are
PIPE_SECONDS = 0.5  # raw PCM from a pipe may be live: text should not wait for a long block
# frames decoded and thrown away after a seek: MP3's bit reservoir, Vorbis's overlapping blocks, Opus's prediction
PREROLLS = {"MPEG": 4608, "VORBIS": 16_384, "OPUS": 24_000}

log = logging.getLogger("transcribe_cli.audio")
_STDERR = threading.Lock()  # two threads that divert it at once would restore each other's diversion


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a recording's header says; `duration_seconds` is None where only reading to the end would tell."""

    path: Path
    duration_seconds: float | None
    sample_rate: int
    channels: int
    format: str


class Source(Protocol):
    """An opened recording."""

    info: AudioInfo

    def blocks(self, start_seconds: float, duration_seconds: float | None) -> Iterator[Floats]:
        """(n, channels) float32, n ≥ 1, from `start_seconds` on. Raises AudioError where nothing can be read."""
        ...


def check_shape(name: str, sample_rate: int, channels: int) -> None:
    """Raises AudioError where a rate or a number of channels is absurd."""
    if not LOWEST_RATE <= sample_rate <= HIGHEST_RATE:
        raise AudioError(
            f"{name}: a sample rate of {sample_rate} Hz, not {LOWEST_RATE} to {HIGHEST_RATE} Hz: resample it first"
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(f"{name}: {channels} channels; 1 to {MOST_CHANNELS} can be read, mix them down first")


def block_frames(sample_rate: int, channels: int, seconds: float = BLOCK_SECONDS) -> int:
    """Frames read at a time."""
    return max(1, min(int(sample_rate * seconds), BLOCK_VALUES // channels))


def shown(path: PathLike | BinaryIO) -> str:
    """A name for messages: one line, printable whatever bytes it holds."""
    if not isinstance(path, (str, os.PathLike)):
        name = getattr(path, "name", None)
        path = name if isinstance(name, str) else "<stream>"
    text = os.fspath(path)
    if text == "-":
        return "standard input"
    text = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextlib.contextmanager
def open_source(path: PathLike | BinaryIO, options: AudioOptions) -> Iterator[Source]:
    """Opens a path, "-" (standard input) or a binary file.

    Raises InputNotFound, InputError, AudioError, MissingExtra.
    """
    name = shown(path)
    with contextlib.ExitStack() as stack:
        if not isinstance(path, (str, os.PathLike)):
            stream, pathname = path, None
        elif os.fspath(path) == "-":
            stream, pathname = sys.stdin.buffer, None
        else:
            pathname = os.fspath(path)
            stream = stack.enter_context(_open(pathname, name))
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                pathname = None  # a named pipe or a shell's <(…): read once, in order
        info_path = Path(path) if isinstance(path, (str, os.PathLike)) else Path(name)
        raw = options.raw_format
        if raw is not None:
            yield RawSource(stream, raw, info_path, name)
            return
        if pathname is None:
            pathname = stack.enter_context(_spooled(stream, name))
        yield stack.enter_context(_container(pathname, info_path, name))


def _open(path: str, name: str) -> BinaryIO:
    try:
        return open(path, "rb")
    except FileNotFoundError as error:
        raise InputNotFound(f"{name}: no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{name}: is a directory, not a recording") from error
    except PermissionError as error:
        raise InputError(f"{name}: no permission to read it") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise InputError(f"{name}: cannot be opened ({getattr(error, 'strerror', None) or error})") from error


@contextlib.contextmanager
def _spooled(stream: BinaryIO, name: str) -> Iterator[str]:
    """A pipe's bytes as a temporary file, since containers must be sought in; memory stays flat."""
    try:
        with tempfile.NamedTemporaryFile(prefix="transcribe-", suffix=".audio") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
            file.flush()
            yield file.name
    except OSError as error:
        if isinstance(error, InputError):
            raise
        where = tempfile.gettempdir()
        raise InputError(
            f"{name}: cannot be kept in {where} ({error.strerror or error}): free some space or set TMPDIR"
        ) from error


@contextlib.contextmanager
def _container(path: str, info_path: Path, name: str) -> Iterator[Source]:
    """libsndfile where it knows the bytes, else PyAV where content or name are a media container's."""
    with _open(path, name) as file:
        try:
            head = file.read(4096)
        except OSError as error:
            raise InputError(f"{name}: cannot be read ({error.strerror or error})") from error
    if not head:
        raise AudioError(f"{name}: is empty (0 bytes)")
    from . import media  # its own imports are lazy

    try:
        file_name = path if os.name == "nt" else os.fsencode(path)  # bytes: a name need not be UTF-8
        with _quiet(head[:3] == b"ID3" or head[:1] == b"\xff"):
            opened = soundfile.SoundFile(file_name)
    except (soundfile.SoundFileError, TypeError, ValueError) as error:
        refusal = _reason(error)
    else:
        with opened:
            yield SoundFileSource(opened, info_path, name)
        return
    if media.is_media(head, str(info_path)) or (media.is_container(head) and media.available()):
        with media.opened(path, info_path, name) as source:
            yield source
        return
    if not any(byte < 9 for byte in head):
        raise AudioError(f"{name}: holds text, not audio")
    raise AudioError(f"{name}: not a recording that can be read ({refusal}); is it damaged, or raw PCM (--raw)?")


def _reason(error: Exception) -> str:
    """libsndfile's sentence without the file's name."""
    text = str(getattr(error, "error_string", None) or error)
    return re.sub(r"^Error opening .*?: ", "", text, flags=re.DOTALL).strip().rstrip(".") or "unknown format"


@contextlib.contextmanager
def _quiet(needed: bool) -> Iterator[None]:
    """Sends what C code writes to standard error nowhere: libmpg123 prints a line for every frame it dislikes."""
    if not needed:
        yield
        return
    with _STDERR:
        try:
            kept = os.dup(2)
        except OSError:  # standard error is closed
            yield
            return
        try:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


class SoundFileSource:
    """WAV, FLAC, OGG, Opus, MP3, AIFF, CAF, AU… through libsndfile."""

    def __init__(self, file: Any, path: Path, name: str) -> None:
        self._file, self._name = file, name
        rate, channels = int(file.samplerate), int(file.channels)
        check_shape(name, rate, channels)
        # a stream that was never finished has no length in its header: libsndfile then says 2⁶³ − 1
        self._n_frames = int(file.frames) if 0 <= file.frames < 1 << 56 else None
        seconds = None if self._n_frames is None else self._n_frames / rate
        self.info = AudioInfo(path, seconds, rate, channels, f"{file.format} {file.subtype}")

    def blocks(self, start_seconds: float, duration_seconds: float | None) -> Iterator[Floats]:
        info = self.info
        first = round(start_seconds * info.sample_rate)
        if self._n_frames is not None:
            check_start(self._name, first, self._n_frames, info.sample_rate)
        wanted = None if duration_seconds is None else max(1, round(duration_seconds * info.sample_rate))
        self._seek(first)
        n_read, size = 0, block_frames(info.sample_rate, info.channels)
        while wanted is None or n_read < wanted:
            block, failure = self._read(first + n_read, size if wanted is None else min(size, wanted - n_read))
            if len(block):
                n_read += len(block)
                yield block
            if failure:
                if n_read == 0:
                    raise AudioError(f"{self._name}: nothing in it can be decoded ({failure}); is it damaged?")
                log.warning(
                    "%s: damaged after %.2f s (%s): the rest is left out", self._name, self._at(first + n_read), failure
                )
                return
            if not len(block):
                break
        if n_read == 0:
            raise AudioError(f"{self._name}: holds no samples")
        if wanted is None or n_read < wanted:
            self._warn_if_cut(first + n_read)

    def _seek(self, first: int) -> None:
        preroll = next((n for codec, n in PREROLLS.items() if codec in self.info.format), 0)
        begin = max(0, first - preroll) if first else 0
        try:
            self._file.seek(begin)
        except (soundfile.SoundFileError, RuntimeError) as error:
            if begin:
                raise AudioError(
                    f"{self._name}: {self._at(begin):.2f} s cannot be found in it ({_reason(error)})"
                ) from error
        while begin < first:
            skipped, failure = self._read(begin, min(first - begin, 65_536))
            if failure or not len(skipped):
                return
            begin += len(skipped)

    def _read(self, position: int, n: int) -> tuple[Floats, str]:
        """At most n frames from where the file stands, and why there are fewer where it is damaged."""
        try:
            with _quiet("MPEG" in self.info.format):
                return self._file.read(n, dtype="float32", always_2d=True), ""
        except (soundfile.SoundFileError, RuntimeError) as error:
            failure = _reason(error)
        # what lies before the damage, in pieces
        parts: list[Floats] = []
        piece = max(1, min(n // 2, 1024))
        with contextlib.suppress(soundfile.SoundFileError, RuntimeError):
            self._file.seek(position)
            while len(part := self._file.read(piece, dtype="float32", always_2d=True)):
                parts.append(part)
        none: Floats = np.empty((0, self.info.channels), np.float32)
        return (np.concatenate(parts)[:n] if parts else none), failure

    def _warn_if_cut(self, end: int) -> None:
        """A warning where the header promised more than there was."""
        promised = self._n_frames
        header = str(getattr(self._file, "extra_info", ""))
        if promised is not None and end < promised - self.info.sample_rate // 20:
            seconds = promised / self.info.sample_rate
            log.warning("%s: ends after %.2f s of %.2f s; it is used as it is", self._name, self._at(end), seconds)
            return
        found = re.search(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", header, re.MULTILINE)
        # sizes near 2³¹ and 2³² are what programs write into a pipe, where they cannot know better
        cut = found is not None and int(found[2]) < int(found[1]) < 0x7FFF_0000
        if cut or "unexpectedly without an End-Of-Stream" in header or "lacks an end-of-stream" in header:
            log.warning("%s: cut off after %.2f s; it is used as it is", self._name, self._at(end))

    def _at(self, frame: int) -> float:
        return frame / self.info.sample_rate


def check_start(name: str, first: int, n_frames: int, sample_rate: int) -> None:
    """Raises AudioError where reading would begin at or behind the end."""
    if n_frames == 0:
        raise AudioError(f"{name}: holds no samples")
    if first >= n_frames:
        raise AudioError(f"{name}: lasts {n_frames / sample_rate:.2f} s, nothing begins at {first / sample_rate:.2f} s")


class RawSource:
    """Headerless PCM out of a file or a pipe."""

    def __init__(self, stream: BinaryIO, raw: RawFormat, path: Path, name: str) -> None:
        self._stream, self._raw, self._name = stream, raw, name
        self._origin: int | None = None
        n_bytes: int | None = None
        try:
            if stream.seekable():
                self._origin = stream.tell()
                n_bytes = stream.seek(0, os.SEEK_END) - self._origin
                stream.seek(self._origin)
        except (OSError, AttributeError):
            self._origin = None
        seconds = None if n_bytes is None else n_bytes // raw.frame_bytes / raw.sample_rate
        self.info = AudioInfo(path, seconds, raw.sample_rate, raw.channels, f"RAW {raw.encoding}")
        self._frames_read = 0  # of a pipe, which cannot go back

    def blocks(self, start_seconds: float, duration_seconds: float | None) -> Iterator[Floats]:
        raw, name = self._raw, self._name
        first = round(start_seconds * raw.sample_rate)
        wanted = None if duration_seconds is None else max(1, round(duration_seconds * raw.sample_rate))
        if self.info.duration_seconds is not None:
            check_start(name, first, round(self.info.duration_seconds * raw.sample_rate), raw.sample_rate)
        live = self._origin is None
        size = block_frames(raw.sample_rate, raw.channels, PIPE_SECONDS if live else BLOCK_SECONDS)
        if self._origin is not None:
            self._stream.seek(self._origin + first * raw.frame_bytes)
        else:
            if first < self._frames_read:
                raise AudioError(f"{name}: a pipe cannot be read twice; save it to a file first")
            while self._frames_read < first:
                if not len(self._bytes(min(size, first - self._frames_read))):
                    check_start(name, first, self._frames_read, raw.sample_rate)
        n_read = 0
        while wanted is None or n_read < wanted:
            data = self._bytes(size if wanted is None else min(size, wanted - n_read))
            if not data:
                break
            n_read += len(data) // raw.frame_bytes
            yield decode(data, raw)
        if n_read == 0:
            raise AudioError(f"{name}: holds no samples")

    def _bytes(self, n_frames: int) -> bytes:
        """Whole frames; fewer only at the end."""
        raw = self._raw
        parts, missing = [], n_frames * raw.frame_bytes
        try:
            while missing and (data := self._stream.read(missing)):
                parts.append(data)
                missing -= len(data)
        except OSError as error:
            raise InputError(f"{self._name}: cannot be read ({error.strerror or error})") from error
        data = b"".join(parts)
        if surplus := len(data) % raw.frame_bytes:
            log.warning(
                "%s: ends within a sample; its last %d bytes are left out (is --raw right?)", self._name, surplus
            )
            data = data[:-surplus]
        self._frames_read += len(data) // raw.frame_bytes
        return data
