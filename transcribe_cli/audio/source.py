"""Opens a recording of any kind and gives its samples in blocks: (n, channels) float32 at the recording's own rate.

    path or pipe → Source.blocks(start, duration) → blocks of at most 2 s and 4 MB

What the bytes say decides, then the name: libsndfile first, PyAV (extra `media`) for what it does not know. Rates and
channels are bounded before memory is taken. Damaged recordings give what can still be read, with a warning in the log.
"""

import contextlib
import logging
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import soundfile

from ..errors import AudioError, InputError, InputNotFound
from . import media
from .headers import is_chained
from .info import BLOCK_SECONDS, AudioInfo, Floats, Source, block_frames, check_start
from .options import AudioOptions, RawFormat
from .raw import decode
from .sndfile import SoundFileSource, reason

PathLike = str | os.PathLike[str]

MP3_ENDINGS = (".mp3", ".mp2", ".mpga")
PIPE_SECONDS = 0.5  # raw PCM from a pipe may be live: text should not wait for a long block

log = logging.getLogger("transcribe_cli.audio")


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
    may_be_mp3 = head[:3] == b"ID3" or head[:1] == b"\xff" or info_path.suffix.lower() in MP3_ENDINGS
    chained = head[:4] == b"OggS" and is_chained(path)
    if not (chained and media.available()):
        try:
            source = SoundFileSource(path, info_path, name, may_be_mp3)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            refusal = reason(error)
        else:
            if chained:
                log.warning("%s: several recordings in one file, of which only the first is read: pip install av", name)
            with contextlib.closing(source):
                yield source
            return
    if chained or media.is_media(head, str(info_path)) or (media.is_container(head) and media.available()):
        with media.opened(path, info_path, name) as found:
            yield found
        return
    if not any(byte < 9 for byte in head):
        raise AudioError(f"{name}: holds text, not audio")
    raise AudioError(f"{name}: not a recording that can be read ({refusal}); is it damaged, or raw PCM (--raw)?")


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
