import random

import pytest

from transcribe_cli.errors import InputError
from transcribe_cli.evaluate.compare import compare, matched_pairs
from transcribe_cli.evaluate.edits import Counts


def errors(*numbers):
    return {str(k): Counts(10 - n, n, 0, 0) for k, n in enumerate(numbers)}


def test_the_same_system_twice_is_no_different():
    found = compare(errors(1, 2, 0), errors(1, 2, 0))
    assert (found.z, found.p, found.difference, found.second_wins) == (0.0, 1.0, 0.0, 0.5)


def test_a_clear_difference_is_found_and_has_its_sign():
    draw = random.Random(0)
    first = [draw.randint(2, 6) for _ in range(60)]
    found = compare(errors(*first), errors(*(max(0, n - draw.randint(0, 3)) for n in first)))
    assert found.p < 0.001
    assert found.difference > 0
    assert found.difference_low < found.difference < found.difference_high
    assert found.second_wins > 0.99
    assert found.second_better > found.first_better
    swapped = compare(errors(*first), errors(*first[::-1]))
    assert swapped.difference == 0.0


def test_chance_is_called_significant_about_as_often_as_the_level_says():
    draw = random.Random(3)
    sets = 400
    hits = sum(matched_pairs([draw.randint(-3, 3) for _ in range(40)])[1] < 0.05 for _ in range(sets))
    assert 0.02 < hits / sets < 0.09


def test_the_test_equals_a_paired_t_test_for_many_utterances():
    stats = pytest.importorskip("scipy.stats")
    draw = random.Random(6)
    differences = [draw.choice([-2, -1, 0, 0, 1, 2]) for _ in range(800)]
    z, p = matched_pairs(differences)
    theirs = stats.ttest_1samp(differences, 0)
    assert z == pytest.approx(theirs.statistic)
    assert p == pytest.approx(theirs.pvalue, rel=0.1)


def test_one_utterance_proves_nothing():
    assert matched_pairs([3.0]) == (0.0, 1.0)


@pytest.mark.parametrize(("differences", "p"), [([1, 1], 0.5), ([1] * 6, 2 / 64), ([2, 1, -1, 0], 0.75)])
def test_of_few_utterances_every_choice_of_signs_is_counted(differences, p):
    assert matched_pairs(differences)[1] == pytest.approx(p)


def test_few_utterances_call_chance_significant_no_more_often_than_the_level_says():
    draw = random.Random(5)
    for n in (2, 3, 5, 10):
        hits = sum(matched_pairs([draw.randint(-3, 3) for _ in range(n)])[1] < 0.05 for _ in range(400))
        assert hits / 400 < 0.08


@pytest.mark.parametrize(
    ("first", "second", "complaint"),
    [
        ({"a": Counts(1)}, {"b": Counts(1)}, "one evaluation only"),
        ({"a": Counts(1)}, {"a": Counts(2)}, "reference words"),
        ({}, {}, "no utterances"),
    ],
)
def test_sets_that_differ_are_not_compared(first, second, complaint):
    with pytest.raises(InputError, match=complaint):
        compare(first, second)
