"""Epochs and batches."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from transcribe_cli.training import batches
from transcribe_cli.training.cache import Entry


def entry(name: str, seconds: float) -> Entry:
    return Entry(Path(name), 0, int(seconds * 50), "a", seconds, "", "", name, "clean")


@given(st.lists(st.floats(0.2, 20), min_size=1, max_size=60), st.floats(1, 60), st.booleans())
def test_every_utterance_is_in_one_batch_and_no_batch_is_too_long(lengths, limit, shuffled):
    groups = batches.pack(lengths, limit, np.random.default_rng(1) if shuffled else None)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or max(lengths[i] for i in group) * len(group) <= limit + 1e-9


def test_batches_for_measuring_go_from_short_to_long():
    groups = batches.pack([5.0, 1.0, 3.0, 2.0], 6.0)
    assert groups == [[1, 3], [2], [0]]


def test_without_hours_an_epoch_is_everything_once():
    sets = [[entry("a", 1.0), entry("b", 2.0)], [entry("c", 3.0)]]
    chosen = batches.draw(sets, [0, 0], 0.0, {}, np.random.default_rng(0))
    assert [one.id for one in chosen] == ["a", "b", "c"]


def test_shares_decide_the_hours_of_each_set():
    sets = [[entry(f"a{i}", 36.0) for i in range(50)], [entry(f"b{i}", 36.0) for i in range(400)]]
    chosen = batches.draw(sets, [0.75, 0.25], 2.0, {}, np.random.default_rng(0))
    hours = Counter()
    for one in chosen:
        hours[one.id[0]] += one.seconds / 3600
    assert hours["a"] == pytest.approx(1.5, abs=0.02)  # thrice each: the set holds half an hour
    assert hours["b"] == pytest.approx(0.5, abs=0.02)
    assert max(Counter(one.id for one in chosen).values()) == 3


def test_what_was_seen_less_comes_first():
    some = [entry(f"u{i}", 36.0) for i in range(10)]
    seen = {one.key: 1 for one in some[:7]}
    chosen = batches.draw([some], [0], 0.03, seen, np.random.default_rng(0))
    assert {one.id for one in chosen} == {"u7", "u8", "u9"}


def test_an_empty_set_takes_no_hours():
    chosen = batches.draw([[], [entry("a", 36.0)]], [0.5, 0.5], 0.02, {}, np.random.default_rng(0))
    assert [one.id for one in chosen] == ["a", "a"]
