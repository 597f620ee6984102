import random
import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transcribe_cli.evaluate import edits
from transcribe_cli.evaluate.edits import Counts, align, count, count_all, counts_of, total

SEQUENCES = st.lists(st.sampled_from("abc"), max_size=9)


def slow_best(a, b):
    """(errors, substitutions) of the best alignment by plain recursion over cells."""
    table = {(0, 0): (0, 0)}
    for i in range(len(a) + 1):
        for j in range(len(b) + 1):
            ways = []
            if i:
                e, s = table[i - 1, j]
                ways.append((e + 1, s))
            if j:
                e, s = table[i, j - 1]
                ways.append((e + 1, s))
            if i and j:
                e, s = table[i - 1, j - 1]
                wrong = a[i - 1] != b[j - 1]
                ways.append((e + wrong, s + wrong))
            if ways:
                table[i, j] = min(ways)
    return table[len(a), len(b)]


@settings(max_examples=100, deadline=None)
@given(SEQUENCES, SEQUENCES)
def test_errors_are_least_and_hits_most(a, b):
    counts = count(a, b)
    assert (counts.errors, counts.substitutions) == slow_best(a, b)
    assert (counts.reference, counts.hypothesis) == (len(a), len(b))


@settings(max_examples=80, deadline=None)
@given(SEQUENCES, SEQUENCES)
def test_an_alignment_spells_both_sides_and_has_the_same_counts(a, b):
    columns = align(a, b)
    assert [column.reference for column in columns if column.reference is not None] == a
    assert [column.hypothesis for column in columns if column.hypothesis is not None] == b
    assert counts_of(columns) == count(a, b)


@settings(max_examples=50, deadline=None)
@given(SEQUENCES, SEQUENCES)
def test_halving_for_little_memory_changes_no_count(a, b):
    before, edits.MOST_CELLS = edits.MOST_CELLS, 4
    try:
        columns = align(a, b)
    finally:
        edits.MOST_CELLS = before
    assert counts_of(columns) == count(a, b)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(SEQUENCES, SEQUENCES), max_size=30))
def test_counting_many_at_once_equals_one_by_one(pairs):
    assert count_all(pairs) == [count(a, b) for a, b in pairs]


def test_errors_equal_jiwers():
    jiwer = pytest.importorskip("jiwer")
    draw = random.Random(1)
    references = [" ".join(draw.choices("abcdefg", k=draw.randint(1, 15))) for _ in range(200)]
    hypotheses = [" ".join(draw.choices("abcdefg", k=draw.randint(0, 15))) for _ in range(200)]
    theirs = jiwer.process_words(references, hypotheses)
    ours = total(count_all([(a.split(), b.split()) for a, b in zip(references, hypotheses, strict=True)]))
    assert ours.errors == theirs.substitutions + theirs.deletions + theirs.insertions
    assert ours.rate == pytest.approx(theirs.wer)
    signs = total(count_all(list(zip(references, hypotheses, strict=True))))
    assert signs.rate == pytest.approx(jiwer.cer(references, hypotheses))


def test_counts_of_a_known_case():
    a, b = ["the", "cat", "sat", "on", "the", "mat"], ["a", "the", "cat", "sit", "on", "mat"]
    assert count(a, b) == Counts(hits=4, substitutions=1, deletions=1, insertions=1)
    assert count(a, b).rate == pytest.approx(3 / 6)
    assert [column.kind for column in align(a, b)] == [
        "insertion", "hit", "hit", "substitution", "hit", "deletion", "hit",
    ]  # fmt: skip


def test_the_rate_of_nothing_is_zero_and_of_something_said_into_nothing_infinite():
    assert count([], []).rate == 0.0
    assert count([], ["a"]).rate == float("inf")
    assert count(["a"], ["b", "c", "d"]).rate == 3.0


def test_counts_are_added():
    assert Counts(1, 2, 3, 4) + Counts(4, 3, 2, 1) == Counts(5, 5, 5, 5)
    assert total([]) == Counts()


def test_of_equal_alignments_the_one_that_pairs_like_words_is_taken():
    reference, hypothesis = "dinah's haste to go away and drew", "dines has to go way drew"
    paired = {column.reference: column.hypothesis for column in align(reference.split(), hypothesis.split())}
    assert paired["away"] == "way"
    assert paired["and"] is None
    columns = align(["fine", "weather", "today"], ["fine", "whether", "to", "day"])
    assert [(c.reference, c.hypothesis) for c in columns][1] == ("weather", "whether")


def test_counts_equal_sclites_for_text_like_speech(tmp_path):
    # few words in many places let sclite's weights pay for one more error; a speaker's vocabulary does not
    sclite = shutil.which("sctk") or shutil.which("sclite")
    if sclite is None:
        pytest.skip("sclite is not installed")
    draw = random.Random(2)
    words = [f"w{k}" for k in range(300)]
    references = [draw.choices(words, k=draw.randint(1, 20)) for _ in range(60)]
    hypotheses = []
    for own in references:
        heard = [draw.choice(words) if draw.random() < 0.2 else word for word in own if draw.random() > 0.1]
        hypotheses.append(heard + draw.choices(words, k=draw.randint(0, 1)))
    for name, texts in (("ref", references), ("hyp", hypotheses)):
        lines = (f"{' '.join(text)} (u-{k})\n" for k, text in enumerate(texts))
        (tmp_path / f"{name}.trn").write_text("".join(lines))
    command = [sclite, *(["sclite"] if sclite.endswith("sctk") else []), "-i", "spu_id"]
    command += ["-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", "-o", "rsum", "stdout"]
    out = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    row = re.search(r"Sum\s*\|\s*\d+\s+\d+\s*\|" + r"\s*(\d+)" * 5, out)
    assert row, out
    ours = total(count_all(list(zip(references, hypotheses, strict=True))))
    theirs = [int(number) for number in row.groups()]
    assert [ours.hits, ours.substitutions, ours.deletions, ours.insertions, ours.errors] == theirs
