"""A language model's words: as a set, and by their beginnings."""

from transcribe_cli.lm.vocabulary import Vocabulary

WORDS = ["read", "red", "rée", "a", "read", "zebra", "ab"]


def test_it_is_the_set_of_its_words():
    words = Vocabulary(WORDS)
    assert words == set(WORDS)
    assert len(words) == 6
    assert list(words) == sorted(set(WORDS))
    assert words - {"a", "ab"} == {"read", "red", "rée", "zebra"}
    assert all(word in words for word in WORDS)
    assert not any(word in words for word in ("", "rea", "reads", "zebras", "é", None, 3))
    assert not Vocabulary([])
    assert "a" not in Vocabulary([])


def test_beginnings_are_those_of_its_words_and_no_others():
    words = Vocabulary(WORDS)
    beginnings = {word[:n] for word in WORDS for n in range(len(word) + 1)}
    for prefix in beginnings | {"b", "ra", "reads", "zz", "éé", "ac"}:
        assert words.has_prefix(prefix) == (prefix in beginnings), prefix
    assert not Vocabulary([]).has_prefix("a")


def test_every_nth_word_in_order():
    assert Vocabulary(WORDS).every(2) == ["a", "read", "rée"]
