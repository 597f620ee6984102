"""The beam search against enumeration of all paths, and against models whose answer is known by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import toys
from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.alphabet import Alphabet
from transcribe_cli.decoding.beam import BeamSearch
from transcribe_cli.decoding.greedy import Greedy
from transcribe_cli.decoding.options import DecodingOptions
from transcribe_cli.lm.model import LOG_10, LanguageModel

OPEN = {"beam_width": 10**4, "beam_prune_logp": -1e9, "token_min_logp": -1e9, "nbest": 1000}
SPACED = Alphabet(("<blank>", " ", "a"), 0, " ")
LAST_BLANK = Alphabet(("a", "b", "|", "<blank>"), 3, "|")
WORDS = Alphabet(("<blank>", "no", "yes", "maybe"), 0, None)
PIECES = Alphabet(("<blank>", "▁a", "▁", "b"), 0, "▁")


@pytest.mark.parametrize("alphabet", [SPACED, LAST_BLANK, WORDS, PIECES], ids=["spaced", "last", "words", "pieces"])
@given(seed=st.integers(0, 10**6), n_frames=st.integers(1, 5))
def test_an_unlimited_beam_finds_every_text_with_the_sum_of_its_paths(
    alphabet: Alphabet, seed: int, n_frames: int
) -> None:
    log_probs = toys.random_rows(seed, n_frames, len(alphabet))
    expected = toys.every_text(log_probs, alphabet)
    found = BeamSearch(alphabet, None, DecodingOptions(**OPEN)).decode(log_probs)
    assert {h.text for h in found} == set(expected)
    for h in found:
        assert h.acoustic == pytest.approx(expected[h.text], abs=1e-9)
        assert (h.language, h.total) == (0.0, h.acoustic)
    assert found[0].acoustic == pytest.approx(max(expected.values()))
    assert [h.total for h in found] == sorted((h.total for h in found), reverse=True)


@given(seed=st.integers(0, 10**6))
def test_total_is_acoustic_plus_the_language_score_worked_out_from_the_text(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lm = toys.load(toys.CAT, tmp_path_factory.mktemp("lm"))
    alphabet = Alphabet(("<blank>", " ", "a", "b"))
    log_probs = toys.random_rows(seed, 4, 4)
    acoustic = toys.every_text(log_probs, alphabet)
    found = BeamSearch(
        alphabet, lm, DecodingOptions(lm_weight=0.7, word_bonus=0.9, unknown_penalty=3.0, **OPEN)
    ).decode(log_probs)
    assert {h.text for h in found} == set(acoustic)
    for h in found:
        words = h.text.split()
        unknown = sum(word not in lm.words for word in words)
        log10 = lm.kenlm.score(h.text, bos=True, eos=True) - 3.0 * unknown
        assert h.acoustic == pytest.approx(acoustic[h.text], abs=1e-9)
        assert h.language == pytest.approx(0.7 * LOG_10 * log10 + 0.9 * len(words), abs=1e-6)
        assert h.total == h.acoustic + h.language


def test_a_narrow_beam_scores_no_text_above_the_sum_of_its_paths() -> None:
    alphabet = Alphabet(("<blank>", " ", "a", "b"))
    for seed in range(8):
        log_probs = toys.random_rows(seed, 5, 4)
        expected = toys.every_text(log_probs, alphabet)
        for h in BeamSearch(alphabet, None, DecodingOptions(beam_width=3, nbest=3)).decode(log_probs):
            assert h.acoustic <= expected[h.text] + 1e-9


def test_a_repeated_letter_needs_a_blank_between() -> None:
    held = toys.rows(toys.LETTERS, {"a": 0.9}, {"a": 0.9})
    again = toys.rows(toys.LETTERS, {"a": 0.9}, {"": 0.9}, {"a": 0.9})
    search = BeamSearch(toys.LETTERS, None)
    assert search.decode(held)[0].text == "a"
    assert search.decode(again)[0].text == "aa"


def test_many_weak_paths_beat_the_one_best_path() -> None:
    # blank blank is the likeliest path (0.36), yet "a" gathers 0.64
    log_probs = toys.rows(SPACED, {"": 0.6, "a": 0.4}, {"": 0.6, "a": 0.4})
    assert Greedy(SPACED).decode(log_probs)[0].text == ""
    assert BeamSearch(SPACED, None).decode(log_probs)[0].text == "a"


def spoken(first: str, second: str) -> np.ndarray:
    """ "first" a little likelier than "second", then "at"."""
    return toys.rows(toys.LETTERS, {first: 0.52, second: 0.44}, {"a": 0.96}, {"t": 0.96})


def test_the_model_and_only_the_model_flips_the_answer(tmp_path: Path) -> None:
    lm = toys.load(toys.CAT, tmp_path)
    log_probs = spoken("b", "c")
    assert Greedy(toys.LETTERS).decode(log_probs)[0].text == "bat"
    assert BeamSearch(toys.LETTERS, None).decode(log_probs)[0].text == "bat"
    assert BeamSearch(toys.LETTERS, lm, DecodingOptions(lm_weight=0.0)).decode(log_probs)[0].text == "bat"
    assert BeamSearch(toys.LETTERS, lm, DecodingOptions(lm_weight=0.5)).decode(log_probs)[0].text == "cat"
    other = toys.load(toys.CAT.replace("-1.0\tcat", "-3.0\tcat"), tmp_path, "other.arpa")
    assert BeamSearch(toys.LETTERS, other, DecodingOptions(lm_weight=0.5)).decode(log_probs)[0].text == "bat"


def test_the_word_before_flips_the_answer_through_a_bigram(tmp_path: Path) -> None:
    lm = toys.load(toys.CAT, tmp_path)
    log_probs = np.concatenate([toys.rows(toys.LETTERS, {"a": 0.96}, {" ": 0.96}), spoken("c", "b")])
    assert BeamSearch(toys.LETTERS, None).decode(log_probs)[0].text == "a cat"
    assert BeamSearch(toys.LETTERS, lm).decode(log_probs)[0].text == "a bat"


def test_words_before_the_recording_count_as_context(tmp_path: Path) -> None:
    lm = toys.load(toys.CAT, tmp_path)
    search = BeamSearch(toys.LETTERS, lm)
    log_probs = spoken("c", "b")
    assert search.decode(log_probs)[0].text == "cat"
    assert search.decode(log_probs, context="a")[0].text == "bat"


def test_back_off_chains_and_sentence_ends_are_added_up_as_by_hand(tmp_path: Path) -> None:
    lm = toys.load(toys.CAT, tmp_path)
    log_probs = toys.rows(toys.LETTERS, {"c": 0.99}, {"a": 0.99}, {"t": 0.99})
    # <s> has no bigram with cat: back-off −0.25, cat −1.0; cat </s> is listed: −0.5
    best = BeamSearch(toys.LETTERS, lm, DecodingOptions(lm_weight=1.0, word_bonus=0.0)).decode(log_probs)[0]
    assert best.language == pytest.approx((-0.25 - 1.0 - 0.5) * LOG_10, abs=1e-6)
    # ab has no bigram at all: −0.25 −1.5, then back-off −0.75 and </s> −0.5
    log_probs = toys.rows(toys.LETTERS, {"a": 0.99}, {"b": 0.99})
    best = BeamSearch(toys.LETTERS, lm, DecodingOptions(lm_weight=1.0, word_bonus=0.0)).decode(log_probs)[0]
    assert best.language == pytest.approx((-0.25 - 1.5 - 0.75 - 0.5) * LOG_10, abs=1e-6)


def test_an_unknown_word_pays_and_can_still_win(tmp_path: Path) -> None:
    lm = toys.load(toys.CAT, tmp_path)
    log_probs = toys.rows(toys.LETTERS, {"t": 0.995}, {"a": 0.995}, {"b": 0.995})
    best = BeamSearch(toys.LETTERS, lm, DecodingOptions(lm_weight=1.0, word_bonus=0.0, unknown_penalty=0.5)).decode(
        log_probs
    )[0]
    assert best.text == "tab"
    # <unk> −2.0 and the penalty −0.5 after the back-off of <s>; </s> −0.5
    assert best.language == pytest.approx((-0.25 - 2.0 - 0.5 - 0.5) * LOG_10, abs=1e-6)
    unsure = toys.rows(toys.LETTERS, {"c": 0.5, "t": 0.5}, {"a": 0.99}, {"t": 0.6, "b": 0.4})
    assert BeamSearch(toys.LETTERS, lm, DecodingOptions(unknown_penalty=10)).decode(unsure)[0].text == "cat"


def test_the_word_bonus_buys_words(tmp_path: Path) -> None:
    lm = toys.load(toys.CAT, tmp_path)
    log_probs = toys.rows(toys.LETTERS, {"a": 0.97}, {" ": 0.5, "": 0.47}, {"b": 0.97})
    few = BeamSearch(toys.LETTERS, lm, DecodingOptions(word_bonus=-5.0)).decode(log_probs)[0].text
    many = BeamSearch(toys.LETTERS, lm, DecodingOptions(word_bonus=12.0)).decode(log_probs)[0].text
    assert (few, many) == ("ab", "a b")


def test_a_space_that_nothing_follows_costs_nothing(tmp_path: Path) -> None:
    lm = toys.load(toys.CAT, tmp_path)
    word = ({"c": 0.99}, {"a": 0.99}, {"t": 0.99})
    plain = BeamSearch(toys.LETTERS, lm).decode(toys.rows(toys.LETTERS, *word))[0]
    spaced = BeamSearch(toys.LETTERS, lm).decode(toys.rows(toys.LETTERS, *word, {" ": 0.999999}))[0]
    assert plain.text == spaced.text == "cat"
    assert spaced.language == pytest.approx(plain.language)


def test_a_character_model_flips_the_answer(tmp_path: Path) -> None:
    text = "\\data\\\nngram 1=8\nngram 2=2\n\n\\1-grams:\n" + "".join(
        f"-1.0\t{unit}\t0\n" for unit in ("<unk>", "<s>", "</s>", "▁", "a", "b", "c", "t")
    )
    lm = toys.load(text + "\n\\2-grams:\n-0.1\t<s> c\n-0.2\tt ▁\n\n\\end\\\n", tmp_path)
    assert (lm.unit, lm.space) == ("char", "▁")
    assert BeamSearch(toys.LETTERS, lm, DecodingOptions(lm_weight=0.0)).decode(spoken("b", "c"))[0].text == "bat"
    best = BeamSearch(toys.LETTERS, lm, DecodingOptions(lm_weight=1.0, word_bonus=0.25)).decode(spoken("b", "c"))[0]
    assert best.text == "cat"
    # <s> c is listed, a, t and </s> are not
    assert best.language == pytest.approx((-0.1 - 3.0) * LOG_10 + 0.25, abs=1e-6)
    log_probs = np.concatenate([spoken("b", "c"), toys.rows(toys.LETTERS, {" ": 0.99}, {"a": 0.99}, {" ": 0.99})])
    best = BeamSearch(toys.LETTERS, lm, DecodingOptions(lm_weight=1.0, word_bonus=0.25)).decode(log_probs)[0]
    assert best.text == "cat a"
    assert best.language == pytest.approx((-0.1 - 2.0 - 0.2 - 1.0 - 1.0) * LOG_10 + 0.5, abs=1e-6)


@given(seed=st.integers(0, 10**6))
def test_a_character_model_scores_every_text_as_a_whole(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    text = (
        "\\data\\\nngram 1=6\nngram 2=2\n\n\\1-grams:\n-1\t<unk>\t0\n-99\t<s>\t-0.5\n-1\t</s>\t0\n-0.4\t<space>\t-0.2\n"
    )
    text += "-0.7\ta\t-0.3\n-0.9\tb\t-0.1\n\n\\2-grams:\n-0.3\ta b\n-0.6\t<space> b\n\n\\end\\\n"
    lm = toys.load(text, tmp_path_factory.mktemp("lm"))
    alphabet = Alphabet(("<blank>", " ", "a", "b"))
    for h in BeamSearch(alphabet, lm, DecodingOptions(lm_weight=0.6, word_bonus=0.5, **OPEN)).decode(
        toys.random_rows(seed, 5, 4)
    ):
        if h.text:
            expected = 0.6 * lm.score(h.text) + 0.5 * len(h.text.split())
            assert h.language == pytest.approx(expected, abs=1e-6)


def test_an_alphabet_of_whole_words_is_decoded_with_a_model(tmp_path: Path) -> None:
    words = "-1\t<unk>\t0\n-99\t<s>\t0\n-1\t</s>\t0\n-1\tno\t0\n-1\tyes\t0\n-1\tmaybe\t0\n"
    lm = toys.load(
        f"\\data\\\nngram 1=6\nngram 2=1\n\n\\1-grams:\n{words}\n\\2-grams:\n-0.01\tno maybe\n\n\\end\\\n", tmp_path
    )
    log_probs = toys.rows(WORDS, {"no": 0.9}, {"yes": 0.5, "maybe": 0.4})
    assert BeamSearch(WORDS, None).decode(log_probs)[0].text == "no yes"
    best = BeamSearch(WORDS, lm, DecodingOptions(lm_weight=1.0, word_bonus=0.0)).decode(log_probs)[0]
    assert best.text == "no maybe"
    assert best.language == pytest.approx((-1 - 0.01 - 1) * LOG_10, abs=1e-6)


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    lm: LanguageModel = toys.load(toys.CAT, tmp_path)
    log_probs = toys.random_rows(7, 60, len(toys.LETTERS))
    search = BeamSearch(toys.LETTERS, lm, DecodingOptions(nbest=20))
    first = search.decode(log_probs)
    assert search.decode(log_probs) == first
    assert BeamSearch(toys.LETTERS, lm, DecodingOptions(nbest=20)).decode(log_probs) == first


def test_silence_and_nothing_give_an_empty_text() -> None:
    for decoder in (BeamSearch(toys.LETTERS, None), Greedy(toys.LETTERS)):
        assert decoder.decode(np.empty((0, 6)))[0].text == ""
        best = decoder.decode(toys.rows(toys.LETTERS, *[{"": 0.999}] * 50))[0]
        assert best.text == ""
        assert best.acoustic == pytest.approx(50 * math.log(0.999), abs=0.01)


def test_frames_passed_over_count_in_the_score() -> None:
    word = [{"a": 0.99}]
    silent = [{"": 0.999}] * 40
    once = BeamSearch(toys.LETTERS, None).decode(toys.rows(toys.LETTERS, *silent, *word, *silent))[0]
    assert once.text == "a"
    expected = toys.rows(toys.LETTERS, *silent, *word, *silent).max(axis=1).sum()
    assert once.acoustic == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("decoder", [BeamSearch(toys.LETTERS, None), Greedy(toys.LETTERS)], ids=["beam", "greedy"])
def test_what_is_no_array_of_log_probabilities_is_refused(decoder: BeamSearch | Greedy) -> None:
    good = toys.random_rows(1, 4, 6)
    with pytest.raises(ValueError, match=r"frames, 6"):
        decoder.decode(good[:, :5])
    with pytest.raises(ValueError, match="none above 0"):
        decoder.decode(np.exp(good))
    for wrong in (np.nan, np.inf):
        broken = good.copy()
        broken[2, 3] = wrong
        with pytest.raises(ValueError, match=r"NaN|natural"):
            decoder.decode(broken)
    with pytest.raises(ValueError, match="natural"):
        decoder.decode(np.full((3, 6), -np.inf))
    with pytest.raises(ValueError, match="floating"):
        decoder.decode(np.zeros((3, 6), dtype=np.int64))


def test_impossible_tokens_are_never_tried() -> None:
    log_probs = toys.rows(toys.LETTERS, {"a": 0.9}, {"t": 0.9})
    log_probs[0, 3:] = -np.inf
    found = BeamSearch(toys.LETTERS, None, DecodingOptions(**OPEN)).decode(log_probs)
    assert all(np.isfinite(h.acoustic) for h in found)
    # in two frames the first letter of two must come from the first
    assert {h.text for h in found if len(h.text) == 2} == {"ab", "ac", "at"}
