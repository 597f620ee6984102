"""Windows tile the recording, whatever its loudness and however its frames arrive."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.emission.windows import Windower


def plan(loudness: np.ndarray, sizes: list[int], longest: int, context: int, grid: int) -> list:
    windower = Windower(longest, context, grid)
    windows, at = [], 0
    for size in sizes:
        windows += windower.push(loudness[at : at + size])
        at += size
    windows += windower.push(loudness[at:])
    return windows + windower.flush()


shapes = st.tuples(st.integers(20, 200), st.integers(0, 9), st.sampled_from([1, 2, 4])).filter(
    lambda s: s[0] - 2 * (s[1] + s[2]) >= 4 * s[2]
)


@given(st.integers(0, 1500), st.lists(st.integers(0, 400), max_size=8), shapes, st.integers(0, 99))
def test_kept_parts_tile_the_recording_and_windows_stay_short(n_frames, sizes, shape, seed):
    longest, context, grid = shape
    loudness = np.random.default_rng(seed).normal(size=n_frames).astype(np.float32)
    windows = plan(loudness, sizes, longest, context, grid)
    assert [w.keep_start for w in windows] == [0, *[w.keep_stop for w in windows[:-1]]][: len(windows)]
    assert (windows[-1].keep_stop if windows else 0) == n_frames
    for window in windows:
        assert 0 <= window.start <= window.keep_start < window.keep_stop <= window.stop <= n_frames
        assert window.stop - window.start <= longest
        assert window.start % grid == 0
        assert window.keep_start % grid == 0
    for window in windows[:-1]:
        assert window.stop - window.keep_stop >= min(context, n_frames - window.keep_stop)
    for window in windows[1:]:
        assert window.keep_start - window.start >= min(context, window.keep_start)


@given(st.integers(0, 900), st.lists(st.integers(0, 200), max_size=9), shapes, st.integers(0, 99))
def test_cut_anywhere_the_windows_are_the_same(n_frames, sizes, shape, seed):
    loudness = np.random.default_rng(seed).normal(size=n_frames).astype(np.float32)
    assert plan(loudness, sizes, *shape) == plan(loudness, [], *shape)


def test_a_cut_lies_in_the_quiet_place():
    loudness = np.full(1000, 5.0, np.float32)
    loudness[370:390] = -5.0
    first = plan(loudness, [], 500, 20, 4)[0]
    assert 370 <= first.keep_stop <= 390


def test_a_window_that_cannot_hold_its_context_is_refused():
    with pytest.raises(ValueError, match="cannot hold"):
        Windower(100, 48, 4)
