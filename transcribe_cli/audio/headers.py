"""What libsndfile makes of a header and should not: a WAV that was never finished, an Ogg file of several recordings.

Both are common. A recorder that loses power never comes back to write how long its WAV became, and the zeros that it
began with stand for "no sound". And Ogg allows one recording after another in one file, as internet radio and `cat`
make them, of which libsndfile reads the first and says nothing.
"""

import os
from typing import BinaryIO

# of Ogg (RFC 3533): what a page begins with, the bytes before its table, the flag of a stream's first, the most bytes
_OGG, _PAGE_HEAD, _BEGINS, _LONGEST_PAGE = b"OggS", 27, 2, 65_307


def unfinished_sizes(path: str) -> tuple[int, ...]:
    """Where in a WAV the sizes stand that its writer never filled in, as offsets; () in a finished one.

    It is unfinished where the sound's size is zero, bytes follow, and the file's own size does not count them.
    """
    length = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return ()
        counted = int.from_bytes(head[4:8], "little") + 8
        while len(chunk := file.read(8)) == 8:
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                lacking = size == 0 and file.tell() < length and not length - 1 <= counted <= length + 1
                return (4, file.tell() - 4) if lacking else ()
            file.seek(size + size % 2, os.SEEK_CUR)
    return ()


class Unfinished:
    """A WAV's bytes with its sizes given as "to the end of the file", as libsndfile knows them from pipes.

    sizes: their offsets, as `unfinished_sizes` gives them.
    """

    def __init__(self, file: BinaryIO, sizes: tuple[int, ...]) -> None:
        self._file, self._places = file, {at + i for at in sizes for i in range(4)}
        self.seek, self.tell = file.seek, file.tell

    def read(self, n: int = -1) -> bytes:
        at = self._file.tell()
        data = bytearray(self._file.read(n))
        for place in self._places:
            if at <= place < at + len(data):
                data[place - at] = 0xFF
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
