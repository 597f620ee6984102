"""Stitched windows equal the whole, for a network whose rows depend on no more than their context."""

from concurrent.futures import Future

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli import features
from transcribe_cli.alphabet import Alphabet
from transcribe_cli.bundle.card import Card, GraphInput, GraphOutput, WindowPlan
from transcribe_cli.emission import WindowOptions, rows
from transcribe_cli.errors import OptionError

# no floor under the window's loudest point: that alone would make a window differ from the whole
RECIPE = features.FeatureRecipe(bands=6, range_below_max=None)
CARD = Card(
    name="toy",
    version="1",
    language="",
    sample_rate=16000,
    features=RECIPE,
    input=GraphInput("mel"),
    output=GraphOutput("log_probs", frame_seconds=0.02),
    alphabet=Alphabet(("<blank>", " ", "a", "b", "c", "d")),
    windows=WindowPlan(seconds=4.0, context_seconds=0.5),
)


class ToyNetwork:
    """Row i: mean of the features of frames 2i−20 … 2i+21, so 0.2 s of context is all it sees."""

    card = CARD
    lookahead = 3

    def submit(self, frames: np.ndarray) -> "Future[np.ndarray]":
        future: Future[np.ndarray] = Future()
        padded = np.pad(frames, ((20, 22), (0, 0)), mode="edge")
        means = np.array([padded[2 * i : 2 * i + 42].mean(axis=0) for i in range(-(-len(frames) // 2))])
        future.set_result(means.astype(np.float32).reshape(-1, 6))
        return future


def whole(samples: np.ndarray) -> np.ndarray:
    return ToyNetwork().submit(features.finish(features.frames(samples, RECIPE), RECIPE)).result()


@given(st.integers(160, 16000 * 30), st.integers(0, 9))
def test_windowed_rows_equal_those_of_the_whole_recording(n_samples, seed):
    samples = np.random.default_rng(seed).normal(size=n_samples).astype(np.float32) * 0.1
    blocks = np.array_split(samples, 1 + n_samples // 7001)
    got = list(rows(blocks, ToyNetwork(), WindowOptions()))
    joined = np.concatenate(got) if got else np.zeros((0, 6), np.float32)
    expected = whole(samples)
    assert len(joined) == len(expected)
    np.testing.assert_allclose(joined, expected, atol=2e-4)


def test_no_samples_give_no_rows():
    assert list(rows([], ToyNetwork(), WindowOptions())) == []


def test_context_that_does_not_fit_the_window_is_a_named_error():
    with pytest.raises(OptionError, match="--context-seconds"):
        list(rows([np.zeros(16000, np.float32)], ToyNetwork(), WindowOptions(window_seconds=2, context_seconds=2)))
