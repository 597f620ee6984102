import itertools

import pytest
from hypothesis import given, settings
from transcripts import TWO_CHANNELS, any_transcript, transcript, words

from transcribe_cli.errors import OptionError
from transcribe_cli.transcript import Segment, Transcript, Word
from transcribe_cli.writers.cues import CLINGERS, SubtitleOptions, audible, balance, cues

DEFAULT = SubtitleOptions()
SPEECH = (
    "she had been walking along the river for an hour when it began to rain and the wind which had been quiet all "
    "morning blew so hard that nobody could hear a word of what the others said until they reached the old mill"
)


def all_words(found):
    return " ".join(cue.text for cue in found).split()


@settings(max_examples=60, deadline=None)
@given(any_transcript())
def test_no_cue_overlaps_the_next_or_passes_the_end_of_the_audio(transcript):
    found = cues(transcript, DEFAULT)
    for cue, after in itertools.pairwise(found):
        assert cue.end_seconds <= after.start_seconds
    for cue in found:
        assert 0 <= cue.start_seconds < cue.end_seconds <= max(transcript.duration_seconds, 0.001 * len(found))


@settings(max_examples=60, deadline=None)
@given(any_transcript())
def test_lines_keep_their_limits_and_no_word_is_lost(transcript):
    options = SubtitleOptions(max_line_length=20)
    found = cues(transcript, options)
    for cue in found:
        assert 1 <= len(cue.lines) <= 2
        assert all(len(line) <= 20 for line in cue.lines)
        assert cue.end_seconds - cue.start_seconds <= 7.001
    for channel in {segment.channel for segment in transcript.segments}:
        said = [w.text for s in transcript.segments if s.channel == channel for w in s.words]
        assert all_words([cue for cue in found if cue.channel == channel]) == said


@settings(max_examples=40, deadline=None)
@given(any_transcript(channels=False))
def test_a_cue_is_short_or_fast_only_where_the_next_follows_or_the_audio_ends(transcript):
    found = cues(transcript, DEFAULT)
    for k, cue in enumerate(found):
        room_ends = found[k + 1].start_seconds if k + 1 < len(found) else transcript.duration_seconds
        shown = cue.end_seconds - cue.start_seconds
        wanted = min(max(1.0, len(cue.text) / 20), 7.0)
        assert shown >= wanted - 0.002 or cue.end_seconds >= room_ends - 0.001


def test_a_long_sentence_is_cut_where_a_phrase_ends():
    found = cues(transcript((0.0, SPEECH)), DEFAULT)
    assert all_words(found) == SPEECH.split()
    for cue in found:
        assert cue.lines[-1].split()[-1] not in CLINGERS
        assert len(cue.text) / (cue.end_seconds - cue.start_seconds) <= 20


def test_a_pause_ends_a_cue_even_without_punctuation():
    said = words("we came home", 0.0) + words("then we slept", 3.5)
    found = cues(Transcript((Segment(0.0, 5.0, said),), 10.0), DEFAULT)
    assert [cue.text for cue in found] == ["we came home", "then we slept"]


def test_a_full_stop_ends_a_cue_rather_than_the_middle_of_a_sentence():
    text = "We went there by train. " + "After that nobody wanted to see the sea again, not even my brother."
    found = cues(transcript((0.0, text)), DEFAULT)
    assert found[0].text == "We went there by train."


def test_lines_are_balanced_and_do_not_end_in_an_article():
    lines = balance(["nobody", "could", "hear", "a", "word", "of", "the", "story", "that", "they", "told"], DEFAULT)
    assert len(lines) == 2
    assert lines[0].split()[-1] not in CLINGERS
    assert abs(len(lines[0]) - len(lines[1])) <= 12


def test_one_line_stays_one_line():
    assert balance(["short", "enough"], DEFAULT) == ("short enough",)


def test_a_short_answer_stands_for_a_second_when_nothing_follows():
    (cue,) = cues(transcript((3.0, "yes")), DEFAULT)
    assert (cue.start_seconds, cue.end_seconds) == (3.0, 4.0)


def test_a_short_answer_at_the_very_end_begins_early_rather_than_passing_the_end():
    (cue,) = cues(transcript((3.0, "yes"), duration=3.4), DEFAULT)
    assert (cue.start_seconds, cue.end_seconds) == (2.4, 3.4)


def test_a_word_longer_than_a_line_is_cut():
    (cue,) = cues(transcript((0.0, "a" * 60)), DEFAULT)
    assert cue.lines == ("a" * 42, "a" * 18)


def test_channels_are_merged_by_time_and_labelled():
    found = cues(TWO_CHANNELS, DEFAULT)
    assert [(cue.channel, cue.text) for cue in found] == [
        (0, "hello who is there"),
        (1, "it is only me"),
        (0, "come in"),
    ]
    assert found[0].end_seconds == found[1].start_seconds == 1.5


def test_two_channels_beginning_together_are_shown_one_after_the_other():
    both = Transcript((Segment(1.0, 3.0, words("yes", 1.0), 0), Segment(1.0, 3.0, words("no", 1.0), 1)), 9.0)
    first, second = cues(both, DEFAULT)
    assert first.end_seconds <= second.start_seconds
    assert second.start_seconds - 1.0 <= 0.5


def test_a_recording_read_from_its_middle_keeps_its_times():
    """With --start 10 --duration 8 the audio that was read is shorter than its own times."""
    (cue,) = cues(transcript((10.5, "she had been walking"), duration=8.0), DEFAULT)
    assert (cue.start_seconds, cue.end_seconds) == (10.5, pytest.approx(12.05))


def test_nothing_said_gives_no_cue():
    assert cues(Transcript((), 5.0), DEFAULT) == []
    assert cues(Transcript((Segment(0.0, 1.0, ()),), 5.0), DEFAULT) == []


def test_each_limit_is_an_option_that_is_obeyed():
    for options, length, rows in [
        (SubtitleOptions(max_line_length=20), 20, 2),
        (SubtitleOptions(max_lines=1), 42, 1),
        (SubtitleOptions(max_lines=3, max_line_length=15), 15, 3),
    ]:
        found = cues(transcript((0.0, SPEECH)), options)
        assert max(len(line) for cue in found for line in cue.lines) <= length
        assert max(len(cue.lines) for cue in found) <= rows
    longest = [
        max(
            c.end_seconds - c.start_seconds for c in cues(transcript((0.0, SPEECH)), SubtitleOptions(max_cue_seconds=s))
        )
        for s in (2.0, 4.0, 7.0)
    ]
    assert longest[0] <= 2.0 < longest[1] <= 4.0 < longest[2] <= 7.0
    (slow,) = cues(transcript((0.0, "some words to read")), SubtitleOptions(max_cue_rate=4))
    assert slow.end_seconds == pytest.approx(18 / 4)
    assert len(cues(transcript((0.0, "one"), (1.0, "two")), SubtitleOptions(cue_pause=0.5))) == 2


def unsaid(text, at):
    return tuple(Word(word, at, at, 0.0, supported=False) for word in text.split())


def test_words_that_the_audio_lacks_make_no_cue_and_move_none():
    before = Segment(0.0, 2.55, unsaid("CHAPTER ONE", 0.0) + words("we came home", 1.0))
    between = Segment(2.2, 2.2, unsaid("and then much more", 2.2))
    after = Segment(4.0, 4.75, words("then we", 4.0) + unsaid("slept", 4.75))
    known = Transcript((before, between, after), 10.0)
    found = cues(known, DEFAULT)
    assert [(cue.text, cue.start_seconds) for cue in found] == [("we came home", 1.0), ("then we", 4.0)]
    assert [(s.start_seconds, s.end_seconds) for s in audible(known).segments] == [(1.0, 2.15), (4.0, 4.75)]
    assert cues(Transcript((between,), 10.0), DEFAULT) == []


def test_a_word_that_is_doubted_and_has_its_time_stays():
    doubted = Word("home", 1.8, 2.2, 0.1, supported=False)
    (cue,) = cues(Transcript((Segment(1.0, 2.2, (*words("we came", 1.0), doubted)),), 10.0), DEFAULT)
    assert cue.text == "we came home"
    recognised = Word("a", 1.8, 1.8, 0.1)
    (cue,) = cues(Transcript((Segment(1.0, 1.8, (*words("we came", 1.0), recognised)),), 10.0), DEFAULT)
    assert cue.text == "we came a"


def test_segments_may_end_every_cue():
    short = transcript((0.0, "she had been"), (1.2, "walking along"), (2.0, SPEECH))
    assert cues(short, DEFAULT)[0].text.startswith("she had been walking along")
    found = cues(short, SubtitleOptions(segments_end_cues=True))
    assert [cue.text for cue in found[:2]] == ["she had been", "walking along"]
    assert len(found) > 3  # a long segment has several
    assert " ".join(all_words(found[2:])) == SPEECH


@pytest.mark.parametrize(
    "limits", [{"max_lines": 0}, {"max_line_length": 2}, {"min_cue_seconds": 8.0}, {"max_cue_rate": float("nan")}]
)
def test_senseless_limits_are_refused(limits):
    with pytest.raises(OptionError):
        SubtitleOptions(**limits)
