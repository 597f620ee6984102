"""How long an MP3 is: its frames counted one by one, and told to libsndfile where it would guess.

Only a Xing header says how many frames follow. Without one libsndfile takes all of them for as long as the first and
reads no further than that; and the header of a file that others were joined to speaks of the first of them alone.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

# of layer III (ISO 11172-3, 13818-3): kbit/s by index, of MPEG 1 and of 2 and 2.5
_BITRATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_LOW_BITRATES = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_VERSIONS = (  # the header's two bits, kbit/s, Hz, samples a frame
    (0, _LOW_BITRATES, (11_025, 12_000, 8_000), 576),
    (2, _LOW_BITRATES, (22_050, 24_000, 16_000), 576),
    (3, _BITRATES, (44_100, 48_000, 32_000), 1152),
)
# a frame's first three bytes → its bytes, its samples
_FRAMES = {
    bytes((0xFF, 0xE2 | version << 3 | unchecked, i << 4 | j << 2 | low)): (
        n_samples * 125 * kilobits // rate + low // 2,  # the upper of the two low bits: padded by a byte
        n_samples,
    )
    for version, bitrates, rates, n_samples in _VERSIONS
    for i, kilobits in enumerate(bitrates, 1)
    for j, rate in enumerate(rates)
    for unchecked in (0, 1)
    for low in range(4)
}
_IN_VIEW = 2048  # bytes in which a frame and the beginning of the next one fit
_MAY_BEGIN = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xeb]|ID3[\x02-\x04]")
_TAG_HEAD = 10  # bytes of an ID3v2 tag in front of what its size counts

_BLOCK = 1 << 20  # bytes looked at together
_MOST_MISSES = 200_000  # places that look like a frame and are none, before the rest is taken for something else
_LONGEST_TAIL = 4096  # bytes of ID3v1, APE and lyrics behind the sound
_JOINED = 1.01, 4  # a file has more frames than its header says from this factor and so many more on
_ENCODER = 36  # bytes of a Xing header that say which encoder it was and what it put before and behind the sound


@dataclass(frozen=True, slots=True)
class Count:
    """The samples in the whole frames from `begin` (a byte) on; `header`: a frame without sound that counts them."""

    n_samples: int
    begin: int
    header: bytes


def count(path: str) -> Count | None:
    """What an MP3 holds; None where its own header says it, or nothing in it is a frame."""
    length = os.path.getsize(path)
    with open(path, "rb") as file:
        frames = _frames(file, length)
        begin, size, n_samples = next(frames, (0, 0, 0))
        if not size:
            return None
        file.seek(begin)
        first = file.read(size)
        said, n_bytes, encoder = _fields(first[_xing_offset(first) :])
        if not said:
            n_frames, more = _total(frames)
            return Count(n_samples + more, begin, _header(first, n_frames + 1, encoder))
        if 0 <= length - begin - n_bytes <= _LONGEST_TAIL:
            return None
        n_frames, n_samples = _total(frames)
        factor, few = _JOINED
        if n_frames <= factor * said + few:
            return None
        return Count(n_samples, begin + size, _header(first, n_frames, encoder))


class Counted:
    """An MP3's bytes as a file: the header of its `Count`, then all from the first frame of sound on."""

    def __init__(self, file: BinaryIO, counted: Count) -> None:
        self._file, self._header = file, counted.header
        self._shift = counted.begin - len(counted.header)  # from a place here to the file's
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence)
        self._at = offset + (self._file.seek(0, os.SEEK_END) - self._shift if origin is None else origin)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, n: int) -> bytes:
        data = self._header[self._at : self._at + n]
        if len(data) < n:
            self._file.seek(self._at + len(data) + self._shift)
            data += self._file.read(n - len(data))
        self._at += len(data)
        return data


def _total(frames: Iterator[tuple[int, int, int]]) -> tuple[int, int]:
    """How many frames, how many samples."""
    n_frames = n_samples = 0
    for _, _, n in frames:
        n_frames, n_samples = n_frames + 1, n_samples + n
    return n_frames, n_samples


def _frames(file: BinaryIO, length: int) -> Iterator[tuple[int, int, int]]:
    """(offset, bytes, samples) of every whole frame, past tags and damage.

    What follows a frame need only look like one; out of step, two must follow each other.
    """
    at, in_step, n_misses = 0, False, 0
    while n_misses < _MOST_MISSES:
        file.seek(at)
        data = file.read(_BLOCK)
        if not data:
            return
        last = len(data) if len(data) < _BLOCK else len(data) - _IN_VIEW
        i = 0
        while i < last and n_misses < _MOST_MISSES:
            size, n_samples = _FRAMES.get(data[i : i + 3], (0, 0))
            behind = i + size
            if size and (in_step or at + behind == length or data[behind : behind + 3] in _FRAMES):
                in_step = True
                if at + behind <= length:
                    yield at + i, size, n_samples
                i = behind
                continue
            in_step = False
            n_misses += 1
            i += _tag_size(data[i : i + _TAG_HEAD], length - at - i) or 1
            found = _MAY_BEGIN.search(data, i)
            i = found.start() if found else max(last, i)
        at += i


def _tag_size(head: bytes, left: int) -> int:
    """The bytes of an ID3v2 tag that begins with `head`, of `left` in the file; 0 where none begins."""
    if head[:3] != b"ID3" or len(head) < _TAG_HEAD or max(head[6:]) > 127:
        return 0
    size = _TAG_HEAD + sum(byte << 7 * i for i, byte in enumerate(reversed(head[6:])))
    return size if size <= left else 0


def _xing_offset(frame: bytes) -> int:
    """Where in a frame a Xing header would stand: behind four bytes and what tells a decoder about the channels."""
    is_first_version, is_mono = frame[1] >> 3 & 3 == 3, frame[3] >> 6 == 3
    return 4 + ((17 if is_mono else 32) if is_first_version else (9 if is_mono else 17))


def _fields(xing: bytes) -> tuple[int, int, bytes]:
    """The frames and bytes that a Xing header counts, 0 where it does not, and what its encoder added."""
    if xing[:4] not in (b"Xing", b"Info"):
        return 0, 0, b""
    flags, at, counts = xing[7], 8, []
    for flag in (1, 2):
        counts.append(int.from_bytes(xing[at : at + 4], "big") if flags & flag else 0)
        at += 4 if flags & flag else 0
    at += (100 if flags & 4 else 0) + (4 if flags & 8 else 0)  # a table of places, a quality
    return counts[0], counts[1], xing[at : at + _ENCODER]


def _header(frame: bytes, n_frames: int, encoder: bytes) -> bytes:
    """A frame of the given one's kind that holds a Xing header and no sound.

    encoder: as `_fields` gives it. What it says of the beginning is kept; of the end, it would be said too early.
    """
    head = bytes((0xFF, frame[1] | 1, 0x80 | frame[2] & 0x0C, frame[3]))  # unchecked, at a middling bitrate
    if len(encoder) == _ENCODER:
        encoder = encoder[:22] + bytes((encoder[22] & 0xF0, 0)) + encoder[24:]
    header = (
        head + bytes(_xing_offset(frame) - 4) + b"Xing" + bytes((0, 0, 0, 1)) + n_frames.to_bytes(4, "big") + encoder
    )
    return header.ljust(_FRAMES[head[:3]][0], b"\0")
