"""Numbers in figures: which words become one, how it is written, what becomes of times and signs, and who may ask."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("text_to_num")
pytest.importorskip("onnx")

import numpy as np
import toy_model

from transcribe_cli import Transcriber
from transcribe_cli.cli import run
from transcribe_cli.errors import MissingExtra, OptionError
from transcribe_cli.figures import Figures, in_figures
from transcribe_cli.transcript import Segment, Word

ENGLISH = Figures("en")


def words(text, pause=0.1):
    """Words of 0.3 s; behind a | is a pause of a second."""
    found, at = [], 0.0
    for word in text.split():
        if word == "|":
            at += 1.0
            continue
        found.append(Word(word, round(at, 3), round(at + 0.3, 3), 0.5 + 0.001 * len(found)))
        at += 0.3 + pause
    return found


def written(text, figures=ENGLISH):
    return " ".join(word.text for word in figures.write(words(text)))


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("twenty five people", "25 people"),
        ("Twenty five people, or thirty.", "25 people, or 30."),
        ("two hundred and five", "205"),
        ("chapter twenty one verse two", "chapter 21 verse two"),
        ("one of the two or three", "one of the two or three"),
        ("three point one four", "3.14"),
        ("the twenty first century", "the 21st century"),
        ("the second time", "the second time"),
        ("in nineteen eighty four", "in 1984"),
        ("nineteen oh five", "1905"),
        ("twenty twenty six, then twenty ten", "2026, then 2010"),
        ("the nineteen eighties", "the 1980s"),
        ("twelve thirty", "12 30"),  # a time of day
        ("nineteen, eighty four", "19, 84"),
        ("nineteen | eighty four", "19 84"),
        ("two thousand and five", "2005"),
        ("a hundred men and hundreds of others", "a hundred men and hundreds of others"),
        ("a hundred thousand men, half a million", "a hundred thousand men, half a million"),
        ("one hundred men", "100 men"),
        ("a million, and one point five million", "a million, and 1.5 million"),
        ("four hundred forty nine thousand", "449,000"),
        ("call five five five one two one two", "call 5551212"),
        ("Five five five, one two | one two.", "5551212."),
        ("five five five. one two one", "555. 121"),
        ("one, two, three", "one, two, three"),
        ("room one oh one", "room 101"),
        ("one two three hundred", "one two 300"),
        ("twenty one two three", "21 two three"),
        ("oh no", "oh no"),
        ("twenty ones", "twenty ones"),
        ("", ""),
    ],
)
def test_how_numbers_are_written(heard, expected):
    assert written(heard) == expected


def test_another_language_has_its_own_words():
    assert written("nous sommes vingt cinq", Figures("fr")) == "nous sommes 25"


def test_a_number_lasts_from_its_first_word_to_its_last():
    before = words("about twenty five people")
    about, number, people = ENGLISH.write(before)
    assert (about, people) == (before[0], before[3])
    assert (number.start_seconds, number.end_seconds) == (before[1].start_seconds, before[2].end_seconds)
    assert number.confidence == before[1].confidence


def test_numbers_end_where_segments_do():
    segments = [Segment(0, 1, tuple(words("twenty")), 1), Segment(2, 3, tuple(words("five")), 1)]
    found = list(in_figures(segments, ENGLISH))
    assert [one.text for one in found] == ["20", "five"]
    assert [(one.start_seconds, one.end_seconds, one.channel) for one in found] == [(0, 1, 1), (2, 3, 1)]


SAID = (
    "zero one oh o two nine ten twelve nineteen twenty eighties hundred thousand point and the million first a | six, "
    "thirty. Nineteen hundreds"
)


@given(st.lists(st.sampled_from(SAID.split()), max_size=12))
def test_nothing_else_is_touched(said):
    before = words(" ".join(said))
    after = ENGLISH.write(before)
    starts = [word.start_seconds for word in after]
    assert starts == sorted(set(starts))
    assert [word for word in after if not word.text[:1].isdigit()] == [word for word in before if word in after]
    assert sum(word.end_seconds - word.start_seconds for word in after) >= sum(0.3 for _ in after) - 1e-6
    for some in zip(before[:1], after[:1], strict=True):
        assert some[0].start_seconds == some[1].start_seconds
    for some in zip(before[-1:], after[-1:], strict=True):
        assert some[0].end_seconds == some[1].end_seconds


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSCRIBE_MODELS", str(tmp_path / "models"))
    toy_model.write_bundle(tmp_path / "models" / "toy", language="en")
    toy_model.speak(tmp_path / "talk.wav", "bad cab")
    return tmp_path


def test_it_is_asked_for_by_flag_and_by_library(home, capsys, monkeypatch):
    calls = []
    monkeypatch.setattr(Figures, "write", lambda self, some: calls.append(some) or [Word("25", 0, 1, 1.0)])
    assert run(["talk.wav", "-m", "toy"]) == 0
    assert run(["talk.wav", "-m", "toy", "--figures"]) == 0
    assert capsys.readouterr().out == "bad cab\n25\n"
    with Transcriber("toy", figures=True) as transcriber:
        assert transcriber.transcribe(np.zeros(16000, np.float32), 16000).text == ""
        assert transcriber.transcribe("talk.wav").text == "25"
    assert [[word.text for word in some] for some in calls] == [["bad", "cab"]] * 2


def test_results_with_words_are_made_anew(home):
    call = ["talk.wav", "-m", "toy", "--output-dir", "out", "-f", "json"]
    assert run(call) == 0
    before = (home / "out" / "talk.json").stat().st_mtime_ns
    assert run(call) == 0
    assert (home / "out" / "talk.json").stat().st_mtime_ns == before
    assert run([*call, "--figures"]) == 0
    assert (home / "out" / "talk.json").stat().st_mtime_ns != before


def test_what_is_missing_is_told_before_anything_starts(home, capsys, monkeypatch):
    toy_model.write_bundle(home / "models" / "other", language="xx")
    assert run(["talk.wav", "-m", "other", "--figures"]) == 2
    assert capsys.readouterr() == ("", "transcribe: --figures: there are no rules for numbers in 'xx'\n")
    with pytest.raises(OptionError):
        Figures("xx")
    monkeypatch.setitem(sys.modules, "text_to_num", None)
    assert run(["talk.wav", "-m", "toy", "--figures"]) == 2
    assert capsys.readouterr().err == "transcribe: --figures needs text2num: pip install 'transcribe-cli[figures]'\n"
    with pytest.raises(MissingExtra):
        Figures("en")
