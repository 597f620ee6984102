import io
import json
import sys

import pytest

from transcribe_cli import writers
from transcribe_cli.cli import run
from transcribe_cli.transcript import Segment, Transcript, Word

WORDS = tuple(Word(word, 0.5 * k, 0.5 * k + 0.4, 0.9) for k, word in enumerate(["hello", "there", "friend"]))
TALK = Transcript((Segment(0.0, 1.4, WORDS),), 2.0, "en 1")


@pytest.fixture
def talk(tmp_path):
    path = tmp_path / "talk.json"
    path.write_text(writers.render(TALK, "json", name="talk.wav"))
    return path


def test_json_becomes_any_format_on_standard_output(talk, capsys):
    for format in writers.FORMATS:
        assert run(["convert", str(talk), "--format", format]) == 0
        assert capsys.readouterr().out == writers.render(TALK, format, name="talk.wav")


def test_the_outputs_name_says_the_format(talk, tmp_path):
    for name, format in (
        ("a.srt", "srt"),
        ("b.TextGrid", "textgrid"),
        ("c.audacity.txt", "audacity"),
        ("d.txt", "txt"),
    ):
        assert run(["convert", str(talk), "-o", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_text() == writers.render(TALK, format)


def test_several_formats_go_into_a_folder(talk, tmp_path):
    assert run(["convert", str(talk), "--format", "srt,vtt", "--output-dir", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["talk.srt", "talk.vtt"]


def test_subtitle_limits_are_flags(talk, capsys):
    assert run(["convert", str(talk), "--format", "srt", "--max-line-length", "11", "--max-lines", "1"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.isalpha() or " t" in line] == [
        "hello there",
        "friend",
    ]


def test_a_broken_file_is_named_and_the_others_are_done(talk, tmp_path, capsys):
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    missing = tmp_path / "missing.json"
    out = tmp_path / "out"
    assert run(["convert", str(broken), str(missing), str(talk), "--format", "srt", "--output-dir", str(out)]) == 1
    complaint = capsys.readouterr().err.splitlines()
    assert len(complaint) == 2
    assert "broken.json: not JSON" in complaint[0]
    assert "missing.json: no such file" in complaint[1]
    assert (out / "talk.srt").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--format", "docx"], "choose from"),
        (["--format", "srt,vtt"], "--output-dir"),
        (["-o", "a.srt", "--output-dir", "b"], "one of them"),
        (["--min-cue-seconds", "9"], "more than"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(talk, arguments, complaint, capsys):
    assert run(["convert", str(talk), *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_nothing_is_overwritten_unasked(talk, tmp_path, capsys):
    target = tmp_path / "talk.srt"
    target.write_text("mine")
    assert run(["convert", str(talk), "-o", str(target)]) == 2
    assert target.read_text() == "mine"
    assert run(["convert", str(talk), "-o", str(target), "--overwrite"]) == 0
    assert "-->" in target.read_text()


def test_whispers_json_is_taken(tmp_path, capsys):
    path = tmp_path / "whisper.json"
    path.write_text(json.dumps({"segments": [{"start": 0, "end": 2, "text": " Hi there."}]}))
    assert run(["convert", str(path)]) == 0
    assert capsys.readouterr().out == "Hi there.\n"


def test_a_byte_order_mark_is_no_part_of_a_transcript(talk, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + talk.read_bytes())))
    assert run(["convert", "-"]) == 0
    assert capsys.readouterr().out == writers.render(TALK, "txt")


def test_times_beyond_all_bounds_are_one_line(talk, capsys):
    talk.write_text(talk.read_text().replace('"end": 1.4', '"end": 1e308'))
    assert run(["convert", str(talk), "--format", "srt"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_parts_of_whispers_words_stay_together(tmp_path, capsys):
    parts = [" It", " grew", " 3", ".5", "%", " for", " Spider", "-Man", " don", "'t"]
    words = [{"word": part, "start": k, "end": k + 1, "probability": 0.9} for k, part in enumerate(parts)]
    segment = {"start": 0, "end": 10, "text": "".join(parts), "words": words}
    (tmp_path / "w.json").write_text(json.dumps({"text": "".join(parts), "segments": [segment], "language": "en"}))
    assert run(["convert", str(tmp_path / "w.json"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["segments"][0]["words"]
    assert [word["word"] for word in found] == ["It", "grew", "3.5%", "for", "Spider-Man", "don't"]
    assert (found[2]["start"], found[2]["end"]) == (2, 5)


def test_times_that_run_backwards_end_where_they_start(tmp_path, capsys):
    words = [{"word": "a", "start": 6, "end": 5, "probability": 7}, {"word": "b", "start": -2, "end": 9}]
    (tmp_path / "w.json").write_text(json.dumps({"text": "a b", "segments": [{"start": -2, "end": 9, "words": words}]}))
    assert run(["convert", str(tmp_path / "w.json"), "--format", "ctm"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(float(start), float(length), float(sure)) for _, _, start, length, _, sure in lines] == [
        (6, 0, 1),
        (0, 9, 1),
    ]
