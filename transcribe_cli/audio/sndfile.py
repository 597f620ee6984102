"""WAV, FLAC, OGG, Opus, MP3, AIFF, CAF, AU… through libsndfile.

Damaged recordings give what can be read: what cannot be decoded in the middle of one becomes silence, so that what
follows keeps its time.
"""

import contextlib
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile

from ..errors import AudioError
from . import mp3
from .headers import Patched, unfinished
from .info import AudioInfo, Floats, block_frames, block_sizes, check_shape, check_start

# frames decoded and thrown away after a seek: MP3's bit reservoir, Vorbis's overlapping blocks, Opus's prediction
PREROLLS = {"MPEG": 4608, "VORBIS": 16_384, "OPUS": 24_000}
UNKNOWN_FRAMES = 1 << 56  # and more: what libsndfile says of a stream without a length
FRAMES_A_BYTE = 5000  # at most, of a FLAC: 65 535 of silence take 13 bytes
PIECE_FRAMES = 1024  # read at a time up to a damaged place, and how exactly its end is looked for

log = logging.getLogger("transcribe_cli.audio")
_STDERR = threading.RLock()  # two threads that divert it at once would restore each other's diversion
_ERRORS = (soundfile.SoundFileError, RuntimeError)


def reason(error: Exception) -> str:
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


class _File(soundfile.SoundFile):  # type: ignore[misc]
    """soundfile seeks, after every block, to where the file stands already, unless it takes it for a pipe.

    A FLAC's damage shows by that. But behind a seek libsndfile decodes MP3 without what the frame before left for it,
    and in a FLAC whose length is not known the end cannot be sought.
    """

    def seekable(self) -> bool:
        return bool(self.subtype != "MPEG_LAYER_III" and self.frames < UNKNOWN_FRAMES)


def _cut(file: Any) -> tuple[int, int] | None:
    """The bytes of sound that a WAV's or AIFF's header counts and those that are there; None where none are missing."""
    header = str(getattr(file, "extra_info", ""))
    found = re.search(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", header, re.MULTILINE)
    # sizes near 2³¹ and 2³² are what programs write into a pipe, where they cannot know better
    if found is None or not int(found[2]) < int(found[1]) < 0x7FFF_0000:
        return None
    return int(found[1]), int(found[2])


class SoundFileSource:
    """An opened recording; close it.

    may_be_mp3: whether libmpg123 may be asked what it is, which it answers on standard error.

    Raises soundfile.SoundFileError, TypeError or ValueError where libsndfile does not know it, AudioError for an
    absurd rate or number of channels.
    """

    def __init__(self, path: str, info_path: Path, name: str, may_be_mp3: bool) -> None:
        self._path, self._name, self._may_be_mp3 = path, name, may_be_mp3
        self._mended: Callable[[BinaryIO], Any] | None = None  # gives the bytes with a header that tells the truth
        self._handles = contextlib.ExitStack()
        self._file = self._opened()
        if self._file.format in ("WAV", "WAVEX", "RF64", "AU") and (patches := unfinished(path)):
            log.warning("%s: was never finished; all that follows its header is read as sound", name)
            self._mended = partial(Patched, patches=patches)
            self._file = self._opened()
        counted = mp3.count(path) if self._file.subtype == "MPEG_LAYER_III" and self._file.format == "MP3" else None
        if counted is not None and counted.n_samples > self._file.frames:
            self._mended = partial(mp3.Counted, counted=counted)
            self._file = self._opened()
        file = self._file
        rate, channels = int(file.samplerate), int(file.channels)
        self._n_frames = int(file.frames) if 0 <= file.frames < UNKNOWN_FRAMES else None
        if self._n_frames is not None and counted is not None:
            self._n_frames = min(self._n_frames, counted.n_samples)
        seconds = None if self._n_frames is None else self._n_frames / max(rate, 1)
        cut = _cut(file)
        promised = None if cut is None or seconds is None else seconds * cut[0] / max(cut[1], 1)
        self.info = AudioInfo(info_path, seconds, rate, channels, f"{file.format} {file.subtype}", promised)
        try:
            check_shape(name, rate, channels)
        except AudioError:
            self.close()
            raise

    def close(self) -> None:
        self._handles.close()

    def _silenced(self) -> contextlib.AbstractContextManager[None]:
        return _quiet("MPEG" in self.info.format)

    def _opened(self) -> Any:
        """The file, from its beginning."""
        self._handles.close()
        with _quiet(self._may_be_mp3):
            if self._mended is not None:
                bare = self._handles.enter_context(open(self._path, "rb"))  # noqa: SIM115 (close() does)
                return self._handles.enter_context(_File(self._mended(bare)))
            # bytes: a name need not be UTF-8
            name = self._path if os.name == "nt" else os.fsencode(self._path)
            return self._handles.enter_context(_File(name))

    def blocks(self, start_seconds: float, duration_seconds: float | None) -> Iterator[Floats]:
        info = self.info
        first = round(start_seconds * info.sample_rate)
        if self._n_frames is not None:
            check_start(self._name, first, self._n_frames, info.sample_rate)
        wanted = None if duration_seconds is None else max(1, round(duration_seconds * info.sample_rate))
        self._seek(first)
        n_read, n_silent, size = 0, 0, block_frames(info.sample_rate, info.channels)
        failure = before = ""  # the first, and that of the block before
        while wanted is None or n_read < wanted:
            block, failed = self._read(first + n_read, size if wanted is None else min(size, wanted - n_read))
            if not len(block) and self._n_frames is None:
                failed = failed or before  # a decoder that has stumbled takes its place for the end
            failure, before = failure or failed, failed
            if failed and not len(block):
                n_damaged = self._past_damage(first + n_read)
                if not n_damaged:
                    if n_read == n_silent:
                        raise AudioError(f"{self._name}: nothing in it can be decoded ({failure}); is it damaged?")
                    at = self._at(first + n_read)
                    log.warning("%s: damaged after %.2f s (%s): the rest is left out", self._name, at, failure)
                    return
                if wanted is not None:
                    n_damaged = min(n_damaged, wanted - n_read)
                n_read, n_silent = n_read + n_damaged, n_silent + n_damaged
                for n in block_sizes(n_damaged, info.sample_rate, info.channels):
                    yield np.zeros((n, info.channels), np.float32)
                continue
            if not len(block):
                break
            n_read += len(block)
            yield block
        if n_read == 0:
            raise AudioError(f"{self._name}: holds no samples")
        if n_silent:
            seconds = self._at(n_silent)
            log.warning("%s: damaged: %.2f s of it became silence (%s)", self._name, seconds, failure)
        if wanted is None or n_read < wanted:
            self._warn_if_cut(first + n_read)

    def _seek(self, first: int) -> None:
        preroll = next((n for codec, n in PREROLLS.items() if codec in self.info.format), 0)
        begin = max(0, first - preroll) if first else 0
        try:
            with self._silenced():
                self._file.seek(begin)
        except _ERRORS as error:
            if begin:
                raise AudioError(
                    f"{self._name}: {self._at(begin):.2f} s cannot be found in it ({reason(error)})"
                ) from error
        while begin < first:
            skipped, failure = self._read(begin, min(first - begin, 65_536))
            if failure or not len(skipped):
                return
            begin += len(skipped)

    def _read(self, position: int, n: int) -> tuple[Floats, str]:
        """At most n frames from where the file stands, and why there are fewer where it is damaged."""
        try:
            with self._silenced():
                return self._file.read(n, dtype="float32", always_2d=True), ""
        except _ERRORS as error:
            failure = reason(error)
        # what lies before the damage, in pieces, from a file opened anew: a decoder that stumbled may never rise again
        parts: list[Floats] = []
        piece = max(1, min(n // 2, PIECE_FRAMES))
        with contextlib.suppress(*_ERRORS), self._silenced():
            self._file = self._opened()
            self._file.seek(position)
            while sum(map(len, parts)) < n and len(part := self._file.read(piece, dtype="float32", always_2d=True)):
                parts.append(part)
        none: Floats = np.empty((0, self.info.channels), np.float32)
        return (np.concatenate(parts)[:n] if parts else none), failure

    def _past_damage(self, position: int) -> int:
        """How many frames on from `position` the file can be decoded again, where it then stands; 0: nowhere."""
        end = os.path.getsize(self._path) * FRAMES_A_BYTE if self._n_frames is None else self._n_frames
        left = end - position - 1
        low, high = 0, min(PIECE_FRAMES, left)
        while high > low and not self._can_read(position + high):
            low, high = high, min(2 * high, left)
        if high <= low:
            return 0
        while high - low > PIECE_FRAMES:
            middle = (low + high) // 2
            if self._can_read(position + middle):
                high = middle
            else:
                low = middle
        return high if self._can_read(position + high) else 0

    def _can_read(self, position: int) -> bool:
        """Whether the file can be decoded at a place; if so it stands there."""
        with contextlib.suppress(*_ERRORS), self._silenced():
            self._file = self._opened()
            self._file.seek(position)
            if len(self._file.read(PIECE_FRAMES)):
                self._file.seek(position)
                return True
        return False

    def _warn_if_cut(self, end: int) -> None:
        """A warning where the header promised more than there was, or the container has holes."""
        promised = self._n_frames
        header = str(getattr(self._file, "extra_info", ""))
        if "Corrupted bitstream" in header or "reports a hole" in header:
            log.warning("%s: damaged: parts of it cannot be decoded and are left out", self._name)
            return
        if promised is not None and end < promised - self.info.sample_rate // 20:
            seconds = promised / self.info.sample_rate
            log.warning("%s: ends after %.2f s of %.2f s; it is used as it is", self._name, self._at(end), seconds)
            return
        if _cut(self._file) or "unexpectedly without an End-Of-Stream" in header or "lacks an end-of-stream" in header:
            log.warning("%s: cut off after %.2f s; it is used as it is", self._name, self._at(end))

    def _at(self, frame: int) -> float:
        return frame / self.info.sample_rate
