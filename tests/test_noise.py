"""Steady noise in log-mel rows: turned down where it is loud, and only there."""

import dataclasses
import math

import numpy as np
import pytest

from transcribe_cli import noise
from transcribe_cli.audio import degrade
from transcribe_cli.features import FeatureRecipe, finish, frames

PLAIN = FeatureRecipe(range_below_max=None, offset=0.0, scale=1.0)
QUIETER = dataclasses.replace(PLAIN, noise_db=6.0)


def words(seconds: float, seed: int = 0) -> np.ndarray:
    """Bursts of broad sound, half a second each, with pauses as long: loud from 0 to 0.5 s, 1 to 1.5 s, …"""
    n = int(seconds * 16000)
    sound = degrade.noise(n, 1.0, np.random.default_rng(seed)) * np.float32(0.1)
    return sound * (np.arange(n) // 8000 % 2 == 0)


def heard(snr_db: float, colour: float, seconds: float = 8.0) -> np.ndarray:
    n = int(seconds * 16000)
    return degrade.mix(words(seconds), degrade.noise(n, colour, np.random.default_rng(1)), snr_db)


@pytest.mark.parametrize("colour", [0.0, 0.5, 1.0])
def test_pauses_in_loud_noise_come_down_by_as_much_as_was_asked_and_words_stay(colour: float) -> None:
    raw = frames(heard(10.0, colour), PLAIN)
    change = 10 * (finish(raw, QUIETER) - raw)
    pauses = np.arange(len(raw)) % 100 > 60
    spoken = (np.arange(len(raw)) % 100 > 5) & (np.arange(len(raw)) % 100 < 45)
    assert change.max() <= 0
    assert change.min() == pytest.approx(-6.0, abs=1e-4)
    assert change[pauses].mean() < -4.5
    above = raw - np.median(raw[pauses], axis=0) > 1.0  # 10 dB over the noise
    assert change[spoken[:, None] & above].mean() > -0.7


@pytest.mark.parametrize("snr_db", [17.0, 25.0, 40.0])
def test_speech_well_above_its_noise_comes_back_as_it_is(snr_db: float) -> None:
    raw = frames(heard(snr_db, 1.0), PLAIN)
    assert noise.turned_down(raw, 6.0, 10.0, PLAIN.floor) is raw


def test_depth_fades_from_loud_to_quiet_noise() -> None:
    def depth(snr_db: float) -> float:
        raw = frames(heard(snr_db, 1.0), PLAIN)
        return float((raw - finish(raw, QUIETER)).max()) * 10

    depths = [depth(snr_db) for snr_db in (5.0, 11.0, 13.0, 25.0)]
    assert depths == sorted(depths, reverse=True)
    assert depths[0] == pytest.approx(6.0, abs=1e-3)
    assert 0 < depths[2] < 6
    assert depths[-1] == 0


def test_the_loudness_of_the_recording_does_not_matter() -> None:
    sound = heard(10.0, 1.0)
    loud, soft = (finish(frames(sound * np.float32(by), PLAIN), QUIETER) for by in (1.0, 0.1))
    np.testing.assert_allclose(loud - 2, soft, atol=2e-3)


def test_natural_and_decimal_logarithms_are_turned_down_alike() -> None:
    sound = heard(10.0, 1.0)
    decimal = finish(frames(sound, PLAIN), QUIETER)
    natural = [dataclasses.replace(recipe, log="ln") for recipe in (PLAIN, QUIETER)]
    np.testing.assert_allclose(finish(frames(sound, natural[0]), natural[1]), decimal * math.log(10), atol=1e-4)


def test_digital_silence_around_noise_does_not_hide_it() -> None:
    sound = heard(10.0, 1.0)
    padded = np.pad(sound, 16000 * 12)
    raw = frames(padded, PLAIN)
    change = (finish(raw, QUIETER) - raw)[1210 : 1200 + len(sound) // 160 - 10]
    alone = frames(sound, PLAIN)
    expected = (finish(alone, QUIETER) - alone)[10:-10]
    assert np.abs(change - expected).mean() < 0.02


@pytest.mark.parametrize("n", [0, 1, 300, 16000 * 4 // 10 - 1])
def test_what_is_too_short_to_tell_noise_from_speech_stays(n: int) -> None:
    raw = frames(heard(5.0, 1.0)[:n], PLAIN)
    np.testing.assert_array_equal(finish(raw, QUIETER), raw)


def test_digital_silence_stays_and_constant_sound_is_finite() -> None:
    silence = frames(np.zeros(32000, np.float32), PLAIN)
    np.testing.assert_array_equal(finish(silence, QUIETER), silence)
    for sound in (np.full(32000, 0.5, np.float32), np.sin(np.arange(32000, dtype=np.float32))):
        assert np.isfinite(finish(frames(sound, PLAIN), QUIETER)).all()


def test_samples_have_no_bands_to_turn_down() -> None:
    with pytest.raises(ValueError, match="noise_db"):
        FeatureRecipe(kind="waveform", noise_db=6.0)
    with pytest.raises(ValueError, match="noise_db"):
        FeatureRecipe(noise_db=-1.0)
