"""Sounds without speech: seeded, varied, as long as asked, and nothing to be written in them."""

import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("torch")

from transcribe_cli.training import cache, manifest, wordless
from transcribe_cli.training.options import AugmentOptions, RunOptions

soundfile = pytest.importorskip("soundfile")
RATE = 16000
DEFAULT = AugmentOptions()


def made(seed, options=DEFAULT, n=RATE):
    return wordless.sound(n, RATE, options, np.random.default_rng(seed))


def test_a_seed_decides_the_sound_and_every_one_is_finite_and_within_full_scale():
    kinds = set()
    for seed in range(60):
        samples, done = made(seed)
        np.testing.assert_array_equal(samples, made(seed)[0])
        assert samples.shape == (RATE,)
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() <= 1.0
        assert (np.abs(samples).max() > 0) == (len(done) > 1)
        kinds |= set(done)
    assert kinds == {"coloured", "gusts", "hum", "knocks", "notes", "level_db"}
    assert np.abs(made(1)[0] - made(2)[0]).max() > 0


@pytest.mark.parametrize("n", [400, 16001, 300000])
def test_any_length_is_filled(n):
    for seed in range(12):
        assert made(seed, n=n)[0].shape == (n,)


def test_recordings_of_a_folder_are_half_of_the_sounds(tmp_path):
    soundfile.write(tmp_path / "bell.wav", np.sin(np.arange(9000) / 7), RATE)
    options = dataclasses.replace(DEFAULT, noise_folder=str(tmp_path))
    with_bell = sum("recorded" in made(seed, options, 4000)[1] for seed in range(60))
    assert 20 < with_bell < 55


def test_a_wordless_variant_holds_nothing_of_the_utterance(tmp_path):
    voice = (0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", voice, RATE)
    (tmp_path / "a.jsonl").write_text(json.dumps({"audio": "a.wav", "text": "hello", "duration": 1.0}) + "\n")
    (utterance,) = manifest.read(tmp_path / "a.jsonl")
    first, _ = cache.vary(voice, utterance, "wordless", RunOptions(), [voice])
    silent, _ = cache.vary(np.zeros_like(voice), utterance, "wordless", RunOptions(), [])
    np.testing.assert_array_equal(first, silent)
    assert np.abs(first - cache.vary(voice, utterance, "wordless-2", RunOptions(), [])[0]).max() > 0
