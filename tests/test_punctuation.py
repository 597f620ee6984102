"""Signs and capitals: what the model is shown of each word, what is made of its answers, and who asks for it."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx")

import numpy as np
import soundfile
import toy_model
import toy_punctuation as toy
from toy_model import speak

from transcribe_cli import Transcriber
from transcribe_cli.cli import run
from transcribe_cli.errors import ModelError, ModelNotFound
from transcribe_cli.punctuation import PunctuationOptions, Punctuator, punctuated, written
from transcribe_cli.transcript import Segment, Word

AROUND = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("model") / "toy.onnx")


@pytest.fixture(scope="module")
def punctuator(model):
    return Punctuator(model)


def segments(*texts, start=0.0, pause=0.5):
    """Segments of so many words of 0.2 s, one after the other."""
    found = []
    for text in texts:
        words = []
        for word in text.split():
            words.append(Word(word, start, start + 0.2, 0.9))
            start += 0.2
        found.append(Segment(words[0].start_seconds, words[-1].end_seconds, tuple(words)))
        start += pause
    return found


def text_of(found):
    return " / ".join(segment.text for segment in found)


def test_words_get_signs_and_sentences_a_capital(punctuator):
    found = list(punctuated(segments("a bc ad", "b ae af ag"), punctuator))
    assert text_of(found) == "A bc, ad. / B ae? Af AG"


def test_times_confidences_and_all_else_stay(punctuator):
    before = [replace(one, channel=1) for one in segments("a bd a", "b")]
    after = list(punctuated(before, punctuator))
    assert [replace(a, words=b.words) for a, b in zip(after, before, strict=True)] == before
    for a, b in zip(after, before, strict=True):
        assert [replace(x, text=y.text) for x, y in zip(a.words, b.words, strict=True)] == list(b.words)


@pytest.mark.parametrize(
    ("word", "sign", "case", "expected"),
    [
        ("it's", ".", "capital", "It's."),
        ("'tis", "", "capital", "'Tis"),
        ("nasa's", ",", "upper", "NASA's,"),
        ("iPhone", "?", "capital", "iPhone?"),
        ("12", ",", "capital", "12,"),
        ("über", "", "capital", "Über"),
        ("a", "", "lower", "a"),
    ],
)
def test_how_a_word_is_written(word, sign, case, expected):
    assert written(word, sign, case) == expected


def test_a_word_with_capitals_of_its_own_is_read_without(punctuator):
    assert text_of(punctuated(segments("a BD C"), punctuator)) == "A BD. C,"


def asked_for(punctuator, found, monkeypatch):
    """Every row that the model is shown while segments are punctuated: (words, begins, ends)."""
    rows, real = [], Punctuator._asked

    def watched(self, words, begins, ends):
        rows.append((["".join(toy.PIECES[i] for i in word).rstrip("▁") for word in words], begins, ends))
        return real(self, words, begins, ends)

    monkeypatch.setattr(Punctuator, "_asked", watched)
    list(punctuated(found, punctuator))
    return rows


def test_the_model_is_told_where_speech_begins_and_ends(punctuator, monkeypatch):
    assert asked_for(punctuator, segments("a b c"), monkeypatch) == [(["a", "b", "c"], True, True)]


def test_pauses_have_a_say(tmp_path):
    pauses = {"seconds": [0.2, 0.6], "logs": {"": [0, 0], ",": [0, 0], ".": [-20, 20], "?": [-20, 20]}}
    sure = Punctuator(toy.write(tmp_path / "p.onnx", toy.ABOUT | {"pauses": pauses}))
    found = list(punctuated(segments("ad b", "ab b", pause=1.0), sure))
    assert text_of(found) == "Ad b. / Ab b", "behind the last word no pause is known"
    assert text_of(punctuated(segments("ad b", "ab b", pause=0.4), sure)) == "Ad b / ab b"


def test_a_capital_that_was_a_sentences_goes_with_its_end(model, monkeypatch):
    sure, nothing = Punctuator(model), [0.97, 0.01, 0.01, 0.01]
    signs = np.log([[0.45, 0.05, 0.45, 0.05], nothing, nothing])
    cases = np.log([[0.3, 0.6, 0.1], [0.4, 0.55, 0.05], [0.3, 0.6, 0.1]])
    monkeypatch.setattr(sure, "log_probs", lambda *_: (signs, cases))
    monkeypatch.setattr(sure, "with_pauses", lambda signs, gaps: signs + np.array([1, 0, 0, 0]))
    (found,) = punctuated(segments("a bc bf"), sure)
    assert found.text == "A bc Bf", "bc would have had one behind a full stop, bf is a name"
    monkeypatch.setattr(sure, "with_pauses", lambda signs, gaps: signs - np.array([1, 0, 0, 0]))
    (found,) = punctuated(segments("a bc bf"), sure)
    assert found.text == "A. Bc Bf"


def test_a_long_pause_ends_what_was_said(punctuator, monkeypatch):
    rows = asked_for(punctuator, segments("a b", "c a", pause=3.5), monkeypatch)
    assert rows == [(["a", "b"], True, True), (["c", "a"], True, True)]
    assert text_of(punctuated(segments("a b", "c a", pause=3.5), punctuator)) == "A b / C, a"
    assert text_of(punctuated(segments("a b", "c a", pause=2.5), punctuator)) == "A b / c, a"


def test_a_segment_is_given_out_once_enough_words_behind_it_are_known(punctuator):
    given, taken = iter(segments("a b", "a " * 5, "b " * 6, "a", "b b")), []

    def watched():
        for one in given:
            taken.append(one)
            yield one

    out = punctuated(watched(), punctuator)
    next(out)
    assert sum(len(one.words) for one in taken[1:]) == AROUND
    next(out)
    assert len(taken) == 5, "behind the second segment nine words are all there are"
    assert len(list(out)) == 3


words = st.text("abcdefgh", min_size=1, max_size=30)


@given(st.lists(st.lists(words, min_size=1, max_size=90).map(" ".join), min_size=1, max_size=6))
def test_every_word_is_decided_once_with_what_stands_around_it(punctuator, texts):
    found = segments(*texts)
    capital, expected = True, []
    for word in " ".join(texts).split():
        sign, case = toy.SIGNS.get(word[-1], ""), toy.CASES.get(word[-1], "lower")
        expected.append(written(word, sign, "capital" if capital and case == "lower" else case))
        capital = sign in (".", "?")
    with pytest.MonkeyPatch.context() as patch:
        rows = asked_for(punctuator, found, patch)
    assert " ".join(one.text for one in punctuated(found, punctuator)).split() == expected
    assert all(2 + sum(min(len(word), 16) for word in row) <= 64 for row, _, _ in rows)


def test_short_words_are_seen_with_a_dozen_to_either_side(punctuator, monkeypatch):
    spoken = [f"{a}{b}{c}" for a in "abc" for b in "abcdefgh" for c in "abfgh"]  # all different
    seen = dict.fromkeys(spoken, 0)
    for row, _, _ in asked_for(
        punctuator, segments(*[" ".join(spoken[i : i + 7]) for i in range(0, 120, 7)]), monkeypatch
    ):
        for i, word in enumerate(row):
            seen[word] = max(seen[word], min(i, len(row) - 1 - i))
    # three pieces a word: 64 pieces are twenty words, a decision in the middle sees nine or ten to either side
    assert min(seen[word] for word in spoken[12:-12]) >= 5


def test_a_recording_without_words_is_none_with_signs(punctuator):
    assert list(punctuated([], punctuator)) == []


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (None, "no punctuation model"),
        ({"format": 1}, "no punctuation model"),
        (toy.ABOUT | {"format": 2}, "onnx: written by a later version"),
        (toy.ABOUT | {"pauses": {"seconds": [0, 1], "logs": [0.5]}}, "no punctuation model"),
        (toy.ABOUT | {"cases": ["lower", "capital", "small"]}, "this version"),
        (toy.ABOUT | {"pauses": {"seconds": [0, 1], "logs": {".": [0.5]}}}, "no punctuation model"),
        (toy.ABOUT | {"pauses": {"seconds": [1, 0], "logs": {".": [0.5, 1]}}}, "no punctuation model"),
    ],
)
def test_a_file_that_is_none_says_so(tmp_path, about, message):
    path = toy.write(tmp_path / "other.onnx", about)
    with pytest.raises(ModelError, match=message):
        Punctuator(path)


def test_a_model_is_found_by_language(tmp_path, monkeypatch):
    path = toy.write(tmp_path / "punctuation" / "xy.onnx")
    monkeypatch.setenv("TRANSCRIBE_MODELS", str(tmp_path))
    assert PunctuationOptions(punctuate=True).path("xy") == path
    assert PunctuationOptions().path("xy") is None
    for language in ("zz", ""):
        with pytest.raises(ModelNotFound, match="--punctuation-model"):
            PunctuationOptions(punctuate=True).path(language)
    with pytest.raises(ModelNotFound, match="no such file"):
        PunctuationOptions(punctuate=True, punctuation_model=str(tmp_path / "none")).path("xy")


@pytest.fixture
def spoken(home):
    """A place with a recording of two segments, and a model that punctuates its language."""
    toy.write(home / "models" / "punctuation" / "xx.onnx")
    speak(home / "talk.wav", "bd ac...be fb")
    return home


def test_a_recording_is_written_in_sentences(spoken, capsys):
    assert run(["talk.wav"]) == 0
    assert run(["talk.wav", "--punctuate"]) == 0
    assert capsys.readouterr() == ("bd ac\nbe fb\nBd. Ac,\nbe? Fb\n", "")


def test_all_forms_are_written_so(spoken, capsys):
    assert run(["talk.wav", "--punctuate", "--output-dir", "out", "-f", "srt,json,ctm"]) == 0
    assert "Bd. Ac," in (spoken / "out" / "talk.srt").read_text()
    found = json.loads((spoken / "out" / "talk.json").read_text())
    assert [word["word"] for one in found["segments"] for word in one["words"]] == ["Bd.", "Ac,", "be?", "Fb"]
    assert found["options"]["punctuate"] is True
    assert [line.split()[4] for line in (spoken / "out" / "talk.ctm").read_text().splitlines()] == [
        "Bd.",
        "Ac,",
        "be?",
        "Fb",
    ]


def test_results_without_signs_are_made_anew(spoken):
    call, result = ["talk.wav", "--output-dir", "out"], spoken / "out" / "talk.txt"
    model = spoken / "models" / "punctuation" / "xx.onnx"
    assert run(call) == 0
    assert run([*call, "--punctuate"]) == 0
    assert result.read_text() == "Bd. Ac,\nbe? Fb\n"
    before = result.stat().st_mtime_ns
    assert run([*call, "--punctuate"]) == 0
    assert result.stat().st_mtime_ns == before
    toy.write(model, toy.ABOUT | {"note": "another one"})
    assert run([*call, "--punctuate"]) == 0
    assert result.stat().st_mtime_ns != before


def test_hotwords_and_what_the_model_was_taught_are_written_in_their_own_way(spoken, capsys):
    call = ["talk.wav", "--punctuate", "--output-dir", "out"]
    result, folder = spoken / "out" / "talk.txt", spoken / "models" / "toy"
    assert run(["talk.wav", "--hotword", "bD aC"]) == 0
    assert run(["talk.wav", "--hotword", "bD aC", "--punctuate"]) == 0
    assert capsys.readouterr().out == "bd ac\nbe fb\nbD. aC,\nbe? Fb\n"
    assert run(call) == 0
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"spellings": "mine.txt"}))
    (folder / "mine.txt").write_text("FB\nAC\n")
    assert run(call) == 0
    assert result.read_text() == "Bd. AC,\nbe? FB\n"
    (folder / "mine.txt").write_text("fB\n")
    assert run([*call, "--hotword", "Bd"]) == 0
    assert result.read_text() == "Bd. Ac,\nbe? fB\n"
    (folder / "mine.txt").unlink()
    assert run(["talk.wav"]) == 2
    assert "names mine.txt, which is not in the folder" in capsys.readouterr().err


def test_a_language_without_a_model_is_told_at_once(home, capsys):
    speak(home / "talk.wav", "bad")
    assert run(["talk.wav", "--punctuate"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "'xx'" in err
    toy.write(home / "mine.onnx")
    assert run(["talk.wav", "--punctuate", "--punctuation-model", "mine.onnx"]) == 0
    assert capsys.readouterr().out == "Bad.\n"


def test_a_file_that_is_no_such_model_is_told_in_a_line(spoken, capsys):
    toy.write(spoken / "other.onnx", None)
    for name in ("other.onnx", "talk.wav", "models/toy/model.onnx"):
        assert run(["talk.wav", "--punctuate", "--punctuation-model", name]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert name in err


def test_the_library_has_it_too(spoken):
    with Transcriber("toy", punctuate=True) as transcriber:
        assert transcriber.transcribe("talk.wav").text == "Bd. Ac, be? Fb"
        assert [one.text for one in transcriber.stream("talk.wav")] == ["Bd. Ac,", "be? Fb"]


def test_each_channel_is_read_for_itself(spoken, capsys):
    left, right = toy_model.sound("bd ac"), toy_model.sound("ab ce")
    soundfile.write(spoken / "both.wav", np.stack([left, right], axis=1), 16000)
    assert run(["both.wav", "--channel", "split", "--punctuate"]) == 0
    assert sorted(capsys.readouterr().out.splitlines()) == ["[0] Bd. Ac,", "[1] Ab ce?"]
