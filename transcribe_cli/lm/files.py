"""Models and texts on disk: which reader or writer a file needs.

In go paths, out come `NGramModel`s and lines of text, and back. A model is an ARPA file (plain or compressed) or a
KenLM trie (.bin); what it is shows in its first bytes when it is read, in its name when it is written.
"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from ..errors import InputError, InputNotFound
from . import arpa, binary
from .layout import is_binary
from .ngrams import NGramModel
from .packed import DAMAGED, open_text
from .text import normalise_lines

BINARY_ENDINGS = (".bin", ".binary", ".klm", ".trie")


def load(path: Path) -> NGramModel:
    """Reads an ARPA file or a KenLM trie. Raises InputNotFound, LanguageModelError."""
    return binary.read(path) if is_binary(path) else arpa.read(path)


def save(model: NGramModel, path: Path, as_binary: bool = False, bits: int = 8) -> None:
    """Writes a KenLM trie where the name ends so or it is asked for, else an ARPA file. Raises OutputError."""
    if as_binary or path.suffix in BINARY_ENDINGS:
        binary.write(model, path, bits)
    else:
        arpa.write(model, path)


def lines(paths: Sequence[str | Path]) -> Iterator[str]:
    """The lines of text files, plain or compressed (.gz, .bz2, .xz), in order; "-" is standard input.

    Raises:
        InputNotFound: no such file.
        InputError: a file that is not UTF-8 text, whose line the message names, or damaged.
    """
    for path in paths:
        with _open(path) as file:
            try:
                for number, line in enumerate(file, 1):
                    if b"\0" in line:  # half a letter of UTF-16, which would pass for UTF-8
                        raise InputError(
                            f"{path}: line {number} has null bytes; if it is text, convert it (iconv -f utf16 -t utf-8)"
                        )
                    yield line.removeprefix(b"\xef\xbb\xbf" if number == 1 else b"").decode()
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path}: line {number} is not UTF-8; if it is text, convert it (iconv -f latin1 -t utf-8)"
                ) from error
            except DAMAGED as error:
                raise InputError(f"{path}: cannot be read ({error})") from error


def _open(path: str | Path) -> contextlib.AbstractContextManager[IO[bytes]]:
    if str(path) == "-":
        return contextlib.nullcontext(sys.stdin.buffer)
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the text files in it")
    if not path.exists():
        raise InputNotFound(f"{path}: no such file")
    return open_text(path)


def sentences(paths: Sequence[str | Path], normalise: bool = True) -> Iterator[str]:
    """The sentences of text files, normalised, or line by line as they are; blank lines are none."""
    text = lines(paths)
    return normalise_lines(text) if normalise else (" ".join(line.split()) for line in text if line.strip())


def characters(text: str) -> str:
    """A sentence as the units of a character model: "to go" → "t o ▁ g o"."""
    return " ".join("▁".join(text.split()))
