"""Joined recordings are cut apart at their digital silence."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

SCRIPT = Path(__file__).parents[2] / "configs" / "make_snsd.py"


def test_sentences_are_cut_at_digital_silence_and_copies_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = np.random.default_rng(0).normal(0, 0.1, 16000 * 20).astype(np.float32)
    quiet = np.zeros(3200, np.float32)
    short = voice[:8000]
    joined = np.concatenate([voice[:32000], quiet, voice[:48000], quiet, short])
    folder = tmp_path / "clones" / "haroitman" / "nsnet_implementation" / "CleanSpeech_training"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        soundfile.write(folder / f"{name}.wav", joined, 16000)
    monkeypatch.setattr(
        sys, "argv", [str(SCRIPT), "--clones", str(tmp_path / "clones"), "--out", str(tmp_path / "out")]
    )
    runpy.run_path(str(SCRIPT), run_name="__main__")
    rows = [json.loads(line) for line in (tmp_path / "out" / "unlabelled.jsonl").read_text().splitlines()]
    assert [row["duration"] for row in rows] == [2.1, 3.2]  # a tenth of a second of silence stays at either side
    for row in rows:
        assert soundfile.info(tmp_path / "out" / row["audio"]).duration == pytest.approx(row["duration"])
