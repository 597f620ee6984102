"""Augmentation: the same seed gives the same sound, and each kind does what its name says."""

import dataclasses

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

from transcribe_cli.training import augment
from transcribe_cli.training.options import AugmentOptions

RATE = 16000
KINDS = ("speed", "tempo", "pitch", "shift", "reverb", "noise", "volume", "clipping", "telephone", "codec")
OFF = dataclasses.replace(AugmentOptions(), **dict.fromkeys(KINDS, 0.0))


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def strongest(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE / len(samples))


def test_same_seed_gives_the_same_sound_and_another_seed_another():
    options = AugmentOptions(tempo=0.5, pitch=0.5, shift=0.5)
    first, done = augment.augment(tone(300), RATE, options, np.random.default_rng(5))
    again, done_again = augment.augment(tone(300), RATE, options, np.random.default_rng(5))
    other, _ = augment.augment(tone(300), RATE, options, np.random.default_rng(6))
    assert done == done_again
    np.testing.assert_array_equal(first, again)
    assert len(first) != len(other) or np.abs(first - other).max() > 1e-3


def test_with_everything_off_nothing_changes():
    samples = tone(440)
    same, done = augment.augment(samples, RATE, OFF, np.random.default_rng(0))
    np.testing.assert_array_equal(same, samples)
    assert done == {}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone_changes_the_sound_and_stays_within_full_scale(kind):
    samples = tone(440) * np.linspace(0.5, 3.0, RATE, dtype=np.float32)
    changed, done = augment.augment(samples, RATE, dataclasses.replace(OFF, **{kind: 1.0}), np.random.default_rng(3))
    assert list(done) == [kind]
    low, high = getattr(AugmentOptions(), next(f for f in AugmentOptions.__slots__ if f.startswith(kind + "_")))
    assert low <= done[kind] <= high
    assert changed.dtype == np.float32
    assert np.isfinite(changed).all()
    assert np.abs(changed).max() <= 1.0
    assert len(changed) != len(samples) or np.abs(changed - samples).max() > 1e-3


def test_switching_a_kind_on_moves_no_draw_before_it():
    without = augment.augment(tone(300), RATE, AugmentOptions(), np.random.default_rng(9))[1]
    with_codec = augment.augment(tone(300), RATE, AugmentOptions(codec=1.0), np.random.default_rng(9))[1]
    assert {key: value for key, value in with_codec.items() if key != "codec"} == without


def test_recordings_of_a_folder_are_half_of_the_noises_that_are_no_voices(tmp_path):
    soundfile.write(tmp_path / "bell.wav", tone(3000), RATE)
    noise = {"noise": 1.0, "babble_share": 0.0, "noise_snr_db": (10.0, 10.0), "noise_folder": str(tmp_path)}
    options = dataclasses.replace(OFF, **noise)
    samples = tone(440)
    bells = 0
    for seed in range(60):
        noisy, _ = augment.augment(samples, RATE, options, np.random.default_rng(seed))
        power = np.abs(np.fft.rfft(noisy - samples)) ** 2
        bells += power[2990:3011].sum() > 0.9 * power.sum()
    assert 18 < bells < 42


def test_a_noisy_variant_is_always_in_loud_noise_and_changes_nothing_else():
    chosen = AugmentOptions(noise=0.1, noise_snr_db=(4.0, 24.0), reverb=0.0)
    loud = augment.noisy(chosen)
    assert dataclasses.replace(loud, noise=0.1, noise_snr_db=(4.0, 24.0), babble_share=chosen.babble_share) == chosen
    voice = tone(3000, 0.5)
    for seed in range(20):
        done = augment.augment(tone(300), RATE, loud, np.random.default_rng(seed), [voice])[1]
        assert 4 <= done["noise"] <= 14


def test_tempo_changes_length_and_keeps_pitch():
    samples = tone(500, 2.0)
    faster = augment.tempo(samples, 1.25, RATE)
    assert len(faster) == pytest.approx(len(samples) / 1.25, abs=RATE * 0.05)
    assert strongest(faster) == pytest.approx(500, abs=8)


def test_pitch_changes_pitch_and_keeps_length():
    higher = augment.pitch(tone(500, 2.0), 2.0, RATE)
    assert len(higher) == 2 * RATE
    assert strongest(higher[: int(1.6 * RATE)]) == pytest.approx(500 * 2 ** (2 / 12), abs=10)


def test_speed_changes_both():
    faster = augment.speed(tone(500, 2.0), 1.1, RATE)
    assert len(faster) == pytest.approx(2 * RATE / 1.1, abs=4)
    assert strongest(faster) == pytest.approx(550, abs=3)


def test_babble_has_unit_power_and_silent_voices_become_noise():
    rng = np.random.default_rng(1)
    for voices in ([tone(200), tone(310)], [np.zeros(500, np.float32)], []):
        mixed = augment.babble(3 * RATE, voices, rng)
        assert len(mixed) == 3 * RATE
        assert np.sqrt(np.mean(mixed**2)) == pytest.approx(1.0, abs=0.01)


def test_clipping_flattens_the_peaks():
    samples = tone(100)
    clipped = augment.clip(samples, 0.5)
    assert np.abs(clipped).max() == pytest.approx(0.5 * np.abs(samples).max())
    assert (np.abs(clipped) > 0.49 * np.abs(samples).max()).mean() > 0.5
