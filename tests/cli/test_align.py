"""`transcribe align` with a model whose letters are tones."""

import io
import json
import re

import pytest
import soundfile
import toy_model

from transcribe_cli.cli import run

TEXT = "Bad, bad cab!\nA head – fed.\n"
SAID = "bad bad cab a head fed"


@pytest.fixture
def home(home):
    speak(home / "talk.wav", SAID)
    (home / "talk.txt").write_text(TEXT)
    return home


def speak(path, text):
    soundfile.write(path, toy_model.sound(text), 16000)
    return path


def letter_seconds(k: int) -> tuple[float, float]:
    """Where the toy's sound has its k-th letter."""
    return 0.2 + 0.16 * k, 0.3 + 0.16 * k


def test_words_are_printed_as_written_with_the_times_of_their_sound(home, capsys):
    assert run(["align", "talk.wav", "talk.txt"]) == 0
    out, err = capsys.readouterr()
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[3] for row in rows] == ["Bad,", "bad", "cab!", "A", "head –", "fed."]
    at = 0
    for row, word in zip(rows, SAID.split(), strict=True):
        assert float(row[0]) == pytest.approx(letter_seconds(at)[0], abs=0.06)
        assert float(row[1]) == pytest.approx(letter_seconds(at + len(word) - 1)[1], abs=0.06)
        assert len(row) == 4
        at += len(word) + 1
    assert err == ""


def test_every_format_takes_the_text_with_its_punctuation(home, capsys):
    from transcribe_cli.writers import FORMATS

    for name in FORMATS:
        assert run(["align", "talk.wav", "talk.txt", "-f", name]) == 0
        out = capsys.readouterr().out
        assert "Bad," in out
        assert "fed." in out


def test_segments_may_follow_the_lines_of_the_text(home, capsys):
    assert run(["align", "talk.wav", "talk.txt", "-f", "txt"]) == 0
    assert capsys.readouterr().out == "Bad, bad cab! A head – fed.\n"
    assert run(["align", "talk.wav", "talk.txt", "-f", "txt", "--by", "line"]) == 0
    assert capsys.readouterr().out == "Bad, bad cab!\nA head – fed.\n"


@pytest.mark.parametrize(("format", "pattern"), [("srt", "-->"), ("tsv", r"^\d"), ("audacity", r"^\d"), ("ctm", "1 ")])
def test_a_cue_or_line_may_hold_a_word_or_a_character(home, capsys, format, pattern):
    counts = {}
    for level in ("words", "characters"):
        assert run(["align", "talk.wav", "talk.txt", "-f", format, "--level", level]) == 0
        counts[level] = sum(bool(re.search(pattern, line)) for line in capsys.readouterr().out.splitlines())
    assert counts == {"words": 6, "characters": len(SAID.replace(" ", ""))}


def test_json_and_textgrid_hold_characters_within_words(home, capsys):
    assert run(["align", "talk.wav", "talk.txt", "-f", "json", "--level", "characters"]) == 0
    words = json.loads(capsys.readouterr().out)["segments"][0]["words"]
    assert [c["character"] for c in words[4]["characters"]] == ["h", "e", "a", "d –"]
    assert words[4]["characters"][0]["start"] == pytest.approx(letter_seconds(14)[0], abs=0.06)
    assert run(["align", "talk.wav", "talk.txt", "-f", "textgrid", "--level", "characters"]) == 0
    assert 'name = "characters"' in capsys.readouterr().out


def test_the_score_is_the_loss_of_the_text(home, capsys):
    import numpy as np

    from transcribe_cli import audio
    from transcribe_cli.bundle.session import Network
    from transcribe_cli.bundle.store import find
    from transcribe_cli.ctc.forward_backward import loss
    from transcribe_cli.emission import WindowOptions, rows

    assert run(["align", "talk.wav", "talk.txt", "--score"]) == 0
    out = capsys.readouterr().out
    network = Network(find("toy"))
    log_probs = np.concatenate(list(rows(audio.stream("talk.wav", 16000), network, WindowOptions())))
    network.close()
    exact = loss(log_probs, network.card.alphabet.encode(SAID))
    nats, each = (float(part) for part in re.match(r"(\S+) nats, (\S+) a character", out).groups())
    assert nats == pytest.approx(exact, abs=2e-3)
    assert each == pytest.approx(exact / len(SAID), abs=1e-3)
    assert run(["align", "talk.wav", "talk.txt", "--score", "-f", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["alignment"]["score"]["nats"] == pytest.approx(nats, abs=1e-3)


def test_a_sentence_that_was_not_said_is_flagged_and_the_rest_stays(home, capsys):
    text = "bad bad cab feed gab beef hedge a head fed"
    assert run(["align", "talk.wav", "--text", text, "-f", "json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [p["text"] for p in found["alignment"]["not_said"]] == ["feed gab beef hedge"]
    assert found["alignment"]["not_said"][0]["first_word"] == 3
    words = [w for s in found["segments"] for w in s["words"]]
    assert [w["word"] for w in words if w.get("supported") is False] == ["feed", "gab", "beef", "hedge"]
    assert words[-1]["start"] == pytest.approx(letter_seconds(SAID.index("fed"))[0], abs=0.06)
    assert err.count("\n") == 1
    assert "not said" in err
    assert run(["align", "talk.wav", "--text", text, "--check"]) == 1
    assert capsys.readouterr().out.count("not said") == 4


def test_speech_that_the_text_lacks_is_flagged(home, capsys):
    speak(home / "more.wav", "bad bad cab feed gab a head fed")
    assert run(["align", "more.wav", "talk.txt", "-f", "json"]) == 0
    out, err = capsys.readouterr()
    (extra,) = json.loads(out)["alignment"]["not_in_text"]
    assert extra["heard"] == "feed gab"
    assert extra["start"] == pytest.approx(letter_seconds(12)[0], abs=0.1)
    assert "not in the text" in err
    assert run(["align", "more.wav", "talk.txt", "-q"]) == 0
    out, err = capsys.readouterr()
    assert "feed gab\tnot in the text" in out
    assert err == ""


def test_a_part_of_the_recording_keeps_its_own_times(home, capsys):
    speak(home / "long.wav", "fed fed....bad cab")
    assert run(["align", "long.wav", "--text", "Bad cab.", "--start", "1.6", "-f", "tsv", "--level", "words"]) == 0
    first = capsys.readouterr().out.splitlines()[1].split("\t")
    assert int(first[0]) == pytest.approx(1000 * (0.2 + 0.16 * 7 + 2.0), abs=60)
    assert first[2] == "Bad"


SRT = """1\r
00:00:05,000 --> 00:00:05,500 X1:40\r
<i>Bad, bad</i>\r
cab!\r
\r
7\r
00:00:06,000 --> 00:00:07,000\r
[door slams]\r
\r
9\r
00:00:08,000 --> 00:00:09,250\r
CAB: A {\\an8}head – fed.\r
"""


def test_subtitles_get_new_times_and_keep_everything_else(home, capsys):
    (home / "old.srt").write_bytes(SRT.encode())
    assert run(["align", "talk.wav", "--fix-times", "old.srt", "-o", "new.srt"]) == 0
    err = capsys.readouterr().err
    assert "2 of 3 subtitles found" in err
    assert "subtitle 2" in err
    new = (home / "new.srt").read_bytes().decode()
    stamp = re.compile(r"\d\d:\d\d:\d\d,\d{3}")
    assert stamp.sub("T", new) == stamp.sub("T", SRT)
    import pysubs2

    first, _, third = pysubs2.load(str(home / "new.srt"))
    assert first.start == pytest.approx(1000 * letter_seconds(0)[0], abs=60)
    assert third.start == pytest.approx(1000 * letter_seconds(12)[0], abs=60)
    assert first.end <= third.start


def test_subtitles_may_come_from_standard_input(home, capsys, monkeypatch):
    (home / "old.srt").write_bytes(SRT.encode())
    for name in ("new.srt", "new"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SRT.encode())))
        assert run(["align", "talk.wav", "--fix-times", "-", "-o", name, "-q"]) == 0
        assert run(["align", "talk.wav", "--fix-times", "old.srt", "-q"]) == 0
        assert (home / name).read_bytes().decode() == capsys.readouterr().out


def test_subtitles_of_another_recording_are_an_error_and_nothing_is_written(home, capsys):
    (home / "other.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhedge fagged gaffe\n")
    assert run(["align", "talk.wav", "--fix-times", "other.srt", "-o", "new.srt"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "none of the 1 subtitles of other.srt is heard" in err
    assert not (home / "new.srt").exists()


def test_a_part_of_the_recording_does_not_cut_its_last_subtitle(home, capsys):
    (home / "old.srt").write_text("1\n00:00:05,000 --> 00:00:09,000\nbad bad cab\n")
    assert run(["align", "talk.wav", "--fix-times", "old.srt", "-q", "--duration", "2.1"]) == 0
    (stamps,) = re.findall(r"00:00:(\S+) --> 00:00:(\S+)", capsys.readouterr().out)
    begin, end = (float(stamp.replace(",", ".")) for stamp in stamps)
    assert end - begin == pytest.approx(4.0)


def test_words_that_were_not_said_are_in_no_subtitle_and_in_every_table(home, capsys):
    speak(home / "late.wav", "......" + SAID)
    text = "feed gab beef hedge egad " + SAID
    for name in ("srt", "vtt", "ass", "lrc", "audacity"):
        for level in ("segments", "words", "characters"):
            assert run(["align", "late.wav", "--text", text, "-f", name, "-q", "--level", level]) == 0
            out = capsys.readouterr().out
            assert "hedge" not in out
            assert not re.search(r"\b0?0:00[:.]00[,.]?0*\b", out)
            assert not re.search(r"^0\.000", out, re.MULTILINE)
    for flags in ([], ["-f", "json"], ["-f", "textgrid"], ["-f", "txt"]):
        assert run(["align", "late.wav", "--text", text, "-q", *flags]) == 0
        assert "hedge" in capsys.readouterr().out


@pytest.mark.parametrize(("format", "pattern"), [("srt", r"^[a-zA-Z].*"), ("vtt", "^[ABa].*"), ("lrc", r"(?<=\])\w.*")])
def test_subtitles_and_lyrics_may_follow_the_lines_of_the_text(home, capsys, format, pattern):
    assert run(["align", "talk.wav", "talk.txt", "-f", format]) == 0
    assert re.findall(pattern, capsys.readouterr().out, re.MULTILINE) == ["Bad, bad cab! A head – fed."]
    assert run(["align", "talk.wav", "talk.txt", "-f", format, "--by", "line"]) == 0
    assert re.findall(pattern, capsys.readouterr().out, re.MULTILINE) == ["Bad, bad cab!", "A head – fed."]


def test_empty_and_foreign_texts_start_nothing(home, capsys):
    (home / "empty.txt").write_text(" \n – …\n")
    (home / "foreign.txt").write_text("Привет, мир")
    (home / "latin.txt").write_bytes(b"caf\xe9")
    for arguments, part in [
        (["talk.wav", "empty.txt"], "holds no word"),
        (["talk.wav", "--text", ""], "holds no word"),
        (["talk.wav", "foreign.txt"], "cannot be spelled"),
        (["talk.wav", "latin.txt"], "not UTF-8"),
        (["talk.wav", "gone.txt"], "no such file"),
        (["talk.wav"], "give the text once"),
        (["talk.wav", "talk.txt", "--text", "bad"], "give the text once"),
        (["-", "-"], "both"),
        (["-", "--fix-times", "-"], "both"),
        (["talk.wav", "talk.txt", "-o", "-"], "leave the option out"),
        (["talk.wav", "--fix-times", "-", "-o", "new.json"], "keeps the subtitles' format"),
        (["talk.wav", "talk.txt", "--level", "lines"], "--level"),
        (["talk.wav", "talk.txt", "-f", "doc"], "--format"),
        (["talk.wav", "talk.txt", "-o", "talk.txt"], "--overwrite"),
        (["talk.wav", "--fix-times", "talk.txt"], "no subtitle"),
        (["talk.wav", "--fix-times", "talk.srt", "-o", "new.vtt"], "keeps the subtitles' format"),
        (["talk.wav", "--fix-times", "talk.srt", "-f", "json"], "keeps the subtitles' format"),
        (["talk.wav", "talk.txt", "--channel", "split"], "--channel"),
        (["talk.wav", "talk.txt", "--model", "gone"], "no model"),
        (["talk.wav", "talk.txt", "--skip-cost", "-1"], "--skip-cost"),
    ]:
        assert run(["align", *arguments]) == 2, arguments
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert part in err


def test_recordings_that_cannot_hold_the_text_are_one_line_and_exit_code_one(home, capsys):
    soundfile.write(home / "silence.wav", [0.0] * 48000, 16000)
    (home / "broken.wav").write_text("no sound")
    speak(home / "short.wav", "bad")
    (home / "long.txt").write_text("bad cab head fed " * 50)
    for arguments, part in [
        (["gone.wav", "talk.txt"], "no such file"),
        (["broken.wav", "talk.txt"], "broken.wav"),
        (["silence.wav", "talk.txt"], "no speech"),
        (["short.wav", "long.txt"], "cannot hold"),
    ]:
        assert run(["align", *arguments]) == 1, arguments
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert part in err
    assert run(["align", "short.wav", "long.txt", "--max-letter-rate", "10000", "-q"]) == 0
