"""Spelling by ear: letters that the sounds contradict, without a language model; answers known by hand."""

from pathlib import Path

import numpy as np
import pytest
import toys
from hypothesis import given
from hypothesis import strategies as st
from test_sounds import ENTRIES, LETTERS, NAMES, SOUNDS, SOUNDS_AS_WORDS, beside, heard, spelt, sung

from transcribe_cli.ctc.lattice import why_impossible
from transcribe_cli.decoding import DecodingOptions, Respelling, Sounding, build
from transcribe_cli.decoding.lexicon import Lexicon
from transcribe_cli.decoding.respelling import _WORD, _read_otherwise


@pytest.fixture(scope="module")
def sounding(tmp_path_factory: pytest.TempPathFactory) -> Sounding:
    path: Path = tmp_path_factory.mktemp("lexicon") / "lexicon.gz"
    Lexicon.of([*ENTRIES, ("abba", heard("AE B"))], NAMES).save(path)  # a word of more letters than sounds
    return Sounding(SOUNDS, str(path))


def greedy(sounding: Sounding, rows: np.ndarray) -> str:
    found = build(LETTERS, None, DecodingOptions(decoder="greedy"), sounding).decode(rows)
    assert len(found) == 1
    return found[0].text


def test_what_no_lexicon_has_is_written_as_what_was_heard(sounding) -> None:
    assert greedy(sounding, beside(spelt("b", "a", "a"), sung("B", "AE", "T"))) == "bat"


def test_of_words_that_sound_alike_the_one_that_is_spelt_most_like_it(sounding) -> None:
    assert greedy(sounding, beside(spelt("k", "t", "t"), sung("K", "AE", "T"))) == "kat"
    assert greedy(sounding, beside(spelt("c", "t", "t"), sung("K", "AE", "T"))) == "cat"


def test_what_is_heard_as_it_is_written_stands(sounding) -> None:
    assert greedy(sounding, beside(spelt("c", "a", "t", sure=0.4), sung("K", "AE", "T"))) == "cat"


def test_a_name_stays(sounding) -> None:
    assert greedy(sounding, beside(spelt("t", "a", "b", sure=0.99999), sung("T", "AE", "B"))) == "tab"


def test_a_boundary_that_was_not_written_is_heard(sounding) -> None:
    rows = beside(spelt("a", "a", "c", "a", "t"), sung("AE", "|", "K", "AE", "T"))
    assert greedy(sounding, rows) == "a cat"


def test_a_word_that_both_misread_is_found_beside_their_best_paths(sounding) -> None:
    letters = toys.rows(LETTERS, {"b": 0.9}, {"a": 0.9}, {"c": 0.5, "t": 0.4})
    sounds = toys.rows(SOUNDS, {"B": 0.9}, {"AE": 0.9}, {"K": 0.5, "T": 0.4})
    assert greedy(sounding, beside(letters, sounds)) == "bat"


def test_sounds_without_letters_are_no_words(sounding) -> None:
    assert greedy(sounding, beside(spelt("<blank>", "<blank>", "<blank>"), sung("K", "AE", "T"))) == ""
    assert greedy(sounding, np.zeros((0, len(LETTERS) + len(SOUNDS)), np.float32)) == ""


def test_a_hotword_is_not_doubted(sounding) -> None:
    rows = beside(spelt("t", "a", "b"), sung("B", "AE", "T"))
    assert build(LETTERS, None, DecodingOptions(), sounding).decode(rows)[0].text == "bat"
    assert build(LETTERS, None, DecodingOptions(hotword=("tab",)), sounding).decode(rows)[0].text == "tab"


def test_a_text_is_ranked_by_both(sounding) -> None:
    letters, sounds = spelt("c", "a", "t"), sung("K", "AE", "T")
    made = build(LETTERS, None, DecodingOptions(decoder="greedy"), sounding)
    assert isinstance(made, Respelling)
    expected = (toys.every_text(letters, LETTERS)["cat"] + toys.every_text(sounds, SOUNDS_AS_WORDS)["K AE T"]) / 2
    assert made.total(beside(letters, sounds), "cat") == pytest.approx(expected - _WORD, abs=1e-6)
    assert made.total(beside(letters, sounds), "cat cat cat") == -np.inf
    assert made.total(beside(letters, sounds), "tac") < made.total(beside(letters, sounds), "cat")


@given(seed=st.integers(0, 10**6), n_rows=st.integers(1, 7), by_search=st.booleans())
def test_what_is_written_always_fits_the_rows(seed, n_rows, by_search, sounding, lm) -> None:
    rows = beside(toys.random_rows(seed, n_rows, len(LETTERS)), toys.random_rows(seed + 1, n_rows, len(SOUNDS)))
    options = DecodingOptions(lm_weight=0.6, word_bonus=0.5) if by_search else DecodingOptions(decoder="greedy")
    text = build(LETTERS, lm if by_search else None, options, sounding).decode(rows)[0].text
    assert why_impossible(n_rows, LETTERS.encode(text)) is None


def test_readings_otherwise_come_by_their_cost() -> None:
    rows = toys.rows(LETTERS, {"a": 0.6, "b": 0.3}, {"c": 0.9, "t": 0.05})
    found = _read_otherwise(rows, LETTERS, LETTERS.tokens)
    assert found[:2] == [("ac",), ("bc",)]
    assert len(found) == len(set(found))


def test_a_word_spelt_anew_is_not_there_twice(sounding) -> None:
    rows = beside(toys.rows(LETTERS, {"b": 0.9}, {"a": 0.9}, {"a": 0.5, "t": 0.4}), sung("B", "AE", "T"))
    found = build(LETTERS, None, DecodingOptions(nbest=5), sounding).decode(rows)
    texts = [one.text for one in found]
    assert texts[0] == "bat"
    assert len(texts) == len(set(texts))
