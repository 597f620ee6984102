"""Losses of many texts over rows of their own: each is that of the text alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.ctc.forward_backward import loss
from transcribe_cli.ctc.many import losses


@given(seed=st.integers(0, 10**6), blank=st.integers(0, 3))
def test_each_loss_is_that_of_its_text_over_its_rows(seed: int, blank: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=2, size=(40, 4))
    log_probs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    labels = [i for i in range(4) if i != blank]
    texts = [rng.choice(labels, size=rng.integers(0, 8)).tolist() for _ in range(6)]
    starts = rng.integers(0, 30, size=6)
    spans = [(int(start), int(start + rng.integers(0, 11))) for start in starts]
    found = losses(log_probs, texts, spans, blank)
    for text, (first, end), value in zip(texts, spans, found, strict=True):
        alone = loss(log_probs[first:end], text, blank) if end > first else (np.inf if text else 0.0)
        assert value == pytest.approx(alone, abs=1e-9)


def test_a_likelihood_beyond_what_a_float_holds_is_still_told() -> None:
    log_probs = np.log(np.tile([1 - 2e-9, 1e-9, 1e-9], (100, 1)))
    texts = [[1, 2] * 20, [], [1] * 60]  # the first at every other row or so, the last too long for its rows
    found = losses(log_probs, texts, [(0, 100)] * 3)
    assert found[0] == pytest.approx(loss(log_probs, texts[0]), rel=1e-12)
    assert found[0] > 710
    assert found[1] == pytest.approx(0.0, abs=1e-6)
    assert found[2] == np.inf


def test_impossible_labels_have_an_infinite_loss() -> None:
    log_probs = np.log(np.full((4, 2), 0.5))
    log_probs[:, 1] = -np.inf
    assert losses(log_probs, [[1], []], [(0, 4), (1, 3)]) == pytest.approx([np.inf, 2 * np.log(2)])


def test_no_texts_have_no_losses() -> None:
    assert losses(np.zeros((3, 2)), [], []).shape == (0,)
