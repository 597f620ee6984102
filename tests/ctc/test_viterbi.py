import math
import tracemalloc

import numpy as np
import pytest
from oracles import best_alignment_by_enumeration, collapse_slowly, random_log_probs

from transcribe_cli.ctc import viterbi
from transcribe_cli.ctc.collapse import collapse, greedy
from transcribe_cli.ctc.lattice import minimum_frames
from transcribe_cli.ctc.viterbi import Path, _search, align, score
from transcribe_cli.errors import CTCError


def columns(path: Path, labels: list[int], blank: int) -> list[int]:
    return [labels[place] if place >= 0 else blank for place in path.frames]


@pytest.mark.parametrize("seed", range(300))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_alignment_equals_the_best_of_all_paths(seed: int, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    n_frames, n_tokens = int(rng.integers(1, 7)), int(rng.integers(2, 5))
    blank = int(rng.integers(n_tokens))
    labels = [int(x) for x in rng.choice([v for v in range(n_tokens) if v != blank], rng.integers(0, n_frames + 1))]
    log_probs = random_log_probs(rng, n_frames, n_tokens)
    if minimum_frames(labels) > n_frames:
        with pytest.raises(CTCError, match="need"):
            align(log_probs, labels, blank)
        return
    path = align(log_probs.astype(dtype), labels, blank)
    assert math.exp(path.score) == pytest.approx(best_alignment_by_enumeration(log_probs, labels, blank), rel=1e-5)
    said = columns(path, labels, blank)
    assert collapse_slowly(said, blank) == tuple(labels)
    assert sum(log_probs[t, column] for t, column in enumerate(said)) == pytest.approx(path.score, abs=1e-5)


@pytest.mark.parametrize("seed", range(40))
def test_long_search_in_blocks_finds_the_same_path(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_tokens = int(rng.integers(2, 6))
    labels = rng.integers(1, n_tokens, rng.integers(1, 80))
    n_frames = minimum_frames(labels) + int(rng.integers(0, 200))
    log_probs = random_log_probs(rng, n_frames, n_tokens)
    whole = _search(log_probs, labels, 0, block=n_frames)
    for block in (1, 2, 7, 50, 64, 130):
        np.testing.assert_array_equal(_search(log_probs, labels, 0, block), whole)
    single = _search(log_probs.astype(np.float32), labels, 0, block=50)
    target = np.asarray(labels)
    assert score(log_probs, target, single, 0) == pytest.approx(score(log_probs, target, whole, 0), abs=1e-3)


def test_an_alignment_too_big_for_one_piece_is_exact_and_small(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    log_probs, labels = random_log_probs(rng, 3000, 9), rng.integers(1, 9, 900)
    whole = align(log_probs, labels)
    monkeypatch.setattr(viterbi, "_CELLS", 1000)
    tracemalloc.start()
    blocked = align(log_probs, labels, checked=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(blocked.frames, whole.frames)
    assert blocked.score == whole.score
    assert peak < 3000 * 900 * 2  # bytes; one piece keeps two float64 a cell


def test_spans_cover_every_label_once_in_order() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(1, 5, 40)
    starts, ends = align(random_log_probs(rng, 150, 5), labels).spans()
    assert len(starts) == len(ends) == 40
    assert (starts < ends).all()
    assert (ends[:-1] <= starts[1:]).all()


def test_greedy_text_takes_the_greedy_path() -> None:
    log_probs = random_log_probs(np.random.default_rng(2), 80, 6)
    labels = greedy(log_probs)
    path = align(log_probs, labels)
    assert path.score == pytest.approx(log_probs.max(axis=1).sum())
    np.testing.assert_array_equal(columns(path, labels, 0), log_probs.argmax(axis=1))


def test_zero_probabilities_are_walked_around() -> None:
    with np.errstate(divide="ignore"):
        log_probs = np.log([[0.0, 0.4, 0.6], [0.0, 0.9, 0.1], [1.0, 0.0, 0.0], [0.0, 0.2, 0.8]])
    path = align(log_probs, [1, 2])
    np.testing.assert_array_equal(path.frames, [0, 0, -1, 1])
    assert math.exp(path.score) == pytest.approx(0.4 * 0.9 * 1 * 0.8)
    with pytest.raises(CTCError, match="probability zero"):
        align(log_probs, [1, 1, 2])


def test_empty_target_is_all_blank() -> None:
    log_probs = random_log_probs(np.random.default_rng(0), 4, 3)
    path = align(log_probs, [], blank=2)
    np.testing.assert_array_equal(path.frames, [-1] * 4)
    assert path.score == pytest.approx(log_probs[:, 2].sum())
    assert align(np.zeros((0, 3)), []).score == 0
    assert all(len(side) == 0 for side in align(np.zeros((0, 3)), []).spans())


def test_unnormalised_scores_are_refused_unless_vouched_for() -> None:
    scores = np.random.default_rng(0).normal(size=(6, 3))
    with pytest.raises(CTCError, match="not 1"):
        align(scores, [1, 2])
    assert collapse(columns(align(scores, [1, 2], checked=True), [1, 2], 0)) == [1, 2]


@pytest.mark.parametrize("seed", range(20))
def test_collapse_merges_before_it_drops_blanks(seed: int) -> None:
    path = np.random.default_rng(seed).integers(0, 3, seed)
    assert collapse(path, blank=1) == list(collapse_slowly(path.tolist(), blank=1))
    assert collapse([1, 0, 1, 1, 0], blank=0) == [1, 1]
