"""No room, no folder, no recording any more: nothing half is left, and with room again the same command mends it."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time

import full_disk
import numpy as np
import pytest
import soundfile
import toy_model
from toy_model import speak

from transcribe_cli.cli import run

BATCH = full_disk.BATCH


def test_a_full_disk_at_every_write_leaves_whole_files_only(home, capsys):
    n_calls, wrong = full_disk.every_write(home, n_files=2, modes=(False,))
    assert n_calls > 10
    assert wrong == 0, capsys.readouterr().err


def test_a_disk_that_refuses_one_write_costs_one_result(home, capsys):
    _, wrong = full_disk.every_write(home, n_files=2, modes=(True,), step=3)
    assert wrong == 0, capsys.readouterr().err


def test_a_limit_of_the_system_on_file_sizes_is_one_line(home):
    speak(home / "a.wav", "bad cab...head")

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))

    command = [
        sys.executable,
        "-m",
        "transcribe_cli",
        "a.wav",
        "--output-dir",
        "out",
        "--format",
        "json",
        "--no-journal",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited)
    assert ended.returncode == 1
    assert ended.stderr == "transcribe: a.wav: out/a.json: cannot be written (File too large)\n"
    assert os.listdir(home / "out") == []


def test_a_small_disk_is_filled_and_the_batch_goes_on_when_there_is_room(home, capsys):
    for k in range(12):
        speak(home / "in" / f"{k}.wav", "bad cab...head" * 3)
    (home / "out").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "none", str(home / "out")], capture_output=True)
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        assert run(BATCH) == 1
        err = capsys.readouterr().err
        assert "cannot be written (No space left on device)" in err
        assert "of 12 recordings failed" in err
        subprocess.run(["mount", "-o", "remount,size=4m", str(home / "out")], check=True)
        assert run(BATCH) == 0
        found = full_disk.results(home / "out")
    finally:
        subprocess.run(["umount", "-l", str(home / "out")], check=True)
    assert run(BATCH) == 0
    assert full_disk.results(home / "out") == found


def test_an_output_folder_that_vanishes_is_made_again(home, capsys):
    for k in range(30):
        speak(home / "in" / f"{k}.wav", "bad cab...head")
    vanished = threading.Event()

    def remove():
        while len(list(home.glob("out/*.json"))) < 5:
            time.sleep(0.001)
        os.rename(home / "out", home / "elsewhere")
        vanished.set()

    thread = threading.Thread(target=remove)
    thread.start()
    code = run([*BATCH, "--threads", "1"])
    thread.join()
    assert vanished.is_set()
    assert code in (0, 1)  # a file that was being written just then may be lost
    assert run(BATCH) == 0
    assert len(full_disk.results(home / "out")) == 60


def test_a_recording_that_changes_while_it_is_read_ends_in_words_or_one_line(home, capsys):
    sound = np.tile(toy_model.sound("bad cab...head....."), 8)  # libsndfile falls over long Vorbis in one piece
    for ending in ("wav", "flac", "ogg"):
        path = home / f"a.{ending}"
        soundfile.write(path, sound, 16000)
        whole = path.read_bytes()

        def change(path=path, whole=whole):
            for _ in range(20):
                time.sleep(0.005)
                path.write_bytes(whole[: len(whole) // 3])  # shorter, in place
                path.write_bytes(whole[len(whole) // 2 :])  # and no header any more

        thread = threading.Thread(target=change)
        thread.start()
        code = run([path.name, "-q"])
        thread.join()
        out, err = capsys.readouterr()
        assert code in (0, 1)
        assert len(err.splitlines()) == (1 if code else 0)
        assert set(out) <= set("abcdefgh \n")
