"""What libsndfile makes of a header and should not: a WAV that was never finished, an Ogg file of several recordings.

Both are common. A recorder that loses power never comes back to write how long its WAV became, and what it wrote last
stands for the whole, or the zeros that it began with. And Ogg allows one recording after another in one file, as
internet radio and `cat` make them, of which libsndfile reads the first and says nothing.
"""

import os
from typing import BinaryIO

# of Ogg (RFC 3533): what a page begins with, the bytes before its table, the flag of a stream's first, the most bytes
_OGG, _PAGE_HEAD, _BEGINS, _LONGEST_PAGE = b"OggS", 27, 2, 65_307

_UNKNOWN = b"\xff" * 4  # a size that libsndfile takes for "to the end of the file", as programs write it into a pipe
_TAGS = (b"TAG", b"ID3", b"APETAGEX")  # what taggers put behind a WAV as if it were an MP3
_FEWEST_BYTES = 4096  # behind the sound, from which on they may be sound: some programs fill up a sector
_BLOCK = 1 << 20


def unfinished(path: str) -> dict[int, bytes]:
    """What should stand in the header of a WAV, RF64 or AU whose writer never told how long it became: {offset: bytes}.

    {} where the header counts all of the sound, or what follows is none.
    """
    length = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] == b".snd":
            begin, n_bytes = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:], "big")
            return {8: _UNKNOWN} if _goes_on(file, begin, n_bytes, length) else {}
        if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            return {}
        counted, wide = int.from_bytes(head[4:8], "little"), None
        while len(chunk := file.read(8)) == 8:
            kind, size, begin = chunk[:4], int.from_bytes(chunk[4:], "little"), file.tell()
            if kind == b"ds64":
                wide, sizes = begin, file.read(16)
                counted = int.from_bytes(sizes[:8], "little")
            elif kind == b"data":
                if wide is not None:
                    size = int.from_bytes(sizes[8:], "little")
                if length - 1 <= counted + 8 <= length + 1 or not _goes_on(file, begin, size, length):
                    return {}
                if wide is None:
                    return {4: _UNKNOWN, begin - 4: _UNKNOWN}
                return {wide: (length - 8).to_bytes(8, "little") + (length - begin).to_bytes(8, "little")}
            file.seek(begin + size + size % 2)
    return {}


def _goes_on(file: BinaryIO, begin: int, n_bytes: int, length: int) -> bool:
    """Whether sound follows the `n_bytes` of it that a header counts from `begin` on, rather than chunks or tags."""
    end = begin + n_bytes
    if n_bytes and end + _FEWEST_BYTES > length:
        return False
    for at in (end, end + n_bytes % 2):  # not every program writes the byte that makes it even
        file.seek(at)
        head = file.read(8)
        is_chunk = all(32 <= byte < 127 for byte in head[:4]) and at + int.from_bytes(head[4:], "little") < length
        if is_chunk or head.startswith(_TAGS):
            return False
    file.seek(end)
    while block := file.read(_BLOCK):
        if block.count(0) < len(block):
            return True
    return False


class Patched:
    """A file's bytes as a file, with some of them replaced.

    patches: as `unfinished` gives them.
    """

    def __init__(self, file: BinaryIO, patches: dict[int, bytes]) -> None:
        self._file, self._patches = file, {at + i: byte for at, data in patches.items() for i, byte in enumerate(data)}
        self.seek, self.tell = file.seek, file.tell

    def read(self, n: int) -> bytes:
        at = self._file.tell()
        data = bytearray(self._file.read(n))
        for place, byte in self._patches.items():
            if at <= place < at + len(data):
                data[place - at] = byte
        return bytes(data)


def is_chained(path: str) -> bool:
    """Whether an Ogg file holds one recording after another, rather than one of several streams.

    Then its last page belongs to a stream that did not begin where the file does.
    """
    with open(path, "rb") as file:
        streams = set()
        page = file.read(_PAGE_HEAD)
        while page[:4] == _OGG and len(page) == _PAGE_HEAD and page[5] & _BEGINS:
            streams.add(page[14:18])
            file.seek(sum(file.read(page[26])), os.SEEK_CUR)  # its table says how long it is
            page = file.read(_PAGE_HEAD)
        file.seek(max(0, os.fstat(file.fileno()).st_size - _LONGEST_PAGE))
        end = file.read()
    last = end.rfind(_OGG + b"\0")
    return bool(streams) and last >= 0 and len(end) >= last + _PAGE_HEAD and end[last + 14 : last + 18] not in streams
