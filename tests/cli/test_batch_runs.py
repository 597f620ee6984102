"""Batches that are taken up again: what the journal saves, what it redoes, and how work is split among machines."""

import json
import os
import shutil
import time

import pytest
import toy_model
from toy_model import speak

from transcribe_cli import journal
from transcribe_cli.cli import run

JOURNAL = journal.NAME + ".jsonl"
BATCH = ["in", "--output-dir", "out", "--no-timing"]


@pytest.fixture
def home(home):
    """With three recordings and a text that calls itself one."""
    for name, text in (("a", "cab"), ("b", "bad"), ("x/c", "fed")):
        speak(home / "in" / f"{name}.wav", text)
    (home / "in" / "d.wav").write_text("this is no sound at all")
    return home


def results(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(journal.NAME)
    }


def ages(folder):
    return {name: (folder / name).stat().st_mtime_ns for name in results(folder)}


def test_the_same_command_again_does_nothing_and_loads_nothing(home, capsys, monkeypatch):
    assert run(BATCH) == 1
    before = ages(home / "out")
    assert set(before) == {"a.txt", "b.txt", "x/c.txt"}
    capsys.readouterr()
    monkeypatch.setattr("transcribe_cli.cli.transcribe.Recogniser", None)
    monkeypatch.setattr("transcribe_cli.audio.source.open_source", None)
    assert run(BATCH) == 1
    assert ages(home / "out") == before
    err = capsys.readouterr().err
    assert "3 of 4 recordings were done before" in err
    assert "--retry-failed" in err
    assert "d.wav" in err


def test_only_what_is_missing_or_changed_is_done_again(home):
    run(BATCH)
    before = ages(home / "out")
    (home / "out" / "b.txt").unlink()
    speak(home / "in" / "x" / "c.wav", "head")
    speak(home / "in" / "e.wav", "bee")
    assert run(BATCH) == 1
    after = ages(home / "out")
    assert {name for name in after if after[name] != before.get(name)} == {"b.txt", "x/c.txt", "e.txt"}
    assert results(home / "out")["x/c.txt"] == b"head\n"


def test_a_changed_option_redoes_what_it_touches(home):
    formats = ["--format", "txt,srt,json"]
    run([*BATCH, *formats])
    before = ages(home / "out")

    def redone(*arguments):
        nonlocal before
        run([*BATCH, *formats, *arguments])
        earlier, before = before, ages(home / "out")
        return {name.rpartition(".")[2] for name in before if before[name] != earlier.get(name)}

    assert redone("--max-line-length", "20") == {"srt"}
    assert redone("--max-line-length", "20", "--threads", "1") == set()
    assert redone("--max-line-length", "20", "--beam-width", "30") == {"txt", "srt", "json"}
    assert redone("--max-line-length", "20", "--beam-width", "30", "--timing") == {"json"}
    (home / "words.txt").write_text("cab\n")
    words = ["--max-line-length", "20", "--hotwords-file", "words.txt"]
    assert redone(*words) == {"txt", "srt", "json"}
    (home / "words.txt").write_text("bad\n")
    assert redone(*words) == {"txt", "srt", "json"}


@pytest.mark.parametrize("changed", ["words.gz", "rescorer.onnx"])
def test_a_changed_lexicon_or_neural_language_model_redoes_everything(home, changed):
    folder = home / "models" / "toy"
    (folder / changed).write_bytes(b"one")  # read by networks that hear sounds, which this one does not
    (folder / "words.arpa").write_text("\\data\\\nngram 1=2\n\n\\1-grams:\n-1\tbad\n-1\t</s>\n\n\\end\\\n")
    named = {"lexicon": "words.gz"}
    if changed != "words.gz":
        named = {"language_model": {"file": "words.arpa", "rescorer": changed}}
    toy_model.write_bundle(folder, **named)
    run(BATCH)
    before = ages(home / "out")
    run(BATCH)
    assert ages(home / "out") == before
    (folder / changed).write_bytes(b"two")
    run(BATCH)
    after = ages(home / "out")
    assert all(after[name] != before[name] for name in before)


def test_a_changed_model_redoes_everything_and_a_changed_prose_of_its_card_nothing(home):
    run(BATCH)
    before = ages(home / "out")
    toy_model.write_bundle(home / "models" / "toy", licence="as you like")
    run(BATCH)
    assert ages(home / "out") == before
    toy_model.write_bundle(home / "models" / "toy", windows={"seconds": 5.0, "context_seconds": 0.5})
    run(BATCH)
    after = ages(home / "out")
    assert all(after[name] != before[name] for name in before)


def test_a_failure_is_tried_again_when_asked_or_when_the_recording_changed(home, capsys):
    run(BATCH)

    def attempts():
        run(["status", "out", "--json"])
        said = json.loads(capsys.readouterr().out)
        return next(one["attempts"] for one in said["recordings"] if one["path"].endswith("d.wav"))

    capsys.readouterr()
    assert run(BATCH) == 1
    capsys.readouterr()
    assert attempts() == 1
    assert run([*BATCH, "--retry-failed"]) == 1
    capsys.readouterr()
    assert attempts() == 2
    speak(home / "in" / "d.wav", "egg")
    assert run(BATCH) == 0
    assert results(home / "out")["d.txt"] == b"egg\n"


def test_a_failure_that_is_not_the_recordings_own_is_tried_again(home, capsys):
    (home / "out").mkdir()
    (home / "out" / "x").write_text("a file where a folder should be")
    assert run(BATCH) == 1
    assert "x/c.txt: cannot be written" in capsys.readouterr().err
    (home / "out" / "x").unlink()
    run(BATCH)
    assert results(home / "out")["x/c.txt"] == b"fed\n"


def test_a_recording_that_could_not_be_opened_is_tried_again(home, capsys, monkeypatch):
    def refuse(*_):  # root may read everything
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as shut:
        shut.setattr("transcribe_cli.audio.source.open", refuse, raising=False)
        assert run(BATCH) == 1
    assert capsys.readouterr().err.count("no permission to read it") == 2 * 4
    assert results(home / "out") == {}
    assert run(BATCH) == 1
    assert set(results(home / "out")) == {"a.txt", "b.txt", "x/c.txt"}


def typed_by_hand_is_kept(home, capsys, name, changed):
    """A result is written by someone else and its recording changes: the same command refuses to replace it."""
    (home / "out" / f"{name}.txt").write_text("typed by hand")
    speak(home / "in" / f"{name}.wav", changed)
    capsys.readouterr()
    assert run(BATCH) == 2
    assert f"{name}.txt exists already, and not as the journal knows it" in capsys.readouterr().err
    assert (home / "out" / f"{name}.txt").read_text() == "typed by hand"


def test_what_others_wrote_is_never_lost(home, capsys):
    run(BATCH)
    typed_by_hand_is_kept(home, capsys, "a", "head")
    assert run([*BATCH, "--skip-existing"]) == 1
    assert (home / "out" / "a.txt").read_text() == "typed by hand"
    assert run([*BATCH, "--overwrite"]) == 1
    assert (home / "out" / "a.txt").read_text() == "head\n"


def test_what_exists_is_skipped_file_by_file(home):
    both = [*BATCH, "--format", "txt,srt", "--skip-existing"]
    run(BATCH)
    (home / "out" / "a.txt").write_text("typed by hand")
    assert run(both) == 1
    assert (home / "out" / "a.txt").read_text() == "typed by hand"
    assert {"a.srt", "b.srt", "x/c.srt"} <= set(results(home / "out"))
    assert run([*both, "--no-journal"]) == 1
    assert (home / "out" / "a.txt").read_text() == "typed by hand"


@pytest.mark.parametrize("more", [["--overwrite"], ["--skip-existing"], []])
def test_a_result_never_replaces_a_recording(home, capsys, more):
    speak(home / "ow" / "a.wav", "cab").rename(home / "ow" / "a.txt")
    (home / "out").mkdir()
    os.symlink("../in/a.wav", home / "out" / "a.txt")
    before = (home / "ow" / "a.txt").read_bytes(), (home / "in" / "a.wav").read_bytes()
    assert run(["ow/a.txt", "--output-dir", "ow", *more]) == 2
    assert capsys.readouterr().err == ("transcribe: ow/a.txt is read and would be overwritten: choose another folder\n")
    assert run(["in/a.wav", "--output-dir", "out", *more]) == 2
    assert ((home / "ow" / "a.txt").read_bytes(), (home / "in" / "a.wav").read_bytes()) == before


@pytest.mark.parametrize("more", [[], ["--skip-existing"], ["--overwrite"], ["--no-journal"]])
def test_a_result_whose_name_is_too_long_fails_alone(home, capsys, more):
    (home / "out").mkdir()  # without it nobody looks as far as the name
    name = "n" * 251
    shutil.copy(home / "in" / "a.wav", home / "in" / f"{name}.wav")
    assert run([*BATCH, "--format", "json", *more]) == 1
    assert f"{name}.json: cannot be written (File name too long)" in capsys.readouterr().err
    assert set(results(home / "out")) == {"a.json", "b.json", "x/c.json"}


def test_a_text_typed_after_a_failure_is_never_lost(home, capsys):
    run(BATCH)
    typed_by_hand_is_kept(home, capsys, "d", "egg")


def test_a_result_outlives_a_failure_and_is_still_ours(home):
    run(BATCH)
    (home / "in" / "a.wav").write_text("broken for a while")
    assert run(BATCH) == 1
    assert (home / "out" / "a.txt").read_text() == "cab\n"
    speak(home / "in" / "a.wav", "head")
    assert run(BATCH) == 1
    assert (home / "out" / "a.txt").read_text() == "head\n"


def test_another_recording_of_the_same_name_takes_nothing_away(home, capsys):
    speak(home / "day1" / "talk.wav", "cab")
    speak(home / "day2" / "talk.wav", "bad")
    assert run(["day1/talk.wav", "--output-dir", "out"]) == 0
    assert run(["day2/talk.wav", "--output-dir", "out"]) == 2
    assert "talk.txt is what was said in" in capsys.readouterr().err
    assert (home / "out" / "talk.txt").read_text() == "cab\n"
    assert run(["day2/talk.wav", "--output-dir", "out", "--overwrite"]) == 0
    assert (home / "out" / "talk.txt").read_text() == "bad\n"
    os.rename(home / "day2", home / "day3")  # the same recording elsewhere is known, or done again
    assert run(["day3/talk.wav", "--output-dir", "out"]) == 0


def test_a_copied_folder_is_known_by_its_contents(home):
    run(BATCH)
    shutil.copytree(home / "out", home / "copy", copy_function=shutil.copyfile)
    os.rename(home / "out", home / "old")
    os.rename(home / "copy", home / "out")
    before = ages(home / "out")
    assert run(BATCH) == 1
    assert ages(home / "out") == before


def test_a_process_killed_between_result_and_journal_is_taken_up(home):
    run(BATCH)
    path = home / "out" / JOURNAL
    kept = [line for line in path.read_text().splitlines() if not ('"done":{' in line and "a.wav" in line)]
    path.write_text("\n".join(kept) + "\n")
    speak(home / "in" / "a.wav", "head")
    assert run(BATCH) == 1
    assert (home / "out" / "a.txt").read_text() == "head\n"


def test_a_result_is_announced_on_the_disk_before_it_is_there(home, monkeypatch):
    safe, announced = set(), []
    flush, rename = os.fdatasync, os.replace

    def flushed(descriptor):
        flush(descriptor)
        for line in (home / "out" / JOURNAL).read_text().splitlines():
            safe.update(json.loads(line).get("begun", ()))

    def renamed(source, target):
        announced.append(os.path.relpath(target, "out") in safe)
        rename(source, target)

    monkeypatch.setattr(os, "fdatasync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    assert run(BATCH) == 1
    assert announced == [True] * 3


@pytest.mark.parametrize(
    "torn",
    [
        b'{"at":1,"inp',
        b'{"at":9e9,"input":3}\n',
        b"\xff\xfe\n[]\n{}\nnull",
        b"\n\n\0\0\0",
        b'{"at":9e9,"input":"x","source":[1e999,1],"begun":{}}\n',
        b'{"at":9e99,"run":{},"inputs":1,"done":0,"failed":0}\n{"at":NaN,"run":{},"inputs":1,"done":0,"failed":0}\n',
        b'{"at":1' + b"0" * 400 + b',"run":{}}\n{"at":9e9,"run":5,"inputs":1,"done":0,"failed":0}\n',
        b'{"at":9e9,"input":"x","source":[1,1],"audio_seconds":1e999,"done":{}}\n',
    ],
)
def test_a_torn_line_is_no_error_and_hides_no_other(home, capsys, torn):
    run(BATCH)
    before = ages(home / "out")
    with (home / "out" / JOURNAL).open("ab") as file:
        file.write(torn)
    speak(home / "in" / "e.wav", "bee")
    run(BATCH)
    run(BATCH)
    after = ages(home / "out")
    assert after.pop("e.txt")
    assert after == before
    lines = (home / "out" / JOURNAL).read_text(errors="replace").splitlines()
    assert '"done":{"e.txt"' in lines[-1]  # the last run had nothing to do, and the one before wrote whole lines
    capsys.readouterr()
    assert run(["status", "out"]) == 1
    assert capsys.readouterr().out.startswith("4 done (0.00 h of audio), 1 failed, 0 begun\n")


def test_nothing_is_kept_without_a_journal(home, capsys):
    assert run([*BATCH, "--no-journal"]) == 1
    assert not (home / "out" / JOURNAL).exists()
    assert run([*BATCH, "--no-journal"]) == 2
    assert "--skip-existing or --overwrite" in capsys.readouterr().err
    assert run(["status", "out"]) == 2


def test_failures_stand_in_a_table_at_the_end(home, capsys):
    (home / "in" / "e.wav").touch()
    assert run(BATCH) == 1
    err = capsys.readouterr().err.splitlines()
    at = err.index("transcribe: 2 of 5 recordings failed:")
    assert err[at + 1 :] == ["  in/d.wav  holds text, not audio", "  in/e.wav  is empty (0 bytes)"]


def test_shares_are_disjoint_and_together_everything(home, capsys):
    for k in range(20):
        shutil.copy(home / "in" / "a.wav", home / "in" / f"n{k}.wav")
    (home / "in" / "d.wav").unlink()
    assert run(["in", "--output-dir", "whole", "--no-journal"]) == 0
    parts = []
    for share in ("1/3", "2/3", "3/3"):
        assert run(["in", "--output-dir", "out", "--shard", share]) == 0
        parts.append(len(results(home / "out")))
    assert results(home / "out") == results(home / "whole")
    assert 0 < parts[0] < parts[1] < parts[2]
    assert len(journal.journals(home / "out")) == 3
    # another machine that sees one recording more splits the others alike
    capsys.readouterr()
    speak(home / "in" / "a0.wav", "bad")
    done = [run(["in", "--output-dir", "out", "--shard", share]) for share in ("1/3", "2/3", "3/3")]
    assert done == [0, 0, 0]
    assert len(results(home / "out")) == parts[2] + 1
    assert run(["status", "out"]) == 0
    out = capsys.readouterr().out
    assert f"{parts[2] + 1} done" in out
    assert "2/3" in out


def test_the_lines_of_shares_joined_are_those_of_the_whole(home, capsys):
    (home / "in" / "d.wav").unlink()
    for format in ("txt", "jsonl"):
        assert run(["in", "--format", format, "--no-timing"]) == 0
        whole = capsys.readouterr().out.splitlines()
        parts = []
        for share in ("1/5", "2/5", "3/5", "4/5", "5/5"):
            assert run(["in", "--format", format, "--no-timing", "--shard", share]) == 0
            parts.append(capsys.readouterr().out.splitlines())
        assert 1 in map(len, parts)
        assert sorted(line for part in parts for line in part) == sorted(whole)


def test_the_lines_of_a_manifest_are_split_too(home, capsys):
    lines = [json.dumps({"audio": "in/a.wav", "start": 0.0, "duration": 0.5 + k / 100}) for k in range(12)]
    (home / "m.jsonl").write_text("\n".join(lines))
    seen = []
    for share in ("1/2", "2/2"):
        assert run(["m.jsonl", "--format", "jsonl", "--shard", share]) == 0
        seen += [json.loads(line)["duration"] for line in capsys.readouterr().out.splitlines()]
    assert sorted(seen) == [0.5 + k / 100 for k in range(12)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in", "--output-dir", "out", "--shard", "0/3"], "--shard"),
        (["in", "--output-dir", "out", "--shard", "4/3"], "--shard"),
        (["in", "--output-dir", "out", "--shard", "three"], "--shard"),
        (["in", "--retry-failed"], "--output-dir"),
        (["in", "--output-dir", "out", "--retry-failed", "--no-journal"], "--no-journal"),
        (["in", "--output-dir", "out", "--engine", "steam"], "--engine"),
        (["status", "nowhere"], "no such folder"),
        (["status", "in"], "no journal"),
        (["in", "--output-dir", "in/d.wav"], "d.wav"),
        (["in", "--output-dir", "n" * 300], "nnn: cannot be looked into (File name too long)"),
        (["status", "n" * 300], "nnn: cannot be looked into (File name too long)"),
    ],
)
def test_what_makes_no_sense_is_one_line(home, capsys, arguments, message):
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert message in err


def test_status_tells_what_is_done_failed_and_begun(home, capsys):
    run(BATCH)
    source = journal.source_of(home / "in" / "b.wav")
    with (home / "out" / JOURNAL).open("a") as file:
        line = {"at": time.time() + 9, "input": source.path, "source": [source.size, source.mtime_ns]}
        file.write(json.dumps(line | {"begun": {"b.txt": "0"}}) + "\n")
    capsys.readouterr()
    assert run(["status", "out"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("2 done (0.00 h of audio), 1 failed, 1 begun\n")
    assert "d.wav: holds text, not audio" in out
    assert "b.wav (2 attempts)" in out
    assert run(["status", "out", "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["runs"][0]["inputs"] == 4
    assert facts["runs"][0]["left"] == 0
    assert {one["state"] for one in facts["recordings"]} == {"done", "failed", "begun"}


def test_a_journal_knows_names_of_any_bytes(home):
    name = os.fsencode(home / "in") + b"/two\nlines \xff.wav"
    shutil.copy(home / "in" / "a.wav", os.fsdecode(name))
    run(BATCH)
    before = ages(home / "out")
    assert os.fsdecode(b"two\nlines \xff.txt") in before
    run(BATCH)
    assert ages(home / "out") == before
