"""KenLM reads what we write, and we read what we wrote."""

import contextlib
import itertools
from pathlib import Path

import kenlm
import numpy as np
import pytest
from toy_corpus import sentences

from transcribe_cli.errors import InputNotFound, LanguageModelError
from transcribe_cli.lm import arpa, binary, layout, ngrams, prune
from transcribe_cli.lm.build import BuildOptions, build
from transcribe_cli.lm.ngrams import NGramModel, Table

TEXT = sentences(200)
OTHER = [*sentences(40, seed=1), "zzz the yyy", "the of and a to in he was it that"]


def kenlm_scores(path: Path) -> list[float]:
    model = kenlm.Model(str(path))
    return [score for sentence in OTHER for score, _, _ in model.full_scores(sentence)]


def our_scores(model: NGramModel) -> np.ndarray:
    tokens = ngrams.encode(OTHER, model.words)
    return ngrams.score(model, tokens)[tokens != ngrams.BOS]


@pytest.mark.parametrize(("order", "compressed"), list(itertools.product([1, 2, 3, 5], [False, True])))
def test_kenlm_reads_a_trie_with_the_same_scores(tmp_path: Path, order: int, compressed: bool) -> None:
    model = build(TEXT, BuildOptions(order=order)).model
    binary.write(model, tmp_path / "lm.bin", bits=0, compressed=compressed)
    np.testing.assert_allclose(kenlm_scores(tmp_path / "lm.bin"), our_scores(model), atol=2e-5)


@pytest.mark.parametrize("prune_to", [None, 400])
def test_kenlm_reads_the_arpa_file_with_the_same_scores(tmp_path: Path, prune_to: int | None) -> None:
    model = build(TEXT, BuildOptions(order=4, max_ngrams=prune_to)).model
    arpa.write(model, tmp_path / "lm.arpa")
    np.testing.assert_allclose(kenlm_scores(tmp_path / "lm.arpa"), our_scores(model), atol=2e-5)


@pytest.mark.parametrize(("bits", "tolerance"), [(4, 0.5), (8, 0.06), (12, 0.02)])
def test_quantised_trie_is_near_and_smaller(tmp_path: Path, bits: int, tolerance: float) -> None:
    model = build(TEXT, BuildOptions(order=3)).model
    binary.write(model, tmp_path / "lm.bin", bits=bits)
    differences = np.abs(np.array(kenlm_scores(tmp_path / "lm.bin")) - our_scores(model))
    assert differences.mean() < tolerance / 3
    assert np.quantile(differences, 0.95) < tolerance


@pytest.mark.parametrize(("order", "bits", "compressed"), list(itertools.product([2, 4], [0, 8], [False, True])))
def test_trie_is_read_back(tmp_path: Path, order: int, bits: int, compressed: bool) -> None:
    model = build(TEXT, BuildOptions(order=order, prune="0,0,1"[: 2 * order - 1])).model
    binary.write(model, tmp_path / "lm.bin", bits, compressed)
    back = binary.read(tmp_path / "lm.bin")
    assert back.sizes == model.sizes
    assert set(back.words) == set(model.words)
    assert set(layout.vocabulary(tmp_path / "lm.bin")) == set(model.words)
    np.testing.assert_allclose(our_scores(back), kenlm_scores(tmp_path / "lm.bin"), atol=2e-5)
    if not bits:
        np.testing.assert_array_equal(our_scores(back), our_scores(model))


def test_ngram_whose_suffix_is_missing_scores_the_same_in_the_trie(tmp_path: Path) -> None:
    # "b c" is missing under "a b c": KenLM's trie needs it, and back-off gives its probability
    words = (*ngrams.SPECIALS, "a", "b", "c")
    floats = lambda *values: np.array(values, dtype=np.float32)  # noqa: E731
    unigrams = Table(np.arange(6), floats(-2, -99, -1, -0.8, -0.7, -0.6), floats(0, -0.3, 0, -0.2, -0.4, 0))
    bigrams = Table(np.array([1 * 6 + 3, 3 * 6 + 4]), floats(-0.5, -0.4), floats(-0.1, -0.25))
    trigrams = Table(np.array([1 * 6 + 5]), floats(-0.2), floats(0))
    model = NGramModel(words, (unigrams, bigrams, trigrams))
    binary.write(model, tmp_path / "lm.bin", bits=0)
    scored = kenlm.Model(str(tmp_path / "lm.bin"))
    assert [score for score, _, _ in scored.full_scores("a b c")][:3] == pytest.approx(
        [-0.5, -0.1 - 0.4, -0.2], abs=1e-6
    )
    assert scored.score("b c", bos=False, eos=False) == pytest.approx(-0.7 - 0.4 - 0.6, abs=1e-6)
    assert ngrams.close(model).sizes == (6, 3, 1)


def test_pruned_model_survives_the_trie(tmp_path: Path) -> None:
    model = prune.prune(build(TEXT, BuildOptions(order=3)).model, 1e-4)
    binary.write(model, tmp_path / "lm.bin", bits=0)
    np.testing.assert_allclose(kenlm_scores(tmp_path / "lm.bin"), our_scores(model), atol=2e-5)


def test_words_of_any_script_are_kept(tmp_path: Path) -> None:
    model = build(
        ["łódź größe 東京 привет", "größe a-very-long-word-that-fills-many-eight-byte-blocks"], BuildOptions(order=2)
    ).model
    binary.write(model, tmp_path / "lm.bin")
    assert set(layout.vocabulary(tmp_path / "lm.bin")) == set(model.words)
    scored = kenlm.Model(str(tmp_path / "lm.bin"))
    assert all(word in scored for word in model.words if word != "<unk>")


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        binary.write(build(TEXT, BuildOptions()).model, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_model_larger_than_one_packing_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(TEXT, BuildOptions()).model
    binary.write(model, tmp_path / "whole")
    monkeypatch.setattr(binary, "PACK_BLOCK", 64)
    binary.write(model, tmp_path / "blocks")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "blocks").read_bytes()
    assert binary.read(tmp_path / "blocks").sizes == model.sizes


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.999])
def test_cut_off_file_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "lm.bin"
    binary.write(build(TEXT, BuildOptions()).model, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(LanguageModelError, match=r"cut off|damaged|not a KenLM"):
        binary.read(path)


def test_damaged_bytes_give_an_error_or_a_model_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "lm.bin"
    binary.write(build(TEXT[:20], BuildOptions()).model, path)
    whole, generator = path.read_bytes(), np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for at in generator.integers(0, len(whole), 3):
            damaged[at] = generator.integers(256)
        path.write_bytes(bytes(damaged))
        # anything but this one error fails the test
        with contextlib.suppress(LanguageModelError):
            assert binary.read(path).order == 3


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="no such file"):
        binary.read(tmp_path / "none")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(LanguageModelError, match="not a KenLM binary"):
        binary.read(tmp_path / "text")


@pytest.mark.parametrize("bits", [1, 26])
def test_senseless_quantisation_is_refused(tmp_path: Path, bits: int) -> None:
    with pytest.raises(LanguageModelError, match="2 to 25"):
        binary.write(build(["a b"], BuildOptions()).model, tmp_path / "lm.bin", bits)


def test_hash_is_murmur_2() -> None:
    # known values of MurmurHash64A with seed 0
    assert binary.murmur_hash([b""])[0] == 0
    slow = [_murmur(text) for text in (b"a", b"hello", b"12345678", b"123456789", b"x" * 40)]
    assert binary.murmur_hash([b"a", b"hello", b"12345678", b"123456789", b"x" * 40]).tolist() == slow


def _murmur(text: bytes) -> int:
    """The algorithm as published, a byte string at a time, in plain integers."""
    m, mask = 0xC6A4A7935BD1E995, (1 << 64) - 1
    h = len(text) * m & mask
    whole = len(text) // 8 * 8
    for at in range(0, whole, 8):
        k = int.from_bytes(text[at : at + 8], "little") * m & mask
        k = (k ^ k >> 47) * m & mask
        h = (h ^ k) * m & mask
    if whole < len(text):
        h = (h ^ int.from_bytes(text[whole:], "little")) * m & mask
    h = (h ^ h >> 47) * m & mask
    return h ^ h >> 47
