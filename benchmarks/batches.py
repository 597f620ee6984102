"""What a batch costs beyond its words: journal, many short files, restart, Ray.

    python benchmarks/batches.py journal --files 2000     share of the journal in a run's processor time
    python benchmarks/batches.py short --files 2000       n files of 3 s against the same sound in one file
    python benchmarks/batches.py restart --files 10000    the same command again, when all is done
    python benchmarks/batches.py ray --files 200          a file's way to a worker of a local Ray and back

The sound is samples/, cut into pieces of 3 s and repeated; the model is the default one (`restart` and `ray` take the
toy of the tests). Processor seconds of this process, which other work on the machine hardly changes, unless noted.
"""

import argparse
import contextlib
import io
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
RATE, PIECE_SECONDS = 16000, 3.0


def pieces(folder: Path, n_files: int) -> Path:
    """n files of 3 s below `folder`/short, and the same sound as `folder`/long/all.wav."""
    sound = np.concatenate(
        [
            s
            for s, rate in (soundfile.read(p, dtype="float32") for p in sorted((ROOT / "samples").glob("*.flac")))
            if rate == RATE
        ]
    )
    length = int(PIECE_SECONDS * RATE)
    cut = [sound[at : at + length] for at in range(0, len(sound) - length, length)]
    for name in ("short", "long"):
        (folder / name).mkdir()
    with soundfile.SoundFile(folder / "long" / "all.wav", "w", RATE, 1, "PCM_16") as whole:
        for k in range(n_files):
            soundfile.write(folder / "short" / f"{k:05}.wav", cut[k % len(cut)], RATE)
            whole.write(cut[k % len(cut)])
    return folder


def run(*arguments: str) -> float:
    """Processor seconds of one call in this process."""
    from transcribe_cli.cli import run as command

    begun, err = time.process_time(), io.StringIO()
    with contextlib.redirect_stderr(err):
        code = command([*arguments, "--threads", "1"])
    if code:
        raise SystemExit(f"{arguments} ended with {code}: {err.getvalue()}")
    return time.process_time() - begun


def journal_share(n_files: int) -> None:
    from transcribe_cli import journal

    spent, lock = [0.0], threading.Lock()

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            begun = time.thread_time()
            try:
                return function(*arguments, **keywords)
            finally:
                with lock:
                    spent[0] += time.thread_time() - begun

        return call

    for name in ("run", "begin", "done", "failed", "close"):
        setattr(journal.Journal, name, timed(getattr(journal.Journal, name)))
    for name in ("read", "fingerprints", "source_of"):
        setattr(journal, name, timed(getattr(journal, name)))
    with tempfile.TemporaryDirectory() as name:
        folder = pieces(Path(name), n_files)
        total = run(str(folder / "short"), "--output-dir", str(folder / "out"), "--format", "txt,json")
    print(
        f"journal: {spent[0]:.3f} of {total:.1f} processor seconds for {n_files} files of 3 s: {spent[0] / total:.2%}, "
        f"{1e3 * spent[0] / n_files:.2f} ms a file"
    )


def short(n_files: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pieces(Path(name), n_files)
        run(str(folder / "short" / "00000.wav"), "--output-dir", str(folder / "warm"))  # what is loaded only once
        many = run(str(folder / "short"), "--output-dir", str(folder / "many"))
        one = run(str(folder / "long"), "--output-dir", str(folder / "one"))
    audio = n_files * PIECE_SECONDS
    print(
        f"short: {n_files} files {many:.1f}, the same in one file {one:.1f} processor seconds: {many / one:.2f} ×, "
        f"{1e3 * (many - one) / n_files:.1f} ms a file more ({audio / many:.0f} and {audio / one:.0f} × real time)"
    )


def restart(n_files: int) -> None:
    import toy_model

    with tempfile.TemporaryDirectory() as name:
        folder = _toy(Path(name))
        first = toy_model.speak(folder / "in" / "0.wav", "bad")
        for k in range(1, n_files):
            os.makedirs(folder / "in" / str(k // 1000), exist_ok=True)
            shutil.copyfile(first, folder / "in" / str(k // 1000) / f"{k}.wav")
        batch = (str(folder / "in"), "--output-dir", str(folder / "out"), "-q")
        done = run(*batch)
        again = [run(*batch) for _ in range(3)]
        size = sum(p.stat().st_size for p in (folder / "out").glob(".transcribe-journal*"))
    print(
        f"restart: {n_files} files done in {done:.1f}, again {statistics.median(again):.2f} processor seconds; "
        f"journal {size / n_files:.0f} bytes a file"
    )


def ray(n_files: int) -> None:
    import toy_model

    from transcribe_cli import cluster
    from transcribe_cli.engine import Local
    from transcribe_cli.pipeline import ModelOptions, Options, Recogniser

    with tempfile.TemporaryDirectory() as name:
        folder = _toy(Path(name))
        paths = [toy_model.speak(folder / "in" / f"{k}.wav", "bad") for k in range(n_files)]
        options = Options(ModelOptions("toy"))
        begun = time.perf_counter()
        cluster.start()
        with cluster.Cluster(options, 1, n_files) as engine, Local(Recogniser(options)) as local:
            list(engine.outcomes(paths[:2], lambda _: None, lambda _: None, False))
            ready = time.perf_counter() - begun
            # both ways file by file in turns, so that what else the machine does meets both
            times: dict[str, list[float]] = {"local": [], "ray": []}
            for path in paths:
                for way, name in ((local, "local"), (engine, "ray")):
                    begun = time.perf_counter()
                    (outcome,) = way.outcomes([path], lambda _: None, lambda _: None, False)
                    times[name].append(1e3 * (time.perf_counter() - begun - outcome.seconds))
    here, there = (statistics.median(times[name]) for name in ("local", "ray"))
    print(
        f"ray: {ready:.1f} s until a worker is ready; handing a file over and back takes {there:.1f} ms, "
        f"to a thread of this process {here:.1f} ms (medians of {n_files}, wall time less the work itself)"
    )


def _toy(folder: Path) -> Path:
    import toy_model

    toy_model.write_bundle(folder / "models" / "toy")
    os.environ |= {"TRANSCRIBE_MODELS": str(folder / "models"), "TRANSCRIBE_MODEL": "toy"}
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for command, files in (("journal", 2000), ("short", 2000), ("restart", 10_000), ("ray", 200)):
        commands.add_parser(command).add_argument("--files", type=int, default=files)
    given = parser.parse_args()
    {"journal": journal_share, "short": short, "restart": restart, "ray": ray}[given.command](given.files)
