"""Features: equal to librosa's, cut anywhere, safe at the ends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transcribe_cli.features import Extractor, FeatureRecipe, delta, energy, finish, frames, mel_filters

WHISPER = FeatureRecipe()
RECIPES = [
    WHISPER,
    FeatureRecipe(bands=40, fft=512, hop=200, log="ln", drop_last=False, padding="zeros"),
    FeatureRecipe(bands=20, padding="none", window_function="hamming"),
    FeatureRecipe(bands=24, hop=900),  # longer than the window: the reflection's samples must be kept
    FeatureRecipe(bands=24, hop=900, padding="none"),
    FeatureRecipe(kind="mfcc", coefficients=13, bands=23, deltas=2),
    FeatureRecipe(kind="waveform"),
    FeatureRecipe(kind="waveform", drop_last=False, hop=37),
]


def speech_like(n: int, seed: int = 0) -> np.ndarray:
    """Noise under a slow envelope with a tone in it, on the 16-bit grid."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / 16000
    wave = (0.2 * rng.standard_normal(n) + 0.3 * np.sin(2 * np.pi * 220 * t)) * (0.55 + 0.45 * np.sin(7 * t))
    return (np.round(np.clip(wave, -1, 1) * 32767) / 32768).astype(np.float32)


def joined(recipe: FeatureRecipe, samples: np.ndarray, cuts: list[int]) -> np.ndarray:
    extractor = Extractor(recipe)
    return np.concatenate([*(extractor.push(part) for part in np.split(samples, cuts)), extractor.flush()])


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(RECIPES), st.integers(0, 9000), st.lists(st.integers(0, 9000), max_size=8))
def test_cut_anywhere_the_joined_frames_equal_the_whole(recipe: FeatureRecipe, n: int, cuts: list[int]) -> None:
    samples = speech_like(n)
    np.testing.assert_allclose(
        joined(recipe, samples, sorted(min(cut, n) for cut in cuts)), frames(samples, recipe), atol=1e-5
    )


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RECIPES), st.integers(1, 3000))
def test_the_number_of_frames_follows_from_the_number_of_samples(recipe: FeatureRecipe, n: int) -> None:
    if recipe.kind == "waveform":
        expected = n // recipe.hop if recipe.drop_last else -(-n // recipe.hop)
    elif recipe.padding == "none":
        expected = max(0, (n - recipe.fft) // recipe.hop + 1)
    else:
        expected = n // recipe.hop + (0 if recipe.drop_last else 1)
    assert frames(speech_like(n), recipe).shape == (expected, recipe.raw_dimension)


def test_an_extractor_that_was_flushed_is_as_new() -> None:
    samples, extractor = speech_like(5000), Extractor(WHISPER)
    first = np.concatenate([extractor.push(samples), extractor.flush()])
    assert np.array_equal(np.concatenate([extractor.push(samples), extractor.flush()]), first)


def test_the_caller_may_reuse_its_block() -> None:
    samples = speech_like(4000)
    extractor, block, parts = Extractor(WHISPER), np.empty(150, np.float32), []
    for i in range(0, 3900, 150):
        block[:] = samples[i : i + 150]
        parts.append(extractor.push(block))
    parts.append(extractor.flush())
    np.testing.assert_allclose(np.concatenate(parts), frames(samples[:3900], WHISPER), atol=1e-5)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.kind}-{recipe.hop}-{recipe.padding}")
@pytest.mark.parametrize("n", [0, 1, 2, 159, 160, 199, 200, 201, 399, 400, 401])
def test_very_short_signals_give_finite_frames_of_the_right_width(recipe: FeatureRecipe, n: int) -> None:
    raw = frames(speech_like(n), recipe)
    done = finish(raw, recipe)
    assert raw.dtype == done.dtype == np.float32
    assert np.isfinite(done).all()
    assert done.shape == ((len(raw) * recipe.hop,) if recipe.kind == "waveform" else (len(raw), recipe.dimension))
    assert energy(raw, recipe).shape == (len(raw),)


def test_log_mel_equals_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    samples = speech_like(16000 * 3 + 77)
    mel = librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=400, hop_length=160, n_mels=80, pad_mode="reflect")
    expected = np.log10(np.maximum(mel, 1e-10)).T[: len(samples) // 160]
    assert np.abs(frames(samples, WHISPER) - expected).max() < 1e-4


@pytest.mark.parametrize("scale", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize("hertz", [0, 40, 1000, 7900])
def test_log_mel_of_a_lone_tone_equals_librosas_within_whispers_range(hertz: float, scale: float) -> None:
    """Most bands hold next to nothing: single precision shows there first. Below the maximum − 8 nobody looks."""
    librosa = pytest.importorskip("librosa")
    samples = (scale * np.cos(2 * np.pi * hertz * np.arange(16000) / 16000)).astype(np.float32)
    mel = librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=400, hop_length=160, n_mels=80, pad_mode="reflect")
    log = np.log10(np.maximum(mel, 1e-10)).T[:100]
    expected = (np.maximum(log, log.max() - 8) + 4) / 4
    assert np.abs(finish(frames(samples, WHISPER), WHISPER) - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        (
            FeatureRecipe(bands=64, fft=512, padding="zeros", drop_last=False, log="ln", floor=1e-8),
            {"n_fft": 512, "win_length": 400, "n_mels": 64},
        ),
        (
            FeatureRecipe(bands=40, mel="htk", mel_norm="none", low_hz=20, high_hz=7600, padding="none"),
            {"n_fft": 400, "n_mels": 40, "center": False, "htk": True, "norm": None, "fmin": 20, "fmax": 7600},
        ),
        (
            FeatureRecipe(bands=32, window_function="blackman", padding="none"),
            {"n_fft": 400, "n_mels": 32, "window": "blackman", "center": False},
        ),
        (
            FeatureRecipe(bands=26, sample_rate=8000, window=200, fft=256, hop=80, window_function="hamming",
                          padding="zeros", drop_last=False),
            {"sr": 8000, "n_fft": 256, "win_length": 200, "hop_length": 80, "n_mels": 26, "window": "hamming"},
        ),
    ],
)  # fmt: skip
def test_other_recipes_equal_librosas(recipe: FeatureRecipe, options: dict) -> None:
    librosa = pytest.importorskip("librosa")
    samples = speech_like(16000)
    mel = librosa.feature.melspectrogram(y=samples, **{"sr": 16000, "hop_length": 160, **options})
    expected = np.log(np.maximum(mel, recipe.floor)).T / (np.log(10) if recipe.log == "log10" else 1)
    raw = frames(samples, recipe)
    assert raw.shape == expected.shape
    assert np.abs(raw - expected).max() < 1e-4


def test_mfcc_and_both_deltas_equal_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    samples = speech_like(16000 * 2)
    recipe = FeatureRecipe(kind="mfcc", bands=64, coefficients=20, deltas=2, offset=0.0, scale=10.0, padding="zeros",
                           drop_last=False)  # fmt: skip
    mfcc = librosa.feature.mfcc(y=samples, sr=16000, n_mfcc=20, n_fft=400, hop_length=160, n_mels=64)
    expected = np.concatenate([mfcc, librosa.feature.delta(mfcc), librosa.feature.delta(mfcc, order=2)]).T
    done = finish(frames(samples, recipe), recipe)
    assert done.shape == expected.shape == (201, 60)
    # decibels sum to hundreds, where single precision has steps of 6e-5
    np.testing.assert_allclose(done, expected, rtol=1e-6, atol=1e-4)


def test_deltas_of_a_parabola_are_its_derivatives_and_short_windows_are_continued() -> None:
    t = np.arange(20, dtype=np.float32)[:, None]
    np.testing.assert_allclose(delta(t**2, 1)[4:-4], 2 * t[4:-4], rtol=1e-5)
    np.testing.assert_allclose(delta(t**2, 2), np.full((20, 1), 2.0), rtol=1e-3)
    assert np.isfinite(delta(t[:3], 1)).all()
    assert delta(t[:0], 1).shape == (0, 1)


def test_mel_filters_equal_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    np.testing.assert_allclose(mel_filters(WHISPER).T, librosa.filters.mel(sr=16000, n_fft=400, n_mels=80), atol=1e-7)


def test_the_spectrum_equals_the_sum_that_defines_it() -> None:
    """An oracle that owes nothing to a library: one frame, every bin as a sum, in double precision."""
    recipe = FeatureRecipe(bands=7, window=24, fft=32, hop=10, sample_rate=8000, padding="none", floor=1e-12)
    x = speech_like(32).astype(np.float64)
    window = np.zeros(32)
    window[4:28] = [0.5 - 0.5 * np.cos(2 * np.pi * i / 24) for i in range(24)]
    power = [abs(sum(x[n] * window[n] * np.exp(-2j * np.pi * k * n / 32) for n in range(32))) ** 2 for k in range(17)]
    expected = np.log10(np.maximum(np.array(power) @ mel_filters(recipe).astype(np.float64), 1e-12))
    np.testing.assert_allclose(frames(x.astype(np.float32), recipe)[0], expected, atol=1e-4)


def test_whispers_range_offset_and_scale_are_taken_over_one_window() -> None:
    raw = np.array([[-10.0, 0.0], [-9.0, 2.0]], np.float32)
    np.testing.assert_allclose(finish(raw, WHISPER), [[-0.5, 1.0], [-0.5, 1.5]])


def test_normalised_columns_have_zero_mean_and_unit_variance_and_silence_stays_finite() -> None:
    recipe = FeatureRecipe(normalise=True, range_below_max=None)
    done = finish(frames(speech_like(16000), recipe), recipe)
    np.testing.assert_allclose(done.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(done.std(axis=0), 1, atol=1e-3)
    wave = FeatureRecipe(kind="waveform", normalise=True)
    loud = finish(frames(speech_like(16000), wave), wave)
    assert loud.shape == (16000,)
    assert abs(loud.mean()) < 1e-4
    assert abs(loud.std() - 1) < 1e-3
    assert not finish(frames(np.zeros(1600, np.float32), wave), wave).any()


def test_energy_is_higher_where_it_is_louder_for_every_kind() -> None:
    samples = np.concatenate([0.01 * speech_like(8000), speech_like(8000)])
    for recipe in (WHISPER, FeatureRecipe(log="ln"), FeatureRecipe(kind="waveform")):
        loudness = energy(frames(samples, recipe), recipe)
        assert 30 < np.median(loudness[55:]) - np.median(loudness[:45]) < 50


def test_a_recipe_survives_its_dictionary() -> None:
    for recipe in RECIPES:
        assert FeatureRecipe.from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "magic"}, {"bands": 0}, {"bands": 10**9}, {"hop": 0}, {"window": 500}, {"bands": True}, {"bands": 1.5},
        {"floor": float("nan")}, {"scale": "1"}, {"unheard": 1}, {"high_hz": 9000.0}, {"low_hz": 8000.0},
        {"kind": "mfcc", "coefficients": 81}, {"padding": "circular"}, {"drop_last": 1}, {"mel": None},
        {"offset": float("inf")}, {"deltas": 3},
    ],
    ids=str,
)  # fmt: skip
def test_a_senseless_recipe_is_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=r"feature|bands|mel"):
        FeatureRecipe.from_dict({"kind": "log-mel", **change})


def test_a_recipe_without_a_kind_is_a_missing_key() -> None:
    with pytest.raises(KeyError, match="kind"):
        FeatureRecipe.from_dict({"bands": 80})
    with pytest.raises(ValueError, match="object"):
        FeatureRecipe.from_dict([])  # type: ignore[arg-type]


def test_samples_with_two_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="one axis"):
        Extractor(WHISPER).push(np.zeros((10, 2), np.float32))
