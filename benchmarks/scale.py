"""How cost grows: with a recording's length, the number of recordings, threads, worker processes.

    python benchmarks/scale.py
    python benchmarks/scale.py --minutes 1,2 --files 1,5,10 --rounds 1      # a try

Every point is a `transcribe` process as a user starts it: seconds by the clock, processor seconds, peak memory. The
long sample is repeated to each length; the many recordings are a short sample under many names. A straight line is
fitted to each (fixed cost + cost a unit), and the exponent between the two largest sizes is stated: 1 is linear. Of
--rounds the quickest counts, since other work only ever adds. Prints Markdown, --markdown puts it into a file; --json
writes the points.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import record
from stages import SAMPLE, repeated

SHORT = SAMPLE.with_name("learner-canada.flac")


@dataclass(frozen=True, slots=True)
class Point:
    """What one size costs. audio_seconds: of all recordings together."""

    size: float
    audio_seconds: float
    wall: float
    cpu: float
    peak_mb: float


def measured(arguments: Sequence[str], size: float, audio_seconds: float, rounds: int, folder: Path) -> Point:
    """The quickest of some runs of `transcribe` with these arguments; results go to a folder that is emptied first."""
    points = []
    for _ in range(rounds):
        shutil.rmtree(folder / "out", ignore_errors=True)
        command = [sys.executable, "-m", "transcribe_cli", "transcribe", *arguments, "--output-dir", "out", "-q"]
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        if status:
            raise SystemExit(f"failed: {' '.join(command)}")
        points.append(Point(size, audio_seconds, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
    return min(points, key=lambda point: point.wall)


def line(points: Sequence[Point]) -> tuple[float, float]:
    """(fixed, a unit) of the processor seconds: least squares of relative errors, so that small sizes count too."""
    weights = [1 / point.cpu**2 for point in points]
    mean_x = sum(w * p.size for w, p in zip(weights, points, strict=True)) / sum(weights)
    mean_y = sum(w * p.cpu for w, p in zip(weights, points, strict=True)) / sum(weights)
    spread = sum(w * (p.size - mean_x) ** 2 for w, p in zip(weights, points, strict=True))
    joint = sum(w * (p.size - mean_x) * (p.cpu - mean_y) for w, p in zip(weights, points, strict=True))
    slope = joint / spread if spread else 0.0
    return mean_y - slope * mean_x, slope


def exponent(points: Sequence[Point]) -> float:
    """Of the processor seconds between the two largest sizes."""
    a, b = points[-2:]
    return math.log(b.cpu / a.cpu) / math.log(b.size / a.size)


def table(heading: str, points: Sequence[Point]) -> str:
    first = points[0]
    rows = [f"| {heading} | seconds | processor seconds | × real time | against the first | peak MB |"]
    rows.append("|---|---|---|---|---|---|")
    for p in points:
        faster = first.wall / p.wall * p.audio_seconds / first.audio_seconds
        rows.append(
            f"| {p.size:g} | {p.wall:.2f} | {p.cpu:.2f} | {p.audio_seconds / p.wall:.1f} | {faster:.2f} × as fast | "
            f"{p.peak_mb:.0f} |"
        )
    return "\n".join(rows)


def slopes(unit: str, points: Sequence[Point]) -> str:
    if len(points) < 2:
        return ""
    fixed, slope = line(points)
    memory = (points[-1].peak_mb - points[0].peak_mb) / (points[-1].size - points[0].size)
    return (
        f"{fixed:.2f} processor seconds + {slope:.4g} {unit}; exponent between the two largest {exponent(points):.3f}; "
        f"memory {memory:+.3g} MB {unit}."
    )


def numbers(text: str) -> list[float]:
    return sorted(float(one) for one in text.split(",") if one)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--minutes", type=numbers, default="1,3,10,30,60,180", help="lengths of one recording")
    parser.add_argument("--files", type=numbers, default="1,10,100,500,2000", help="numbers of short recordings")
    parser.add_argument("--threads", type=numbers, default=f"1,{cores}")
    parser.add_argument("--jobs", type=numbers, default=f"0,1,{cores}", help="worker processes that decode")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--model", default="en")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path, help="a file that has or gets this section, such as RESULTS.md")
    options = parser.parse_args()
    model = str(Path(options.model).resolve()) if os.sep in options.model else options.model
    found: dict[str, list[Point]] = {}
    load = os.getloadavg()[0]
    parts = [
        f"    {record.command('scale')}",
        f"Commit {record.commit()}, {record.machine(cores)}; load before {load:.2f}.",
    ]

    def say(text: str) -> None:
        parts.append(text)
        print(f"\n{text}", flush=True)

    if load > 0.25 * cores:
        print("-- WARNING: other work is running: these figures are not to be quoted")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def cost(size: float, seconds: float, *arguments: str) -> Point:
            return measured(["-m", model, *arguments], size, seconds, options.rounds, folder)

        long = folder / "long.wav"
        found["minutes"] = []
        for minutes in options.minutes:
            repeated(SAMPLE, minutes * 60, long)
            found["minutes"].append(cost(minutes, minutes * 60, long.name))
        say(table("minutes of one recording", found["minutes"]))
        say(slopes("a minute", found["minutes"]))

        many, clip_seconds = folder / "many", seconds_of(SHORT)
        many.mkdir()
        found["files"] = []
        for n in map(int, options.files):
            for k in range(n):
                link = many / f"{k:05d}{SHORT.suffix}"
                if not link.exists():
                    shutil.copy(SHORT, link)
            found["files"].append(cost(n, n * clip_seconds, many.name))
        say(table(f"recordings of {clip_seconds:.1f} s", found["files"]))
        say(slopes("a recording", found["files"]))

        middle = options.minutes[len(options.minutes) // 2]
        repeated(SAMPLE, middle * 60, long)
        found["threads"] = [cost(n, middle * 60, long.name, "--threads", f"{n:g}") for n in options.threads]
        say(table(f"threads, one recording of {middle:g} min", found["threads"]))

        for path in sorted(many.iterdir())[200:]:
            path.unlink()
        n = len(list(many.iterdir()))
        found["jobs"] = [cost(j, n * clip_seconds, many.name, "--jobs", f"{j:g}") for j in options.jobs]
        say(table(f"`--jobs`, {n} recordings of {clip_seconds:.1f} s (memory of the largest process)", found["jobs"]))
    if options.json:
        options.json.write_text(json.dumps({name: [asdict(p) for p in own] for name, own in found.items()}, indent=1))
    if options.markdown:
        text = "\n\n".join(part for part in parts if part)
        record.place(options.markdown, "scale", "Cost against length, number, threads, processes", text)


def seconds_of(path: Path) -> float:
    import soundfile

    info = soundfile.info(path)
    return float(info.frames / info.samplerate)


if __name__ == "__main__":
    main()
