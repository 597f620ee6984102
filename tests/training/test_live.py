"""Training from the audio itself: fresh variants, voices for babble, steady noise turned down."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from transcribe_cli.errors import OptionError, TrainingError  # noqa: E402
from transcribe_cli.features import FeatureRecipe, finish, frames  # noqa: E402
from transcribe_cli.training import cache, data, loop, manifest, options  # noqa: E402

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def beeps(tmp_path_factory):
    """A folder with 6 utterances to train on and 3 to measure."""
    spec = importlib.util.spec_from_file_location("make_beeps", CONFIGS / "make_beeps.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("beeps")
    module.make(folder, train=6, dev=3)
    return folder


def live(beeps, *overrides):
    """What is heard, its options, and the entries of the training and the dev set."""
    fixed = (f"paths.data={beeps}", "network.units=10", "network.conv_width=12", *overrides)
    run = options.load(CONFIGS / "one-minute.toml", fixed)
    source, _ = loop.assemble(run, 10, 0)
    assert isinstance(source, data.Live)
    return (
        source,
        run,
        *(source.entries(sets, set(source.names(sets)))[0][0] for sets in (run.data.train, run.data.dev)),
    )


def test_babble_is_of_training_voices_and_of_no_others(beeps, monkeypatch):
    given = []

    def listening(samples, rate, plan, rng, voices=()):
        given.append(voices)
        return samples, {}

    monkeypatch.setattr(cache, "augment", listening)
    source, run, train, _ = live(beeps)
    noisy = dataclasses.replace(train[0], variant="augmented")
    source._utterances[noisy] = source._utterances[train[0]]
    source(noisy, 0)
    (voices,) = given
    spoken = list(manifest.read(beeps / "train.jsonl"))
    assert len(voices) == len(spoken) == 6
    for voice, utterance in zip(voices, spoken, strict=True):
        np.testing.assert_allclose(voice, cache.Reader()(utterance), atol=1 / 32000)
    # looked at again at the start of an epoch, they stay as many
    source.entries(run.data.train, set(source.names(run.data.train)))
    source.entries(run.data.dev, set(source.names(run.data.dev)))
    source(noisy, 1)
    assert len(given[1]) == 6


def test_a_voice_that_cannot_be_read_is_one_less():
    def broken(utterance):
        raise TrainingError("gone")

    voices = data._Voices([manifest.Utterance(Path("a.wav"), "x")] * 2, broken)
    assert len(voices) == 2
    assert len(voices[0]) == 0
    assert len(voices[:1]) == 1


def test_steady_noise_is_turned_down_in_what_is_learned(beeps, monkeypatch):
    """One utterance of speech-like pulses in noise: its features are those of recognition with the same `noise_db`."""
    loud = np.random.default_rng(0).normal(0, 0.05, 32000).astype(np.float32)
    loud[8000:12000] += np.sin(np.arange(4000) * 0.4).astype(np.float32) * 0.3
    monkeypatch.setattr(data.Live, "_read", lambda self, utterance: loud)
    as_it_is, _, train, _ = live(beeps)
    turned_down, run, same, _ = live(beeps, "data.noise_db=9")
    recipe = FeatureRecipe(noise_db=9.0)
    assert cache.recipe_of(run) == recipe
    np.testing.assert_array_equal(turned_down(same[0], 0), finish(frames(loud, recipe), recipe))
    assert np.abs(turned_down(same[0], 0) - as_it_is(train[0], 0)).max() > 0.1


def test_a_cache_of_other_noise_is_refused(beeps, tmp_path):
    _, plain, _, _ = live(beeps)
    _, other, _, _ = live(beeps, "data.noise_db=9")
    assert "noise_db" not in cache.fingerprint(plain)  # caches of before stay what they are
    cache.check_fingerprint(tmp_path, other)
    cache.check_fingerprint(tmp_path, other)
    with pytest.raises(TrainingError, match=r"was made with another noise_db \(9\.0\)"):
        cache.check_fingerprint(
            tmp_path, dataclasses.replace(other, data=dataclasses.replace(other.data, noise_db=4.0))
        )


def test_samples_have_no_bands_to_turn_down(beeps):
    _, run, _, _ = live(beeps, "data.noise_db=9")
    waveform = dataclasses.replace(run, network=dataclasses.replace(run.network, encoder="moonshine-tiny"))
    with pytest.raises(OptionError, match=r"data\.noise_db is for encoders that read mel features"):
        cache.recipe_of(waveform)
