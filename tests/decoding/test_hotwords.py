"""Hotwords: what a line of them means, what is refused, what they add, and what they change."""

from pathlib import Path

import numpy as np
import pytest
import toys
from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.alphabet import Alphabet
from transcribe_cli.decoding import DecodingOptions, build
from transcribe_cli.decoding.beam import BeamSearch
from transcribe_cli.decoding.hotwords import ROOT, Hotword, HotwordMatcher, fit, parse, read
from transcribe_cli.errors import HotwordError, InputNotFound, OptionError

OPEN = {"beam_width": 10**4, "beam_prune_logp": -1e9, "token_min_logp": -1e9, "nbest": 1000}
CAPITALS = Alphabet(("<blank>", " ", "A", "B"))
BOTH = Alphabet(("<blank>", " ", "a", "A"))


def worth(text: str, hotwords: list[Hotword]) -> float:
    """What a text earns, by the definition: at each word, the best of the hotwords that end there."""
    words = text.split()
    earned = 0.0
    for end in range(1, len(words) + 1):
        earned += max(
            (h.boost for h in hotwords if words[:end][-len(h.phrase.split()) :] == h.phrase.split()), default=0.0
        )
    return earned


def test_a_hotword_may_bring_its_own_boost() -> None:
    assert parse("new york:7.5", 10, "here") == Hotword("new york", 7.5)
    assert parse("  new   york ", 10, "here") == Hotword("new york", 10)
    assert parse("a:b:3", 10, "here") == Hotword("a:b", 3)


@pytest.mark.parametrize(
    "text", ["word:", "word:loud", ":5", "word:0", "word:-3", "word:nan", "word:inf", "word:1000", "  "]
)
def test_a_senseless_hotword_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(HotwordError, match="--hotword"):
        parse(text, 10, "--hotword")


def test_a_file_of_hotwords_has_comments_and_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"\xef\xbb\xbf# ours\r\n\r\nacme corporation:4\r\n  zola  \r\n# done\r\n")
    assert read(path, 9) == [Hotword("acme corporation", 4), Hotword("zola", 9)]


def test_a_file_that_is_missing_or_broken_is_named_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="no such file of hotwords"):
        read(tmp_path / "none.txt", 9)
    path = tmp_path / "words.txt"
    path.write_text("good\nbad:very\n")
    with pytest.raises(HotwordError, match=r"words\.txt:2: 'very'"):
        read(path, 9)
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(HotwordError, match="not UTF-8"):
        read(path, 9)
    with pytest.raises(HotwordError, match="cannot be read"):
        read(tmp_path, 9)


def test_case_is_folded_where_the_alphabet_has_one_case_only() -> None:
    assert fit([Hotword("Cat AB", 5)], toys.LETTERS) == [Hotword("cat ab", 5)]
    assert fit([Hotword("ab", 5)], CAPITALS) == [Hotword("AB", 5)]
    assert fit([Hotword("aA", 5)], BOTH) == [Hotword("aA", 5)]


def test_what_the_alphabet_cannot_spell_is_refused_with_the_reason() -> None:
    with pytest.raises(HotwordError, match=r"'c3t': it has no '3'; write it as it is spoken"):
        fit([Hotword("c3t", 5)], toys.LETTERS)
    with pytest.raises(HotwordError, match=r"it has no 'f', 'é'"):
        build(toys.LETTERS, None, DecodingOptions(hotword=("café",)))


def test_greedy_decoding_refuses_hotwords() -> None:
    with pytest.raises(OptionError, match="--decoder greedy cannot listen"):
        build(toys.LETTERS, None, DecodingOptions(decoder="greedy", hotword=("cat",)))


def test_the_last_of_two_equal_hotwords_counts() -> None:
    assert fit([Hotword("cat", 5), Hotword("CAT", 7)], toys.LETTERS) == [Hotword("cat", 7)]


def spelt(matcher: HotwordMatcher, word: str) -> tuple[int, list[float]]:
    """The state behind a word, and what was lent after each of its letters."""
    state, lent = ROOT, []
    for character in word:
        state = matcher.step(state, character)
        lent.append(matcher.loan[state])
    return state, lent


def test_the_loan_grows_with_the_letters_and_is_lost_on_the_way_elsewhere() -> None:
    matcher = HotwordMatcher([Hotword("cat", 6.0)])
    state, lent = spelt(matcher, "cat")
    assert lent == [2.0, 4.0, 6.0]
    assert matcher.complete[state] == 6.0
    assert matcher.loan[matcher.step(state, "s")] == 0.0


def test_a_hotword_inside_another_word_is_none() -> None:
    matcher = HotwordMatcher([Hotword("cat", 6.0)])
    state = ROOT
    for character in "scat":
        state = matcher.step(state, character)
    assert matcher.complete[state] == 0.0


texts = st.lists(st.text("ab", min_size=1, max_size=3), max_size=8).map(" ".join)
some_hotwords = st.dictionaries(
    st.lists(st.text("ab", min_size=1, max_size=2), min_size=1, max_size=3).map(" ".join),
    st.floats(0.5, 20),
    max_size=8,
).map(lambda found: [Hotword(*item) for item in found.items()])


@given(text=texts, hotwords=some_hotwords)
def test_the_automaton_earns_what_the_definition_says(text: str, hotwords: list[Hotword]) -> None:
    matcher = HotwordMatcher(hotwords)
    state, earned = ROOT, 0.0
    for character in text + " " * bool(text):
        if character == " ":
            earned += matcher.complete[state]
        state = matcher.step(state, character)
    assert earned == pytest.approx(worth(text, hotwords))


@given(seed=st.integers(0, 10**6), hotwords=some_hotwords)
def test_language_is_what_the_hotwords_of_the_text_are_worth(seed: int, hotwords: list[Hotword]) -> None:
    alphabet = Alphabet(("<blank>", " ", "a", "b"))
    log_probs = toys.random_rows(seed, 4, 4)
    expected = toys.every_text(log_probs, alphabet)
    found = BeamSearch(alphabet, None, DecodingOptions(**OPEN), hotwords=HotwordMatcher(hotwords)).decode(log_probs)
    assert {h.text for h in found} == set(expected)
    for h in found:
        assert h.language == pytest.approx(worth(h.text, hotwords))
        assert h.acoustic == pytest.approx(expected[h.text], abs=1e-9)


@given(seed=st.integers(0, 10**6), hotwords=some_hotwords, width=st.integers(2, 30))
def test_leaving_out_hopeless_children_early_changes_nothing(seed: int, hotwords: list[Hotword], width: int) -> None:
    # a search that makes every child and prunes afterwards must end the same
    alphabet = Alphabet(("<blank>", " ", "a", "b"))
    log_probs = toys.random_rows(seed, 12, 4)
    settings = {"beam_width": width, "beam_prune_logp": -6.0, "nbest": width}
    options, matcher = DecodingOptions(**settings), HotwordMatcher(hotwords)
    thorough = BeamSearch(alphabet, None, options, matcher)
    thorough._closing_gain = thorough._spelling_gain = lambda node, token: 1e9  # type: ignore[method-assign]
    assert BeamSearch(alphabet, None, options, matcher).decode(log_probs) == thorough.decode(log_probs)


def spoken() -> np.ndarray:
    return toys.rows(toys.LETTERS, {"b": 0.9, "c": 0.08}, {"a": 0.96}, {"t": 0.96})


def test_a_hotword_flips_the_answer_without_a_model() -> None:
    assert BeamSearch(toys.LETTERS, None).decode(spoken())[0].text == "bat"
    best = build(toys.LETTERS, None, DecodingOptions(hotword=("cat:5",))).decode(spoken())[0]
    assert (best.text, best.language) == ("cat", 5.0)


def test_a_hotword_flips_the_answer_with_a_model_that_does_not_know_it(tmp_path: Path) -> None:
    lm = toys.load(toys.CAT, tmp_path)
    log_probs = toys.rows(toys.LETTERS, {"t": 0.6, "c": 0.4}, {"a": 0.96}, {"b": 0.6, "t": 0.4})
    assert build(toys.LETTERS, lm).decode(log_probs)[0].text == "cat"
    options = DecodingOptions(hotword=("tab:8",), lm_weight=1.0, word_bonus=0.0)
    best = build(toys.LETTERS, lm, options).decode(log_probs)[0]
    assert best.text == "tab"
    # <unk> −2.0 with no further penalty: whoever lists a word knows it
    assert best.language == pytest.approx(8.0 + (-0.25 - 2.0 - 0.5) * np.log(10), abs=1e-5)


def test_a_phrase_counts_only_as_a_whole() -> None:
    log_probs = np.concatenate([spoken(), toys.rows(toys.LETTERS, {" ": 0.96}, {"a": 0.96})])
    assert build(toys.LETTERS, None, DecodingOptions(hotword=("cat a:5",))).decode(log_probs)[0].text == "cat a"
    other = build(toys.LETTERS, None, DecodingOptions(hotword=("cat b:5",))).decode(log_probs)[0]
    assert (other.text, other.language) == ("bat a", 0.0)


def test_hotwords_are_found_in_an_alphabet_of_whole_words() -> None:
    alphabet = Alphabet(("<blank>", "no", "yes", "maybe"), 0, None)
    log_probs = toys.rows(alphabet, {"no": 0.9}, {"yes": 0.5, "maybe": 0.4})
    best = build(alphabet, None, DecodingOptions(hotword=("No maybe:3",))).decode(log_probs)[0]
    assert (best.text, best.language) == ("no maybe", 3.0)


def test_no_more_is_lent_than_the_search_can_bear() -> None:
    matcher = HotwordMatcher([Hotword("cat", 6.0)], most_lent=3.0)
    state, lent = spelt(matcher, "cat")
    assert lent == [2.0, 3.0, 3.0]
    assert matcher.complete[state] == 6.0


@pytest.mark.parametrize(("phrase", "fitted"), [("O’Brien", "o'brien"), ("Café", "cafe")])
def test_hotwords_are_taken_as_they_are_commonly_written(phrase: str, fitted: str) -> None:
    alphabet = Alphabet(("<blank>", " ", "'", *"abcdefghijklmnopqrstuvwxyz"))
    assert [one.phrase for one in fit([Hotword(phrase, 5)], alphabet)] == [fitted]
    with pytest.raises(HotwordError, match="8"):
        fit([Hotword("é8", 5)], alphabet)
