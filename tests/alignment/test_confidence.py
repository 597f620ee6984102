import math

import numpy as np
import pytest

from transcribe_cli.alignment.confidence import fit_temperature, word_confidences
from transcribe_cli.alignment.words import align_words
from transcribe_cli.alphabet import Alphabet

LETTERS = Alphabet(("-", " ", *"abcdeno"))


def emissions(path: str, doubts: dict[int, tuple[str, float]] | None = None) -> np.ndarray:
    """Rows sure of the path's signs; doubts: at a frame, another sign gets that share instead."""
    rows = np.full((len(path), len(LETTERS)), 0.001)
    for t, sign in enumerate(path):
        rows[t, LETTERS.tokens.index(sign)] = 1
        if doubts and t in doubts:
            other, share = doubts[t]
            rows[t, LETTERS.tokens.index(sign)] = 1 - share
            rows[t, LETTERS.tokens.index(other)] = share
    return np.log(rows / rows.sum(axis=1, keepdims=True))


def confidences(text: str, log_probs: np.ndarray, temperature: float = 1.0) -> list[float]:
    return [word.confidence for word in align_words(log_probs, text, LETTERS, 0.02, temperature=temperature)]


PATH = "---b-e---- ---a-d---- ---c-o--n---"


def test_clear_words_are_near_one() -> None:
    assert all(confidence > 0.95 for confidence in confidences("be ad con", emissions(PATH)))


def test_only_the_doubtful_word_loses() -> None:
    sure = confidences("be ad con", emissions(PATH))
    doubted = confidences("be ad con", emissions(PATH, {16: ("e", 0.6)}))
    assert doubted[1] < sure[1] - 0.1
    assert doubted[0] == pytest.approx(sure[0])
    assert doubted[2] == pytest.approx(sure[2])


def test_a_letter_left_out_is_held_against_the_word_beside_it() -> None:
    """The audio says "bed ad"; the text has "be ad"."""
    log_probs = emissions("---b-e-d-- ---a-d---")
    first, second = confidences("be ad", log_probs)
    assert first < 0.3
    assert second > 0.9


def test_a_doubtful_boundary_is_held_against_both_its_words() -> None:
    sure = confidences("be ad", emissions("---b-e-- --a-d---"))
    doubted = confidences("be ad", emissions("---b-e-- --a-d---", {8: ("-", 0.5)}))
    assert doubted[0] < sure[0] - 0.05
    assert doubted[1] < sure[1] - 0.05


def test_temperature_changes_the_numbers_and_not_their_order() -> None:
    log_probs = emissions(PATH, {16: ("e", 0.6), 4: ("a", 0.2)})
    cold, plain, warm = (confidences("be ad con", log_probs, temperature) for temperature in (0.5, 1.0, 2.0))
    assert np.argsort(cold).tolist() == np.argsort(plain).tolist() == np.argsort(warm).tolist()
    assert warm == pytest.approx([math.sqrt(confidence) for confidence in plain])
    assert cold == pytest.approx([confidence**2 for confidence in plain])


def test_stretches_reach_into_the_gap_but_not_beyond_the_limits() -> None:
    path_log_probs = np.log(np.array([0.5, 0.9, 0.9, 0.5, 0.8, 0.8, 0.5]))
    limits = np.array([0, 3]), np.array([4, 6])
    first, second = word_confidences(path_log_probs, np.array([1, 4]), np.array([3, 6]), limits, np.array([2, 2]), 0.02)
    assert first == pytest.approx((0.5 * 0.9 * 0.9 * 0.5) ** (1 / 4))
    assert second == pytest.approx((0.5 * 0.8 * 0.8) ** (1 / 4))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_fitted_temperature_is_the_one_the_words_were_drawn_with(temperature: float) -> None:
    rng = np.random.default_rng(0)
    plain = rng.uniform(0.05, 0.999, 20000)
    correct = rng.random(20000) < plain ** (1 / temperature)
    assert fit_temperature(plain, correct) == pytest.approx(temperature, rel=0.05)


def test_temperature_cannot_be_fitted_to_words_all_right() -> None:
    with pytest.raises(ValueError, match="both"):
        fit_temperature([0.5, 0.6], [True, True])
