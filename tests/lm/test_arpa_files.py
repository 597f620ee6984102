"""ARPA files: what is read, what is written, what is refused."""

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
from toy_corpus import sentences

from transcribe_cli.errors import InputNotFound, LanguageModelError
from transcribe_cli.lm import arpa, ngrams
from transcribe_cli.lm.build import BuildOptions, build

TOY = """\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.5
-0.9\t</s>
-0.5\tbox\t-0.2
-0.7\tfox

\\2-grams:
-0.1\t<s> fox
-0.3\tbox </s>

\\end\\
"""


def scores(path: Path, text: str) -> list[float]:
    model = arpa.read(path)
    return ngrams.score(model, ngrams.encode([text], model.words))[1:].tolist()


def test_toy_file_scores_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "toy.arpa"
    path.write_text(TOY)
    # <s> fox; fox has no bigram and no weight: box alone; box </s>
    assert scores(path, "fox box") == pytest.approx([-0.1, -0.5, -0.3])
    # <s> box is not there: back off from <s>, then box </s>
    assert scores(path, "box") == pytest.approx([-0.5 - 0.5, -0.3])
    # unknown after box: back off from box
    assert scores(path, "box cat") == pytest.approx([-1.0, -0.2 - 1.0, -0.9])


def test_line_ends_spaces_and_compression_do_not_matter(tmp_path: Path) -> None:
    plain = tmp_path / "plain.arpa"
    plain.write_text(TOY)
    expected = scores(plain, "fox box cat")
    crlf = TOY.replace("\n", "\r\n").encode()
    spaced = TOY.replace("\t", "  ").encode()
    for name, data in {
        "crlf.arpa": crlf,
        "spaced.arpa": spaced,
        "a.arpa.gz": gzip.compress(crlf),
        "a.arpa.bz2": bz2.compress(TOY.encode()),
        "a.arpa.xz": lzma.compress(TOY.encode()),
        "header.arpa": b"made by hand\n\n" + TOY.encode(),
    }.items():
        (tmp_path / name).write_bytes(data)
        assert scores(tmp_path / name, "fox box cat") == expected


def test_file_of_words_alone_and_without_unk_is_read(tmp_path: Path) -> None:
    path = tmp_path / "words.arpa"
    path.write_text("\\data\\\nngram 1=2\n\n\\1-grams:\n-0.3\ta\n-0.3\tb\n\n\\end\\\n")
    assert scores(path, "a c b")[:3] == pytest.approx([-0.3, -100, -0.3])


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
def test_written_file_reads_back_the_same(tmp_path: Path, name: str) -> None:
    model = build(sentences(80), BuildOptions(order=4)).model
    arpa.write(model, tmp_path / name)
    back = arpa.read(tmp_path / name)
    assert back.words == model.words
    assert arpa.read_sizes(tmp_path / name) == model.sizes
    for ours, read in zip(model.tables, back.tables, strict=True):
        np.testing.assert_array_equal(ours.keys, read.keys)
        np.testing.assert_allclose(ours.log10_probs, read.log10_probs, rtol=1e-6)
        np.testing.assert_allclose(ours.log10_backoffs, read.log10_backoffs, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "no .data. line"),
        (lambda text: "just some text\n", "no .data. line"),
        (lambda text: "\\data\\\n\n", "states no n-grams"),
        (lambda text: text.replace("ngram 2=2", "ngram 3=2"), "out of order"),
        (lambda text: text.replace("ngram 2=2", "ngrams two"), "is not an n-gram count"),
        (lambda text: text[: text.index("-0.7")], "cut off: 4 of 5 1-grams"),
        (lambda text: text[: text.index("\\2-grams")], "cut off"),
        (lambda text: text.replace("\\end\\\n", ""), "cut off"),
        (lambda text: text.replace("ngram 1=5", "ngram 1=4"), "more 1-grams than the 4"),
        (lambda text: text.replace("ngram 1=5", "ngram 1=6"), "cut off: 5 of 6 1-grams"),
        (lambda text: text.replace("-0.5\tbox", "half\tbox"), "is not a 1-gram with its probability"),
        (lambda text: text.replace("-0.5\tbox", "nan\tbox"), "above 0 or no number"),
        (lambda text: text.replace("-0.5\tbox", "0.5\tbox"), "above 0 or no number"),
        (lambda text: text.replace("<s> fox", "<s> dog"), "not among the 1-grams"),
        (lambda text: text.replace("-0.7\tfox", "-0.7\tbox"), "twice"),
        (lambda text: text.replace("box </s>", "<s> fox"), "twice"),
        (lambda text: text.replace("\\2-grams:", "\\3-grams:"), "expected .2-grams"),
    ],
)
def test_damaged_file_is_refused_in_one_line(tmp_path: Path, change: object, message: str) -> None:
    path = tmp_path / "bad.arpa"
    path.write_text(change(TOY))  # type: ignore[operator]
    with pytest.raises(LanguageModelError, match=message) as caught:
        arpa.read(path)
    assert "\n" not in str(caught.value)


def test_ngram_without_its_context_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.arpa"
    text = TOY.replace("ngram 2=2\n", "ngram 2=2\nngram 3=1\n").replace(
        "\\end\\", "\\3-grams:\n-0.1\tfox box fox\n\n\\end\\"
    )
    path.write_text(text)
    with pytest.raises(LanguageModelError, match="context that is not in the file"):
        arpa.read(path)


def test_cut_off_compressed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.arpa.gz"
    path.write_bytes(gzip.compress(TOY.encode() * 3)[:60])
    with pytest.raises(LanguageModelError, match="damaged compressed file"):
        arpa.read(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="no such file"):
        arpa.read(tmp_path / "none.arpa")
