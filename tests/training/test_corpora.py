"""Corpora in the layouts people have, text normalisation, and what `prepare` finds."""

import json

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

from transcribe_cli.errors import InputNotFound, ManifestError, OptionError
from transcribe_cli.training import corpora, manifest, prepare
from transcribe_cli.training.text import TextOptions, normalise


def sound(path, seconds=1.0, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    soundfile.write(path, 0.1 * rng.standard_normal(int(seconds * rate)), rate)
    return path


def test_librispeech_folders(tmp_path):
    sound(tmp_path / "19/198/19-198-0001.flac")
    (tmp_path / "19/198/19-198.trans.txt").write_text("19-198-0001 NORTHANGER ABBEY\n")
    (one,) = corpora.read(tmp_path)
    assert (one.text, one.speaker, one.audio.suffix) == ("NORTHANGER ABBEY", "19", ".flac")


def test_libritts_folders(tmp_path):
    sound(tmp_path / "84/121/84_121_000001.wav")
    (tmp_path / "84/121/84_121_000001.normalized.txt").write_text("Go, do you hear?")
    (one,) = corpora.read(tmp_path)
    assert (one.text, one.speaker) == ("Go, do you hear?", "84")


def test_common_voice_lists(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text('client_id\tpath\tsentence\nabc\tx.mp3\tHe said "no".\n')
    (one,) = corpora.read(path)
    assert (one.audio, one.text, one.speaker) == (tmp_path / "clips/x.mp3", 'He said "no".', "abc")


def test_stm_files(tmp_path):
    sound(tmp_path / "sph/talk.wav", 20)
    (tmp_path / "stm").mkdir()
    (tmp_path / "stm/talk.stm").write_text(
        ";; a comment\ntalk 1 anna 1.5 4.0 <o,f0,female> so here we are\n"
        "talk 1 inter_segment_gap 4.0 5.0 <o,,unknown> ignore_time_segment_in_scoring\n"
    )
    (one,) = corpora.read(tmp_path / "stm")
    assert (one.start_seconds, one.duration_seconds, one.text) == (1.5, 2.5, "so here we are")
    assert one.audio.exists()


def test_ljspeech_folders(tmp_path):
    sound(tmp_path / "wavs/LJ001-0001.wav")
    (tmp_path / "metadata.csv").write_text("LJ001-0001|In 1901,|In nineteen oh one,\n")
    (one,) = corpora.read(tmp_path)
    assert (one.text, one.id) == ("In nineteen oh one,", "LJ001-0001")


def test_a_folder_of_recordings_with_a_text_each(tmp_path):
    sound(tmp_path / "me/hello.wav")
    (tmp_path / "me/hello.txt").write_text("Hello there.\n")
    (one,) = corpora.read(tmp_path)
    assert (one.text, one.audio) == ("Hello there.", tmp_path / "me/hello.wav")


def test_nemo_names_and_round_trip(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"audio_filepath": "x.wav", "offset": 2, "duration": 1.5, "text": "ab"}\n\n')
    found = corpora.read(path)
    manifest.write(found, tmp_path / "b.jsonl")
    assert manifest.read(tmp_path / "b.jsonl") == found
    assert json.loads((tmp_path / "b.jsonl").read_text())["audio"] == "x.wav"


@pytest.mark.parametrize(
    "line", ["nonsense", "[]", '{"text": "a"}', '{"audio": "x", "text": "a", "start": -1}', '{"audio": "x"}']
)
def test_a_broken_manifest_line_is_named(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_text('{"audio": "x.wav", "text": "a"}\n' + line + "\n")
    with pytest.raises(ManifestError, match=r"a\.jsonl:2"):
        manifest.read(path)


def test_unknown_layouts_and_missing_corpora_are_refused(tmp_path):
    with pytest.raises(ManifestError, match="no transcripts"):
        corpora.read(tmp_path)
    with pytest.raises(InputNotFound):
        corpora.read(tmp_path / "none")
    (tmp_path / "x.docx").write_text("")
    with pytest.raises(ManifestError, match="no known list"):
        corpora.read(tmp_path / "x.docx")


def test_text_options_keep_what_they_are_told_to_keep():
    assert normalise("Mr. O'Neil paid $3.", TextOptions()) == "mister o'neil paid three dollars"
    assert normalise("Café, OLÉ!", TextOptions(accents="keep", numbers="keep")) == "café olé"
    assert normalise("Go, now!", TextOptions(punctuation="keep", case="upper", numbers="keep")) == "GO, NOW!"
    assert normalise("Room 7", TextOptions(case="keep", numbers="keep")) == "Room 7"
    assert normalise("well <noise> Yes.", TextOptions(special=("<noise>",))) == "well <noise> yes"


def test_numbers_become_words_of_another_language():
    pytest.importorskip("num2words")
    assert normalise("21 Bäume", TextOptions(language="de", accents="keep")) == "einundzwanzig bäume"


def test_prepare_says_what_it_dropped_and_why(tmp_path):
    sound(tmp_path / "good.wav", 2.0)
    sound(tmp_path / "other.wav", 2.0, 22050)
    sound(tmp_path / "long.wav", 30.0)
    sound(tmp_path / "short.wav", 0.1)
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    cases = [
        ("good.wav", "Hello there.", None), ("other.wav", "two words", None), ("long.wav", "word " * 20, "too long"),
        ("short.wav", "a", "too short"), ("broken.wav", "a b", "unreadable audio"),
        ("none.wav", "a", "unreadable audio"),
        ("good.wav", " ", "empty or unreadable text"), ("good.wav", "many words " * 12, "more text than audio"),
    ]  # fmt: skip
    utterances = [manifest.Utterance(tmp_path / name, text, id=f"{i}") for i, (name, text, _) in enumerate(cases)]
    utterances.append(manifest.Utterance(tmp_path / "good.wav", "beyond its end", 1.5, 2.0, id="end"))
    report = prepare.check(utterances, TextOptions(), prepare.Limits())
    assert [one.text for one in report.kept] == ["hello there", "two words"]
    assert report.resampled == 1
    why = dict(report.dropped)
    for i, (_, _, reason) in enumerate(cases):
        assert (str(i) in why) == (reason is not None)
        assert reason is None or why[str(i)].startswith(reason)
    assert why["end"].startswith("damaged audio")
    text = "\n".join(report.lines())
    assert "2 kept, 7 dropped" in text
    assert "2 × unreadable audio" in text


def test_ted_liums_marks_are_no_words(tmp_path):
    path = tmp_path / "talk.stm"
    path.write_text("talk 1 anna 0 4 <o,f0,female> it 's what we 've {BREATH} got and(2) rock 'n' roll <sil>\n")
    (one,) = corpora.read(path)
    assert one.text == "it's what we've got and rock 'n' roll"


@pytest.mark.parametrize(
    ("line", "text", "speaker"),
    [
        ("L1|hello there|bob", "hello there", "bob"),
        ("L1|In 1984 it was|", "In 1984 it was", ""),
        ("L1.wav|hello there", "hello there", ""),
        ("L1|in 2|in two", "in two", ""),
    ],
)
def test_ljspeechs_columns_are_told_apart(tmp_path, line, text, speaker):
    sound(tmp_path / "wavs/L1.wav")
    (tmp_path / "metadata.csv").write_text(line)
    (one,) = corpora.read(tmp_path)
    assert (one.text, one.speaker, one.audio.exists()) == (text, speaker, True)


def test_lists_with_a_byte_order_mark_and_rare_signs_are_read(tmp_path):
    (tmp_path / "a.tsv").write_text("path\tsentence\nx.mp3\tone\n", encoding="utf-8-sig")
    assert corpora.read(tmp_path / "a.tsv")[0].text == "one"
    line = '{"audio": "x.wav", "text": "one\u2028two", "speaker": null}\n{"audio": "y.wav", "text": null}\n'
    (tmp_path / "a.jsonl").write_text(line, encoding="utf-8-sig")
    assert [(one.text, one.speaker) for one in corpora.read(tmp_path / "a.jsonl")] == [("one\u2028two", ""), ("", "")]


def test_a_list_that_ends_within_a_line_or_is_not_utf8_is_named(tmp_path):
    (tmp_path / "a.tsv").write_text("path\tsentence\nx.mp3\n")
    with pytest.raises(ManifestError, match=r"a\.tsv:2"):
        corpora.read(tmp_path / "a.tsv")
    (tmp_path / "b.tsv").write_bytes(b"path\tsentence\nx.mp3\tcaf\xe9\n")
    with pytest.raises(ManifestError, match="not UTF-8"):
        corpora.read(tmp_path / "b.tsv")


def test_numbers_are_written_as_their_language_has_them():
    pytest.importorskip("num2words")
    assert normalise("1,5 Liter, 1.000 Euro", TextOptions(language="de")) == "eins komma funf liter eintausend euro"
    with pytest.raises(OptionError, match="--language xx"):
        normalise("7", TextOptions(language="xx"))


def test_letters_are_not_held_to_the_alphabet_where_others_are_asked_for(tmp_path):
    pytest.importorskip("num2words")
    sound(tmp_path / "a.wav", 2.0)
    report = prepare.check([manifest.Utterance(tmp_path / "a.wav", "Olé 2!")], TextOptions(case="upper"), alphabet=None)
    assert [one.text for one in report.kept] == ["OLE TWO"]
