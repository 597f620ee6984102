"""Where the time goes, and what a whole run costs: stages on one core, then `transcribe` itself as a user starts it.

    python benchmarks/stages.py [--audio FILE] [--minutes 60] [--long-minutes 180] [--model en]

Audio is FILE, or the long sample, repeated to the length asked for. Prints, as × real time: each stage alone on one
core, the share of everything but the network, the whole command on all cores, cold start to the first word of a
5-second clip, and peak memory of a short and a long run. Figures are ratios of one run on one machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does; one core is one core

import numpy as np
import soundfile

from transcribe_cli import audio, features, writers
from transcribe_cli.bundle.session import RuntimeOptions
from transcribe_cli.emission import WindowOptions, rows
from transcribe_cli.pipeline import ModelOptions, Options, Recogniser
from transcribe_cli.reader import Reader

SAMPLE = Path(__file__).parent.parent / "samples" / "palestine.flac"


def repeated(source: Path, seconds: float, target: Path) -> Path:
    """The recording said again and again with half a second between, to `seconds`, as 16-bit WAV."""
    sound, rate = soundfile.read(source, dtype="int16")
    sound = np.concatenate([sound, np.zeros(rate // 2, np.int16)])
    with soundfile.SoundFile(target, "w", rate, 1, "PCM_16", format="RF64" if seconds > 36000 else "WAV") as file:
        left = int(seconds * rate)
        while left > 0:
            file.write(sound[:left])
            left -= len(sound)
    return target


def stages(path: Path, model: str) -> dict[str, float]:
    """Seconds of processor time of each stage, one after the other on one core."""
    spent: dict[str, float] = {}
    clock = time.process_time
    begun = clock()

    def lap(name: str) -> None:
        nonlocal begun
        spent[name] = clock() - begun
        begun = clock()

    with Recogniser(
        Options(model=ModelOptions(model=model), runtime=RuntimeOptions(device="cpu", threads=1))
    ) as recogniser:
        recipe = recogniser.bundle.card.features
        begun = clock()
        blocks = list(audio.stream(path, recipe.sample_rate, recogniser.options.audio))
        lap("audio")
        extractor = features.Extractor(recipe)
        for block in blocks:
            extractor.push(block)
        extractor.flush()
        lap("features")
        emissions = list(rows(iter(blocks), recogniser.network, WindowOptions()))
        lap("network")
        spent["network"] -= spent["features"]
        stretches = list(recogniser.stretches(iter(emissions)))
        lap("pauses")
        reader = recogniser.reader
        assert isinstance(reader, Reader)  # without jobs
        decoded = [reader.decoder.decode(stretch.log_probs) for stretch in stretches]
        lap("decoding")
        found = iter(decoded)
        reader.decoder = SimpleNamespace(decode=lambda _: next(found))
        segments = [segment for stretch in stretches for segment in reader.read(stretch)]
        lap("alignment")
        transcript = recogniser.transcript(segments, sum(map(len, blocks)) / recipe.sample_rate)
        for name in ("txt", "srt", "json"):
            writers.render(transcript, name)
        lap("writing")
    return spent


def whole(arguments: list[str]) -> tuple[float, float, float]:
    """(wall seconds to the first output, to the end, peak memory in MB) of a `transcribe` process."""
    # an installed package has its bytecode beside it: where it may not be written, every start would compile anew
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "transcribe_cli", *arguments],
        stdout=subprocess.PIPE,
        bufsize=0,
        cwd=tempfile.gettempdir(),
        env=environment,
    )
    assert process.stdout is not None
    process.stdout.read(1)
    first = time.perf_counter() - begun
    process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"transcribe failed: {arguments}")
    return first, time.perf_counter() - begun, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, default=SAMPLE)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--long-minutes", type=float, default=180)
    parser.add_argument("--model", default="en")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if os.sep in options.model:
        options.model = str(Path(options.model).resolve())
    result: dict[str, object] = {}
    # this process stays small and leaves the work to another: the peak memory that the system notes of a command begins
    # at that of the process which started it
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, get_context("spawn")) as other,
    ):
        sound = repeated(options.audio, options.minutes * 60, Path(folder) / "sound.wav")
        seconds = options.minutes * 60
        spent = other.submit(stages, sound, options.model).result()
        total = sum(spent.values())
        for name, cost in spent.items():
            print(f"{name:12} {seconds / cost:8.0f} × real time on one core {cost / total:7.1%}")
        rest = 1 - spent["network"] / total
        print(f"everything but the network: {rest:.1%} of the time")
        first, end, memory = whole(["-m", options.model, str(sound)])
        print(f"whole command, {len(os.sched_getaffinity(0))} cores: {seconds / end:.0f} × real time")
        print(f"first words of it after {first:.2f} s; peak memory {memory:.0f} MB")
        clip = repeated(options.audio, 5, Path(folder) / "clip.wav")
        cold = sorted(whole(["-m", options.model, str(clip)])[0] for _ in range(5))[2]
        print(f"cold start to the first word of a 5 s clip: {cold:.2f} s (median of 5)")
        result = {"stages_seconds": spent, "seconds": seconds, "rest": rest, "end_to_end": seconds / end}
        result["cold_start_seconds"] = cold
        for minutes in (3.0, options.long_minutes):
            if minutes:
                piece = repeated(options.audio, minutes * 60, Path(folder) / "piece.wav")
                _, end, memory = whole(["-m", options.model, str(piece)])
                print(f"{minutes:.0f} minutes: peak memory {memory:.0f} MB, {minutes * 60 / end:.0f} × real time")
                result[f"memory_{minutes:.0f}_minutes_mb"] = memory
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
