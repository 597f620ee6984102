"""Manifests of clips in public repositories: what goes to which list, and what a teacher is believed."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

SCRIPT = Path(__file__).parents[2] / "configs" / "make_common_voice.py"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def clip(path: Path, seconds: float = 1.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(0, 0.1, int(16000 * seconds))
    soundfile.write(path, noise, 16000, format="MP3" if path.suffix == ".mp3" else "WAV")


def test_clips_go_to_the_list_that_their_sentences_allow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clones, out = tmp_path / "clones", tmp_path / "out"
    for name in ("a", "b", "unread"):
        clip(clones / "korliu/whisper/dataset/clips" / f"{name}.mp3", 2.0)
    (clones / "korliu/whisper/dataset/clips/broken.mp3").write_bytes(b"no sound")
    head = "client_id\tpath\tsentence\n"
    lines = 'one\ta.mp3\tHe said "yes.\ntested\tb.mp3\tA speaker of the dev set.\none\tgone.mp3\tNo clip.\n'
    (clones / "korliu/whisper/dataset/validated.tsv").write_text(head + lines)
    clip(clones / "shubhra-cv/19/cv/en/validated_clips/c.mp3")
    (clones / "shubhra-cv/19/cv/en/validated.tsv").write_text(head + "tested\tc.mp3\tKept for testing.\n")
    clip(clones / "leeyide96/transcription-generator/asr/data/cv-valid-dev/cv-valid-dev/s-1.mp3")
    (clones / "leeyide96/transcription-generator/asr/data/cv-valid-dev.csv").write_text(
        "filename,text,up_votes\ncv-valid-dev/s-1.mp3,plain and lower,1\n"
    )
    clip(clones / "Picovoice/speech-to-intent-benchmark/data/speech/clean/0.wav")

    run(monkeypatch, "list", "--clones", str(clones), "--out", str(out))
    assert [(r["speaker"], r["text"]) for r in rows(out / "read.jsonl")] == [
        ("one", "he said yes"),
        ("", "plain and lower"),
    ]
    assert [r["text"] for r in rows(out / "dev.jsonl")] == ["kept for testing"]
    assert sorted(Path(r["audio"]).name for r in rows(out / "unlabelled.jsonl")) == ["0.wav", "unread.mp3"]
    assert rows(out / "read.jsonl")[0]["duration"] == pytest.approx(2.0, abs=0.1)
    assert all(Path(r["audio"]).is_file() for r in rows(out / "unlabelled.jsonl"))


def test_a_teacher_is_believed_where_it_is_sure_and_plausible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = [
        ("It is going to rain.", -0.1, 1.5),
        ("It is growing two rains.", -0.4, 1.5),  # not sure
        ("Yes.", -0.01, 1.0),  # one word, which silence is often taken for
        ("The the the the the the the the the the the.", -0.01, 1.0),  # repeats itself
        ("Hm, well.", -0.01, 9.0),  # heard next to nothing of it
    ]
    lines = [
        {"audio": f"{i}.mp3", "duration": seconds, "text": "", "speaker": "", "source": "s", "id": str(i)}
        | {"hyp": text, "hyp_logp": sure, "teacher": "moonshine"}
        for i, (text, sure, seconds) in enumerate(heard)
    ]
    (tmp_path / "heard.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run(monkeypatch, "keep", "--out", str(tmp_path))
    (kept,) = rows(tmp_path / "taught.jsonl")
    assert (kept["text"], kept["teacher"], kept["audio"]) == ("it is going to rain", "moonshine", "0.mp3")
    assert "hyp" not in kept
