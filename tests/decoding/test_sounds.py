"""The search over sounds and the judgement over both, against enumeration and answers known by hand."""

import itertools

import numpy as np
import pytest
import toys
from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.alphabet import Alphabet
from transcribe_cli.decoding import BothSearch, Sounding, build
from transcribe_cli.decoding.both import _spots
from transcribe_cli.decoding.hotwords import Hotword, HotwordMatcher
from transcribe_cli.decoding.lexicon import Lexicon, code
from transcribe_cli.decoding.options import DecodingOptions
from transcribe_cli.decoding.words import WordSearch
from transcribe_cli.lm.model import LOG_10, LanguageModel

NAMES = ("K", "AE", "T", "B")
SOUNDS = Alphabet(("<blank>", "|", *NAMES), 0, "|")
LETTERS = Alphabet(("<blank>", *" abckt"), 0, " ")
OPEN = DecodingOptions(
    lm_weight=0.6, word_bonus=0.5, beam_width=10**4, beam_prune_logp=-1e9, token_min_logp=-1e9, nbest=99
)


def heard(text: str) -> str:
    return "".join(code(NAMES.index(sound)) for sound in text.split())


ENTRIES = [
    ("cat", heard("K AE T")),
    ("kat", heard("K AE T")),
    ("bat", heard("B AE T")),
    ("a", heard("AE")),
    ("ab", heard("AE B")),
]
LEXICON = Lexicon.of(ENTRIES, NAMES)


def sung(*sounds: str) -> np.ndarray:
    return toys.rows(SOUNDS, *({sound: 0.9} for sound in sounds))


def language(lm: LanguageModel, text: str, unknown: float = 10.0) -> float:
    words = text.split()
    log10 = lm.kenlm.score(text, bos=True, eos=True)
    return 0.6 * log10 * LOG_10 + 0.5 * len(words) - sum(0.6 * LOG_10 * unknown for w in words if not lm.knows(w))


@given(seed=st.integers(0, 10**6))
def test_an_unlimited_search_finds_every_text_of_the_lexicon_with_the_sum_of_its_paths(seed, lm) -> None:
    log_probs = toys.random_rows(seed, 5, len(SOUNDS))
    paths = toys.every_text(log_probs, Alphabet(SOUNDS.tokens, 0, None))
    expected: dict[str, float] = {}
    by_sounds: dict[str, list[str]] = {}
    for word, sounds in ENTRIES:
        by_sounds.setdefault(" ".join(NAMES[ord(c) - ord(code(0))] for c in sounds), []).append(word)
    for said, score in paths.items():
        parts = [part.strip() for part in f" {said} ".split("|")]
        # several boundaries in a row are one where nothing is between them
        parts = [part for part in parts if part]
        if all(part in by_sounds for part in parts):
            for words in itertools.product(*(by_sounds[part] for part in parts)):
                text = " ".join(words)
                expected[text] = float(np.logaddexp(expected[text], score)) if text in expected else score
    found = {h.text: h for h in WordSearch(SOUNDS, LEXICON, lm, OPEN).decode(log_probs)}
    for text, score in expected.items():
        if text:
            assert found[text].acoustic == pytest.approx(score, abs=1e-6)
            assert found[text].language == pytest.approx(language(lm, text), abs=1e-6)
    assert set(filter(None, found)) == set(filter(None, expected))


NARROW = DecodingOptions(lm_weight=0.6, word_bonus=0.5, beam_width=8, beam_prune_logp=-5, token_min_logp=-3)


@pytest.mark.parametrize("hotwords", [None, HotwordMatcher([Hotword("bat", 1.0)])])
def test_behind_a_word_that_no_entry_sounds_like_the_search_goes_on(lm, hotwords):
    """What the network says surely may still be no word: it is left out, and what follows is not lost with it."""
    said = "K AE K | B AE T | K AE K B K | K AE T"
    log_probs = toys.rows(SOUNDS, *({sound: 0.99} for sound in said.split()))
    found = WordSearch(SOUNDS, LEXICON, lm, NARROW, hotwords).decode(log_probs)[0]
    assert found.text == "bat cat"
    assert found.acoustic > -80  # of being stuck every further sound would cost as much


def test_where_a_word_can_end_none_is_left_out(lm):
    log_probs = toys.rows(SOUNDS, *({sound: 0.99} for sound in ["K", "AE", "T", "|", "AE", "|", "B", "AE", "T"]))
    found = WordSearch(SOUNDS, LEXICON, lm, NARROW).decode(log_probs)[0]
    assert found.text in ("cat a bat", "kat a bat")
    assert found.language == pytest.approx(language(lm, found.text))


def test_words_that_sound_alike_are_told_apart_by_the_language_model(lm) -> None:
    found = WordSearch(SOUNDS, LEXICON, lm, OPEN).decode(sung("K", "AE", "T"))
    assert found[0].text == "cat"
    (other,) = (h for h in found if h.text == "kat")
    assert other.acoustic == pytest.approx(found[0].acoustic)
    assert other.language < found[0].language


def test_sounds_that_lead_nowhere_do_not_end_the_search(lm) -> None:
    tight = DecodingOptions(lm_weight=0.6, word_bonus=0.5, token_min_logp=-0.5)
    assert WordSearch(SOUNDS, LEXICON, lm, tight).decode(sung("T", "T", "K", "AE", "T"))[0].text == "cat"
    assert WordSearch(SOUNDS, LEXICON, lm, tight).decode(sung("T"))[0].text == ""
    assert WordSearch(SOUNDS, LEXICON, lm, tight).decode(np.zeros((0, len(SOUNDS))))[0].text == ""


def test_a_hotword_wins_over_a_word_that_sounds_the_same(lm) -> None:
    hot = HotwordMatcher([Hotword("a kat", 30.0)])
    rows = sung("AE", "|", "K", "AE", "T")
    plain = DecodingOptions(lm_weight=0.6, word_bonus=0.5)
    assert WordSearch(SOUNDS, LEXICON, lm, plain).decode(rows)[0].text == "a cat"
    assert WordSearch(SOUNDS, LEXICON, lm, plain, hot).decode(rows)[0].text == "a kat"


def beside(letters: np.ndarray, sounds: np.ndarray) -> np.ndarray:
    return np.concatenate([letters, sounds], axis=1)


@pytest.fixture(scope="module")
def sounding(tmp_path_factory: pytest.TempPathFactory) -> Sounding:
    path = tmp_path_factory.mktemp("lexicon") / "lexicon.gz"
    LEXICON.save(path)
    return Sounding(SOUNDS, str(path))


def both(lm: LanguageModel, sounding: Sounding, **options: object) -> BothSearch:
    made = build(LETTERS, lm, DecodingOptions(**{"lm_weight": 0.6, "word_bonus": 0.5, **options}), sounding)
    assert isinstance(made, BothSearch)
    return made


def spelt(*letters: str, sure: float = 0.9) -> np.ndarray:
    return toys.rows(LETTERS, *({letter: sure} for letter in letters))


def test_the_letters_tell_words_apart_that_sound_the_same(lm, sounding) -> None:
    rows = beside(spelt("k", "a", "t", sure=0.999999), sung("K", "AE", "T"))
    assert both(lm, sounding, unknown_penalty=1).decode(rows)[0].text == "kat"
    assert (
        both(lm, sounding, unknown_penalty=1).decode(beside(spelt("c", "a", "t"), sung("K", "AE", "T")))[0].text
        == "cat"
    )


def test_the_sounds_mend_what_the_letters_misspell(lm, sounding) -> None:
    rows = beside(spelt("t", "a", "a", sure=0.8), sung("B", "AE", "T"))
    letters_alone = build(LETTERS, lm, DecodingOptions(decoder="python", lm_weight=0.6, word_bonus=0.5), sounding)
    assert letters_alone.decode(rows)[0].text != "bat"
    assert both(lm, sounding).decode(rows)[0].text == "bat"


def test_the_whole_of_a_text_is_judged_by_both(lm, sounding) -> None:
    letters, sounds = spelt("c", "a", "t"), sung("K", "AE", "T")
    expected = (toys.every_text(letters, LETTERS)["cat"] + toys.every_text(sounds, SOUNDS_AS_WORDS)["K AE T"]) / 2
    found = both(lm, sounding).total(beside(letters, sounds), "cat")
    assert found == pytest.approx(expected + language(lm, "cat"), abs=1e-6)
    assert both(lm, sounding).total(beside(letters, sounds), "cat cat cat") == -np.inf


SOUNDS_AS_WORDS = Alphabet(SOUNDS.tokens, 0, None)


def test_alternatives_are_judged_and_in_order(lm, sounding) -> None:
    rows = beside(spelt("c", "a", "t", sure=0.6), sung("K", "AE", "T"))
    judge = both(lm, sounding, nbest=3)
    found = judge.decode(rows)
    assert len(found) == 3
    assert [h.total for h in found] == sorted((h.total for h in found), reverse=True)
    assert all(h.total == pytest.approx(judge.total(rows, h.text)) for h in found)


def test_each_spot_is_mended_by_itself(lm, sounding) -> None:
    quiet = (" ",)
    letters = [*"cab", *quiet, "a", *quiet, *"bat", *quiet, "a", *quiet, *"cab"]
    sounds = ["K", "AE", "T", "|", "AE", "|", "B", "AE", "T", "|", "AE", "|", "K", "AE", "T"]
    rows = beside(spelt(*letters, sure=0.7), sung(*sounds))
    assert both(lm, sounding).decode(rows)[0].text == "cat a bat a cat"


def test_a_search_of_letters_alone_takes_the_same_rows(lm, sounding) -> None:
    rows = beside(spelt("a", "b"), sung("AE", "B"))
    for options in (DecodingOptions(decoder="greedy"), DecodingOptions(decoder="python")):
        assert build(LETTERS, lm, options, sounding).decode(rows)[0].text == "ab"
    assert build(LETTERS, None, DecodingOptions(), sounding).decode(rows)[0].text == "ab"
    assert build(LETTERS, lm, DecodingOptions(), Sounding(SOUNDS, None)).decode(rows)[0].text == "ab"


def test_a_hotword_that_the_lexicon_lacks_is_pronounced_by_rule(lm, sounding) -> None:
    rows = beside(spelt("t", "a", "b"), sung("T", "AE", "B"))
    assert both(lm, sounding, hotword=("tab:20",)).decode(rows)[0].text == "tab"


def test_nothing_comes_of_nothing(lm, sounding) -> None:
    assert both(lm, sounding).decode(np.zeros((0, len(LETTERS) + len(SOUNDS)), np.float32))[0].text == ""
    with pytest.raises(ValueError, match="log_probs"):
        both(lm, sounding).decode(np.zeros((3, len(LETTERS))))


def test_spots_are_where_some_text_differs() -> None:
    pivot = ("one", "two", "three", "four", "five")
    texts = [
        pivot,
        ("one", "to", "three", "four", "five"),
        ("one", "two", "three", "for", "fife", "five"),
        ("zero", *pivot),
    ]
    assert list(_spots(pivot, texts)) == [
        (0, 1, [("one",), ("zero", "one")]),
        (1, 2, [("two",), ("to",)]),
        (3, 4, [("four",), ("for", "fife")]),
    ]
    assert list(_spots(("a",), [("a",), ()])) == [(0, 1, [("a",), ()])]


def test_a_hotword_of_many_words_is_found_from_its_first(lm, sounding) -> None:
    """The first word is doubtful, and the language model looks back no further than a word or two."""
    letters, sounds = [], []
    for word, said in [("kat", "K AE T"), *[("bat", "B AE T")] * 4]:
        letters += [" ", *word] if letters else [*word]
        sounds += ["|", *said.split()] if sounds else said.split()
    rows = beside(spelt(*letters, sure=0.7), sung(*sounds))
    phrase = "cat bat bat bat bat"
    assert both(lm, sounding, unknown_penalty=1, lm_weight=0.0).decode(rows)[0].text == phrase.replace("cat", "kat")
    hot = both(lm, sounding, unknown_penalty=1, lm_weight=0.0, hotword=(f"{phrase}:9",))
    assert hot.decode(rows)[0].text == phrase
