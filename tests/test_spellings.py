"""Words in their owner's spelling: what is found among what was heard, and where it comes from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.errors import ModelError
from transcribe_cli.lm.casing import own, ways
from transcribe_cli.spellings import Spellings, taught
from transcribe_cli.transcript import Word


def words(text):
    return [Word(word, i, i + 1, 0.5) for i, word in enumerate(text.split())]


def spelled(phrases, text):
    return " ".join(word.text for word in Spellings(phrases).spell(words(text)))


@pytest.mark.parametrize(
    ("phrases", "heard", "written"),
    [
        (["Keats"], "we read keats and keats's odes", "we read Keats and Keats's odes"),
        (["Little John", "John"], "little john met john and a little boy", "Little John met John and a little boy"),
        (["Little John"], "little john's bow", "Little John's bow"),
        (["Zoë", "iPad"], "zoe has an ipad zoë", "Zoë has an iPad Zoë"),
        (["L’Oréal"], "l'oreal", "L’Oréal"),
        (["Github", "GitHub"], "github", "GitHub"),
        (["GitHub", "github"], "github", "GitHub"),
        (["A B C"], "a b", "a b"),
        (["d´Or X"], "d or x", "d or x"),  # its plain form has more words than it
        ([], "keats", "keats"),
    ],
)
def test_what_is_known_is_written_as_it_is_known(phrases, heard, written):
    assert spelled(phrases, heard) == written


@given(st.lists(st.text("abcABÉ '’´ﬁ", max_size=6), max_size=4), st.text("abce '", max_size=12))
def test_words_keep_their_number_and_times(phrases, text):
    before = words(text)
    after = Spellings([" ".join(phrase.split()) for phrase in phrases]).spell(before)
    assert [(w.start_seconds, w.end_seconds, w.confidence) for w in after] == [
        (w.start_seconds, w.end_seconds, w.confidence) for w in before
    ]
    assert all(" " not in word.text and word.text for word in after)


@pytest.mark.parametrize(
    ("sentences", "common", "expected"),
    [
        (["We met Zoë's friend Keats.", "Keats left."], [], ["Keats", "Zoë"]),
        (["It runs on GitHub and an iPad, at NASA."], ["github"], ["GitHub", "iPad", "NASA"]),
        (["Then Mark said it.", "We may meet Mark in May."], ["mark", "may"], []),
        (["A Meeting About Kestrel Gliders"], [], []),  # a title says nothing
        (['He said "Going was hard"; she said: Going on.'], [], []),
        (["The Kestrel flew.", "A kestrel is a bird.", "That kestrel again."], [], []),
        (["We paid 5 EUR to A4 and to R2D2."], [], ["EUR"]),  # figures are said otherwise than they are written
        ([""], [], []),
    ],
)
def test_what_texts_write_in_a_way_of_their_own(sentences, common, expected):
    assert own(ways(sentences), common) == expected


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "s.txt").write_text("Zoë\n\nNew York\n", encoding="utf-8")
    assert taught(tmp_path / "s.txt") == ["Zoë", "New York"]
    assert taught(None) == []
    (tmp_path / "s.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ModelError, match=r"s\.txt: the words' spellings"):
        taught(tmp_path / "s.txt")
