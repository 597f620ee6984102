"""Stretches between pauses lose no speech, do not depend on how rows arrive, and leave silence out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.alphabet import Alphabet
from transcribe_cli.emission.pauses import PauseRule, Splitter

ALPHABET = Alphabet(("<blank>", " ", "a", "b"))


def rows_of(labels: list[int]) -> np.ndarray:
    """Log-probabilities whose best label is the given one; each row is unique, so that rows can be told apart."""
    rows = np.full((len(labels), 4), 0.1, np.float32)
    rows[np.arange(len(labels)), labels] = 0.7
    rows += np.arange(len(labels), dtype=np.float32)[:, None] * 1e-5
    return np.log(rows / rows.sum(1, keepdims=True))


def split(rows: np.ndarray, sizes: list[int], rule: PauseRule) -> list:
    splitter = Splitter(ALPHABET, 0.02, rule)
    out, at = [], 0
    for size in [*sizes, len(rows)]:
        out += splitter.push(rows[at : at + size])
        at += size
    return [*out, *splitter.flush()]


labels = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 2, 3]), st.integers(1, 30)), max_size=25).map(
    lambda runs: [label for label, count in runs for _ in range(count)]
)


@given(labels, st.lists(st.integers(0, 60), max_size=8))
def test_cut_anywhere_the_stretches_are_the_same(labels, sizes):
    rows, rule = rows_of(labels), PauseRule(10, 80)
    whole, parts = split(rows, [], rule), split(rows, sizes, rule)
    assert [e.start_seconds for e in whole] == [e.start_seconds for e in parts]
    assert all(np.array_equal(a.log_probs, b.log_probs) for a, b in zip(whole, parts, strict=True))


@given(labels)
def test_every_row_with_speech_is_in_exactly_one_stretch(labels):
    rows, rule = rows_of(labels), PauseRule(10, 80)
    covered = np.zeros(len(rows), int)
    for emissions in split(rows, [], rule):
        start = round(emissions.start_seconds / 0.02)
        assert np.array_equal(emissions.log_probs, rows[start : start + len(emissions.log_probs)])
        assert len(emissions.log_probs) <= rule.longest
        covered[start : start + len(emissions.log_probs)] += 1
    assert (covered <= 1).all()
    assert all(covered[i] == 1 for i, label in enumerate(labels) if label > 1)


def test_silence_gives_no_stretch():
    assert split(rows_of([0] * 500 + [1] * 100 + [0] * 300), [], PauseRule(10, 80)) == []


def test_a_pause_ends_a_stretch_and_leaves_half_of_itself_on_both_sides():
    first, second = split(rows_of([2] * 20 + [0] * 30 + [3] * 20), [], PauseRule(10, 80))
    assert len(first.log_probs) == 25
    assert round(second.start_seconds / 0.02) == 45


def test_times_start_where_the_reader_was_told_to_start():
    splitter = Splitter(ALPHABET, 0.02, PauseRule(10, 80), start_seconds=60.0)
    assert [*splitter.push(rows_of([2] * 5)), *splitter.flush()][0].start_seconds == 60.0
