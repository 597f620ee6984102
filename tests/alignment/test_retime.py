"""Subtitles keep everything but their times."""

import itertools
import re

import pytest

from transcribe_cli.alignment import retime
from transcribe_cli.alignment.script import read_aloud
from transcribe_cli.alignment.teller import AlignedWord
from transcribe_cli.alphabet import Alphabet
from transcribe_cli.errors import InputError
from transcribe_cli.transcript import Word

LETTERS = Alphabet(("<blank>", " ", "'", *"abcdefghijklmnopqrstuvwxyz"))
LONG = 5000.0  # no recording ends before

VTT = """WEBVTT - a talk

STYLE
::cue { color: red }

NOTE 00:00 --> never mind

intro
00:01.000 --> 00:02.500 line:10% align:start
<v Ann>Good <i>morning</i>, <00:01.800>all &amp; sundry

01:00:03.000 --> 01:00:04.000
- [laughs]
- HOST: It's 10 o'clock.
"""
SRT = (
    "\ufeff1\n0:0:1,5 --> 0:0:2,25\nOne two\n2\n0:0:3,000 --> 0:0:4,000\n♪ la ♪\n\n"
    "3\n0:0:5,000 --> 0:0:6,000\nthree four"
)


def moved(subtitles, shift, said=lambda word: True):
    """New times when every word of a cue is said 0.2 s after the one before it, each cue `shift` later than it was."""
    script = read_aloud(retime.spoken(subtitles), LETTERS)
    words, counts = [], {}
    for i, (shown, line) in enumerate(zip(script.shown, script.lines, strict=True)):
        at = subtitles.cues[subtitles.order[line]].start_seconds + shift + 0.2 * counts.setdefault(line, 0)
        counts[line] += 1
        words.append(AlignedWord(Word(shown, at, at + 0.15, 0.9), i, said(shown)))
    return retime.times(subtitles, script, words, LONG)


def heard(text, said, end_seconds=LONG):
    """New times of subtitles, (start, end, found), where each word is said, or not (None), at (start, end)."""
    subtitles = retime.read(text.encode(), "a.srt")
    script = read_aloud(retime.spoken(subtitles), LETTERS)
    words = [
        AlignedWord(Word(shown, *(times or (0.0, 0.0)), 0.9), i, times is not None)
        for i, (shown, times) in enumerate(zip(script.shown, said, strict=True))
    ]
    return [
        (pytest.approx(one.start_seconds), pytest.approx(one.end_seconds), one.found)
        for one in retime.times(subtitles, script, words, end_seconds)
    ]


def srt(*cues):
    """A file of cues (start, end, text) with whole seconds."""
    return "".join(f"{k}\n00:00:{a:02},000 --> 00:00:{b:02},000\n{text}\n\n" for k, (a, b, text) in enumerate(cues, 1))


def test_only_what_is_said_is_looked_for():
    assert retime.spoken(retime.read(VTT.encode(), "a.vtt")) == ["Good morning , all & sundry", "- It's 10 o'clock."]
    assert retime.spoken(retime.read(SRT.encode(), "a.srt")) == ["One two", "la", "three four"]


@pytest.mark.parametrize("text", [VTT, SRT, VTT.replace("\n", "\r\n"), SRT.replace("\n", "\r\n")])
def test_everything_but_the_stamps_stays(text):
    subtitles = retime.read(text.encode(), "a")
    new = retime.write(subtitles, moved(subtitles, 7.0))
    stamp = re.compile(r"\d+:\d+(:\d+)?[.,]\d+")
    assert stamp.sub("T", new) == stamp.sub("T", text)


def test_times_are_written_as_the_file_writes_them_and_those_within_cues_follow_their_word():
    subtitles = retime.read(VTT.encode(), "a.vtt")
    new = retime.write(subtitles, moved(subtitles, 7.0))
    assert "00:08.000 --> 00:09.500 line:10% align:start" in new
    assert "<00:08.400>all" in new  # the third word
    assert "01:00:10.000 --> 01:00:11.000" in new
    assert "NOTE 00:00 --> never mind" in new
    late = retime.write(subtitles, moved(subtitles, 3600.0))
    assert "01:00:01.000 --> 01:00:02.500" in late


def test_times_that_do_not_change_give_the_same_file():
    subtitles = retime.read(SRT.encode(), "a.srt")
    again = retime.read(retime.write(subtitles, moved(subtitles, 0.0)).encode(), "b.srt")
    assert [(c.start_seconds, c.end_seconds) for c in again.cues] == [
        (c.start_seconds, c.end_seconds) for c in subtitles.cues
    ]


def test_a_cue_that_is_not_heard_moves_between_its_neighbours():
    subtitles = retime.read(SRT.encode(), "a.srt")
    found = moved(subtitles, 10.0, said=lambda word: word != "la")
    assert [one.found for one in found] == [True, False, True]
    assert found[1].start_seconds == pytest.approx(13.0)
    assert all(one.end_seconds <= two.start_seconds for one, two in itertools.pairwise(found))
    lines = retime.report(subtitles, found)
    assert lines[0].startswith("2 of 3 subtitles found, moved by +10.00 to +10.00 s")
    assert lines[1].endswith("subtitle 2")


def test_a_cue_stands_as_long_as_before_where_the_next_leaves_room():
    text = "1\n00:00:01,000 --> 00:00:05,000\none\n\n2\n00:00:06,000 --> 00:00:07,000\ntwo\n"
    subtitles = retime.read(text.encode(), "a.srt")
    script = read_aloud(retime.spoken(subtitles), LETTERS)
    words = [AlignedWord(Word("one", 2.0, 2.4, 0.9), 0, True), AlignedWord(Word("two", 3.0, 3.3, 0.9), 1, True)]
    first, second = retime.times(subtitles, script, words, 3.5)
    assert (first.start_seconds, first.end_seconds) == (2.0, 3.0)
    assert (second.start_seconds, second.end_seconds) == (3.0, 3.5)


def test_old_encodings_are_read_and_files_without_cues_refused():
    latin = "1\n00:00:01,000 --> 00:00:02,000\ncafé\n"
    assert retime.spoken(retime.read(latin.encode("cp1252"), "a.srt")) == ["café"]
    assert retime.spoken(retime.read(latin.encode("utf-16"), "a.srt")) == ["café"]
    with pytest.raises(InputError, match="no subtitle"):
        retime.read(b"only text", "a.srt")


def test_a_webvtt_cue_ends_at_an_empty_line_and_not_at_one_of_spaces():
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n \none\n\nnext\n00:03.000 --> 00:04.000\n\nNOTE two\n"
    for one in (text, text.replace("\n", "\r\n")):
        assert retime.spoken(retime.read(one.encode(), "a.vtt")) == ["one", ""]


def test_the_text_of_a_subrip_cue_may_follow_an_empty_line():
    text = srt((1, 2, "\none"), (3, 4, "\n"), (5, 6, ""))
    assert retime.spoken(retime.read(text.encode(), "a.srt")) == ["one", "", ""]


def test_cues_in_any_order_are_looked_for_in_order_of_time_and_stay_at_their_place():
    text = srt((1, 2, "one"), (5, 6, "three"), (1, 6, "[sign]"), (3, 4, "two"), (7, 8, "four"))
    subtitles = retime.read(text.encode(), "a.srt")
    assert retime.spoken(subtitles) == ["one", "", "two", "three", "four"]
    new = heard(text, [(k, k + 0.5) for k in (11, 13, 15, 17)])
    assert new == [(11, 12, True), (15, 16, True), (11, 16, False), (13, 14, True), (17, 18, True)]
    written = retime.write(subtitles, moved(subtitles, 10.0))
    assert written == srt((11, 12, "one"), (15, 16, "three"), (11, 16, "[sign]"), (13, 14, "two"), (17, 18, "four"))


def test_cues_that_stood_together_before_do_so_after():
    text = srt((10, 18, "one two"), (11, 14, "[sign]"), (11, 14, "♪"), (15, 18, "three"), (19, 21, "[noise]"))
    new = heard(text, [(0.5, 1.0), (1.0, 4.0), (5.5, 8.0)])
    assert [(one[0], one[1]) for one in new] == [(0.5, 8.5), (1.5, 4.5), (1.5, 4.5), (5.5, 8.5), (9.5, 11.5)]


def test_a_cue_that_is_not_heard_keeps_its_length_behind_the_end_of_the_audio_and_half_a_second_in_a_crowd():
    text = srt((1, 2, "one"), (3, 5, "two"), (6, 8, "three"), (40, 43, "four"))
    said = [(1.0, 1.4), None, (1.5, 2.0), None]
    assert heard(text, said, end_seconds=3.0) == [
        (1.0, 1.2, True),
        (1.2, 1.7, False),
        (1.5, 3.0, True),
        (35.5, 38.5, False),
    ]


def test_the_end_of_the_audio_leaves_a_cue_half_a_second():
    assert heard(srt((1, 3, "one")), [(1.0, 1.2)], end_seconds=1.2) == [(1.0, 1.5, True)]


def test_cues_that_would_stand_before_the_recording_share_its_beginning():
    text = srt((10, 12, "[music]"), (20, 21, "[noise]"), (30, 31, "one"))
    assert heard(text, [(5.0, 5.4)]) == [(0.0, 2.0, False), (2.5, 3.5, False), (5.0, 6.0, True)]


def test_a_word_heard_long_before_or_after_the_others_does_not_move_its_cue():
    text = srt((5, 8, "so they were glad"), (10, 12, "and sang"))
    said = [(0.4, 0.6), (5.4, 5.6), (5.6, 5.8), (5.9, 6.3), (10.0, 10.3), (14.0, 14.2)]
    assert heard(text, said) == [(5.4, 8.4, True), (14.0, 16.0, True)]
    said = [(5.0, 5.2), (6.6, 6.8), (6.9, 7.2), (7.3, 7.6), (10.0, 10.3), (11.0, 11.2)]  # a pause for breath
    assert heard(text, said) == [(5.0, 8.0, True), (10.0, 12.0, True)]


def test_of_two_parts_of_a_cue_with_like_letters_the_earlier_is_kept():
    assert heard(srt((1, 2, "one two")), [(1.0, 1.5), (9.0, 9.5)]) == [(1.0, 2.0, True)]


def test_times_within_a_cue_find_their_word_behind_signs_that_are_said():
    text = "here & <00:01.300>there is [noise] <00:01.400>50 % <00:01.500>or\n<00:01.600>more\n"
    text = f"WEBVTT\n\n00:01.000 --> 00:02.500\n{text}"
    subtitles = retime.read(text.encode(), "a.vtt")
    new = retime.write(subtitles, moved(subtitles, 7.0))
    shown = read_aloud(retime.spoken(subtitles), LETTERS).shown
    for stamp, word in zip(re.findall(r"<(.*?)>", new), ["there", "50", "or", "more"], strict=True):
        assert stamp == f"00:{8 + 0.2 * shown.index(word):06.3f}"


def test_times_within_a_cue_that_is_not_heard_move_with_it():
    text = "WEBVTT\n\n00:01.000 --> 00:02.500\none\n\n00:03.000 --> 00:04.500\n<00:03.300>two <00:04.000>three\n"
    subtitles = retime.read(text.encode(), "a.vtt")
    new = retime.write(subtitles, moved(subtitles, 7.0, said=lambda word: word == "one"))
    assert "00:10.000 --> 00:11.500\n<00:10.300>two <00:11.000>three" in new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\ufeff00:00:01,000 --> 00:00:02,000", "\ufeff00:00:08,000 --> 00:00:09,000"),
        ("00:00:01:000 --> 00:00:02:000", "00:00:08,000 --> 00:00:09,000"),
        ("00:00:01 --> 00:00:02 X1:40", "00:00:08,000 --> 00:00:09,000 X1:40"),
        ("00:01:000 --> 00:02:000", "00:08,000 --> 00:09,000"),
    ],
)
def test_stamps_that_players_may_not_read_are_understood_and_mended(old, new):
    subtitles = retime.read(f"{old}\none\n".encode(), "a.srt")
    assert subtitles.cues[0].start_seconds == 1.0
    assert retime.write(subtitles, moved(subtitles, 7.0)) == f"{new}\none\n"


@pytest.mark.parametrize(
    "line",
    [
        "00:00:05,000 -> 00:00:06,000",
        "00:00:05,000 → 00:00:06,000",
        "00:00:05:12 --> 00:00:06:12",
        "00:00:05,0000 --> 00:00:06,0000",
        "O0:00:05,000 --> 00:00:06,000",
        "00.00.05,000 --> 00.00.06,000",
        "00:00:05,000 --> 00:00:06:07:08",
    ],
)
def test_a_line_that_is_almost_a_time_is_told_and_stays(line):
    text = f"1\n00:00:01,000 --> 00:00:02,000\none\n2\n{line}\ntwo\n"
    subtitles = retime.read(text.encode(), "a.srt")
    assert retime.spoken(subtitles) == ["one"]
    new = moved(subtitles, 7.0)
    assert retime.report(subtitles, new)[-1].startswith("line 5 is not understood as a time")
    assert line in retime.write(subtitles, new)
    with pytest.raises(InputError, match=r"no subtitle in it \(line 2 is"):
        retime.read(f"1\n{line}\none\n".encode(), "a.srt")


@pytest.mark.parametrize("line", ["- at 10:30", "<c.x1>5 > 3</c> 10:30", "10:30 – 11:00", "NOTE 00:00 --> never mind"])
def test_text_is_not_taken_for_a_time(line):
    text = f"1\n00:00:01,000 --> 00:00:02,000\n{line}\n"
    assert retime.read(text.encode(), "a.srt").unclear == ()
