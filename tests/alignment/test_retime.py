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
        at = subtitles.cues[line].start_seconds + shift + 0.2 * counts.setdefault(line, 0)
        counts[line] += 1
        words.append(AlignedWord(Word(shown, at, at + 0.15, 0.9), i, said(shown)))
    return retime.times(subtitles, script, words, 5000.0)


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
