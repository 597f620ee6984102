"""The loss that is trained with, against the textbook algebra of the ctc room."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from transcribe_cli.ctc import forward_backward as ctc  # noqa: E402
from transcribe_cli.training import losses, units  # noqa: E402
from transcribe_cli.training.cache import Entry  # noqa: E402

CHARACTERS = units.build("char", [])


def entry(text):
    return Entry(Path("x.npy"), 0, 0, text, 1.0, "", "", text, "clean")


def batch(seed, texts, rows):
    """Scores (batch, longest, tokens) whose padding is noise, and what the loop says of them."""
    rng = np.random.default_rng(seed)
    scores = torch.tensor(
        rng.normal(0, 2, (len(texts), max(rows), len(CHARACTERS.alphabet))), dtype=torch.float64, requires_grad=True
    )
    log_probs = torch.log_softmax(scores, 2)
    log_probs.retain_grad()
    criterion = torch.nn.CTCLoss(blank=0, reduction="none", zero_infinity=True)
    found, letters = losses.ctc(criterion, log_probs, torch.tensor(rows), [entry(text) for text in texts], CHARACTERS)
    return scores, log_probs, found, letters


@pytest.mark.parametrize("seed", range(5))
def test_losses_and_gradients_of_a_ragged_batch_are_those_of_the_algebra(seed):
    texts, rows = ["a", "hello there", "bookkeeper", "ill"], [9, 31, 40, 5]
    scores, log_probs, found, letters = batch(seed, texts, rows)
    assert letters == sum(map(len, texts))
    found.sum().backward()
    for i, (text, n) in enumerate(zip(texts, rows, strict=True)):
        single = log_probs[i, :n].detach().numpy()
        labels = CHARACTERS.encode(text)
        assert float(found[i].detach()) == pytest.approx(ctc.loss(single, labels), abs=1e-5)
        expected = ctc.gradient(single, labels)
        np.testing.assert_allclose(scores.grad[i, :n].numpy(), expected, atol=1e-5)
        assert not scores.grad[i, n:].any()


def test_a_target_without_room_costs_nothing_and_is_known_by_it():
    _, log_probs, found, _ = batch(1, ["aaa", "abc"], [4, 4])
    assert found.tolist()[0] == 0  # three like letters need two blanks between them: five rows
    assert ctc.loss(log_probs[0].detach().numpy(), CHARACTERS.encode("aaa")) == np.inf
    assert found.tolist()[1] > 0


def test_a_wordless_target_costs_what_blanks_cost_also_alone_in_its_batch():
    _, log_probs, found, letters = batch(2, ["", "", ""], [4, 9, 2])
    assert letters == 0
    for i, n in enumerate((4, 9, 2)):
        assert float(found[i].detach()) == pytest.approx(-float(log_probs[i, :n, 0].detach().sum()), rel=1e-6)
    _, log_probs, found, letters = batch(3, ["", "ill"], [6, 9])
    assert letters == 3
    assert float(found[0].detach()) == pytest.approx(-float(log_probs[0, :6, 0].detach().sum()), rel=1e-6)


def test_two_views_are_as_far_apart_as_each_is_from_the_other_standing_still():
    rng = np.random.default_rng(3)
    scores = torch.tensor(rng.normal(0, 2, (4, 7, 5)), requires_grad=True)
    rows = torch.tensor([7, 4, 7, 4])
    log_probs = torch.log_softmax(scores, 2)
    apart = losses.disagreement(log_probs, rows)
    apart.backward()
    p = torch.softmax(scores.detach(), 2).numpy()
    expected, slope = 0.0, np.zeros_like(p)
    for one, other in ((0, 2), (2, 0), (1, 3), (3, 1)):
        for row in range(int(rows[one])):
            expected += float(np.sum(p[other, row] * np.log(p[other, row] / p[one, row])))
            slope[one, row] = p[one, row] - p[other, row]  # of KL(told || softmax) where what is told is constant
    assert float(apart.detach()) == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(scores.grad.numpy(), slope, atol=1e-12)


def test_two_views_that_say_the_same_are_not_apart():
    log_probs = torch.log_softmax(torch.arange(30, dtype=torch.float64).reshape(1, 6, 5) % 7, 2).repeat(2, 1, 1)
    assert float(losses.disagreement(log_probs, torch.tensor([6, 6]))) == 0
