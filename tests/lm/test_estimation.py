"""Counting and smoothing: what is counted, how it is smoothed, and that it is a probability distribution."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import toy_corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from transcribe_cli.errors import LanguageModelError, OptionError
from transcribe_cli.lm import counts, ngrams, smoothing
from transcribe_cli.lm.build import BuildOptions, build
from transcribe_cli.lm.ngrams import BOS, NGramModel

SENTENCE = st.lists(st.sampled_from("abcd"), min_size=1, max_size=6).map(" ".join)
TEXT = st.lists(SENTENCE, min_size=1, max_size=12)


def named(model: NGramModel, order: int) -> dict[str, tuple[float, float]]:
    """{"a b": (log10 probability, log10 back-off)}"""
    table = model.tables[order - 1]
    names = [" ".join(model.words[i] for i in gram) for gram in model.spelled(order)]
    return dict(zip(names, zip(table.log10_probs.tolist(), table.log10_backoffs.tolist(), strict=True), strict=True))


def distribution(model: NGramModel, context: tuple[int, ...]) -> np.ndarray:
    """p(w | context) for every word but <s>, by scoring each on its own."""
    words = [w for w in range(len(model.words)) if w != BOS]
    total = []
    for word in words:
        # <s> inside the context is only right at its start
        tokens = np.array([*context, word], dtype=np.int32)
        total.append(10 ** ngrams.score(model, tokens)[-1])
    return np.array(total)


@settings(max_examples=40)
@given(TEXT, st.integers(1, 4), st.integers(1, 9))
def test_counts_equal_counting_by_hand_whatever_the_block(text: list[str], order: int, block: int) -> None:
    counted = counts.count(text, order, block=block)
    expected: Counter[tuple[str, ...]] = Counter()
    for sentence in text:
        tokens = ["<s>", *sentence.split(), "</s>"]
        expected.update(tuple(tokens[i : i + n]) for n in range(1, order + 1) for i in range(len(tokens) - n + 1))
    tables = tuple(
        ngrams.Table(keys, np.zeros(len(keys), np.float32), np.zeros(len(keys), np.float32)) for keys in counted.keys
    )
    model = NGramModel(counted.words, tables)
    found: Counter[tuple[str, ...]] = Counter()
    for n in range(1, order + 1):
        spelled = [tuple(counted.words[i] for i in gram) for gram in model.spelled(n)]
        found.update(dict(zip(spelled, counted.occurrences[n - 1].tolist(), strict=True)))
        if n > 1:
            below = [tuple(counted.words[i] for i in gram) for gram in model.spelled(n - 1)]
            assert [below[row] for row in counted.suffixes[n - 1]] == [gram[1:] for gram in spelled]
    assert +found == expected
    assert counted.n_tokens == sum(len(sentence.split()) for sentence in text)


@settings(max_examples=20)
@given(TEXT, st.integers(1, 4))
def test_every_context_sums_to_one(text: list[str], order: int) -> None:
    model = smoothing.estimate(counts.count(text, order)).model
    letters = [i for i in range(len(model.words)) if model.words[i] not in ngrams.SPECIALS]
    for length in range(min(order, 3)):
        for context in itertools.islice(itertools.product(letters, repeat=length), 6):
            assert distribution(model, context).sum() == pytest.approx(1, abs=1e-4)
            assert distribution(model, (BOS, *context)).sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("prune", [(), (0, 1), (0, 0, 1), (0, 1, 2)])
def test_every_context_sums_to_one_after_dropping_rare_ngrams(prune: tuple[int, ...]) -> None:
    model = smoothing.estimate(counts.count(toy_corpus.sentences(400), 3), prune).model
    generator = np.random.default_rng(0)
    for _ in range(20):
        context = tuple(generator.integers(3, len(model.words), 2).tolist())
        assert distribution(model, context).sum() == pytest.approx(1, abs=1e-4)


def test_vocabulary_limit_leaves_out_words_and_still_sums_to_one() -> None:
    built = build(toy_corpus.sentences(300), BuildOptions(max_words=20))
    assert len(built.model.words) == 20 + 3
    assert distribution(built.model, (BOS, 4)).sum() == pytest.approx(1, abs=1e-4)


def test_most_frequent_words_stay_and_rare_ones_go() -> None:
    text = ["a b", "a b", "a c"]
    assert set(build(text, BuildOptions(order=2, min_count=2)).model.words) == {"<unk>", "<s>", "</s>", "a", "b"}
    assert set(build(text, BuildOptions(order=2, max_words=1)).model.words) == {"<unk>", "<s>", "</s>", "a"}


def test_vocabulary_file_decides_which_words_stay(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("a\nz\n")
    model = build(["a b a"], BuildOptions(order=2, vocabulary=str(tmp_path / "words"))).model
    assert set(model.words) == {"<unk>", "<s>", "</s>", "a"}


def test_small_text_takes_the_fallback_discounts_and_says_so() -> None:
    estimate = smoothing.estimate(counts.count(["a b", "b a"], 3))
    assert estimate.fallback_orders == (1, 2, 3)
    assert estimate.discounts == (smoothing.FALLBACK,) * 3


def test_discounts_follow_chen_and_goodman() -> None:
    # t1..t4 = 4, 2, 1, 1: y = 4 / (4 + 4)
    adjusted = np.array([1, 1, 1, 1, 2, 2, 3, 4, 9])
    assert smoothing.discounts_of(adjusted) == pytest.approx((1 - 2 * 0.5 * 2 / 4, 2 - 3 * 0.5 / 2, 3 - 4 * 0.5))


def test_worked_bigram_by_hand() -> None:
    # fallback discounts; a(w) = different words before: a ← <s>, b; b ← a; </s> ← a, b... counted by hand
    model = smoothing.estimate(counts.count(["a b", "a"], 2)).model
    # occurrences: <s> a ×2, a b ×1, b </s> ×1, a </s> ×1; adjusted words: a 1, b 1, </s> 2, total 4
    uniform, gamma = 1 / 4, (0.5 + 0.5 + 1.0) / 4  # four words without <s>
    p_b = (1 - 0.5) / 4 + gamma * uniform
    gamma_a = (0.5 + 0.5) / 2
    assert named(model, 1)["b"][0] == pytest.approx(np.log10(p_b), abs=1e-6)
    assert named(model, 2)["a b"][0] == pytest.approx(np.log10((1 - 0.5) / 2 + gamma_a * p_b), abs=1e-6)
    assert named(model, 1)["a"][1] == pytest.approx(np.log10(gamma_a), abs=1e-6)
    assert named(model, 1)["<unk>"][0] == pytest.approx(np.log10(gamma * uniform), abs=1e-6)


def test_characters_are_the_units_when_asked() -> None:
    model = build(["to go", "got"], BuildOptions(order=3, unit="char")).model
    assert set(model.words) == {"<unk>", "<s>", "</s>", "t", "o", "g", "▁"}


def test_empty_text_is_refused() -> None:
    for text in ([], ["", "  "]):
        with pytest.raises(LanguageModelError, match="no words"):
            counts.count(text, 2)


def test_single_word_is_enough() -> None:
    assert build(["word"], BuildOptions(order=3)).model.sizes == (4, 2, 1)


def test_markers_inside_the_text_are_refused() -> None:
    with pytest.raises(LanguageModelError, match="<unk>"):
        counts.count(["a <unk> b"], 2)


@pytest.mark.parametrize("prune", ["1,1", "0,2,1", "x", "0,0,0,0", "0,-1"])
def test_senseless_thresholds_are_refused(prune: str) -> None:
    with pytest.raises(OptionError, match="--prune"):
        BuildOptions(order=3, prune=prune)


def test_vocabulary_that_fits_no_word_is_refused() -> None:
    with pytest.raises(LanguageModelError, match="no word is left"):
        build(["a b"], BuildOptions(min_count=5))
