"""The evaluate command with a model whose letters are tones."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import toy_model

from transcribe_cli.cli import run
from transcribe_cli.evaluate import measure

TEXTS = ["bad cab", "a head", "face bag", "had a cage"]


@pytest.fixture
def home(home):
    """With four recordings, their manifest, and a recording without text."""
    lines = []
    for k, text in enumerate(TEXTS):
        soundfile.write(home / f"{k}.wav", toy_model.sound(text), 16000)
        wanted = text if k else "bad cab egg"  # one word is not said
        lines.append(json.dumps({"audio": f"{k}.wav", "text": wanted, "id": f"u{k}", "speaker": f"s{k % 2}"}))
    (home / "talks").mkdir()
    soundfile.write(home / "talks" / "without.wav", toy_model.sound("cab"), 16000)
    (home / "set.jsonl").write_text("\n".join(lines))
    return home


def figures(capsys, *arguments):
    assert run(["evaluate", *arguments, "--json", "-"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_model_is_measured_over_a_manifest(home, capsys):
    found = figures(capsys, "set.jsonl", "--by", "speaker", "--seed", "3")
    own, greedy = found["systems"]
    assert own["words"]["reference"] == 10
    assert (own["words"]["deletions"], own["words"]["errors"]) == (1, 1)
    assert greedy["name"] == "toy 1, greedy"
    assert own["deletions"] == [["egg", 1]]
    assert set(own["groups"]["speaker"]) == {"s0", "s1"}
    wrong = next(u for u in own["utterances"] if u["id"] == "u0")
    assert wrong["loss"] > wrong["hypothesis_loss"] > 0
    assert [row["id"] for row in own["suspected_references"]] == ["u0"]
    assert own["search"] == {"wrong": 1, "search_errors": 0, "model_errors": 1}
    assert found["speed"]["times_real_time"] > 0
    assert sum(found["speed"]["shares"].values()) == pytest.approx(1)
    assert list(found["speed"]["shares"]) == ["audio", "features", "network", "decoding", "word times"]
    assert all(share >= 0 for share in found["speed"]["shares"].values())


def test_two_runs_give_the_same_figures(home, capsys):
    first, second = (figures(capsys, "set.jsonl", "--degrade", "noise:10") for _ in range(2))
    del first["speed"], second["speed"]
    assert first == second


def test_noise_is_removed_after_it_was_added(home, capsys, monkeypatch):
    levels = []

    def heard(samples, rate):
        levels.append(float(np.sqrt(np.mean(samples**2))))
        return samples

    monkeypatch.setattr(measure, "denoise", heard)
    figures(capsys, "set.jsonl", "--degrade", "noise:0", "--denoise")
    clean = [float(np.sqrt(np.mean(soundfile.read(home / f"{k}.wav")[0] ** 2))) for k in range(4)]
    assert len(levels) == 4
    assert all(noisy > 1.2 * own for noisy, own in zip(levels, clean, strict=True))


def test_degraded_sound_is_measured_beside_the_clean(home, capsys):
    found = figures(capsys, "set.jsonl", "--degrade", "noise:30,-20", "--degrade", "telephone")
    rows = {row["condition"]: row["systems"][0]["words"]["rate"] for row in found["robustness"]}
    assert list(rows) == ["as it is", "noise 30 dB", "noise -20 dB", "telephone"]
    assert rows["as it is"] == 0.1
    assert rows["noise -20 dB"] > 0.1


def test_decoding_settings_are_swept(home, capsys):
    found = figures(capsys, "set.jsonl", "--sweep", "beam_width:1,20", "--sweep", "token-min-logp:-5")["sweep"]
    assert [point["settings"] for point in found] == [
        {"beam_width": 1, "token_min_logp": -5.0},
        {"beam_width": 20, "token_min_logp": -5.0},
    ]
    assert [point["words"]["errors"] for point in found] == [1, 1]
    assert all(point["decoding_times_real_time"] > 1 for point in found)
    assert run(["evaluate", "set.jsonl", "--sweep", "beam_width:1,2", "--report", "out.html"]) == 0
    assert "decoding settings" in capsys.readouterr().out
    assert "Decoding settings" in (home / "out.html").read_text()


def test_a_folder_with_texts_beside_its_recordings_is_taken(home, capsys):
    soundfile.write(home / "talks" / "one.wav", toy_model.sound("bad"), 16000)
    (home / "talks" / "one.txt").write_text("bad\n")
    found = figures(capsys, "talks")
    assert [u["id"] for u in found["systems"][0]["utterances"]] == ["one"]


def test_the_page_has_the_sound_of_as_many_utterances_as_wanted_worst_first(home, capsys):
    assert run(["evaluate", "set.jsonl", "--report", "out.html"]) == 0
    assert (home / "out.html").read_text().count("<audio") == len(TEXTS)
    assert run(["evaluate", "set.jsonl", "--report", "out.html", "--listen", "1"]) == 0
    text = (home / "out.html").read_text()
    assert text.count("<audio") == 1
    assert text.index("<del>egg</del>") < text.index("<audio")
    assert "data:audio/ogg;base64,T2dnUw" in text  # "OggS"


def test_an_unreadable_recording_is_left_out_and_said(home, capsys):
    (home / "1.wav").write_bytes(b"RIFF nothing")
    assert run(["evaluate", "set.jsonl"]) == 1
    out = capsys.readouterr().out
    assert "3 utterances, normaliser basic" in out
    assert "1 utterances could not be read" in out


def test_the_temperature_goes_into_the_card_and_mends_the_confidences(home, capsys):
    lines = [json.loads(line) for line in (home / "set.jsonl").read_text().splitlines()]
    lines[1]["text"] = "a bead"  # the model hears "head"
    (home / "set.jsonl").write_text("\n".join(map(json.dumps, lines)))
    before = figures(capsys, "set.jsonl", "--mend-card")["systems"][0]["calibration"]
    card = json.loads((home / "models" / "toy" / "card.json").read_text())
    assert card["confidence_temperature"] == pytest.approx(before["temperature"], abs=1e-3)
    after = figures(capsys, "set.jsonl")["systems"][0]["calibration"]
    assert after["ece"] == pytest.approx(before["mended"]["ece"], abs=0.01)
    assert after["ece"] < before["ece"]


def test_exit_code_tells_whether_the_limit_is_kept(home, capsys):
    (home / "ref.txt").write_text("a b c d\n")
    (home / "hyp.txt").write_text("a b c\n")
    texts = ["evaluate", "--ref", "ref.txt", "--hyp", "hyp.txt", "--max-wer"]
    assert run([*texts, "25"]) == 0
    assert run([*texts, "24.9"]) == 1
    assert "25.0 % is above --max-wer 24.9" in capsys.readouterr().err


def test_two_evaluations_are_compared(home, capsys):
    (home / "ref.txt").write_text("a b c d\ne f\n" * 20)
    (home / "one.txt").write_text("a b c\ne f\n" * 20)
    (home / "two.txt").write_text("a b c d\ne f\n" * 20)
    for name in ("one", "two"):
        assert run(["evaluate", "--ref", "ref.txt", "--hyp", f"{name}.txt", "--json", f"{name}.json"]) == 0
    capsys.readouterr()
    assert run(["evaluate", "--compare", "one.json", "two.json"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "+16.67 points" in out
    assert ": different at the 5 % level" in out
    command = ["evaluate", "--compare", "one.json", "two.json", "--json", "-", "--report", "both.html"]
    assert run(command) == 0
    assert json.loads(capsys.readouterr().out)["systems"][0]["errors"] == 20
    assert "20 utterances are not heard alike" in (home / "both.html").read_text()


def test_evaluations_with_other_normalisers_are_not_compared(home, capsys):
    (home / "ref.txt").write_text("a b\n")
    for name in ("none", "basic"):
        texts = ["--ref", "ref.txt", "--hyp", "ref.txt", "--normalizer", name]
        assert run(["evaluate", *texts, "--json", f"{name}.json"]) == 0
    capsys.readouterr()
    assert run(["evaluate", "--compare", "none.json", "basic.json"]) == 2
    assert "--normalizer none" in capsys.readouterr().err


def test_one_file_may_hold_references_and_hypotheses(home, capsys):
    (home / "both.jsonl").write_text('{"id": "1", "text": "a b", "pred_text": "a c"}')
    found = figures(capsys, "--hyp", "both.jsonl")
    assert found["systems"][0]["substitutions"] == [["b", "c", 1]]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Usage"),
        (["set.jsonl", "--ref", "x"], "give one of"),
        (["--ref", "set.jsonl"], "--hyp"),
        (["--compare", "gone.json", "set.jsonl"], "gone.json: no such file"),
        (["--compare", "set.jsonl", "set.jsonl"], "not an evaluation"),
        (["gone.jsonl"], "gone.jsonl"),
        (["0.wav"], "neither a manifest"),
        (["talks"], "nothing to evaluate"),
        (["set.jsonl", "--degrade", "rain"], "noise"),
        (["set.jsonl", "--normalizer", "best"], "whisper-english"),
        (["set.jsonl", "--sweep", "luck:1"], "beam_width"),
        (["set.jsonl", "--sweep", "beam_width:many"], "not a number"),
        (["set.jsonl", "--sweep", "beam_width:0"], "--beam-width"),
        (["set.jsonl", "--hyp-format", "csv"], "--hyp-format changes nothing without --hyp"),
        (["--hyp", "set.jsonl"], "--hyp needs --ref"),
        (
            ["--ref", "set.jsonl", "--hyp", "set.jsonl", "--degrade", "telephone"],
            "--degrade changes nothing with --hyp",
        ),
        (["--ref", "set.jsonl", "--hyp", "set.jsonl", "--draw-together", "speakr"], "no utterance has such a key"),
        (["--compare", "a.json", "b.json", "--by", "sex"], "--by changes nothing with --compare"),
        (["--ref", "empty.txt", "--hyp", "empty.txt"], "nothing to evaluate"),
        (["twice.jsonl"], "twice.jsonl:2: the utterance 'x' is there twice"),
        (["set.jsonl", "--report", "-"], "name a file"),
        (["set.jsonl", "--report", "out.html", "--json", "./out.html"], "give them two names"),
        (["set.jsonl", "--json", "set.jsonl"], "is read and would be overwritten"),
        (["set.jsonl", "--report", "set.jsonl/page.html"], "cannot be written (Not a directory)"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(home, arguments, complaint, capsys):
    (home / "empty.txt").write_text("")
    (home / "twice.jsonl").write_text('{"id": "x", "audio": "0.wav", "text": "bad"}\n' * 2)
    code = run(["evaluate", *arguments])
    said = capsys.readouterr()
    assert complaint in said.out + said.err
    assert "Traceback" not in said.err
    if arguments:
        assert code == 2
        assert said.err.count("\n") == 1


def test_files_and_exit_code_outlast_a_reader_who_has_seen_enough(home):
    (home / "ref.txt").write_text("a b c d\n" * 2000)
    (home / "hyp.txt").write_text("a b c\n" * 2000)
    options = ["--json", "out.json", "--report", "out.html", "--max-wer", "1", "--worst", "2000"]
    command = [sys.executable, "-m", "transcribe_cli", "evaluate", "--ref", "ref.txt", "--hyp", "hyp.txt", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait() == 1
        assert b"above --max-wer" in process.stderr.read()
    assert json.loads((home / "out.json").read_text())["systems"][0]["words"]["errors"] == 2000
    assert (home / "out.html").exists()


def test_names_are_shown_as_they_are(home, capsys):
    lines = [
        {"id": k, "text": "a b", "pred_text": "a", "speaker": name} for k, name in enumerate(("[/x]", "host: bob"))
    ]
    (home / "[b].jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert run(["evaluate", "--hyp", "[b].jsonl"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("[b].jsonl", "[/x]", "host: bob"))


def test_what_is_drawn_together_may_be_a_number(home, capsys):
    lines = [{"id": k, "text": "a b", "pred_text": "a b" if k % 3 else "a", "speaker": k // 4} for k in range(40)]
    (home / "both.jsonl").write_text("\n".join(map(json.dumps, lines)))
    own = figures(capsys, "--hyp", "both.jsonl", "--draw-together", "speaker")["systems"][0]
    assert own["words"]["interval"][0] < own["words"]["rate"] < own["words"]["interval"][1]
    assert own["groups"]["speaker"]["3"]["words"]["interval"] == [None, None]  # one draw varies in nothing
    assert run(["evaluate", "--hyp", "both.jsonl", "--draw-together", "speaker", "--report", "out.html"]) == 0


def test_a_comparison_needs_the_same_references_and_keeps_the_limit(home, capsys):
    (home / "hyp.txt").write_text("a b\n")
    for name, text in (("one", "a c"), ("two", "x y")):
        (home / f"{name}.txt").write_text(f"{text}\n")
        assert run(["evaluate", "--ref", f"{name}.txt", "--hyp", "hyp.txt", "--json", f"{name}.json"]) == 0
    assert run(["evaluate", "--compare", "one.json", "two.json"]) == 2
    assert "other reference words" in capsys.readouterr().err
    assert run(["evaluate", "--compare", "one.json", "one.json", "--max-wer", "1"]) == 1
    assert "50.0 % is above --max-wer 1" in capsys.readouterr().err


def test_a_terminal_that_lacks_signs_costs_nothing(home):
    (home / "a.txt").write_text("a b\n")
    command = [sys.executable, "-m", "transcribe_cli", "evaluate", "--ref", "a.txt", "--hyp", "a.txt"]
    found = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert (found.returncode, found.stderr) == (0, b"")
    assert b"0.0 %" in found.stdout
