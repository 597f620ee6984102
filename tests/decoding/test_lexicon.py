"""The pronunciation lexicon: questions answered as a table would, a file that is whole or refused."""

import gzip
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from transcribe_cli.alphabet import Alphabet
from transcribe_cli.decoding import letters, lexicon
from transcribe_cli.decoding.lexicon import Lexicon, checksum_of, code
from transcribe_cli.errors import ModelError
from transcribe_cli.lm.vocabulary import Vocabulary

SOUNDS = letters.PHONEMES
ENGLISH = Alphabet(("<blank>", *" 'abcdefghijklmnopqrstuvwxyz"))


def heard(*sounds: str) -> str:
    return "".join(code(SOUNDS.index(sound)) for sound in sounds)


TO = [("two", heard("T", "UW")), ("to", heard("T", "UW")), ("to", heard("T", "AH")), ("tool", heard("T", "UW", "L"))]


def test_words_by_their_sounds_and_sounds_by_their_word() -> None:
    known = Lexicon.of([*TO, ("mute", "")], SOUNDS)
    assert len(known) == 4
    assert known.words(heard("T", "UW")) == ("to", "two")
    assert known.words(heard("T")) == ()
    assert sorted(known.sounding("to")) == sorted([heard("T", "UW"), heard("T", "AH")])
    assert known.sounding("wo") == ()
    first, end = known.span(heard("T", "UW"))
    assert [word for word, _ in known.entries()[first:end]] == ["to", "two", "tool"]
    assert set(known.entries()) == set(TO)


def test_its_words_are_found_in_a_vocabulary() -> None:
    known = Lexicon.of(TO, SOUNDS)
    words = Vocabulary(["a", "to", "two"])
    assert known.places(words).tolist() == [{"to": 1, "two": 2}.get(word, -1) for word, _ in known.entries()]
    assert known.places(Vocabulary([])).tolist() == [-1] * 4


def test_another_process_gets_one_that_answers() -> None:
    known = Lexicon.of(TO, SOUNDS)
    code = f"import pickle, sys; sys.stdout.write(repr(pickle.loads({pickle.dumps(known)!r}).sounding('to')))"
    env = {**os.environ, "PYTHONHASHSEED": "1"}  # its strings hash otherwise
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert there.stdout == repr(known.sounding("to"))


def test_it_is_completed_by_rule_for_words_that_the_alphabet_can_write() -> None:
    known = Lexicon.of(TO, SOUNDS).completed(["to", "sheep", "naïve"], ENGLISH)
    assert known.sounding("sheep") == (heard("SH", "IY", "P"),)
    assert known.sounding("naïve") == ()
    assert known.completed(["to"], ENGLISH) is known


def test_a_vocabulary_that_it_was_made_for_is_not_looked_through() -> None:
    known = Lexicon.of(TO, SOUNDS, checksum_of(["to", "unheard"]))
    assert known.completed(["to", "unheard"], ENGLISH) is known


def test_its_file_holds_all_of_it(tmp_path: Path) -> None:
    known = Lexicon.of(TO, SOUNDS, 17)
    known.save(tmp_path / "x.gz")
    again = lexicon.load(tmp_path / "x.gz")
    assert (again.sounds, again.checksum, again.entries()) == (SOUNDS, 17, known.entries())
    before = (tmp_path / "x.gz").read_bytes()
    again.save(tmp_path / "x.gz")
    assert (tmp_path / "x.gz").read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"AA AE 0\n0\tah\n")[:-9], gzip.compress(b"AA AE 0\n"),
     gzip.compress(b"AA AE 0\n0\tah\tah\n1\n"),
     gzip.compress(b"AA AE x\n0\tah\n"), gzip.compress(b"AA AE 0\nno tab\n"), gzip.compress(b"AA 0\n\xff\tah\n")],
    ids=["empty", "no gzip", "cut off", "no entries", "tabs in one line", "no checksum", "no tab", "no UTF-8"],
)  # fmt: skip
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.gz").write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.gz"):
        lexicon.load(tmp_path / "bad.gz")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.gz"):
        lexicon.load(tmp_path / "none.gz")
