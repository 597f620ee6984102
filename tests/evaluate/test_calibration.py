import numpy as np
import pytest

from transcribe_cli.evaluate.calibration import calibration, judged
from transcribe_cli.evaluate.score import Pair


def test_words_are_judged_by_their_alignment():
    pair = Pair("1", "the cat sat down", "the bat sat")
    assert judged([(pair, (0.9, 0.4, 0.8))]) == ([0.9, 0.4, 0.8], [True, False, True])


def test_words_that_the_normaliser_splits_or_drops_are_passed_over():
    pair = Pair("1", "a well known fact", "A, well-known — fact!")
    assert judged([(pair, (0.9, 0.4, 0.3, 0.8))]) == ([0.9, 0.8], [True, True])


def test_a_pair_without_a_confidence_for_every_word_is_passed_over():
    assert judged([(Pair("1", "a b", "a b"), (0.9,))]) == ([], [])


def test_honest_confidences_have_no_calibration_error():
    draw = np.random.default_rng(0)
    sure = draw.random(40_000)
    found = calibration(sure.tolist(), (draw.random(40_000) < sure).tolist())
    assert found.ece < 0.02
    assert found.auc == pytest.approx(5 / 6, abs=0.01)  # of uniform honest confidences: ∫∫ … = 5/6
    assert sum(bin.n_words for bin in found.bins) == found.n_words == 40_000


def test_overconfidence_is_measured():
    found = calibration([1.0] * 10, [True] * 6 + [False] * 4)
    assert found.ece == pytest.approx(0.4)
    assert found.auc == pytest.approx(0.5)
    assert found.bins[0].accuracy == pytest.approx(0.6)


def test_nothing_to_judge_is_said():
    assert calibration([], []).n_words == 0
    assert calibration([0.5], [True]).auc is None


def test_auc_equals_the_share_of_pairs_in_the_right_order():
    sure = [0.1, 0.4, 0.4, 0.8, 0.9]
    right = [False, True, False, False, True]
    wins = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a, x in zip(sure, right, strict=True) if x
        for b, y in zip(sure, right, strict=True) if not y
    ]  # fmt: skip
    assert calibration(sure, right).auc == pytest.approx(np.mean(wins))
