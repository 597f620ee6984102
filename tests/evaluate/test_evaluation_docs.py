import re
from pathlib import Path

import pytest

from transcribe_cli.audio.degrade import KINDS
from transcribe_cli.evaluate.normalise import NAMES
from transcribe_cli.evaluate.report import percent
from transcribe_cli.evaluate.score import Pair, score
from transcribe_cli.evaluate.texts import FORMATS

TEXT = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
README = (Path(__file__).parents[2] / "README.md").read_text()
POLICY = [
    [cell.strip(" `") for cell in line.strip("|").split("|")]
    for line in README.split("| sentence wrong |")[1].split("\n\n")[0].splitlines()[2:]
]


@pytest.mark.parametrize("row", POLICY, ids=lambda row: f"{row[0]!r} against {row[1]!r}")
def test_each_row_of_the_policy_for_empty_texts_holds(row):
    reference, hypothesis, substitutions, deletions, insertions, rate, wrong = row
    found = score([Pair("1", reference, hypothesis)], "basic")
    counts = [found.words.substitutions, found.words.deletions, found.words.insertions]
    assert counts == [int(substitutions), int(deletions), int(insertions)]
    assert percent(found.words.rate).replace(".0", "") == rate
    assert found.wrong_sentences == (wrong == "yes")


def test_the_policy_has_its_rows():
    assert len(POLICY) == 5


def test_every_normaliser_format_and_condition_is_described():
    rows = set(re.findall(r"^\| `([\w-]+)", TEXT, re.MULTILINE))
    assert {*NAMES, *FORMATS, *KINDS} <= rows
