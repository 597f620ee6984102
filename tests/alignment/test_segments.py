import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transcribe_cli.alignment.segments import SegmentOptions, group
from transcribe_cli.errors import OptionError
from transcribe_cli.transcript import Word


def speak(*gaps_and_lengths: tuple[float, float]) -> list[Word]:
    words, now = [], 0.0
    for i, (gap, length) in enumerate(gaps_and_lengths):
        words.append(Word(f"w{i}", now + gap, now + gap + length, 1.0))
        now += gap + length
    return words


def test_pause_ends_a_segment() -> None:
    segments = group(speak((0.1, 0.3), (0.2, 0.4), (0.9, 0.5), (0.0, 0.2)), SegmentOptions(pause_seconds=0.8))
    assert [segment.text for segment in segments] == ["w0 w1", "w2 w3"]
    assert segments[0].start_seconds == pytest.approx(0.1)
    assert segments[0].end_seconds == pytest.approx(1.0)


def test_long_speech_is_broken_at_its_longest_pause() -> None:
    words = speak((0, 1), (0.1, 1), (0.5, 1), (0.2, 1), (0.3, 1))
    options = SegmentOptions(pause_seconds=5, max_segment_seconds=4)
    assert [segment.text for segment in group(words, options)] == ["w0 w1", "w2 w3 w4"]
    options = SegmentOptions(pause_seconds=5, max_segment_seconds=2.5)
    assert [segment.text for segment in group(words, options)] == ["w0 w1", "w2 w3", "w4"]


def test_speech_without_pauses_is_halved_rather_than_crumbled() -> None:
    segments = group(speak(*[(0.0, 1.0)] * 16), SegmentOptions(max_segment_seconds=9))
    assert [len(segment.words) for segment in segments] == [8, 8]


def test_one_endless_word_stays_whole() -> None:
    (segment,) = group(speak((0, 100)), SegmentOptions(max_segment_seconds=10))
    assert segment.text == "w0"


def test_no_words_no_segments_and_the_channel_is_kept() -> None:
    assert group([]) == ()
    assert group(speak((0, 1)), channel=1)[0].channel == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0.05, 1)), max_size=60), st.floats(0.1, 2), st.floats(1.5, 20))
def test_segments_hold_every_word_once_and_keep_their_limits(
    spoken: list[tuple[float, float]], pause: float, longest: float
) -> None:
    words = speak(*spoken)
    segments = group(words, SegmentOptions(pause_seconds=pause, max_segment_seconds=longest))
    assert [word for segment in segments for word in segment.words] == words
    assert all(s.end_seconds - s.start_seconds <= longest or len(s.words) == 1 for s in segments)
    for segment in segments:
        for one, two in itertools.pairwise(segment.words):
            assert two.start_seconds - one.end_seconds < pause


def test_senseless_limits_are_refused() -> None:
    with pytest.raises(OptionError, match="max-segment-seconds"):
        SegmentOptions(max_segment_seconds=0)
