"""The loss of long texts against the exact sum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.alignment.loss import TextLoss
from transcribe_cli.ctc.forward_backward import loss
from transcribe_cli.ctc.viterbi import align


def emissions(rng: np.random.Generator, n_frames: int, n_columns: int) -> np.ndarray:
    scores = rng.normal(scale=3, size=(n_frames, n_columns))
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


@given(st.integers(0, 25), st.integers(0, 12), st.integers(0, 999), st.integers(1, 30))
def test_short_texts_are_summed_exactly_however_the_frames_are_cut(n_frames, n_labels, seed, size):
    rng = np.random.default_rng(seed)
    rows, labels = emissions(rng, n_frames, 4), rng.integers(1, 4, n_labels)
    ours = TextLoss(labels, 0)
    for i in range(0, n_frames, size):
        ours.push(np.full(len(rows[i : i + size]), -1), rows[i : i + size])
    assert ours.nats == pytest.approx(loss(rows, labels, 0), rel=1e-5, abs=1e-5)


def test_a_band_along_the_alignment_leaves_out_next_to_nothing():
    rng = np.random.default_rng(0)
    labels = rng.integers(1, 9, 600)
    scores = rng.normal(size=(1500, 9))
    scores[np.arange(600) * 5 // 2 + 1, labels] += 5
    rows = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    path = align(rows, labels, 0)
    narrow = TextLoss(labels, 0, band=120)
    narrow.push(path.frames, rows)
    assert narrow.nats == pytest.approx(loss(rows, labels, 0), rel=1e-6)


def test_a_text_that_has_no_room_has_an_infinite_loss():
    rows = emissions(np.random.default_rng(0), 6, 4)
    ours = TextLoss(np.array([1, 1, 2, 2]), 0, band=2)
    ours.push(np.array([0, -1, 1, 2, -1, 3]), rows)
    assert TextLoss(np.array([1]), 0).nats == np.inf
    crowded = TextLoss(np.array([1] * 4), 0)
    crowded.push(np.full(6, -1), rows)
    assert crowded.nats == np.inf


def test_columns_of_probability_zero_are_no_trouble():
    with np.errstate(divide="ignore"):
        rows = np.log(np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    ours = TextLoss(np.array([1, 2]), 0)
    ours.push(np.full(4, -1), rows)
    assert ours.nats == pytest.approx(loss(rows, np.array([1, 2]), 0), abs=1e-6)
