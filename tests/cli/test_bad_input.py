"""The README's table of bad input, row by row: each has a case here, or names the test that shows it elsewhere."""

import io
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import toy_model
from toy_model import speak

from transcribe_cli.audio import source
from transcribe_cli.cli import run

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Case:
    """Arguments, what `prepare` lays out for them, and what comes of it."""

    arguments: tuple[str, ...]
    prepare: Callable[[Path], object]
    code: int
    err: str = ""  # pattern of the one line on standard error; none where empty
    out: str | None = ""


def wav(samples, rate=16000, subtype="PCM_16"):
    return lambda home: soundfile.write(home / "x.wav", samples, rate, subtype=subtype)


def words(text="bad cab", **kind):
    return toy_model.sound(text, **kind)


def spoil(name, change):
    def prepare(home):
        speak(home / name, "bad cab")
        (home / name).write_bytes(change((home / name).read_bytes()))

    return prepare


def model(change):
    def prepare(home):
        speak(home / "x.wav", "bad")
        change(toy_model.write_bundle(home / "m"))

    return prepare


def text_file(name, text):
    def prepare(home):
        speak(home / "x.wav", "bad")
        speak(home / "y.wav", "bad")
        (home / name).write_text(text)

    return prepare


def odd_name(home):
    os.rename(speak(home / "z.wav", "bad"), os.fsencode(home) + b"/two\nlines \xff.wav")


def poisoned():
    samples = words()
    samples[:100], samples[100:200], samples[200:300] = np.nan, np.inf, -np.inf
    return samples


NOISE = np.random.default_rng(1).normal(0, 0.1, 48000).astype(np.float32)
ONE, MODEL = ("x.wav",), ("x.wav", "--model", "./m")
STREAMS = "tests/cli/test_streams.py"
SIGNALS, DISK, DAMAGE = "tests/faults/test_signals.py", "tests/faults/test_disk.py", "tests/audio/test_damage.py"

CASES: dict[str, Case | str] = {
    "a file that is not there": Case(ONE, lambda home: None, 1, "x.wav: no such file"),
    "a folder without recordings": Case(("d",), lambda home: (home / "d").mkdir(), 2, "d: no recording in it"),
    "no permission to read it": Case(ONE, spoil("x.wav", lambda b: b), 1, "x.wav: no permission to read it"),
    "an empty file": Case(ONE, spoil("x.wav", lambda b: b""), 1, r"x.wav: is empty \(0 bytes\)"),
    "a header and nothing after it": Case(ONE, spoil("x.wav", lambda b: b[:44]), 1, "x.wav: holds no samples"),
    "a file that ends too soon": Case(ONE, spoil("x.wav", lambda b: b[:-3000]), 0, "x.wav: cut off after", "bad cab\n"),
    "a FLAC that is damaged in the middle": (
        f"{DAMAGE}::test_what_follows_a_damaged_stretch_is_there_and_keeps_its_time"
    ),
    "a WAV that its recorder never finished": Case(
        ONE,
        spoil("x.wav", lambda b: b[:4] + bytes(4) + b[8:40] + bytes(4) + b[44:]),
        0,
        "x.wav: was never finished",
        "bad cab\n",
    ),
    "an MP3 that does not say how long it is, or several in one file": (
        "tests/audio/test_mp3.py::test_mp3s_one_after_another_are_all_read"
    ),
    "a video whose sound begins late, or a recording that was paused": (
        "tests/audio/test_time_stamps.py::test_sound_that_begins_after_the_picture_keeps_its_time"
    ),
    "several Ogg recordings in one file": f"{DAMAGE}::test_ogg_recordings_one_after_another_are_all_read",
    "channels that are mirror images": Case(
        ONE, wav(np.stack([words(), -words()], axis=1)), 0, "x.wav: its channels are mirror images .* --channel left"
    ),
    "text called `.wav`": Case(ONE, text_file("x.wav", "no sound\n"), 1, "x.wav: holds text, not audio"),
    "a recording of no samples": Case(ONE, wav(np.zeros(0)), 1, "x.wav: holds no samples"),
    "one sample": Case(ONE, wav(np.full(1, 0.5)), 0),
    "20 milliseconds": Case(ONE, wav(NOISE[:320]), 0),
    "silence": Case(ONE, wav(np.zeros(48000)), 0),
    "white noise": Case(ONE, wav(NOISE), 0, out=None),
    "sound clipped at full scale": Case(
        ONE, wav(words() * 9, subtype="FLOAT"), 0, "x.wav: .*(beyond|clip|full scale)", None
    ),
    "samples that are no numbers, or infinite": Case(
        ONE, wav(poisoned(), subtype="FLOAT"), 0, "x.wav: .*not finite|x.wav: .*numbers", "bad cab\n"
    ),
    "8 kHz from a telephone": Case(ONE, wav(words(rate=8000), 8000, "ULAW"), 0, out="bad cab\n"),
    "192 kHz": Case(ONE, wav(words(rate=192_000), 192_000), 0, out="bad cab\n"),
    "8 channels": Case(ONE, wav(np.stack([words()] * 8, axis=1)), 0, out="bad cab\n"),
    "rates below 4 or above 192 kHz, more than 64 channels": Case(
        ONE, wav(np.zeros(1000), 384_000), 1, "x.wav: a sample rate of 384000 Hz"
    ),
    "eleven hours of silence out of a pipe": Case(
        ("-", "--raw", "s16le:16000:1"),
        lambda home: setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(2 * 16000 * 300)))),
        0,
    ),
    "a name with spaces, line ends, bytes that are not UTF-8": Case(
        (".", "-H", "--exclude", "models"), odd_name, 0, out="./two\\nlines \\xff.wav\tbad\n"
    ),
    "two recordings with one result's name": Case(
        ("a/x.wav", "b/x.wav", "--output-dir", "out"),
        lambda home: [speak(home / d / "x.wav", "bad") for d in "ab"],
        2,
        "a/x.wav and b/x.wav would both be written to out/x.wav.txt",
    ),
    "a result that is there already, and not as the journal knows it": Case(
        ("x.wav", "-o", "x.txt"), text_file("x.txt", "mine"), 2, "x.txt exists already: add --overwrite"
    ),
    "a result that another recording of the same name made": (
        "tests/cli/test_batch_runs.py::test_another_recording_of_the_same_name_takes_nothing_away"
    ),
    "an `-o` that cannot be written, or that is a recording to be read": Case(
        ("x.wav", "-o", "x.wav/x.txt"), spoil("x.wav", lambda b: b), 2, "x.wav/x.txt: cannot be written"
    ),
    "an output folder that cannot be written": Case(
        ("x.wav", "--output-dir", "/proc/nowhere"), spoil("x.wav", lambda b: b), 2, "/proc/nowhere: cannot be written"
    ),
    "a disk that is full": f"{DISK}::test_a_full_disk_at_every_write_leaves_whole_files_only",
    "a disk that is full at the end of `-o`": f"{STREAMS}::test_what_a_full_disk_does_not_take_goes_to_standard_output",
    "standard output that takes no more": f"{STREAMS}::test_a_full_standard_output_is_one_line",
    "an output folder that vanishes": f"{DISK}::test_an_output_folder_that_vanishes_is_made_again",
    "a recording that changes while it is read": (
        f"{DISK}::test_a_recording_that_changes_while_it_is_read_ends_in_words_or_one_line"
    ),
    "a reader that closes the pipe (`| head -1`)": f"{SIGNALS}::test_a_reader_that_has_had_enough_ends_it_quietly",
    "Ctrl-C, SIGTERM": f"{SIGNALS}::test_a_signal_ends_it_cleanly_and_soon",
    "`kill -9`": f"{SIGNALS}::test_kill_at_any_moment_then_again_gives_the_same_bytes",
    "a worker process that is killed": f"{SIGNALS}::test_a_decoding_process_that_is_killed_costs_no_words",
    "a broken config file": Case(
        ("x.wav", "--config", "c.toml"), text_file("c.toml", "beam-width = = 3"), 2, "c.toml: cannot be read as TOML"
    ),
    "an unknown option, or a value that makes no sense": Case(
        ("x.wav", "--beam-width", "0"), spoil("x.wav", lambda b: b), 2, "--beam-width cannot be 0"
    ),
    "a broken line in a manifest": Case(
        ("m.jsonl", "--format", "jsonl"), text_file("m.jsonl", '{"audio": "x.wav"}\n{"audio": 3}\n'), 2, "m.jsonl:2: "
    ),
    "a manifest or card whose paths leave its folder": Case(
        ("m.jsonl", "--format", "jsonl"), text_file("m.jsonl", '{"audio": "../x.wav"}\n'), 2, "outside of the manifest"
    ),
    "a truncated model": Case(
        MODEL, model(lambda m: os.truncate(m / "model.onnx", 900)), 2, "model.onnx: onnxruntime cannot load this model"
    ),
    "a model without card": Case(MODEL, model(lambda m: (m / "card.json").unlink()), 2, "no card.json in this folder"),
    "a card that disagrees with its graph": Case(
        MODEL,
        model(lambda m: toy_model.write_bundle(m, features={"kind": "log-mel", "bands": 40})),
        2,
        "the graph takes 80 features a frame, the card makes 40",
    ),
    "a corrupt language model": Case(
        ("x.wav", "--lm", "lm.arpa"), text_file("lm.arpa", "\\data\\\nngram 1=7\n"), 2, "lm.arpa: "
    ),
    "a hotword that the alphabet cannot spell": Case(
        ("x.wav", "--hotword", "xyz"), spoil("x.wav", lambda b: b), 2, "hotword 'xyz'|'xyz'"
    ),
    "`--device cuda` without CUDA": Case(
        ("x.wav", "--device", "cuda"), spoil("x.wav", lambda b: b), 2, "--device cpu"
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", [row for row, case in CASES.items() if isinstance(case, Case)])
def test_bad_input_is_what_the_readme_says(home, capsys, monkeypatch, row):
    case = CASES[row]
    if "cuda" in row:
        onnxruntime = pytest.importorskip("onnxruntime")
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            pytest.skip("this machine has CUDA")
    monkeypatch.setattr(sys, "stdin", sys.stdin)  # put back afterwards
    case.prepare(home)
    if "permission" in row:

        def refuse(*_):  # root may read everything
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(source, "open", refuse, raising=False)
    code = run(list(case.arguments))
    out, err = capsys.readouterr()
    assert code == case.code, err
    if case.err:
        assert re.search(case.err, err), err
        assert len(err.splitlines()) == 1
        assert err.startswith("transcribe: ")
    else:
        assert err == ""
    if case.out is not None:
        assert out == case.out


def test_every_row_of_the_readmes_table_has_its_case_and_its_exit_code():
    text = (ROOT / "README.md").read_text()
    table = text.split("## Bad input")[1].split("\n## ")[0]
    lines = [line.strip("|") for line in table.splitlines() if line[:1] == "|"][2:]
    rows = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    assert [row[0] for row in rows] == list(CASES)
    for name, _, code in rows:
        case = CASES[name]
        if isinstance(case, Case):
            assert str(case.code) == code, name


def test_the_tests_that_rows_name_are_there():
    for case in CASES.values():
        if isinstance(case, str):
            path, _, name = case.partition("::")
            assert f"def {name}(" in (ROOT / path).read_text()
