"""`transcribe convert`: where results may go, and JSON that other programs write."""

import io
import json
import sys

import pytest

from transcribe_cli import writers
from transcribe_cli.cli import run
from transcribe_cli.transcript import Segment, Transcript, Word

TALK = Transcript((Segment(0.0, 1.0, (Word("hello", 0.0, 1.0, 0.9),)),), 2.0, "en 1")


@pytest.fixture
def talk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "talk.json"
    path.write_text(writers.render(TALK, "json", name="talk.wav"))
    return path


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-o", "-"], "names no file"),
        (["-o", "."], "is a folder"),
        (["-o", ".", "--overwrite"], "is a folder"),
        (["-f", "srt", "-o", "talk.json", "--overwrite"], "is read and would be overwritten"),
        (["-o", "talk.json/a.srt"], "cannot be written"),
        (["--output-dir", "talk.json"], "cannot be written"),
    ],
)
def test_a_place_where_nothing_can_be_written_is_refused_before_anything_starts(talk, arguments, complaint, capsys):
    before = talk.read_text()
    assert run(["convert", "talk.json", *arguments]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert [path.name for path in talk.parent.iterdir()] == ["talk.json"]
    assert talk.read_text() == before


def test_a_device_is_written_without_being_asked_twice(talk):
    assert run(["convert", "talk.json", "-o", "/dev/null"]) == 0


def test_an_extension_with_two_dots_hides_no_clash_of_names(talk, capsys):
    (talk.parent / "talk.audacity.json").write_text(talk.read_text())
    command = ["convert", "talk.json", "talk.audacity.json", "-f", "txt,audacity", "--output-dir", "out"]
    assert run(command) == 2
    assert "talk.audacity.txt" in capsys.readouterr().err


def test_a_sign_that_the_terminal_lacks_is_one_line(talk, capsys, monkeypatch):
    talk.write_text(talk.read_text().replace("hello", "caf\u00e9"))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert run(["convert", "talk.json"]) == 1
    error = capsys.readouterr().err
    assert "its encoding ascii lacks" in error
    assert error.count("\n") == 1


def test_null_is_no_word(talk, capsys):
    words = [{"word": None, "start": 0, "end": 1}, {"word": "yes", "start": 1, "end": 2}]
    segments = [{"start": 0, "end": 1, "text": None}, {"start": 0, "end": 2, "text": "yes", "words": words}]
    talk.write_text(json.dumps({"segments": segments}))
    assert run(["convert", "talk.json", "-f", "ctm"]) == 0
    assert [line.split()[4] for line in capsys.readouterr().out.splitlines()] == ["yes"]


def test_what_is_no_number_becomes_null(talk, capsys):
    talk.write_text('{"segments": [], "options": {"a": NaN, "b": -Infinity, "c": 1e999, "d": 1.5}}')
    assert run(["convert", "talk.json", "-f", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["options"] == {"a": None, "b": None, "c": None, "d": 1.5}


@pytest.mark.parametrize("name", ["caf\udce9.wav", "half \ud83d.wav"])
def test_a_name_that_is_not_utf8_goes_into_every_format_and_back(talk, name):
    talk.write_bytes(writers.render(TALK, "json", name=name).encode())
    formats = ",".join(writers.FORMATS)
    assert run(["convert", "talk.json", "-f", formats, "--output-dir", "out"]) == 0
    for format in writers.FORMATS.values():
        found = (talk.parent / "out" / f"talk.{format.extension}").read_bytes()
        assert found == writers.render(TALK, format.name, name=name).encode()
    assert json.loads((talk.parent / "out" / "talk.json").read_text())["audio"] == name
