"""Texts as they are written and as they are said."""

import pytest

from transcribe_cli.alignment.forced import AlignedWord, ExtraSpeech, TextWord
from transcribe_cli.alignment.script import as_written, characters, hushed, read_aloud
from transcribe_cli.alphabet import Alphabet
from transcribe_cli.transcript import Word

LETTERS = Alphabet(("<blank>", " ", "'", *"abcdefghijklmnopqrstuvwxyz"))


def said(text: str, language: str = "en", alphabet: Alphabet = LETTERS) -> dict[str, str]:
    script = read_aloud(text.splitlines(), alphabet, language)
    return {
        shown: " ".join(word.spelled for word, owner in zip(script.words, script.owner, strict=True) if owner == i)
        for i, shown in enumerate(script.shown)
    }


def test_case_accents_and_punctuation_are_kept_and_not_said():
    assert said("“Zoë, don’t!” – she said…") == {"“Zoë,": "zoe", "don’t!” –": "don't", "she": "she", "said…": "said"}


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("in 1984 we", "in nineteen eighty four we"),
        ("paid $3 million for it", "paid three million dollars for it"),
        ("about 12% of", "about twelve percent of"),
        ("on 4 May 1905 we", "on the fourth of may nineteen oh five we"),
        ("see No. 5 of", "see number five of"),
        ("Mr. Smith met Dr Watson", "mister smith met doctor watson"),
        ("King Henry VIII, of", "king henry the eighth of"),
        ("black & white", "black and white"),
        ("the U.S.A. is", "the u s a is"),
        ("a well-known and/or old one", "a well known and or old one"),
        ("end.Start", "end start"),
        ("Cæsar ßaid smørrebrød", "caesar ssaid smorrebrod"),
        ("about ½ of", "about one half of"),
    ],
)
def test_numbers_signs_and_abbreviations_are_read_aloud_in_their_context(written, spoken):
    spelled = said(written)
    assert list(spelled) == written.split()
    assert " ".join(spelled.values()) == spoken


def test_what_nobody_says_is_shown_and_not_looked_for():
    assert said("♪ la la ♪") == {"♪ la": "la", "la ♪": "la"}
    assert said("<v Joe>hi</v> all") == {"<v Joe>hi</v>": "hi", "all": "all"}
    assert said(">> so [12]now") == {">> so": "so", "[12]now": "now"}
    assert said("[e]very <i> one") == {"[e]very <i>": "every", "one": "one"}


@pytest.mark.parametrize(
    ("written", "may_be_left_out"),
    [
        ("PETER: Hello [laughs] there", "PETER: [laughs]"),
        ("DR. JONES: No.", "DR. JONES:"),
        ("Speaker 1: yes", "Speaker 1:"),
        ("00:17 Élodie: yes", "00:17 Élodie:"),
        ("[00:01:02.5] yes", "[00:01:02.5]"),
        ("(he walks away)", "(he walks away)"),
        ("[loud applause]", "[loud applause]"),
        ("so (he said) it", ""),
        ("he said: NO: never", ""),
        ("[e]very one", ""),
    ],
)
def test_what_may_be_said_or_not_is_known(written, may_be_left_out):
    script = read_aloud([written], LETTERS)
    assert [script.shown[i] for i in range(len(script.shown)) if script.optional(i)] == may_be_left_out.split()
    assert script.n_letters == sum(len(w.spelled) for w in script.words if not w.optional)


def test_optional_words_that_are_not_said_are_shown_with_those_beside_them():
    script = read_aloud(["PETER: [laughs] so [coughs] it", "[applause]", "is [sighs]", "(ends)"], LETTERS)
    heard = {"so", "it", "is", "(ends)"}
    parts = [
        told(word.spelled, i, i + 0.5 * (word.shown in heard), i, word.shown in heard)
        for i, word in enumerate(script.words)
    ]
    found = list(as_written([*parts[:3], ExtraSpeech(2.0, 2.5, "um"), *parts[3:]], script))
    assert [one.text if isinstance(one, ExtraSpeech) else one.word.text for one in found] == [
        "PETER: [laughs] so [coughs]", "um", "it", "is [sighs]", "(ends)",
    ]  # fmt: skip
    assert [one.index for one in found if isinstance(one, AlignedWord)] == [2, 4, 6, 8]


def test_a_zero_character_hides_nothing():
    assert hushed("a\0b [c] d") == "a\ufffdb \0\0\0 d"


def test_numbers_are_not_guessed_in_other_languages_nor_where_the_alphabet_has_digits():
    assert said("im Jahr 1984", "de")["1984"] == ""
    digits = Alphabet(("<blank>", " ", *"abcdefghijklmnopqrstuvwxyz0123456789"))
    assert said("room 12", alphabet=digits) == {"room": "room", "12": "12"}


def test_what_cannot_be_spelled_is_known_and_lines_are_remembered():
    script = read_aloud(["one Привет", "", "— two"], LETTERS)
    assert script.unspelled == ("Привет",)
    assert script.shown == ("one", "Привет", "— two")
    assert script.lines == (0, 0, 2)
    assert script.n_letters == 6
    assert read_aloud(["… —", ""], LETTERS).shown == ()


def test_every_spoken_word_belongs_to_a_written_one_in_order():
    script = read_aloud(["In 1999, 3 p.m. sharp: 50/50 — a $2.50 fee, Ж!"], LETTERS)
    assert list(script.owner) == sorted(script.owner)
    assert set(script.owner) == set(range(len(script.shown)))
    assert [script.shown[i] for i in script.owner] == [word.shown for word in script.words]
    assert all(isinstance(word, TextWord) and " " not in word.spelled for word in script.words)


def told(spelled: str, start: float, end: float, index: int, supported: bool = True) -> AlignedWord:
    return AlignedWord(Word(spelled, start, end, 0.8), index, supported, (Word(spelled[0], start, end, 0.8),))


def test_spoken_words_become_the_written_one_again():
    script = read_aloud(["in 1984, we"], LETTERS)
    parts = [told(w.spelled, i, i + 0.5, i) for i, w in enumerate(script.words)]
    inside = ExtraSpeech(2.6, 2.8, "uh")
    joined = list(as_written([*parts[:3], inside, *parts[3:]], script))
    assert [type(one) for one in joined] == [AlignedWord, AlignedWord, ExtraSpeech, AlignedWord]
    assert joined[1].word == Word("1984,", 1.0, 3.5, pytest.approx(0.8))
    assert [one.index for one in joined if isinstance(one, AlignedWord)] == [0, 1, 2]


def test_a_number_is_supported_where_most_of_its_letters_are():
    script = read_aloud(["1984"], LETTERS)
    parts = [told(w.spelled, i, i + 0.5, i, supported=i == 0) for i, w in enumerate(script.words)]
    (mostly,) = as_written([told("nineteen", 0, 0.5, 0), told("eighty", 1, 2, 1), *parts[2:]], script)
    (hardly,) = as_written(
        [told("nineteen", 0, 1, 0, False), told("eighty", 1, 2, 1, False), told("f", 2, 3, 2)], script
    )
    assert mostly.supported
    assert (mostly.word.start_seconds, mostly.word.end_seconds) == (0, 2)
    assert not hardly.supported
    assert (hardly.word.start_seconds, hardly.word.end_seconds) == (2, 3)


def test_characters_are_those_written_with_signs_beside_their_letter():
    units = [Word(c, i, i + 1, 1.0) for i, c in enumerate("zoe")]
    assert [one.text for one in characters("“Zoë,”", units)] == ["“Z", "o", "ë,”"]
    assert [one.start_seconds for one in characters("“Zoë,”", units)] == [0, 1, 2]
    assert characters("1984", units) == (Word("1984", 0, 3, 1.0),)
    assert characters("x", ()) == ()
    dont = [Word(c, i, i + 1, 1.0) for i, c in enumerate("don't")]
    assert [one.text for one in characters("Don’t", dont)] == ["D", "o", "n’", "t"]
