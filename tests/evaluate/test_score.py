import numpy as np
import pytest

from transcribe_cli.errors import MissingExtra, OptionError
from transcribe_cli.evaluate.edits import Counts
from transcribe_cli.evaluate.normalise import NAMES, basic, normaliser
from transcribe_cli.evaluate.score import Pair, bands, bootstrap, frequent, interval, score


def pairs(*texts):
    return [Pair(str(k), a, b, 1.0 + k, {"speaker": "even" if k % 2 == 0 else "odd"}) for k, (a, b) in enumerate(texts)]


THREE = pairs(("one two three", "one two three"), ("four five", "four"), ("six", "sex six"))


def test_counts_come_first_and_rates_follow():
    result = score(THREE, "none")
    assert result.words == Counts(5, 0, 1, 1)
    assert result.words.rate == pytest.approx(2 / 6)
    assert (result.wrong_sentences, result.sentence_error_rate) == (2, pytest.approx(2 / 3))
    assert result.duration_seconds == 6.0


def test_groups_add_up_to_the_whole():
    result = score(THREE, "none")
    groups = result.group(lambda utterance: utterance.pair.keys["speaker"])
    assert list(groups) == ["even", "odd"]
    assert groups["even"].words + groups["odd"].words == result.words
    assert result.group(lambda utterance: None) == {}


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counts", "rate", "wrong"),
    [
        ("", "", Counts(0, 0, 0, 0), 0.0, 0),
        ("", "uh huh", Counts(0, 0, 0, 2), float("inf"), 1),
        ("yes sir", "", Counts(0, 0, 2, 0), 1.0, 1),
        ("no", "oh no no no", Counts(1, 0, 0, 3), 3.0, 1),
        ("...", "", Counts(0, 0, 0, 0), 0.0, 0),  # nothing is left of it after normalisation
    ],
)
def test_the_policy_for_empty_texts(reference, hypothesis, counts, rate, wrong):
    result = score(pairs((reference, hypothesis)), "basic")
    assert result.words == counts
    assert result.words.rate == rate
    assert result.wrong_sentences == wrong


def test_words_said_into_silence_count_in_the_whole_rate():
    assert score(pairs(("", "uh"), ("a b c d", "a b c d")), "none").words.rate == pytest.approx(1 / 4)


def test_no_utterances_score_zero_of_zero():
    result = score([])
    assert (result.words, result.words.rate, result.sentence_error_rate) == (Counts(), 0.0, 0.0)
    assert bootstrap(result).high == 0.0


def test_an_interval_is_seeded_and_holds_the_rate():
    draw = np.random.default_rng(5)
    result = score(pairs(*(("a b c d", " ".join(draw.choice(list("abcdx"), 4))) for _ in range(80))), "none")
    found = bootstrap(result)
    assert found == bootstrap(result)
    assert found != bootstrap(result, seed=1)
    assert found.low < result.words.rate < found.high
    wider = bootstrap(result, level=0.99)
    assert wider.low < found.low < found.high < wider.high


def test_the_interval_has_the_width_that_theory_gives():
    # n utterances of one word, each wrong with p = 0.3: the rate's standard deviation is √(p(1 − p)/n)
    wrong = np.arange(1000) < 300
    found = interval(np.stack([wrong, np.ones(1000)], axis=1).astype(np.float64), 0.95, 4000, 0)
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 1000), rel=0.05)


def test_drawing_speakers_together_widens_the_interval_where_their_errors_are_alike():
    alike = [Pair(str(k), "a b", "a b" if k % 10 < 5 else "x y", None, {"speaker": str(k % 10)}) for k in range(200)]
    result = score(alike, "none")
    by_speaker = bootstrap(result, block=lambda utterance: utterance.pair.keys["speaker"])
    by_utterance = bootstrap(result)
    assert by_speaker.high - by_speaker.low > 2 * (by_utterance.high - by_utterance.low)


def test_frequent_edits_are_counted_in_a_fixed_order():
    result = score(pairs(("a b", "a c"), ("a b", "a c"), ("d", "e")), "none")
    columns = [column for utterance in result.utterances for column in utterance.alignment()]
    assert frequent(columns, "substitution") == [(("b", "c"), 2), (("d", "e"), 1)]


def test_bands_sort_by_size():
    labels = [bands(value, (2, 5, 10), "s") for value in (0.5, 2, 7, 30)]
    assert labels == ["1: < 2 s", "2: 2–5 s", "3: 5–10 s", "4: ≥ 10 s"]
    assert bands(None, (1,), "s") is None


@pytest.mark.parametrize(
    ("name", "text", "normal"),
    [
        ("none", " Don't  Stop! ", "Don't Stop!"),
        ("basic", "Don’t stop — the 'well-known' Café, 3.5", "don't stop the well known café 3 5"),
        ("basic", "it's the dogs' o'clock '", "it's the dogs o'clock"),
        ("whisper-english", "Mr. Smith's twenty-one colours, uh, don't", "mister smith is 21 colors do not"),
    ],
)
def test_normalisers_make_equal_what_they_say(name, text, normal):
    if name == "whisper-english":
        pytest.importorskip("whisper_normalizer")
    assert normaliser(name)(text) == normal
    assert name in NAMES


def test_an_unknown_normaliser_is_refused_with_the_known_ones():
    with pytest.raises(OptionError, match="none, basic, whisper-english"):
        normaliser("best")


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "whisper_normalizer.english", None)
    with pytest.raises(MissingExtra, match=r"transcribe-cli\[evaluate\]"):
        normaliser("whisper-english")


def test_basic_is_idempotent():
    text = "What's—this? ‘It’ is ½ of ÉTÉ…"
    assert basic(basic(text)) == basic(text)
