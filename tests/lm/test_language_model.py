"""Reading a model to decode with: every form of file, its words and scores, and every way that a file can be bad."""

import bz2
import gzip
import lzma
import math
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from transcribe_cli.alphabet import Alphabet
from transcribe_cli.errors import LanguageModelError
from transcribe_cli.lm import arpa, binary
from transcribe_cli.lm.model import LOG_10, LanguageModel

ARPA = """\\data\\
ngram 1=6
ngram 2=3

\\1-grams:
-2.0\t<unk>\t0
-99\t<s>\t-0.25
-0.5\t</s>\t0
-1.0\tred\t-0.5
-1.25\tread\t-0.125
-1.5\trée\t0

\\2-grams:
-0.75\t<s> red
-0.5\tred read
-0.25\tread </s>

\\end\\
"""
# <s> red −0.75, red read −0.5, read </s> −0.25
RED_READ = -1.5 * LOG_10
ENGLISH = Alphabet(("<blank>", *" 'abcdefghijklmnopqrstuvwxyzé"))


# ARPA by KenLM's `build_binary probing`
HASH_TABLE = Path(__file__).parent / "toy.probing.bin"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "toy.arpa"
    path.write_text(ARPA, encoding="utf-8")
    return path


@pytest.fixture
def packed(plain: Path) -> Path:
    path = plain.with_suffix(".bin")
    binary.write(arpa.read(plain), path)
    return path


def test_plain_compressed_crlf_and_binary_say_the_same(plain: Path, packed: Path, tmp_path: Path) -> None:
    zipped, windows = [tmp_path / f"toy.arpa.{ending}" for ending in ("gz", "bz2", "xz")], tmp_path / "windows.arpa"
    for path, module in zip(zipped, (gzip, bz2, lzma), strict=True):
        path.write_bytes(module.compress(ARPA.encode()))
    windows.write_bytes(ARPA.replace("\n", "\r\n").encode())
    for path in (plain, *zipped, windows, packed, HASH_TABLE):
        model = LanguageModel.load(path)
        assert (model.order, model.unit, model.words) == (2, "word", {"red", "read", "rée"})
        assert model.score("red read") == pytest.approx(RED_READ, abs=1e-6)
        assert model.plain == (path not in (*zipped, windows))
        # backing off: <s> −0.25, rée −1.5, </s> −0.5
        assert model.score("rée") == pytest.approx(-2.25 * LOG_10, abs=1e-6)


def test_what_stands_for_unknown_words_is_no_word(tmp_path: Path) -> None:
    path = tmp_path / "other.arpa"
    path.write_text(ARPA.replace("<unk>", "<UNK>"))
    assert LanguageModel.load(path).words == {"red", "read", "rée"}


def test_a_unigram_model_scores_by_its_words_alone(tmp_path: Path) -> None:
    path = tmp_path / "one.arpa"
    path.write_text(
        "\\data\\\nngram 1=5\n\n\\1-grams:\n-2\t<unk>\n-99\t<s>\n-0.5\t</s>\n-1\tred\n-1.25\tread\n\n\\end\\\n"
    )
    model = LanguageModel.load(path)
    assert model.words == {"red", "read"}
    assert model.score("red read red") == pytest.approx((-1 - 1.25 - 1 - 0.5) * LOG_10, abs=1e-6)
    assert model.score("") == pytest.approx(-0.5 * LOG_10, abs=1e-6)
    assert model.score("blue") == pytest.approx(-2.5 * LOG_10, abs=1e-6)


def test_a_model_without_unknown_word_still_loads(plain: Path) -> None:
    plain.write_text(ARPA.replace("-2.0\t<unk>\t0\n", "").replace("1=6", "1=5"))
    model = LanguageModel.load(plain)
    assert not model.knows("blue")
    assert model.score("blue") < model.score("red") - 10


def test_beginnings_of_words_are_known(plain: Path) -> None:
    model = LanguageModel.load(plain)
    for word in ("red", "read", "rée"):
        assert all(model.has_prefix(word[:n]) for n in range(len(word) + 1))
    assert not any(model.has_prefix(part) for part in ("e", "reads", "rez", "s", "ré́", "zz", "<s", "</"))


def test_a_context_moves_the_state(plain: Path) -> None:
    import kenlm

    model = LanguageModel.load(plain)
    after_red, empty = model.state("red"), model.state("", boundary=False)
    assert model.kenlm.BaseScore(after_red, "read", kenlm.State()) == pytest.approx(-0.5)
    assert model.kenlm.BaseScore(empty, "read", kenlm.State()) == pytest.approx(-1.25)
    assert model.kenlm.BaseScore(model.state(), "red", kenlm.State()) == pytest.approx(-0.75)


def test_a_character_model_is_told_by_its_words(tmp_path: Path) -> None:
    path = tmp_path / "char.arpa"
    units = "".join(f"-1\t{unit}\t0\n" for unit in ("<unk>", "<s>", "</s>", "▁", "a", "b"))
    path.write_text(f"\\data\\\nngram 1=6\nngram 2=1\n\n\\1-grams:\n{units}\n\\2-grams:\n-0.5\ta ▁\n\n\\end\\\n")
    model = LanguageModel.load(path)
    assert (model.unit, model.space) == ("char", "▁")
    assert model.units("a ab") == ["a", "▁", "a", "b"]
    model.check_fits(ENGLISH)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "holds no words"),
        (b"PK\x03\x04 a zip", "neither an ARPA file nor a KenLM binary"),
        (b"x" * 3_000_000, "neither an ARPA file nor a KenLM binary"),
        (bytes(range(256)) * 20, "neither an ARPA file nor a KenLM binary"),
        (b"\\data\\\n", "holds no words"),
        (b"\\data\\\nngram 1=0\n\n\\1-grams:\n\n\\end\\\n", "holds no words"),
        (b"\\data\\\nngram 2=5\n", "header is damaged"),
        (b"\\data\\\nngram 1=many\n", "header is damaged"),
        (ARPA.encode()[:100], "truncated: . of the 6 words"),
        (ARPA.encode()[:-40], "cannot read this language model"),
        (ARPA.replace("-0.5\tred read", "loud\tred read").encode(), "cannot read this language model"),
        (ARPA.replace("-1.0\tred\t-0.5", "-1.0\tred\t-0.5\tmore\tand more").encode(), "damaged line"),
        (ARPA.replace("<s>", "<x>").encode(), "cannot read this language model"),
        (ARPA.encode("latin-1"), "not UTF-8"),
        (gzip.compress(ARPA.encode())[:-30], "damaged or truncated"),
        (b"\x1f\x8b\x08\x00garbage", "damaged or truncated"),
        (bz2.compress(ARPA.encode())[:-30], "damaged or truncated"),
        (b"BZh9garbage that is longer", "damaged or truncated"),
        (lzma.compress(ARPA.encode())[:-30], "damaged or truncated"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.arpa"
    path.write_bytes(content)
    with pytest.raises(LanguageModelError, match=message) as caught:
        LanguageModel.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(LanguageModelError, match="no such language model"):
        LanguageModel.load(tmp_path / "none.bin")
    with pytest.raises(LanguageModelError, match="cannot be read"):
        LanguageModel.load(tmp_path)


def test_a_binary_cut_anywhere_is_refused(packed: Path, tmp_path: Path) -> None:
    whole = packed.read_bytes()
    path = tmp_path / "cut.bin"
    for length in [*range(12, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(LanguageModelError, match=r"truncated|another version|cut off|not a KenLM"):
            LanguageModel.load(path)


def test_a_hash_table_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = HASH_TABLE.read_bytes()
    path = tmp_path / "cut.bin"
    for length in range(60, len(whole), 5):
        path.write_bytes(whole[:length])
        with pytest.raises(LanguageModelError):
            LanguageModel.load(path)


def test_a_damaged_binary_header_is_refused_and_never_crashes(packed: Path, tmp_path: Path) -> None:
    whole = packed.read_bytes()
    fixed = 88
    damages = {
        "magic": (10, b"X"), "values": (60, b"\x01"), "order": (fixed, b"\x09"), "no order": (fixed, b"\x00"),
        "multiplier": (fixed + 4, struct.pack("<f", math.nan)), "kind": (fixed + 8, b"\x77"),
        "huge": (fixed + 20, struct.pack("<Q", 1 << 60)), "huge bigrams": (fixed + 28, struct.pack("<Q", 1 << 60)),
        "no words": (fixed + 20, struct.pack("<Q", 0)), "more words": (fixed + 20, struct.pack("<Q", 7)),
    }  # fmt: skip
    for at, damage in damages.values():
        broken = bytearray(whole)
        broken[at : at + len(damage)] = damage
        path = tmp_path / "broken.bin"
        path.write_bytes(bytes(broken))
        with pytest.raises(LanguageModelError):
            LanguageModel.load(path)


def test_random_damage_ends_in_an_answer_or_an_error_not_in_a_crash(packed: Path, tmp_path: Path) -> None:
    # in a process of its own, since what is looked for would end it
    whole = np.frombuffer(packed.read_bytes(), dtype=np.uint8)
    rng = np.random.default_rng(1)
    for n in range(60):
        broken = whole.copy()
        broken[rng.integers(0, 136, size=2)] = rng.integers(0, 256, size=2, dtype=np.uint8)
        (tmp_path / f"{n}.bin").write_bytes(broken.tobytes())
    script = (
        "import sys, pathlib\n"
        "from transcribe_cli.lm.model import LanguageModel, LanguageModelError\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.bin')):\n"
        "    try: LanguageModel.load(path).score('red read')\n"
        "    except LanguageModelError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-500:]


def test_a_model_of_another_case_or_script_does_not_fit(plain: Path, tmp_path: Path) -> None:
    LanguageModel.load(plain).check_fits(ENGLISH)
    upper = tmp_path / "upper.arpa"
    upper.write_text(ARPA.replace("red", "RED").replace("read", "READ").replace("rée", "RÉE"), encoding="utf-8")
    with pytest.raises(LanguageModelError, match=r"writes lower case .* 'R.*'\): build it from lower-case text"):
        LanguageModel.load(upper).check_fits(ENGLISH)
    greek = tmp_path / "greek.arpa"
    greek.write_text(ARPA.replace("red", "ναι").replace("read", "όχι").replace("rée", "ίσως"), encoding="utf-8")
    with pytest.raises(LanguageModelError, match="can spell only 0 of 3"):
        LanguageModel.load(greek).check_fits(ENGLISH)
