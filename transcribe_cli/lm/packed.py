"""Texts that may be compressed: what is read tells by what is in it, what is written by what it is called."""

import bz2
import contextlib
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from ..errors import InputNotFound, LanguageModelError

# how a compressed file begins, and what opens it
_STARTS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}

# what reading a damaged one raises
DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError)


def unpacker(head: bytes) -> Callable[..., Any] | None:
    """What opens a file that begins so; None where it is not compressed."""
    return next((way for start, way in _STARTS.items() if head.startswith(start)), None)


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[IO[bytes]]:
    """A file, plain or in gzip, bzip2 or xz, for reading its bytes.

    Raises InputNotFound where there is none, LanguageModelError where the system refuses.
    """
    try:
        file = path.open("rb")
        unpack = unpacker(file.peek(16))
    except FileNotFoundError as error:
        raise InputNotFound(f"{path}: no such file") from error
    except OSError as error:
        raise LanguageModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    with file, contextlib.nullcontext(file) if unpack is None else unpack(file) as content:
        yield content


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, plain or compressed, as `open_text` opens it; LanguageModelError where it is damaged too.

    What their reader raises is no damage: it does not come by here.
    """
    with open_text(path) as file:
        try:
            yield from file
        except DAMAGED as error:
            raise LanguageModelError(f"{path}: cannot be read: damaged compressed file ({error})") from error


def packed(file: BinaryIO, ending: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    """What compresses into a file of such a name."""
    if ending == ".gz":
        return cast(IO[bytes], gzip.GzipFile("", "wb", 6, file))
    if ending == ".bz2":
        return bz2.BZ2File(file, "wb")
    if ending == ".xz":
        return lzma.LZMAFile(file, "wb")
    return contextlib.nullcontext(file)
