"""Offset, channels, broken values, resampling and noise: each stage by itself, cut anywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from transcribe_cli.audio.denoise import BIAS, Denoiser
from transcribe_cli.audio.levels import OffsetRemoval, quantise, repair, to_mono
from transcribe_cli.audio.resample import Resampler

RATE = 8000
SAMPLES = Path(__file__).parents[2] / "samples"
STAGES: list[Callable[[], Any]] = [
    lambda: OffsetRemoval(RATE),
    lambda: Denoiser(RATE),
    lambda: Resampler(8000, 16000),
    lambda: Resampler(44100, 16000),
    lambda: Resampler(16000, 16000),
]


def noise(n: int, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def through(stage: Any, samples: np.ndarray, cuts: list[int]) -> np.ndarray:
    return np.concatenate([*(stage.push(part) for part in np.split(samples, cuts)), stage.flush()])


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(STAGES), st.integers(0, 20_000), st.lists(st.integers(0, 20_000), max_size=6))
def test_cut_anywhere_the_joined_output_equals_the_whole(make: Callable[[], Any], n: int, cuts: list[int]) -> None:
    samples = noise(n) + np.float32(0.05)
    assert np.array_equal(through(make(), samples, sorted(min(c, n) for c in cuts)), through(make(), samples, []))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(STAGES[:2]), st.integers(0, 20_000))
def test_offset_removal_and_denoising_give_as_many_samples_as_they_take(make: Callable[[], Any], n: int) -> None:
    assert len(through(make(), noise(n), [])) == n


def test_resampling_in_blocks_equals_soxr_at_once() -> None:
    samples = noise(44100)
    expected = soxr.resample(samples, 44100, 16000, quality="HQ")
    assert np.array_equal(through(Resampler(44100, 16000), samples, [1, 500, 40000]), expected)


# --- offset -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-0.3, 0.02, 0.1])
def test_a_constant_offset_is_gone_from_the_first_sample_on(offset: float) -> None:
    samples = noise(RATE * 10, 0.05)
    got = through(OffsetRemoval(RATE), samples + np.float32(offset), [])
    assert np.abs(got - samples).max() < 0.006  # the noise's own mean over a quarter second
    assert abs(got.mean()) < 0.001


def test_a_recording_without_offset_passes_bit_for_bit() -> None:
    samples = noise(RATE * 10, 0.05)
    samples -= samples.mean()
    assert np.array_equal(through(OffsetRemoval(RATE), samples, []), samples)


def test_an_offset_that_comes_and_goes_leaves_no_step() -> None:
    offset = np.repeat(np.float32([0, 0.2, 0]), RATE * 5)
    change = through(OffsetRemoval(RATE), offset, []) - offset
    assert np.abs(np.diff(change)).max() < 0.2 / (RATE // 4)


def test_less_than_a_quarter_second_is_left_alone() -> None:
    samples = np.full(RATE // 4 - 1, 0.5, np.float32)
    assert np.array_equal(through(OffsetRemoval(RATE), samples, []), samples)


# --- values -------------------------------------------------------------------------------------------------------


def test_good_blocks_are_not_even_copied_by_repair() -> None:
    block = noise(100)[:, None]
    same, n_broken = repair(block)
    assert same is block
    assert n_broken == 0


def test_repair_counts_and_silences_what_is_no_number_and_bounds_the_rest() -> None:
    block = np.array([[np.nan, 1e30], [-np.inf, 0.5]], np.float32)
    repaired, n_broken = repair(block)
    assert repaired.tolist() == [[0.0, 64.0], [0.0, 0.5]]
    assert n_broken == 2
    assert repair(block[:0])[1] == 0


def test_mono_is_the_mean_or_one_channel() -> None:
    block = np.array([[1.0, 0.0, 0.5], [0.0, -1.0, 0.25]], np.float32)
    np.testing.assert_allclose(to_mono(block, None), [0.5, -0.25])
    assert to_mono(block, 2).tolist() == [0.5, 0.25]


def test_the_16_bit_grid_keeps_16_bit_audio_and_clips_the_rest() -> None:
    grid = (np.arange(-32768, 32768) / 32768).astype(np.float32)
    assert np.array_equal(quantise(grid), grid)
    assert quantise(np.array([1.0, 2.0, -1.5], np.float32)).tolist() == [32767 / 32768, 32767 / 32768, -1.0]
    assert np.abs(quantise(noise(1000)) - noise(1000)).max() <= 0.5 / 32768


# --- noise --------------------------------------------------------------------------------------------------------


def bursts(n: int) -> np.ndarray:
    """Something like speech: half-second syllables of a few harmonics with pauses between."""
    t = np.arange(n) / RATE
    tone = sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 9))
    return (0.1 * tone * (np.sin(2 * np.pi * t) > 0)).astype(np.float32)


def to_noise_ratio(clean: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(np.square(clean).sum() / np.square(clean - other).sum()))


def test_steady_noise_goes_down_and_what_is_said_stays() -> None:
    clean, hiss = bursts(RATE * 8), noise(RATE * 8, 0.02)
    got = through(Denoiser(RATE), clean + hiss, [])
    assert to_noise_ratio(clean, got) > to_noise_ratio(clean, clean + hiss) + 4
    pauses = np.sin(2 * np.pi * np.arange(len(clean)) / RATE) < -0.3
    assert np.square(got[pauses][RATE:]).mean() < 0.25 * np.square(hiss[pauses][RATE:]).mean()


def test_denoising_clean_speech_changes_next_to_nothing() -> None:
    clean = bursts(RATE * 6) + noise(RATE * 6, 3e-5)  # a step of 16 bits: pauses that are recorded
    assert to_noise_ratio(clean, through(Denoiser(RATE), clean, [])) > 40


def test_denoising_clean_speech_between_digital_silence_changes_little() -> None:
    clean, rate = soundfile.read(SAMPLES / "spelling.flac", dtype="float32")
    size = rate // 50
    clean = clean[: len(clean) // size * size]
    power = np.square(clean).reshape(-1, size).mean(axis=1)
    spoken = np.convolve(power > 1e-3 * np.percentile(power, 98), np.ones(9), "same") > 0
    assert spoken.mean() < 0.9
    clean = clean * np.repeat(spoken, size)
    assert to_noise_ratio(clean, through(Denoiser(rate), clean, [])) > 25


def test_silence_stays_silence() -> None:
    assert not through(Denoiser(RATE), np.zeros(RATE * 3, np.float32), []).any()


@pytest.mark.parametrize(("begin", "end"), [(0.0, 1.0), (2.0, 2.2), (2.03, 2.33), (4.5, 6.0)])
def test_digital_silence_beside_noise_does_not_hide_it(begin: float, end: float) -> None:
    samples = noise(RATE * 6)
    samples[int(begin * RATE) : int(end * RATE)] = 0
    got = through(Denoiser(RATE), samples, [])
    assert np.array_equal(through(Denoiser(RATE), samples, [1, 777, 16_100, 30_000]), got)
    eighths = np.square(samples).reshape(-1, RATE // 8).mean(axis=1), np.square(got).reshape(-1, RATE // 8).mean(axis=1)
    noisy = eighths[0] > 0.005  # of 0.01: all or most of it is noise
    assert np.count_nonzero(noisy) >= 35
    assert (eighths[1][noisy] < 0.2 * eighths[0][noisy]).all()


@pytest.mark.parametrize("n", [100, 1000, 3 * 64 * 64 + 100, 3 * 64 * 64 + 700])
def test_noise_goes_down_up_to_the_last_sample_of_any_length(n: int) -> None:
    samples = noise(n)
    got = through(Denoiser(RATE), samples, [])
    assert np.square(got[-500:]).mean() < 0.2 * np.square(samples[-500:]).mean()


def test_a_flushed_denoiser_is_as_new() -> None:
    stage, samples = Denoiser(RATE), noise(RATE * 2)
    assert np.array_equal(through(stage, samples, []), through(stage, samples, []))


def test_the_estimated_noise_floor_is_that_of_white_noise_within_a_decibel() -> None:
    """Holds BIAS to what it is for: steady noise is estimated neither too high nor too low."""
    stage, samples = Denoiser(16000), noise(16000 * 8, seed=3)
    power = np.square(np.abs(stage._spectra(samples)))
    stage.push(samples)
    floor = np.minimum.reduce(list(stage._minima)) * BIAS
    assert abs(10 * np.log10(floor.mean() / power.mean())) < 1
