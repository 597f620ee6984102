import csv
import html
import io
import json
import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transcripts import SHORT, TWO_CHANNELS, any_transcript, transcript

from transcribe_cli import writers
from transcribe_cli.errors import InputError, OptionError
from transcribe_cli.transcript import Alternative, Segment, Transcript, Word
from transcribe_cli.writers.cues import SubtitleOptions, cues
from transcribe_cli.writers.json import manifest_line, read

NASTY = ["<b>bold</b>", "{\\an8}top", "-->", "a&amp;b", "=1+1", '"quoted"', "[00:01.00]", "\\Nnew", "5", "<i", "é–ж中"]
HOSTILE = transcript((0.5, " ".join(NASTY)), (8.0, '=HYPERLINK("http://x") @cmd'), (12.0, "-2+3"), duration=20.0)
EMPTY = Transcript((), 3.0)


def shown(text):
    return [cue.text for cue in cues(text, SubtitleOptions())]


def test_formats_have_names_and_extensions_of_their_own():
    assert len({format.extension for format in writers.FORMATS.values()}) == len(writers.FORMATS)
    for name, format in writers.FORMATS.items():
        assert format.name == name
        assert format.description
        assert (format.whole is None) != (format.lines is None)


def test_an_unknown_format_is_refused_with_the_list_of_known_ones():
    with pytest.raises(OptionError, match="choose from txt, srt, vtt"):
        writers.render(SHORT, "docx")


@pytest.mark.parametrize("format", writers.FORMATS)
@pytest.mark.parametrize("spoken", [SHORT, TWO_CHANNELS, EMPTY, HOSTILE])
def test_streamed_segments_joined_equal_the_whole(format, spoken):
    channels = any(segment.channel is not None for segment in spoken.segments)
    lines = writers.stream(format, "talk", channels)
    whole = writers.render(spoken, format, name="talk")
    if lines is None:
        assert format not in ("txt", "tsv", "csv", "audacity")
    else:
        assert lines.header + "".join(lines.segment(segment) for segment in spoken.segments) == whole
    assert whole == "" or whole.endswith("\n")


def test_text_is_a_line_a_segment():
    assert writers.render(SHORT, "txt") == "hello there old friend\nhow's things\n"
    assert writers.render(TWO_CHANNELS, "txt") == "[0] hello who is there\n[1] it is only me\n[0] come in\n"
    assert writers.render(EMPTY, "txt") == ""


@pytest.mark.parametrize("spoken", [SHORT, TWO_CHANNELS, HOSTILE, EMPTY])
@pytest.mark.parametrize("format", ["srt", "vtt", "ass"])
def test_subtitles_are_read_back_by_pysubs2(format, spoken):
    pysubs2 = pytest.importorskip("pysubs2")
    found = cues(spoken, SubtitleOptions())
    events = pysubs2.SSAFile.from_string(writers.render(spoken, format), format_=format).events
    unit = 10 if format == "ass" else 1
    assert [(e.start // unit, e.end // unit) for e in events] == [
        (round(cue.start_seconds * 1000) // unit, round(cue.end_seconds * 1000) // unit) for cue in found
    ]
    for event, cue in zip(events, found, strict=True):
        text = event.text.replace("\u2060", "").replace("｛", "{").replace("｝", "}").replace("＼", "\\")
        if format == "vtt":
            text = re.sub("^<v channel .>", "", text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        elif format == "srt" and cue.channel is not None:
            assert text.startswith(f"[{cue.channel}] ")
            text = text[4:]
        assert text == "\\N".join(cue.lines)


def test_webvtt_is_read_back_by_webvtt():
    webvtt = pytest.importorskip("webvtt")
    captions = webvtt.from_string(writers.render(HOSTILE, "vtt")).captions
    found = cues(HOSTILE, SubtitleOptions())
    assert len(captions) == len(found)
    for caption, cue in zip(captions, found, strict=True):
        assert html.unescape(caption.text) == "\n".join(cue.lines)
        assert caption.start_in_seconds == int(cue.start_seconds)
    voices = [caption.voice for caption in webvtt.from_string(writers.render(TWO_CHANNELS, "vtt")).captions]
    assert voices == ["channel 0", "channel 1", "channel 0"]


def test_nothing_said_becomes_markup():
    assert not re.search(r"<[a-z/i]", writers.render(HOSTILE, "srt"))
    assert "{\\" not in writers.render(HOSTILE, "srt")
    assert not re.search(r"<(?!v )", writers.render(HOSTILE, "vtt"))
    events = writers.render(HOSTILE, "ass").split("[Events]")[1]
    assert "{" not in events
    assert not re.search(r"\\[^N]", events)
    assert events.count("\\N") == sum(len(cue.lines) - 1 for cue in cues(HOSTILE, SubtitleOptions()))


def test_subtitles_of_nothing_are_valid_files():
    assert writers.render(EMPTY, "srt") == ""
    assert writers.render(EMPTY, "vtt") == "WEBVTT\n"


def test_srt_looks_as_srt_looks():
    assert writers.render(SHORT, "srt") == (
        "1\n00:00:00,500 --> 00:00:02,050\nhello there old friend\n\n2\n00:00:03,000 --> 00:00:04,000\nhow's things\n"
    )


def test_hours_are_counted():
    late = transcript((3 * 3600 + 61.5, "late"), duration=4 * 3600)
    assert "03:01:01,500 -->" in writers.render(late, "srt")
    assert "Dialogue: 0,3:01:01.50," in writers.render(late, "ass")
    assert "[181:01.50]late" in writers.render(late, "lrc")


def test_lyrics_have_a_line_a_cue_and_an_empty_one_where_a_pause_begins():
    assert writers.render(SHORT, "lrc") == ("[00:00.50]hello there old friend\n[00:03.00]how's things\n[00:04.00]\n")


@pytest.mark.parametrize("spoken", [SHORT, TWO_CHANNELS, HOSTILE])
def test_lyrics_are_read_back_by_ffmpeg(spoken, tmp_path):
    av = pytest.importorskip("av")
    (tmp_path / "talk.lrc").write_text(writers.render(spoken, "lrc"), encoding="utf-8")
    with av.open(str(tmp_path / "talk.lrc")) as file:
        (tier,) = file.streams
        read = [
            (float(p.pts * tier.time_base), bytes(p).decode().strip()) for p in file.demux(tier) if p.pts is not None
        ]
    found = cues(spoken, SubtitleOptions())
    assert len([text for _, text in read if text]) == len(found)
    for (seconds, text), cue in zip([entry for entry in read if entry[1]], found, strict=True):
        assert seconds == pytest.approx(cue.start_seconds, abs=0.0051)
        label = "" if cue.channel is None else f"{cue.channel}: "
        assert text.replace("\u2060", "") == label + " ".join(cue.lines)


@pytest.mark.parametrize("spoken", [SHORT, TWO_CHANNELS, HOSTILE])
def test_audacity_labels_are_read_back_by_the_csv_module(spoken):
    text = writers.render(spoken, "audacity")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE))
    said = [segment for segment in spoken.segments if segment.words]
    assert [(float(row[0]), float(row[1])) for row in rows] == [
        (pytest.approx(segment.start_seconds), pytest.approx(segment.end_seconds)) for segment in said
    ]
    assert [row[2].split("] ", 1)[-1] for row in rows] == [segment.text.split("] ", 1)[-1] for segment in said]


@pytest.mark.parametrize("spoken", [SHORT, TWO_CHANNELS, HOSTILE])
def test_tables_are_read_back_by_the_csv_module(spoken):
    said = [segment for segment in spoken.segments if segment.words]
    for format, dialect, scale in (("tsv", "excel-tab", 1000), ("csv", "excel", 1)):
        rows = list(csv.DictReader(io.StringIO(writers.render(spoken, format), newline=""), dialect=dialect))
        assert len(rows) == len(said)
        for row, segment in zip(rows, said, strict=True):
            assert float(row["start"]) == pytest.approx(segment.start_seconds * scale)
            assert float(row["end"]) == pytest.approx(segment.end_seconds * scale)
            if dialect == "excel":
                assert row["text"].removeprefix("'") == segment.text
                assert float(row["confidence"]) == pytest.approx(segment.confidence, abs=1e-4)
            assert row.get("channel") == (None if segment.channel is None else str(segment.channel))


@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_a_formula_is_defused_for_spreadsheets(format):
    text = writers.render(HOSTILE, format)
    assert "'=HYPERLINK" in text
    assert "'-2+3" in text
    assert not re.search(r"(^|[,\t\"])[=+@-]", text, re.MULTILINE)


def test_audacity_labels_are_three_columns():
    rows = [line.split("\t") for line in writers.render(TWO_CHANNELS, "audacity").splitlines()]
    assert rows[0] == ["0.500000", "2.050000", "[0] hello who is there"]
    assert len(rows) == 3


def test_words_of_a_ctm_and_an_stm_of_the_same_transcript_score_without_error(tmp_path):
    sclite = shutil.which("sctk") or shutil.which("sclite")
    if sclite is None:
        pytest.skip("sclite is not installed")
    (tmp_path / "hyp.ctm").write_text(writers.render(TWO_CHANNELS, "ctm", name="a talk"))
    (tmp_path / "ref.stm").write_text(writers.render(TWO_CHANNELS, "stm", name="a talk"))
    command = [sclite, *(["sclite"] if sclite.endswith("sctk") else [])]
    command += ["-r", "ref.stm", "stm", "-h", "hyp.ctm", "ctm", "-o", "sum", "stdout"]
    report = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    total = re.search(r"Sum/Avg\s*\|\s*(\d+)\s+(\d+)\s*\|\s*([\d.]+)", report)
    assert total, report
    assert total.groups() == ("3", "10", "100.0")


def test_ctm_lines_are_sorted_by_channel_then_time():
    lines = [line.split() for line in writers.render(TWO_CHANNELS, "ctm", name="talk").splitlines()]
    assert [line[1] for line in lines] == ["1"] * 6 + ["2"] * 4
    assert lines[0] == ["talk", "1", "0.500", "0.350", "hello", "0.9000"]


def test_signs_that_sclite_would_obey_are_replaced():
    text = writers.render(transcript((0.0, "{ a / b } ;;no (x)")), "stm", name=";; a")
    assert text.startswith("_a 1 _a_1 ")
    assert not re.search(r"[{}/;()<>@]", text)


@settings(max_examples=25, deadline=None)
@given(any_transcript(texts=st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)))
def test_textgrids_are_read_back_by_praatio(spoken):
    textgrid = pytest.importorskip("praatio.textgrid")
    parsers = pytest.importorskip("praatio.utilities.textgrid_io")
    text = writers.render(spoken, "textgrid")
    data = parsers.parseTextgridStr(text, includeEmptyIntervals=True)
    grid = textgrid._dictionaryToTg(data, "error")
    for tier in grid.tiers:
        ends = 0.0
        for interval in tier.entries:
            assert interval.start == pytest.approx(ends)
            assert interval.end > interval.start
            ends = interval.end
        assert ends == pytest.approx(data["xmax"])
    for channel in {segment.channel for segment in spoken.segments}:
        tier = grid.getTier("words" if channel is None else f"words {channel}")
        said = " ".join(w.text for s in spoken.segments if s.channel == channel for w in s.words)
        read_back = " ".join(interval.label.replace('""', '"') for interval in tier.entries)
        assert visible(read_back) == visible(said)


def visible(text):
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())


def test_json_keeps_whispers_names():
    data = json.loads(writers.render(SHORT, "json", name="talk.wav"))
    assert data["format"] == "transcribe"
    assert data["version"] == 1
    assert data["audio"] == "talk.wav"
    assert data["text"] == "hello there old friend how's things"
    assert data["segments"][0]["words"][0] == {"word": "hello", "start": 0.5, "end": 0.85, "probability": 0.9}
    assert data["segments"][1]["id"] == 1
    assert set(data) >= {"duration", "language", "model", "language_model", "options", "processing_seconds"}


@settings(max_examples=30, deadline=None)
@given(any_transcript(texts=st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).map(str.strip).filter(bool)))
def test_json_read_back_is_the_same_transcript(spoken):
    assert read(writers.render(spoken, "json")) == spoken


def test_json_read_back_keeps_models_options_and_alternatives():
    assert read(writers.render(SHORT, "json")) == SHORT


@pytest.mark.parametrize("format", writers.FORMATS)
def test_any_format_from_json_equals_the_format_itself(format):
    for spoken in (SHORT, TWO_CHANNELS, HOSTILE):
        assert writers.render(read(writers.render(spoken, "json")), format) == writers.render(spoken, format)


def test_whispers_json_is_read_too():
    whisper = {
        "text": " Hello there.",
        "language": "en",
        "segments": [{"start": 1.0, "end": 3.0, "text": " Hello there."}],
    }
    spoken = read(json.dumps(whisper))
    assert [word.text for word in spoken.words] == ["Hello", "there."]
    assert spoken.words[0].start_seconds == 1.0
    assert spoken.words[-1].end_seconds == 3.0
    assert spoken.words[0].end_seconds == pytest.approx(1.0 + 2.0 * 6 / 13)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"segments": [1]}',
        '{"segments": [{"start": 0}]}',
        '{"segments": [{"start": 0, "end": NaN}]}',
        '{"segments": [{"start": 0, "end": 1, "words": [{"word": "a"}]}]}',
        '{"segments": [], "format": "transcribe", "version": 99}',
        '{"segments": [], "options": [1]}',
        '{"segments": [{"start": 0, "end": 1, "channel": "x"}]}',
        "[" * 100_000,
    ],
)
def test_broken_json_is_refused_in_one_line(broken):
    with pytest.raises(InputError) as caught:
        read(broken, "talk.json")
    assert str(caught.value).startswith("talk.json: ")
    assert "\n" not in str(caught.value)


def test_a_manifest_line_keeps_its_own_keys():
    line = manifest_line(SHORT, {"audio": "a.wav", "speaker": "x", "pred_text": "old"})
    assert line.count("\n") == 1
    data = json.loads(line)
    assert data["speaker"] == "x"
    assert data["pred_text"] == SHORT.text
    assert data["confidence"] == pytest.approx(0.9)
    assert len(data["words"]) == 6


def test_infinite_scores_stay_valid_json():
    word = Word("a", 0.0, 1.0, 0.5)
    impossible = Alternative("a", float("-inf"), 0.0, float("-inf"))
    spoken = Transcript((Segment(0.0, 1.0, (word,), None, (impossible,)),), 1.0)
    assert read(writers.render(spoken, "json")) == spoken


def test_characters_and_words_without_support_are_written_and_read_back():
    letters = (Word("a", 0.5, 0.6, 0.5), Word("b!", 0.6, 0.8, 0.25))
    words = (Word("ab!", 0.5, 0.8, 0.5, letters), Word("gone", 0.8, 0.8, 0.0, (), False))
    transcript = Transcript((Segment(0.5, 0.8, words),), 2.0)
    text = writers.render(transcript, "json")
    assert json.loads(text)["segments"][0]["words"][1]["supported"] is False
    assert read(text).words == words
    assert 'name = "characters"' in writers.render(transcript, "textgrid")
    assert 'name = "characters"' not in writers.render(Transcript((Segment(0.5, 0.8, words[1:]),), 2.0), "textgrid")
