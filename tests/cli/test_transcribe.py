"""The command line from sound to written result, with a model whose letters are tones."""

import json

import pytest
import soundfile
import toy_model
from toy_model import speak

from transcribe_cli.cli import run


def test_one_recording_prints_its_words_and_nothing_else(home, capsys):
    speak(home / "talk.wav", "abc.head")
    assert run(["talk.wav"]) == 0
    assert capsys.readouterr() == ("abchead\n", "")


def test_a_long_pause_starts_a_new_line(home, capsys):
    speak(home / "talk.wav", "bad cab...head")
    assert run(["talk.wav"]) == 0
    assert capsys.readouterr().out == "bad cab\nhead\n"


def test_several_recordings_are_named_in_order_as_grep_does(home, capsys):
    speak(home / "b.wav", "bad")
    speak(home / "a.wav", "cab")
    assert run(["b.wav", "a.wav"]) == 0
    assert capsys.readouterr().out == "b.wav\tbad\na.wav\tcab\n"
    assert run(["-h", "b.wav", "a.wav"]) == 0
    assert capsys.readouterr().out == "bad\ncab\n"
    assert run(["-H", "a.wav"]) == 0
    assert capsys.readouterr().out == "a.wav\tcab\n"


def test_a_bad_recording_is_one_line_and_the_rest_is_done(home, capsys):
    speak(home / "a.wav", "cab")
    (home / "b.wav").write_text("this is no sound")
    speak(home / "c.wav", "fed")
    assert run(["a.wav", "b.wav", "c.wav", "gone.wav"]) == 1
    out, err = capsys.readouterr()
    assert out == "a.wav\tcab\nc.wav\tfed\n"
    assert len(err.splitlines()) == 3
    assert "b.wav" in err
    assert "gone.wav" in err
    assert "2 of 4 recordings failed" in err


def test_a_folder_is_mirrored_and_namesakes_do_not_collide(home, capsys):
    speak(home / "in" / "x" / "a.wav", "cab")
    speak(home / "in" / "x" / "a.flac", "bad")
    speak(home / "in" / "b.wav", "fed")
    assert run(["in", "--output-dir", "out", "--format", "txt,json"]) == 0
    assert capsys.readouterr().out == ""
    made = {str(p.relative_to(home / "out")): p for p in (home / "out").rglob("[!.]*") if p.is_file()}
    assert set(made) == {f"{stem}.{kind}" for stem in ("b", "x/a.wav", "x/a.flac") for kind in ("txt", "json")}
    assert made["x/a.flac.txt"].read_text() == "bad\n"
    assert [word["word"] for word in json.loads(made["b.json"].read_text())["segments"][0]["words"]] == ["fed"]


def test_results_that_are_there_are_kept_unless_asked(home, capsys):
    speak(home / "a.wav", "cab")
    speak(home / "b.wav", "bad")
    (home / "out").mkdir()
    (home / "out" / "a.txt").write_text("mine")
    assert run(["a.wav", "b.wav", "--output-dir", "out"]) == 2
    assert "--skip-existing or --overwrite" in capsys.readouterr().err
    assert not (home / "out" / "b.txt").exists()
    assert run(["a.wav", "b.wav", "--output-dir", "out", "--skip-existing"]) == 0
    assert (home / "out" / "a.txt").read_text() == "mine"
    assert (home / "out" / "b.txt").read_text() == "bad\n"
    assert run(["a.wav", "--output-dir", "out", "--overwrite"]) == 0
    assert (home / "out" / "a.txt").read_text() == "cab\n"


def test_skip_existing_keeps_the_one_file_too(home, capsys):
    speak(home / "a.wav", "cab")
    (home / "m.jsonl").write_text('{"audio": "a.wav"}\n')
    for name, result in (("a.wav", "a.txt"), ("m.jsonl", "lines.jsonl")):
        assert run([name, "-o", result, "--skip-existing"]) == 0
        assert "cab" in (home / result).read_text()
        (home / result).write_text("mine")
        assert run([name, "-o", result, "--skip-existing"]) == 0
        assert (home / result).read_text() == "mine"
    assert run(["a.wav", "-o", "/dev/stdout", "--skip-existing"]) == 0  # what is no file is not kept
    assert capsys.readouterr().err == ""


def test_skip_existing_looks_at_every_format(home):
    speak(home / "a.wav", "cab")
    assert run(["a.wav", "--output-dir", "out"]) == 0
    assert run(["a.wav", "--output-dir", "out", "--format", "txt,srt", "--skip-existing"]) == 0
    assert (home / "out" / "a.srt").exists()


def test_the_output_files_name_chooses_the_format(home):
    speak(home / "a.wav", "cab")
    assert run(["a.wav", "-o", "a.srt"]) == 0
    assert "-->" in (home / "a.srt").read_text()
    assert run(["a.wav", "-o", "a.srt"]) == 2  # it is there now


def test_flags_win_over_environment_over_config_over_default(home, capsys, monkeypatch):
    speak(home / "a.wav", "cab")
    user = home / "config" / "transcribe"
    user.mkdir(parents=True)
    (user / "config.toml").write_text('format = "tsv"\n')
    (home / "mine.toml").write_text('format = "srt"\nbeam-width = 20\n')

    def printed(*arguments):
        assert run([*arguments, "a.wav"]) == 0
        return capsys.readouterr().out

    assert printed().startswith("start\tend\ttext")
    assert "-->" in printed("--config", "mine.toml")
    monkeypatch.setenv("TRANSCRIBE_FORMAT", "vtt")
    assert printed("--config", "mine.toml").startswith("WEBVTT")
    assert printed("--config", "mine.toml", "--format", "txt") == "cab\n"


def test_the_file_given_wins_over_ones_own_whatever_their_tables(home, capsys):
    speak(home / "a.wav", "cab")
    user = home / "config" / "transcribe"
    user.mkdir(parents=True)
    (user / "config.toml").write_text('[transcribe]\nformat = "tsv"\n')
    (home / "mine.toml").write_text('format = "srt"\n')
    assert run(["a.wav", "--config", "mine.toml"]) == 0
    assert "-->" in capsys.readouterr().out
    (user / "config.toml").write_text("beam_widht = 3\n")
    assert run(["a.wav", "--config", "mine.toml"]) == 2
    assert "config.toml: unknown key 'beam_widht'" in capsys.readouterr().err


def test_a_phrase_in_the_environment_stays_one(home, capsys, monkeypatch):
    speak(home / "a.wav", "cab")
    monkeypatch.setenv("TRANSCRIBE_HOTWORD", "bad cab:8\nhead:2")
    assert run(["a.wav", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["options"]["hotword"] == ["bad cab:8", "head:2"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("beam_widht = 3", "unknown key 'beam_widht'"),
        ("= 3", "TOML"),
        ("[talk]\na = 1", "no command"),
        ("beam_width = 0", "beam"),
        ("beam-width = true", "mine.toml: beam-width cannot be true or false"),
    ],
)
def test_a_broken_config_is_one_line_and_nothing_starts(home, capsys, config, message):
    speak(home / "a.wav", "cab")
    (home / "mine.toml").write_text(config)
    assert run(["a.wav", "--config", "mine.toml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert message in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.wav", "--beam-width", "0"],
        ["a.wav", "--beam-width", "many"],
        ["a.wav", "--decoder", "guess"],
        ["a.wav", "--format", "mp3"],
        ["a.wav", "--unheard-of"],
        ["a.wav", "--model", "nothing"],
        ["a.wav", "--lm", "missing.arpa"],
        ["a.wav", "--hotword", "xyz"],
        ["a.wav", "--device", "cuda"],
        ["a.wav", "--format", "txt,srt"],
        ["a.wav", "-o", "x.txt", "--output-dir", "out"],
        ["a.wav", "--config", "gone.toml"],
        ["a.wav", "--raw", "tape"],
        ["nothing*.wav"],
        ["@gone.txt"],
    ],
)
def test_what_cannot_start_is_one_line_and_exit_code_2(home, capsys, arguments):
    speak(home / "a.wav", "cab")
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("transcribe: ")


def test_whispers_spellings_are_understood(home):
    speak(home / "a.wav", "cab")
    assert run(["a.wav", "--output_dir", "out", "--output_format", "srt", "--word_timestamps", "True"]) == 0
    assert (home / "out" / "a.srt").exists()


def test_a_manifest_gives_a_line_a_line_in_order_with_its_own_keys(home, capsys):
    speak(home / "long.wav", "bad...cab...fed")
    speak(home / "sub" / "other.wav", "head")
    lines = [
        {"audio": "long.wav", "start": 2.1, "duration": 1.5, "id": 7},
        {"audio_filepath": "sub/other.wav", "text": "head", "offset": 0},
        {"audio": "gone.wav", "id": "missing"},
        {"audio": "long.wav", "start": 0, "duration": 1.5, "id": 8},
    ]
    (home / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run(["m.jsonl", "--format", "jsonl"]) == 1
    out, err = capsys.readouterr()
    results = [json.loads(line) for line in out.splitlines()]
    assert [result.get("pred_text") for result in results] == ["cab", "head", None, "bad"]
    assert [{k: v for k, v in r.items() if k in lines[i]} for i, r in enumerate(results)] == lines
    assert [word["word"] for word in results[0]["words"]] == ["cab"]
    assert 0 <= results[0]["words"][0]["start"] < results[0]["words"][0]["end"] <= 1.5
    assert 0 <= results[0]["confidence"] <= 1
    assert "error" in results[2]
    assert "gone.wav" in err


def test_a_manifests_lines_are_the_same_whether_their_sound_is_held_or_read_meanwhile(home, capsys, monkeypatch):
    speak(home / "a.wav", "cab bad...head...fed bee.." * 4)
    lines = [{"audio": "a.wav", "start": 0.0, "duration": 3.0}, {"audio": "a.wav", "start": 2.5, "duration": 9.0}]
    lines += [{"audio": "a.wav", "start": 999.0, "duration": 9.0}, {"audio": "b.wav", "duration": 1.0}]
    (home / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = []
    for seconds, unused in ((0.0, "excerpts"), (1e9, "stream")):
        with monkeypatch.context() as context:
            context.setattr("transcribe_cli.cli.manifests.LONGEST_HELD_SECONDS", seconds)
            context.setattr(f"transcribe_cli.cli.manifests.{unused}", None)
            assert run(["m.jsonl", "--format", "jsonl"]) == 1
        found.append(capsys.readouterr())
    assert found[0] == found[1]
    results = [json.loads(line) for line in found[0].out.splitlines()]
    assert results[0]["pred_text"] == "cab bad he"
    assert results[1]["words"][0]["start"] < 2.5
    assert "nothing begins at 999" in results[2]["error"]
    assert "no such file" in results[3]["error"]


def test_the_sound_of_a_manifests_line_without_duration_is_not_held(home, capsys, monkeypatch):
    monkeypatch.setattr("transcribe_cli.cli.manifests.excerpts", None)
    speak(home / "a.wav", "cab...head")
    (home / "m.jsonl").write_text('{"audio": "a.wav"}\n{"audio": "a.wav", "start": 1.5}\n')
    assert run(["m.jsonl", "--format", "txt"]) == 0
    assert capsys.readouterr().out == "cab head\nhead\n"


def test_start_and_duration_cut_and_times_count_from_the_recordings_start(home, capsys):
    speak(home / "a.wav", "bad...cab...fed")
    assert run(["a.wav", "--start", "2.1", "--duration", "1.5", "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [segment["text"].strip() for segment in result["segments"]] == ["cab"]
    assert 2.1 <= result["segments"][0]["start"] <= 3.6


def test_split_channels_are_labelled_and_merged_by_time(home, capsys):
    import numpy as np

    left, right = toy_model.sound("bad....."), toy_model.sound("...cab")
    n = min(len(left), len(right))
    soundfile.write(home / "two.wav", np.stack([left[:n], right[:n]], axis=1), 16000)
    assert run(["two.wav", "--channel", "split", "--format", "json"]) == 0
    segments = json.loads(capsys.readouterr().out)["segments"]
    assert [(segment["channel"], segment["text"].strip()) for segment in segments] == [(0, "bad"), (1, "cab")]
    assert run(["two.wav", "-H", "--channel", "split"]) == 0
    assert capsys.readouterr().out == "two.wav\t[0] bad [1] cab\n"


def test_decoding_in_worker_processes_gives_the_same_bytes(home, capsys):
    speak(home / "a.wav", "bad cab...head...fed bee")
    outputs = []
    for jobs in ("0", "2"):
        assert run(["a.wav", "--format", "json", "--no-timing", "--jobs", jobs]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_silence_is_empty_text_and_success(home, capsys):
    import numpy as np

    soundfile.write(home / "silence.wav", np.zeros(16000 * 3), 16000)
    assert run(["silence.wav"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_truncated_recording_gives_its_words_and_one_warning(home, capsys):
    path = speak(home / "a.wav", "cab fed")
    path.write_bytes(path.read_bytes()[:-2000])
    assert run(["a.wav"]) == 0
    out, err = capsys.readouterr()
    assert out == "cab fed\n"
    assert len(err.splitlines()) == 1
    assert "a.wav" in err
    assert run(["-q", "a.wav"]) == 0
    assert capsys.readouterr() == ("cab fed\n", "")


def test_usage_shows_arguments_as_they_are_typed(capsys):
    shown = {"transcribe": "transcribe [OPTIONS] FILES…", "status": "transcribe status [OPTIONS] DIR"}
    for command, usage in shown.items():
        assert run([command, "--help"]) == 0
        assert capsys.readouterr().out.splitlines()[0] == f"Usage: {usage}"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--start=1", "their own start"),
        ("--duration=1", "their own start"),
        ("--channel=split", "choose one channel"),
        ("--include=x*", "lists what is wanted"),
    ],
)
def test_what_a_manifests_lines_say_themselves_is_not_ignored(home, capsys, option, message):
    speak(home / "a.wav", "cab")
    (home / "M.JSONL").write_text('{"audio": "a.wav"}\n')
    assert run(["M.JSONL", "--format", "txt"]) == 0
    assert capsys.readouterr().out == "cab\n"
    assert run(["M.JSONL", "--format", "txt", option]) == 2
    assert message in capsys.readouterr().err
