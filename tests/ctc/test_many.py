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


def test_no_texts_have_no_losses() -> None:
    assert losses(np.zeros((3, 2)), [], []).shape == (0,)
