import math

import numpy as np
import pytest
from oracles import every_labelling, occupancy_by_enumeration, probability_by_enumeration, random_log_probs

from transcribe_cli.ctc.forward_backward import backward, forward, gradient, loss, posteriors
from transcribe_cli.ctc.lattice import interleave, minimum_frames, why_impossible
from transcribe_cli.errors import CTCError

# frames 1…5 of the worked example over (blank, A, B), target "A B"
WORKED = np.log([[0.6, 0.3, 0.1], [0.1, 0.7, 0.2], [0.2, 0.2, 0.6], [0.7, 0.1, 0.2], [0.1, 0.6, 0.3]])
A, B = 1, 2


def random_case(rng: np.random.Generator) -> tuple[np.ndarray, list[int], int]:
    n_frames, n_tokens = int(rng.integers(1, 7)), int(rng.integers(2, 5))
    blank = int(rng.integers(n_tokens))
    others = [column for column in range(n_tokens) if column != blank]
    labels = [int(label) for label in rng.choice(others, rng.integers(0, n_frames + 1))]
    return random_log_probs(rng, n_frames, n_tokens), labels, blank


@pytest.mark.parametrize("seed", range(300))
def test_loss_equals_the_sum_over_all_paths(seed: int) -> None:
    log_probs, labels, blank = random_case(np.random.default_rng(seed))
    expected = probability_by_enumeration(log_probs, labels, blank)
    value = loss(log_probs, labels, blank)
    assert math.exp(-value) == pytest.approx(expected, rel=1e-9, abs=0)
    assert (value == math.inf) == (minimum_frames(labels) > len(log_probs))


@pytest.mark.parametrize("seed", range(60))
def test_gradient_is_the_occupancy_counted_over_all_paths(seed: int) -> None:
    log_probs, labels, blank = random_case(np.random.default_rng(1000 + seed))
    if minimum_frames(labels) > len(log_probs):
        with pytest.raises(CTCError, match="need"):
            gradient(log_probs, labels, blank)
        return
    occupancy = occupancy_by_enumeration(log_probs, labels, blank)
    np.testing.assert_allclose(gradient(log_probs, labels, blank, wrt="log_probs"), -occupancy, atol=1e-12)
    np.testing.assert_allclose(gradient(log_probs, labels, blank), np.exp(log_probs) - occupancy, atol=1e-12)


def test_gradient_of_logits_is_the_slope_of_the_loss() -> None:
    rng = np.random.default_rng(5)
    logits, labels = rng.normal(size=(7, 4)), [1, 1, 3]

    def value(scores: np.ndarray) -> float:
        return loss(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)), labels)

    slope = np.zeros_like(logits)
    for place in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[place] = 1e-5
        slope[place] = (value(logits + step) - value(logits - step)) / 2e-5
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(gradient(log_probs, labels), slope, atol=1e-8)


@pytest.mark.parametrize(("n_frames", "n_tokens", "n_labels"), [(1, 2, 0), (5, 3, 2), (40, 29, 12), (200, 17, 60)])
def test_value_and_gradient_equal_those_of_torch(n_frames: int, n_tokens: int, n_labels: int) -> None:
    torch = pytest.importorskip("torch")
    for seed in range(5):
        rng = np.random.default_rng(seed)
        blank = int(rng.integers(n_tokens))
        labels = rng.choice([column for column in range(n_tokens) if column != blank], n_labels)
        logits = torch.tensor(rng.normal(scale=3, size=(n_frames, n_tokens)), requires_grad=True)
        log_probs = torch.log_softmax(logits, dim=1)
        theirs = torch.nn.functional.ctc_loss(
            log_probs[:, None],
            torch.tensor(labels)[None],
            torch.tensor([n_frames]),
            torch.tensor([n_labels]),
            blank=blank,
            reduction="sum",
        )
        theirs.backward()
        ours = log_probs.detach().numpy()
        assert loss(ours, labels, blank) == pytest.approx(theirs.item(), abs=1e-5)
        np.testing.assert_allclose(gradient(ours, labels, blank), logits.grad.numpy(), atol=1e-5)


def test_worked_example_sums_over_every_alignment() -> None:
    def paths() -> list[str]:
        # every way to write "A B" in five frames: blanks* A+ blanks* B+ blanks*, spelled out by the five run lengths
        found = []
        for lead in range(4):
            for a in range(1, 5):
                for gap in range(4):
                    for b in range(1, 5):
                        tail = 5 - lead - a - gap - b
                        if tail >= 0:
                            found.append("-" * lead + "A" * a + "-" * gap + "B" * b + "-" * tail)
        return found

    written = paths()
    assert len(written) == len(set(written)) == 35
    probability = math.fsum(
        math.prod(math.exp(WORKED[t, "-AB".index(sign)]) for t, sign in enumerate(path)) for path in written
    )
    assert math.exp(-loss(WORKED, [A, B])) == pytest.approx(probability, rel=1e-12)
    assert probability == pytest.approx(probability_by_enumeration(WORKED, [A, B], 0), rel=1e-12)
    assert probability == pytest.approx(0.14844, abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_probabilities_of_all_labellings_sum_to_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_probs = random_log_probs(rng, 6, 3)
    labellings = every_labelling(log_probs, blank=2)
    assert math.fsum(math.exp(-loss(log_probs, y, blank=2)) for y in labellings) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_forward_and_backward_meet_at_every_frame(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_probs, labels = random_log_probs(rng, 30, 6), rng.integers(1, 6, 9)
    joint = np.logaddexp.reduce(forward(log_probs, labels) + backward(log_probs, labels), axis=1)
    np.testing.assert_allclose(joint, -loss(log_probs, labels), rtol=1e-12)
    np.testing.assert_allclose(posteriors(log_probs, labels).sum(axis=1), 1)


def test_indexing_labels_by_time_without_blanks_gives_another_number() -> None:
    """A classic mistake: frame t is asked for label t, as if one label were one frame."""
    mistaken = -(WORKED[0, A] + WORKED[1, B])
    assert abs(mistaken - loss(WORKED, [A, B])) > 0.1
    # the same mistake in the lattice's shape: labels without blanks between, so that nothing can be silent
    alpha = np.full((5, 2), -np.inf)
    alpha[0, 0] = WORKED[0, A]
    for t in range(1, 5):
        alpha[t, 0] = alpha[t - 1, 0] + WORKED[t, A]
        alpha[t, 1] = np.logaddexp(alpha[t - 1, 1], alpha[t - 1, 0]) + WORKED[t, B]
    assert abs(-alpha[-1, -1] - loss(WORKED, [A, B])) > 0.1


def test_the_best_alignment_alone_gives_another_number() -> None:
    """The other classic mistake: no sum over alignments."""
    from transcribe_cli.ctc.viterbi import align

    assert -align(WORKED, [A, B]).score > loss(WORKED, [A, B]) + 0.1


def test_repeated_label_needs_a_blank_between() -> None:
    log_probs = random_log_probs(np.random.default_rng(0), 3, 2)
    assert loss(log_probs, [1, 1]) == pytest.approx(-(log_probs[0, 1] + log_probs[1, 0] + log_probs[2, 1]))
    assert loss(log_probs[:2], [1, 1]) == math.inf


def test_too_long_target_has_infinite_loss_and_a_sentence_that_says_why() -> None:
    log_probs = random_log_probs(np.random.default_rng(0), 4, 3)
    assert loss(log_probs, [1, 2, 2, 1]) == math.inf
    assert minimum_frames([1, 2, 2, 1]) == 5
    reason = why_impossible(4, [1, 2, 2, 1])
    assert reason == (
        "4 labels and 1 blanks between equal ones need 5 frames and there are 4: shorten the text or give more audio"
    )
    assert why_impossible(5, [1, 2, 2, 1]) is None


def test_zero_probability_is_an_infinite_loss_and_no_warning() -> None:
    with np.errstate(divide="ignore"):
        log_probs = np.log([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    assert loss(log_probs, [2]) == math.inf
    assert loss(log_probs, [1]) == pytest.approx(-math.log(0.75))
    with pytest.raises(CTCError, match="probability zero"):
        posteriors(log_probs, [2])


def test_no_frames_say_nothing_for_certain() -> None:
    assert loss(np.zeros((0, 3)), []) == 0.0
    assert loss(np.zeros((0, 3)), [1]) == math.inf


def test_long_targets_do_not_underflow() -> None:
    rng = np.random.default_rng(0)
    value = loss(random_log_probs(rng, 2000, 29, 5.0), rng.integers(1, 29, 300))
    assert 2000 < value < math.inf


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros((3, 2)), "sums to 2, not 1"),
        (np.full((3, 2), 800.0), "not 1"),
        (np.full((3, 2), -np.inf), "sums to 0"),
        (np.full((3, 2), 0.5), "not 1"),
        (np.full((3, 2), np.nan), "NaN"),
        (np.zeros(3), "shape"),
        (np.zeros((3, 0)), "shape"),
    ],
)
def test_unnormalised_scores_are_refused(scores: np.ndarray, message: str) -> None:
    with pytest.raises(CTCError, match=message):
        loss(scores, [1])


@pytest.mark.parametrize(
    ("labels", "blank", "message"),
    [
        ([3], 0, "label 3"),
        ([-1], 0, "label -1"),
        ([1, 0], 0, "blank"),
        ([1], 5, "blank's index 5"),
        ([0.5], 0, "whole"),
    ],
)
def test_senseless_labels_are_refused(labels: list[int], blank: int, message: str) -> None:
    with pytest.raises(CTCError, match=message):
        loss(WORKED, labels, blank)


def test_gradient_refuses_an_unknown_variable() -> None:
    with pytest.raises(CTCError, match="choose"):
        gradient(WORKED, [A], wrt="probabilities")


def test_a_long_loss_keeps_no_lattice() -> None:
    import tracemalloc

    rng = np.random.default_rng(0)
    log_probs, labels = random_log_probs(rng, 500, 4), rng.integers(1, 4, 200)
    tracemalloc.start()
    value = loss(log_probs, labels)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500 * 401 * 8 / 4  # a quarter of what all states at all frames would take
    assert value == pytest.approx(-np.logaddexp.reduce(forward(log_probs, labels)[-1, -2:]))


def test_single_precision_from_a_network_passes_the_check() -> None:
    log_probs = random_log_probs(np.random.default_rng(3), 50, 29)
    assert loss(log_probs.astype(np.float32), [4, 7, 7]) == pytest.approx(loss(log_probs, [4, 7, 7]), abs=1e-4)
    assert math.isfinite(loss(log_probs.astype(np.float16), [4, 7, 7], tolerance=0.01))


def test_states_are_labels_with_blanks_around() -> None:
    np.testing.assert_array_equal(interleave(np.array([3, 3, 5]), 1), [1, 3, 1, 3, 1, 5, 1])
