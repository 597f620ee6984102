"""What the options build, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest
import toys

from transcribe_cli import decoding
from transcribe_cli.alphabet import Alphabet
from transcribe_cli.decoding import DecodingOptions, build
from transcribe_cli.decoding.beam import BeamSearch
from transcribe_cli.decoding.fast import FastSearch
from transcribe_cli.decoding.greedy import Greedy
from transcribe_cli.decoding.hypothesis import softened
from transcribe_cli.errors import LanguageModelError, MissingExtra, OptionError

WORDS = Alphabet(("<blank>", "no", "yes"), 0, None)


def test_the_cpp_engine_is_taken_where_it_is_installed_and_able(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ctc_beam_decoder")
    lm = toys.load(toys.CAT, tmp_path)
    assert isinstance(build(toys.LETTERS, lm), FastSearch)
    assert isinstance(build(toys.LETTERS, lm, DecodingOptions(decoder="python")), BeamSearch)
    assert isinstance(build(toys.LETTERS, lm, DecodingOptions(decoder="greedy")), Greedy)
    assert isinstance(build(toys.LETTERS, lm, DecodingOptions(hotword=("cat",))), BeamSearch)
    assert isinstance(build(WORDS, None), BeamSearch)
    monkeypatch.setattr(decoding, "installed", lambda: False)
    assert isinstance(build(toys.LETTERS, lm), BeamSearch)


def test_the_cpp_engine_asked_for_by_name_is_an_error_where_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="take --decoder beam"):
        build(WORDS, None, DecodingOptions(decoder="fast"))
    monkeypatch.setitem(__import__("sys").modules, "ctc_beam_decoder", None)
    with pytest.raises(MissingExtra, match=r"transcribe-cli\[fast\]"):
        build(toys.LETTERS, None, DecodingOptions(decoder="fast"))
    assert isinstance(build(toys.LETTERS, None), BeamSearch)


@pytest.mark.parametrize("decoder", ["python", "fast"])
def test_either_engine_ends_a_text_after_its_last_word(decoder: str, tmp_path: Path) -> None:
    if decoder == "fast":
        pytest.importorskip("ctc_beam_decoder")
    lm = toys.load(toys.CAT, tmp_path)
    word = ({"c": 0.99}, {"a": 0.99}, {"t": 0.99})
    log_probs = toys.rows(toys.LETTERS, *word, {" ": 0.999999}, {"": 0.9999})
    best = build(toys.LETTERS, lm, DecodingOptions(decoder=decoder)).decode(log_probs)[0]
    assert best.text == "cat"
    assert best.language == pytest.approx(0.5 * lm.score("cat") + 1.5, abs=1e-4)


@pytest.mark.parametrize("decoder", ["python", "beam"])
def test_weights_come_from_the_options_or_else_are_the_usual_ones(decoder: str, tmp_path: Path) -> None:
    lm = toys.load(toys.CAT, tmp_path)
    log_probs = toys.rows(toys.LETTERS, {"c": 0.99}, {"a": 0.99}, {"t": 0.99})
    for options, weight, bonus in (({}, 0.5, 1.5), ({"lm_weight": 0.0, "word_bonus": 3.0}, 0.0, 3.0)):
        best = build(toys.LETTERS, lm, DecodingOptions(decoder=decoder, **options)).decode(log_probs)[0]
        assert best.language == pytest.approx(weight * lm.score("cat") + bonus, abs=1e-4)


@pytest.mark.parametrize("decoder", ["python", "beam"])
def test_a_temperature_evens_the_rows_out_before_the_search(decoder: str, tmp_path: Path) -> None:
    lm = toys.load(toys.CAT, tmp_path)
    log_probs = toys.random_rows(4, 9, len(toys.LETTERS))
    even = log_probs / 2.5
    even -= np.log(np.exp(even).sum(axis=1, keepdims=True))
    found = build(toys.LETTERS, lm, DecodingOptions(decoder=decoder, temperature=2.5)).decode(log_probs)[0]
    wanted = build(toys.LETTERS, lm, DecodingOptions(decoder=decoder)).decode(even.astype(np.float32))[0]
    assert (found.text, found.total) == (wanted.text, pytest.approx(wanted.total, abs=1e-4))


def test_a_network_too_sure_of_itself_gives_way_to_the_language_model_at_a_higher_temperature(tmp_path: Path) -> None:
    lm = toys.load(toys.CAT, tmp_path)
    sure = 0.999999
    rows = toys.rows(toys.LETTERS, {"c": sure}, {"a": sure}, {"b": 0.9995, "t": 0.0004})
    texts = []
    for temperature in (1, 4):
        options = DecodingOptions(temperature=temperature, unknown_penalty=1.0, token_min_logp=-9.0)
        texts.append(build(toys.LETTERS, lm, options).decode(rows)[0].text)
    assert texts == ["cab", "cat"]


def test_rows_without_hope_stay_so_at_any_temperature() -> None:
    rows = np.array([[0.0, -np.inf], [-np.inf, 0.0]], np.float32)
    assert (softened(rows, 3.0) == rows).all()
    assert softened(rows[:0], 3.0).shape == (0, 2)


def test_as_many_alternatives_as_asked_for_come_best_first(tmp_path: Path) -> None:
    lm = toys.load(toys.CAT, tmp_path)
    log_probs = toys.random_rows(3, 12, len(toys.LETTERS))
    for decoder in ("python", "beam"):
        found = build(toys.LETTERS, lm, DecodingOptions(nbest=5, decoder=decoder)).decode(log_probs)
        assert 1 < len(found) <= 5
        assert len({h.text for h in found}) == len(found)
        assert [h.total for h in found] == sorted((h.total for h in found), reverse=True)
        assert all(h.total == pytest.approx(h.acoustic + h.language) for h in found)


def test_a_model_of_the_wrong_case_is_refused(tmp_path: Path) -> None:
    lm = toys.load(toys.CAT.replace("cat", "CAT").replace("bat", "BAT").replace("ab", "AB"), tmp_path)
    with pytest.raises(LanguageModelError, match="lower-case text"):
        build(toys.LETTERS, lm)


def test_hotwords_come_from_the_file_and_from_the_options(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("cat:2\nab\n")
    options = DecodingOptions(hotwords_file=str(path), hotword=("cat:5",), hotword_boost=3.0)
    log_probs = toys.rows(toys.LETTERS, {"c": 0.99}, {"a": 0.99}, {"t": 0.99}, {" ": 0.99}, {"a": 0.99}, {"b": 0.99})
    best = build(toys.LETTERS, None, options).decode(log_probs)[0]
    # what is typed beats what lies in the file
    assert (best.text, best.language) == ("cat ab", 8.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"decoder": "magic"}, {"beam_width": 0}, {"token_min_logp": 0.5}, {"beam_prune_logp": 1}, {"lm_weight": -1},
        {"word_bonus": 99}, {"unknown_penalty": -1}, {"nbest": 0}, {"hotword_boost": 0}, {"lm_weight": float("nan")},
    ],
    ids=str,
)  # fmt: skip
def test_an_option_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="--" + next(iter(wrong)).replace("_", "-")):
        DecodingOptions(**wrong)  # type: ignore[arg-type]
