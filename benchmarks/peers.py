"""The race: the same sounds on the same cores through this project's models and the recognisers one would else install.

    python benchmarks/peers.py DATA/dev.jsonl --hours 0.15
    python benchmarks/peers.py DATA/dev.jsonl --limit 6 --only en-lm,hama --quiet-minutes 0.5     # a try

Word errors with paired intervals, × real time (by the clock, and a second of processor time), first word of a 5-second
clip from a cold process, peak memory, sizes of installation and model, words invented on silence and on noise. Every
system runs alone, in a virtual environment of its own that is made here by pip, in a process of its own on the same
cores. One that cannot be had is skipped, aloud. A system that is done is not run again while course, packages and
models are the same; --fresh runs all anew. Speeds mean something on a quiet machine only: a load before the start is
said.

Needs the extras `dev` (whisper-normalizer, matplotlib).
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import record
from race import course as courses
from race import environments, running, systems, tables

from transcribe_cli.audio.degrade import Degradation
from transcribe_cli.audio.degrade import parse as degradations
from transcribe_cli.errors import TranscribeError


def main() -> int:
    arguments = parse()
    work: Path = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    cores = sorted(os.sched_getaffinity(0))[: arguments.cores]
    seconds = None if arguments.hours is None else arguments.hours * 3600
    course = courses.make(
        arguments.manifest,
        work / "course",
        seconds,
        arguments.limit,
        arguments.long_minutes,
        arguments.quiet_minutes,
        condition(arguments.degrade),
    )
    total = sum(one.seconds for one in course.utterances)
    print(
        f"{len(course.utterances)} utterances, {total / 60:.1f} min; long one {course.long.seconds / 60:.1f} min; "
        f"{len(cores)} cores; load {os.getloadavg()[0]:.2f}"
    )
    if os.getloadavg()[0] > 0.25 * len(cores):
        print("-- WARNING: other work is running: the speeds of this run are not to be quoted")
    everyone = [*systems.ours(arguments.float_bundle), *systems.peers()]
    wanted = {name for name in (arguments.only or "").split(",") if name}
    if unknown := wanted - {system.name for system in everyone}:
        sys.exit(f"no such system: {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in everyone)}")
    chosen = [system for system in everyone if not wanted or system.name in wanted]
    # everything is installed before anything is timed
    ready = {}
    for system in chosen:
        try:
            ready[system.name] = environments.prepare(system, work)
        except environments.Unavailable as why:
            print(f"-- {system.title}: SKIPPED: {why}")
    if arguments.prepare:
        return 0
    results, skipped = {}, [system.title for system in chosen if system.name not in ready]
    for system in chosen:
        if system.name not in ready:
            continue
        key = f"{course.fingerprint}-{len(cores)}-{ready[system.name].fingerprint}"
        target = work / "results" / key / f"{system.name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file() and not arguments.fresh:
            print(f"{system.title}: done before ({time.strftime('%F %H:%M', time.localtime(target.stat().st_mtime))})")
            results[system.name] = json.loads(target.read_text())
            continue
        print(f"{system.title}:", flush=True)
        try:
            results[system.name] = running.run(system, ready[system.name], course, cores, arguments.cold_runs, target)
            print(f"   {results[system.name]['seconds']:.0f} s", flush=True)
        except running.Failed as why:
            print(f"-- {system.title}: FAILED: {why}")
            skipped.append(system.title)
        except KeyboardInterrupt:
            print("-- stopped; the same command goes on from here")
            skipped += [one.title for one in chosen if one.name in ready and one.name not in results]
            break
    if not results:
        sys.exit("nothing ran")
    titles = {system.name: system.title for system in everyone}
    rows = {name: tables.figures(titles[name], result, course) for name, result in results.items()}
    report(rows, course, arguments, skipped, len(cores), total)
    return 1 if skipped else 0


def condition(text: str | None) -> Degradation | None:
    """What --degrade asks for, as in `transcribe evaluate`: one condition of one strength."""
    if text is None:
        return None
    try:
        (one,) = degradations([text])
    except (ValueError, TranscribeError) as error:
        sys.exit(f"--degrade {text}: one condition at a time, such as noise:10 ({error})")
    return one


def report(
    rows: dict[str, dict[str, Any]],
    course: courses.Course,
    arguments: argparse.Namespace,
    skipped: list[str],
    cores: int,
    total: float,
) -> None:
    """Prints and writes what was found."""
    home = "en-lm" if "en-lm" in rows else next(iter(rows))
    tables.against(rows, home)
    found = (tables.accuracy(rows, home), tables.cost(rows, home))
    for table, title in zip(found, ("word errors, whisper-english", "× real time, cost, sizes"), strict=True):
        tables.show(table, title)
    doubts = tables.warnings(rows, cores)
    if skipped:
        doubts.append(f"not in the table: {', '.join(skipped)}")
    for doubt in doubts:
        print(f"-- {doubt}")
    facts: dict[str, Any] = {
        "command": record.command("peers"),
        "commit": record.commit(),
        "machine": record.machine(cores),
    }
    facts |= {"skipped": skipped, "doubts": doubts}
    facts["course"] = {
        "utterances": len(course.utterances),
        "seconds": total,
        "long_seconds": course.long.seconds,
        "quiet_minutes": arguments.quiet_minutes,
        "condition": course.how.name if course.how else "as it is",
    }
    if arguments.json:
        plain = {name: {k: v for k, v in row.items() if k != "counts"} for name, row in rows.items()}
        words = {name: {id: asdict(own) for id, own in row["counts"].items()} for name, row in rows.items()}
        arguments.json.write_text(
            json.dumps({**facts, "systems": plain, "counts": words}, indent=1, ensure_ascii=False) + "\n"
        )
        print(f"written: {arguments.json}")
    if arguments.figure:
        try:
            tables.picture(list(rows.values()), arguments.figure)
            print(f"written: {arguments.figure}")
        except ImportError:
            print("-- no picture: pip install matplotlib")
    if arguments.markdown:
        name, title = "peers", "Against other recognisers"
        if course.how:
            name, title = f"{name}-{course.how.kind}", f"{title}, {course.how.name}"
        record.place(arguments.markdown, name, title, section(found, facts, course, arguments))


def section(
    found: tuple[tables.Table, tables.Table],
    facts: dict[str, Any],
    course: courses.Course,
    arguments: argparse.Namespace,
) -> str:
    """The part of RESULTS.md, with how it was made."""
    minutes = facts["course"]["seconds"] / 60
    skipped = f" Not in the table: {', '.join(facts['skipped'])}." if facts["skipped"] else ""
    doubts = "".join(f" {one[0].upper()}{one[1:]}." for one in facts["doubts"] if not one.startswith("not in"))
    changed = f"All speech: {course.how.name}. " if course.how else ""
    drawing = ""
    if arguments.figure and arguments.markdown.name != "-":
        shown = os.path.relpath(arguments.figure, arguments.markdown.parent)
        drawing = f"\n![word errors against speed]({shown})\n"
    return (
        f"    {facts['command']}\n\nCommit {facts['commit']}, {facts['machine']}. {len(course.utterances)} utterances "
        f"({minutes:.1f} min), chosen evenly from the dev set's sources, one after the other; the long recording is "
        f"{course.long.seconds / 60:.1f} min of {course.long.source} joined. {changed}"
        "Whisper runs as faster-whisper with int8 weights. Everything was taken in one run; "
        f"normaliser {tables.NORMALISER}.{skipped}{doubts}\n\n"
        f"{tables.markdown(found[0])}\n"
        "× real time is end to end, from file to words: by the clock and, beside it, for a second of one core's "
        "time. The cost is in processor seconds for the utterances / the long recording. The first word: of a 5-s "
        f"clip from a process not yet started (median of {arguments.cold_runs}); words in silence and in noise are of "
        f"{arguments.quiet_minutes:g} minutes each.\n\n{tables.markdown(found[1])}{drawing}"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="the labelled set")
    parser.add_argument("--hours", type=float, help="of it, the same from every source; else all of it")
    parser.add_argument("--limit", type=int, help="utterances of it, in place of --hours")
    parser.add_argument("--degrade", help="a condition, such as noise:10, telephone: the speech is changed so first")
    parser.add_argument("--long-minutes", type=float, default=3.0, help="of the long recording (3)")
    parser.add_argument("--quiet-minutes", type=float, default=10.0, help="of silence and of noise (10)")
    parser.add_argument("--cold-runs", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--only", help="names of systems, with commas")
    parser.add_argument("--float-bundle", type=Path, help="a model with float weights, to run beside")
    parser.add_argument(
        "--work", type=Path, default=Path("build/peers"), help="environments, sounds, results (build/peers)"
    )
    parser.add_argument("--fresh", action="store_true", help="run again what is done")
    parser.add_argument("--prepare", action="store_true", help="install and write the sounds only")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path, help=".svg or .png")
    parser.add_argument(
        "--markdown", type=Path, help="a file that has or gets this section, such as RESULTS.md; - prints it"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
