"""Mixtures say the weighted mean of what their models say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_corpus import sentences

from transcribe_cli.errors import LanguageModelError
from transcribe_cli.lm import interpolate, ngrams
from transcribe_cli.lm.build import BuildOptions, build
from transcribe_cli.lm.ngrams import BOS, UNK, NGramModel

A = build(sentences(80), BuildOptions(order=3)).model
B = build(["the fox said no", "the box of his", "no fox was in the box"], BuildOptions(order=2)).model


def probability(model: NGramModel, text: list[str]) -> float:
    return float(10 ** ngrams.score(model, np.array([model.words.index(word) for word in text], dtype=np.int32))[-1])


@given(st.floats(0.05, 0.95))
def test_listed_ngram_has_the_weighted_mean(weight: float) -> None:
    mixed = interpolate.mix([A, B], [weight, 1 - weight])
    for gram in (["<s>", "the"], ["of", "his"], ["the"], ["in", "the"]):
        expected = weight * probability(A, gram) + (1 - weight) * probability(B, gram)
        assert probability(mixed, gram) == pytest.approx(expected, rel=1e-4)


def test_mixture_sums_to_one_over_the_joined_words() -> None:
    mixed = interpolate.mix([A, B], [0.3, 0.7])
    assert set(mixed.words) == set(A.words) | set(B.words)
    words = [w for w in range(len(mixed.words)) if w != BOS]
    for context in ([], [BOS], [mixed.words.index("the")], [BOS, mixed.words.index("fox")], [5, 9]):
        total = sum(10 ** ngrams.score(mixed, np.array([*context, w], dtype=np.int32))[-1] for w in words)
        assert total == pytest.approx(1, abs=1e-4)


def test_word_that_one_model_lacks_takes_its_share_of_unknown() -> None:
    mixed = interpolate.mix([A, B], [0.5, 0.5])
    lacking = len(set(B.words) - set(A.words))
    expected = 0.5 * 10 ** float(A.tables[0].log10_probs[UNK]) / (lacking + 1) + 0.5 * probability(B, ["fox"])
    assert probability(mixed, ["fox"]) == pytest.approx(expected, rel=1e-4)


def test_mixing_a_model_with_itself_changes_nothing() -> None:
    mixed = interpolate.mix([A, A], [0.4, 0.6])
    assert mixed.sizes == A.sizes
    np.testing.assert_allclose(mixed.tables[2].log10_probs, A.tables[2].log10_probs, atol=1e-5)
    np.testing.assert_allclose(mixed.tables[1].log10_backoffs, A.tables[1].log10_backoffs, atol=1e-3)


def test_weight_of_nought_leaves_the_other_model() -> None:
    mixed = interpolate.mix([A, B], [1, 0])
    assert probability(mixed, ["<s>", "the"]) == pytest.approx(probability(A, ["<s>", "the"]), rel=1e-5)


def test_weights_suit_the_text_they_are_found_on() -> None:
    assert interpolate.find_weights([A, B], sentences(80))[0] > 0.9
    assert interpolate.find_weights([A, B], ["no fox said the box", "the fox was in the box"])[1] > 0.6


def test_expectation_maximisation_finds_the_best_weight() -> None:
    generator = np.random.default_rng(0)
    log10_probs = np.log10(generator.random((2, 500)))
    grid = np.linspace(0.001, 0.999, 999)
    mixed = np.log(grid[:, None] * 10 ** log10_probs[0] + (1 - grid[:, None]) * 10 ** log10_probs[1]).sum(axis=1)
    assert interpolate.expectation_maximisation(log10_probs)[0] == pytest.approx(grid[mixed.argmax()], abs=0.005)


@pytest.mark.parametrize("weights", [[1.0], [0, 0], [-1, 2], [float("nan"), 1]])
def test_senseless_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(LanguageModelError, match="weight"):
        interpolate.mix([A, B], weights)


def test_tuning_text_without_a_known_word_is_refused() -> None:
    with pytest.raises(LanguageModelError, match="no word that the models know"):
        interpolate.find_weights([A, B], [])
