"""Compressed texts: told by what is in them, whole or damaged."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from transcribe_cli.errors import InputNotFound, LanguageModelError
from transcribe_cli.lm.packed import open_text, read_lines

TEXT = b"the quick brown fox\n" * 5000
WAYS: list[Callable[[bytes], bytes]] = [gzip.compress, bz2.compress, lzma.compress, bytes]


@pytest.mark.parametrize("pack", WAYS)
def test_whatever_it_is_called_it_is_read_as_what_it_is(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "text").write_bytes(pack(TEXT))
    with open_text(tmp_path / "text") as file:
        assert file.read() == TEXT


@pytest.mark.parametrize("pack", WAYS[:3])
def test_half_a_file_is_told_in_a_line(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    whole = pack(TEXT)
    (tmp_path / "text").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LanguageModelError, match="text: cannot be read") as error:
        for _ in read_lines(tmp_path / "text"):
            pass
    assert "\n" not in str(error.value)


def test_damage_in_the_middle_is_told_too(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(bytes(range(256)) * 500))
    whole[-6] ^= 1  # of the checksum
    (tmp_path / "text").write_bytes(whole)
    with pytest.raises(LanguageModelError, match="cannot be read"):
        list(read_lines(tmp_path / "text"))


def test_what_their_reader_raises_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(gzip.compress(TEXT))

    def refuse(line: bytes) -> None:
        raise BlockingIOError

    with pytest.raises(BlockingIOError):
        list(map(refuse, read_lines(tmp_path / "text")))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound), open_text(tmp_path / "none"):
        pass
    with pytest.raises(LanguageModelError), open_text(tmp_path):
        pass
