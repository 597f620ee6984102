import json

import pytest

from transcribe_cli.errors import InputError, InputNotFound, ManifestError, OptionError
from transcribe_cli.evaluate.texts import join, read


@pytest.fixture
def write(tmp_path):
    def make(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return make


def pairs(write, reference, hypothesis):
    joined = join(read(write(*reference), hypothesis=False), read(write(*hypothesis), hypothesis=True))
    return [(pair.id, pair.reference, pair.hypothesis) for pair in joined.pairs], joined


def test_lines_of_plain_text_are_paired_by_number(write):
    found, _ = pairs(write, ("ref.txt", "one two\n\nthree\n"), ("hyp.txt", "one\n\nfree"))
    assert found == [("1", "one two", "one"), ("2", "", ""), ("3", "three", "free")]


def test_another_number_of_lines_is_refused(write):
    with pytest.raises(InputError, match="1 lines for 2"):
        pairs(write, ("ref.txt", "a\nb\n"), ("hyp.txt", "a\n"))


def test_names_with_tabs_are_ids(write):
    found, joined = pairs(write, ("ref.txt", "x\tone\ny\ttwo\n"), ("hyp.txt", "y\ttoo\nz\tthree\n"))
    assert found == [("x", "one", ""), ("y", "two", "too")]
    assert (joined.missing, joined.extra) == (("x",), ("z",))


def test_an_empty_text_after_a_tab_stays_an_utterance(write):
    found, _ = pairs(write, ("ref.txt", "x\tone\n"), ("hyp.txt", "x\t\n"))
    assert found == [("x", "one", "")]


def test_trn_ends_in_the_id(write):
    found, _ = pairs(write, ("a.trn", ";; note\nmy words (spk-1)\n(spk-2)\n"), ("b.trn", "oh (spk-2)\nmy word (spk-1)"))
    assert found == [("spk-1", "my words", "my word"), ("spk-2", "", "oh")]


def test_words_of_a_ctm_go_to_the_segment_of_the_stm_in_whose_time_they_lie(write):
    stm = (
        ";; comment\n"
        "talk 1 anna 0.0 2.0 <o,f0> one two\n"
        "talk 1 ben 2.0 4.0 three\n"
        "talk 1 ben 4.0 5.0 IGNORE_TIME_SEGMENT_IN_SCORING\n"
        "talk 2 ben 0.0 9.0 other channel\n"
    )
    ctm = (
        "talk 1 0.1 0.3 one 0.9\ntalk 1 1.8 0.5 three 0.5\ntalk 1 1.0 0.2 two 0.8\n"
        "talk 1 4.2 0.2 noise 0.1\ntalk 1 7 0.2 late 0.1\n"
    )
    found, joined = pairs(write, ("a.stm", stm), ("b.ctm", ctm))
    # "late" lies after all segments: the nearest is the one that is not scored
    assert found == [
        ("talk 1 0.000", "one two", "one two"),
        ("talk 1 2.000", "three", "three"),
        ("talk 2 0.000", "other channel", ""),
    ]
    assert joined.confidences["talk 1 0.000"] == (0.9, 0.8)
    assert joined.pairs[1].keys["speaker"] == "ben"
    assert joined.pairs[0].duration_seconds == 2.0


def test_ctms_are_joined_by_file(write):
    found, _ = pairs(write, ("a.ctm", "x A 0 1 hello\nx A 1 1 there\n"), ("b.ctm", "x A 1 1 there\nx A 0 1 hallo\n"))
    assert found == [("x", "hello there", "hallo there")]


def test_jsonl_takes_pred_text_for_hypotheses_and_keeps_keys(write):
    line = '{"audio": "a.wav", "start": 1.5, "duration": 2, "text": "yes", "pred_text": "yep", "source": "s", "n": 1}\n'
    found, joined = pairs(write, ("a.jsonl", line), ("b.jsonl", line))
    assert found == [("a.wav 1.5", "yes", "yep")]
    assert joined.pairs[0].keys == {"source": "s", "n": "1"}
    assert joined.pairs[0].duration_seconds == 2.0


def test_jsonl_words_bring_confidences(write):
    hypothesis = '{"id": "1", "pred_text": "a b", "words": [{"probability": 0.5}, {"probability": 1}]}'
    _, joined = pairs(write, ("a.jsonl", '{"id": "1", "text": "a b"}'), ("b.jsonl", hypothesis))
    assert joined.confidences == {"1": (0.5, 1.0)}


def test_csv_columns_are_found_by_name(write):
    found, _ = pairs(
        write,
        ("a.csv", 'id,text,speaker\n1,"one, two",x\n2,three,y\n'),
        ("b.csv", "file,hypothesis\n2,tree\n1,one two\n"),
    )
    assert found == [("1", "one, two", "one two"), ("2", "three", "tree")]


def test_formats_can_be_mixed_by_id(write):
    found, _ = pairs(write, ("a.trn", "one (x)"), ("b.jsonl", '{"id": "x", "pred_text": "won"}'))
    assert found == [("x", "one", "won")]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.trn", "no id here", "parentheses"),
        ("a.trn", "{ a / b } (x)", "alternatives"),
        ("a.trn", "(uh) yes (x)", "optional"),
        ("a.stm", "talk 1 anna", "file channel speaker"),
        ("a.stm", "talk 1 anna nan 2 x", "not a number"),
        ("a.ctm", "talk 1 0", "file channel start"),
        ("a.ctm", "talk 1 * * <ALT_BEGIN>", "alternatives"),
        ("a.jsonl", "{", "not a JSON object"),
        ("a.jsonl", "[1]", "not a JSON object"),
        ("a.jsonl", '{"id": "x"}', "none of text"),
        ("a.jsonl", '{"text": "x"}', "none of id"),
        ("a.csv", "a,b\n1,2\n", "none of text"),
        ("a.jsonl", '{"id": 1, "text": "x"}\n{"id": 1, "text": "y"}', "twice"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(write, name, text, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        read(write(name, text), hypothesis=False)
    assert name in str(caught.value)
    if isinstance(caught.value, ManifestError):
        assert "\n" not in str(caught.value)


def test_files_without_an_id_in_common_are_refused(write):
    with pytest.raises(InputError, match="no id in common"):
        pairs(write, ("a.trn", "one (x)"), ("b.trn", "one (y)"))


def test_what_cannot_be_read_is_named(write, tmp_path):
    with pytest.raises(InputNotFound, match="gone"):
        read(tmp_path / "gone.txt", hypothesis=False)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(InputError, match="UTF-8"):
        read(tmp_path / "latin.txt", hypothesis=False)
    with pytest.raises(OptionError, match="jsonl"):
        read(write("a.txt", "x"), hypothesis=False, format="docx")


def test_a_folder_of_transcripts_is_scored_against_a_folder_of_texts(tmp_path):
    for name, text in (("ref/a.txt", "one\ntwo"), ("ref/deep/b.txt", "three"), ("hyp/a.txt", "one to")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "hyp" / "deep").mkdir()
    words = [{"word": "free", "start": 0, "end": 1, "probability": 0.4}]
    (tmp_path / "hyp" / "deep" / "b.json").write_text(json.dumps({"text": "free", "segments": [{"words": words}]}))
    joined = join(read(tmp_path / "ref", hypothesis=False), read(tmp_path / "hyp", hypothesis=True))
    assert [(pair.reference, pair.hypothesis) for pair in joined.pairs] == [("one two", "one to"), ("three", "free")]
    assert joined.confidences == {"deep/b": (0.4,)}


def test_one_json_transcript_is_one_utterance(write):
    whisper = '{"text": " Hello there.", "segments": [{"text": " Hello there.", "words": [{"word": "Hello"}]}]}'
    found, _ = pairs(write, ("talk.json", '{"text": "hello there"}'), ("out.json", whisper))
    assert found == [("talk", "hello there", " Hello there.")]
    found, _ = pairs(write, ("ref.txt", "hello\nthere\n"), ("out.json", whisper))
    assert found == [("1", "hello there", " Hello there.")]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"text": 3}', '{"text": "x", "segments": 5}'])
def test_a_json_that_is_no_transcript_is_refused(write, text):
    with pytest.raises(InputError, match="not a"):
        read(write("a.json", text), hypothesis=False)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no \.txt"):
        read(tmp_path, hypothesis=False)


def test_a_recording_that_failed_has_no_hypothesis(write):
    reference = '{"id": "a", "text": "one"}\n{"id": "b", "text": "two"}\n{"id": "c", "text": "three"}\n'
    hypothesis = (
        '{"id": "a", "text": "one", "pred_text": "won"}\n{"id": "b", "text": "two", "error": "no such file"}\n'
        '{"id": "c", "text": "three", "pred_text": null}\n'
    )
    found, joined = pairs(write, ("a.jsonl", reference), ("b.jsonl", hypothesis))
    assert found == [("a", "one", "won"), ("b", "two", ""), ("c", "three", "")]
    assert joined.missing == ("b", "c")


def test_only_objects_with_a_key_for_it_hold_both(write):
    assert read(write("a.jsonl", '{"id": 1, "text": "x", "pred_text": "y"}'), hypothesis=False).both
    assert not read(write("b.jsonl", '{"id": 1, "text": "x"}'), hypothesis=False).both
    assert not read(write("c.txt", "x"), hypothesis=False).both


def test_lines_of_kaldi_have_a_blank_behind_the_id(write):
    found, _ = pairs(write, ("ref.stm.keyed", "u1\tone two\n"), ("hyp.keyed", "u1\tone\n"))
    assert found == [("u1", "one two", "one")]
    path = write("text", "u1 one two\nu2\n")
    entries = read(path, hypothesis=False, format="keyed").entries
    assert [(entry.id, entry.text) for entry in entries] == [("u1", "one two"), ("u2", "")]


def test_words_of_a_ctm_go_to_the_shortest_segment_around_them(write):
    stm = "f 1 anna 0 100 one two three\nf 1 ben 10 12 yes\n"
    ctm = "f 1 1 0.5 one\nf 1 50 0.5 two\nf 1 60 0.5 three\nf 1 11 0.5 yes\n"
    found, _ = pairs(write, ("a.stm", stm), ("b.ctm", ctm))
    assert found == [("f 1 0.000", "one two three", "one two three"), ("f 1 10.000", "yes", "yes")]


def test_files_that_only_one_of_stm_and_ctm_has_are_told(write):
    stm = "f 1 anna 0 2 one\ng 1 anna 0 2 two\n"
    _, joined = pairs(write, ("a.stm", stm), ("b.ctm", "f 1 1 0.5 one\nf A 1 0.5 two\nx 1 1 0.5 three\n"))
    assert joined.missing == ("g 1 0.000",)
    assert joined.extra == ("f A 1.000 two", "x 1 1.000 three")


def test_segments_that_are_not_scored_are_left_out_of_an_stm(write):
    reference = "f 1 anna 0 2 one\nf 1 anna 2 4 ignore_time_segment_in_scoring\n"
    found, joined = pairs(write, ("a.stm", reference), ("b.stm", "f 1 x 0 2 one\nf 1 x 2 4 noise\n"))
    assert found == [("f 1 0.000", "one", "one")]
    assert (joined.missing, joined.extra) == ((), ())


def test_speakers_who_begin_together_are_told_apart(write):
    stm = "f 1 anna 0 2 one\nf 1 ben 0 3 two\n"
    found, _ = pairs(write, ("a.stm", stm), ("b.stm", stm))
    assert found == [("f 1 0.000 anna", "one", "one"), ("f 1 0.000 ben", "two", "two")]


@pytest.mark.parametrize("start", ["0", "0.00", "12.50"])
def test_ids_do_not_depend_on_how_a_start_is_written(write, start):
    found, joined = pairs(
        write,
        ("a.csv", f"audio,start,text\na.wav,{start},one\n"),
        ("b.jsonl", json.dumps({"audio": "a.wav", "start": float(start), "pred_text": "one"})),
    )
    assert [(reference, hypothesis) for _, reference, hypothesis in found] == [("one", "one")]
    assert not joined.missing


def test_a_table_with_a_comma_too_many_or_an_open_quote_is_refused(write):
    with pytest.raises(ManifestError, match="row 1: more fields"):
        read(write("a.csv", "id,text\n1,hello, my friend\n"), hypothesis=False)
    with pytest.raises(InputError, match="not a table"):
        read(write("b.csv", 'id,text\n1,"hello\n2,there\n'), hypothesis=False)


@pytest.mark.parametrize("sure", ["97", "-0.1"])
def test_confidences_that_are_no_probabilities_are_left_out(write, sure):
    _, joined = pairs(write, ("a.stm", "f 1 anna 0 9 one two\n"), ("b.ctm", f"f 1 1 1 one 0.9\nf 1 2 1 two {sure}\n"))
    assert not joined.confidences


def test_words_without_times_are_a_transcript_and_a_text_of_none_is_not(write):
    words = {"segments": [{"words": [{"word": "a"}]}]}
    assert read(write("a.json", json.dumps({**words, "text": "a"})), hypothesis=True).entries[0].confidences == ()
    for spoiled in (words, {**words, "text": None}):
        with pytest.raises(InputError, match="not a JSON transcript"):
            read(write("b.json", json.dumps(spoiled)), hypothesis=True)
    with pytest.raises(ManifestError, match="half of a character"):
        read(write("c.jsonl", '{"id": "x", "text": "\\ud800"}'), hypothesis=True)
