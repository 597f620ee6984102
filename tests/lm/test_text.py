"""Written text becomes what is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.lm import numbers
from transcribe_cli.lm.text import normalise, normalise_lines, sentences


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Hello, World!", "hello world"),
        ("Mr. O'Neil met Mrs. Grey and Dr. Who.", "mister o'neil met missus grey and doctor who"),
        ("Mr Smith's dog didn't bark.", "mister smith's dog didn't bark"),
        ("“’Tis the boys’ house,” he said—‘goin’ home’.", "'tis the boys house he said goin' home"),
        ("$3.50 or £1.01", "three dollars and fifty cents or one pound and one penny"),
        ("It cost €5 million.", "it cost five million euros"),
        ("On 4 May 1905, at 3:05 p.m.", "on the fourth of may nineteen oh five at three oh five p m"),
        ("March 3, 2014", "march third twenty fourteen"),
        ("In the 1920s and the '90s", "in the nineteen twenties and the nineties"),
        ("Henry VIII read Chapter IV.", "henry the eighth read chapter four"),
        ("1,234,567", "one million two hundred and thirty four thousand five hundred and sixty seven"),
        ("45% of them", "forty five percent of them"),
        ("No. 7, the 21st, 3/4 and 1/2", "number seven the twenty first three quarters and one half"),
        ("2.50 kg", "two point five zero kilograms"),
        ("Call 555-1234-99 or pages 3-5", "call five five five one two three four nine nine or pages three to five"),
        ("St. Mary's in Queen St. by the U.S.A.", "saint mary's in queen street by the u s a"),
        ("Zoë's naïve café", "zoe's naive cafe"),
        ("Smith & Co. saw 007 & left", "smith and co saw zero zero seven and left"),
        ("...", ""),
        ("", ""),
    ],
)
def test_written_sentence_becomes_the_words_that_are_said(written: str, said: str) -> None:
    assert normalise(written) == said


@pytest.mark.parametrize(
    "written", ["see https://example.org", "x = y + 1", "Привет, мир", "mail me@example.org", "数字 7"]
)
def test_sentence_that_cannot_be_read_with_the_letters_is_refused_as_a_whole(written: str) -> None:
    assert normalise(written) is None


@given(st.text(max_size=60))
def test_result_holds_only_words_of_letters_and_apostrophes(text: str) -> None:
    said = normalise(text)
    if said:
        assert set(said) <= set("abcdefghijklmnopqrstuvwxyz' ")
        assert said == " ".join(said.split())


@given(st.lists(st.from_regex(r"[a-z]+('(s|t|re))?", fullmatch=True), min_size=1, max_size=8).map(" ".join))
def test_text_that_is_already_normalised_stays_as_it_is(text: str) -> None:
    assert normalise(text) == text


def test_paragraph_is_cut_at_sentence_ends_and_not_behind_abbreviations() -> None:
    paragraph = 'Mr. J. Smith came at 5. "Did he?" He did! It was e.g. raining.'
    assert list(sentences(paragraph)) == ["Mr. J. Smith came at 5.", '"Did he?"', "He did!", "It was e.g. raining."]


def test_lines_give_normalised_sentences_without_the_empty_and_unreadable() -> None:
    assert list(normalise_lines(["One. Two!\n", "\n", "x = y\n", "Three\r\n"])) == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("number", "cardinal", "ordinal"),
    [
        (0, "zero", "zeroth"),
        (13, "thirteen", "thirteenth"),
        (20, "twenty", "twentieth"),
        (105, "one hundred and five", "one hundred and fifth"),
        (1000, "one thousand", "one thousandth"),
        (2005, "two thousand and five", "two thousand and fifth"),
        (1_000_012, "one million and twelve", "one million and twelfth"),
    ],
)
def test_number_is_said_as_cardinal_and_ordinal(number: int, cardinal: str, ordinal: str) -> None:
    assert numbers.cardinal(number) == cardinal
    assert numbers.ordinal(number) == ordinal


@given(st.integers(0, 10**15))
def test_numbers_equal_num2words(number: int) -> None:
    num2words = pytest.importorskip("num2words").num2words
    expected = num2words(number).replace("-", " ").replace(",", "")
    assert numbers.cardinal(number) == expected
    assert numbers.ordinal(number) == num2words(number, to="ordinal").replace("-", " ").replace(",", "")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1066, "one thousand and sixty six"),
        (1900, "nineteen hundred"),
        (1905, "nineteen oh five"),
        (2000, "two thousand"),
        (2024, "twenty twenty four"),
    ],
)
def test_year_is_said_in_pairs(number: int, said: str) -> None:
    assert numbers.year(number) == said


def test_number_outside_what_can_be_named_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        numbers.cardinal(-1)
