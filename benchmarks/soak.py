"""The long forms of tests/faults: hours of damage, kills and full disks, and memory watched over half an hour.

    python benchmarks/soak.py audio --trials 10000      spoiled recordings of every container
    python benchmarks/soak.py models --trials 10000     spoiled graphs, cards, language models, configs, manifests, …
    python benchmarks/soak.py kill --kills 200 --files 200
    python benchmarks/soak.py full                      no space left, at every write in turn
    python benchmarks/soak.py flat --minutes 30         memory of one process that transcribes all the time
    python benchmarks/soak.py silence --hours 11        a stream of nothing

Each prints one line of figures and ends with 1 where something was not as it should be. Needs the extra `dev`.
"""

import argparse
import contextlib
import json
import logging
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "faults")]

HANG_SECONDS = 10.0  # of processor time over one file
MOST_BYTES = 1 << 30


def spoiled(kind: str, first: int, n_trials: int) -> int:
    """Tries seeds `first` … in child processes, so that a crash, a hang or a flood of memory is seen from outside."""
    outcomes: Counter[str] = Counter()
    by_what: Counter[str] = Counter()
    problems: list[str] = []
    slowest, peak, seed, end = 0.0, 0, first, first + n_trials
    with tempfile.TemporaryDirectory() as folder:
        while seed < end:
            command = [sys.executable, __file__, "_trials", kind, folder, str(seed), str(end)]
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            assert child.stdout is not None
            used, at = _cpu_seconds(child.pid), seed
            while True:
                if not select.select([child.stdout], [], [], 1.0)[0]:
                    if _cpu_seconds(child.pid) - used > HANG_SECONDS:
                        child.kill()
                        problems.append(f"seed {at}: hangs")
                    continue
                line = child.stdout.readline()
                if not line:
                    break
                trial = json.loads(line)
                if "ready" in trial:
                    used = _cpu_seconds(child.pid)
                    continue
                at, used = trial["seed"] + 1, _cpu_seconds(child.pid)
                outcomes[trial["outcome"].split(" ")[0] if trial["problem"] else trial["outcome"]] += 1
                by_what[trial["what"]] += 1
                slowest, peak = max(slowest, trial["cpu_seconds"]), max(peak, trial["peak_bytes"])
                if trial["problem"]:
                    problems.append(f"seed {trial['seed']} ({trial['what']}): {trial['problem']}")
                if trial["peak_bytes"] > MOST_BYTES:
                    problems.append(f"seed {trial['seed']} ({trial['what']}): {trial['peak_bytes'] >> 20} MB")
                    child.kill()
            code = child.wait()
            told = bool(problems) and any(f"seed {one}" in problems[-1] for one in (at - 1, at))
            if code != 0 and at < end and not told:
                problems.append(f"seed {at}: the process died ({code})")
                at += 1
            seed = max(at, seed + 1)
            if problems:
                print("\n".join(problems[-3:]), file=sys.stderr)
    said = ", ".join(f"{name} {n}" for name, n in outcomes.most_common(12))
    print(f"{kind}: {sum(by_what.values())} trials over {len(by_what)} kinds of file: {said}")
    print(f"{kind}: slowest {slowest:.2f} s of processor time, peak {peak >> 20} MB, {len(problems)} problems")
    print("\n".join(dict.fromkeys(problems)))
    return 1 if problems else 0


def trials(kind: str, folder: str, first: int, end: int) -> int:
    """The child of `spoiled`: a line before the first and one for every trial."""
    import resource

    import trials as workshop

    # what is asked for beyond this is refused by the system; where the program then ends is its defect
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    shop = workshop.Spoiled(Path(folder), kind)
    out = os.fdopen(os.dup(1), "w", buffering=1)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 1)  # libraries that print behind our back would spoil transcripts
        print(json.dumps({"ready": True}), file=out)
        for seed in range(first, end):
            found = asdict(shop.trial(seed))
            if os.fstat(said.fileno()).st_size:
                said.seek(0)
                found["problem"] += f" printed {said.read()[:200]!r}"
                said.seek(0)
                said.truncate()
            print(json.dumps(found), file=out)
    return 0


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0.0


def kill(n_kills: int, n_files: int, seed: int) -> int:
    """kill -9 at random moments of a batch; whenever one ends by itself its bytes are compared and it begins anew."""
    import shutil

    import toy_model

    from transcribe_cli import journal
    from transcribe_cli.cli import run

    rng = random.Random(seed)
    killed = finished = wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _toy_home(folder)
        for k in range(n_files):
            toy_model.speak(folder / "in" / f"{k // 50}" / f"{k}.wav", ("bad cab...head", "fed", "a cage")[k % 3])
        batch = ["in", "--output-dir", "out", "--format", "txt,json", "--no-timing", "-q"]

        def results(of: str) -> dict[str, bytes]:
            return {
                str(p.relative_to(folder / of)): p.read_bytes()
                for p in (folder / of).rglob("*")
                if p.is_file() and not p.name.startswith(journal.NAME)
            }

        begun = time.monotonic()
        if child := os.fork():
            os.waitpid(child, 0)
        else:
            os._exit(run(["in", "--output-dir", "undisturbed", *batch[3:]]))
        whole_seconds = time.monotonic() - begun
        wanted = results("undisturbed")
        assert len(wanted) == 2 * n_files
        while killed < n_kills:
            # forked where everything is imported: most of a short run would else be Python's start
            begun, patience = time.monotonic(), rng.uniform(0, 0.2 * whole_seconds)
            child = os.fork()
            if child == 0:
                os._exit(run(batch))
            while True:
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    break
                if time.monotonic() - begun > patience:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    killed += 1
                    break
                time.sleep(0.0005)
            if ended:
                finished += 1
                if status != 0 or results("out") != wanted:
                    wrong += 1
                    print(f"after {killed} kills: exit {status}, other bytes than undisturbed", file=sys.stderr)
                shutil.rmtree(folder / "out")
        # the last one is finished too
        if child := os.fork():
            status = os.waitpid(child, 0)[1]
        else:
            os._exit(run(batch))
        wrong += status != 0 or results("out") != wanted
    print(f"kill: {killed} kills over {finished + 1} batches of {n_files} files, {wrong} with other bytes")
    return 1 if wrong else 0


def full() -> int:
    """A disk that is full at the n-th system call that writes, for every n there is; then with room again."""
    import full_disk

    with tempfile.TemporaryDirectory() as name:
        _toy_home(Path(name))
        n_writes, wrong = full_disk.every_write(Path(name), n_files=6)
    print(f"full: {n_writes} writes refused one by one, {wrong} runs that did not end as they should")
    return 1 if wrong else 0


def flat(minutes: float) -> int:
    """One process that transcribes all the time: how much memory it has after warming up, and how much at the end."""
    import numpy as np
    import toy_model

    from transcribe_cli.pipeline import ModelOptions, Options, Recogniser

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    logging.getLogger("transcribe_cli").setLevel(logging.ERROR)  # what is spoiled is warned of without end
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _toy_home(folder)
        import mutations

        paths = mutations.recordings(folder / "in")
        spoil = [folder / f"broken{k}{p.suffix}" for k, p in enumerate(paths)]
        for k, path in enumerate(spoil):
            path.write_bytes(mutations.spoiled(paths[k].read_bytes(), k))
        long = np.tile(toy_model.sound("bad cab...head....."), 20)
        begun, samples, n = time.monotonic(), [], 0
        with Recogniser(Options(ModelOptions("toy")), 0) as recogniser:
            from transcribe_cli.errors import TranscribeError

            while time.monotonic() - begun < minutes * 60:
                for path in (*paths, *spoil):
                    with contextlib.suppress(TranscribeError):
                        recogniser.transcribe(path)
                    n += 1
                recogniser.transcribe(long)
                samples.append((time.monotonic() - begun, resident()))
    warm = [(t, m) for t, m in samples if t > 0.2 * minutes * 60] or samples
    slope = float(np.polyfit([t / 3600 for t, _ in warm], [m for _, m in warm], 1)[0]) if len(warm) > 2 else 0.0
    low, high = min(m for _, m in warm), max(m for _, m in warm)
    print(
        f"flat: {minutes:g} minutes, {n} recordings, {low:.0f} to {high:.0f} MB after the first fifth, "
        f"trend {slope:+.1f} MB an hour"
    )
    return 1 if high - low > 30 else 0


def silence(hours: float) -> int:
    """Silence out of a pipe, for hours: no words, flat memory."""
    with tempfile.TemporaryDirectory() as name:
        _toy_home(Path(name))
        command = [sys.executable, "-m", "transcribe_cli", "-", "--raw", "s16le:16000:1"]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        block = bytes(2 * 16000 * 60)
        begun = time.monotonic()
        for _ in range(round(hours * 60)):
            child.stdin.write(block)
        child.stdin.close()
        _, status, usage = os.wait4(child.pid, 0)
        out, err = child.stdout.read(), child.stderr.read()
    seconds, peak = time.monotonic() - begun, usage.ru_maxrss >> 10
    print(f"silence: {hours:g} h in {seconds:.0f} s, {len(out)} bytes of text, peak {peak} MB, exit {status}")
    return 1 if status or out or err or usage.ru_maxrss > 500 << 10 else 0


def _toy_home(folder: Path) -> None:
    """The folder becomes the current one, with the toy model as the default."""
    import toy_model

    toy_model.write_bundle(folder / "models" / "toy")
    os.environ |= {"TRANSCRIBE_MODELS": str(folder / "models"), "TRANSCRIBE_MODEL": "toy"}
    os.environ["XDG_CONFIG_HOME"] = str(folder / "none")
    os.chdir(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for kind in ("audio", "models"):
        one = commands.add_parser(kind)
        one.add_argument("--trials", type=int, default=10_000)
        one.add_argument("--first", type=int, default=0, help="first seed")
    one = commands.add_parser("kill")
    one.add_argument("--kills", type=int, default=200)
    one.add_argument("--files", type=int, default=200)
    one.add_argument("--seed", type=int, default=0)
    commands.add_parser("full")
    commands.add_parser("flat").add_argument("--minutes", type=float, default=30.0)
    commands.add_parser("silence").add_argument("--hours", type=float, default=11.0)
    if sys.argv[1:2] == ["_trials"]:
        return trials(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    given = parser.parse_args()
    if given.command in ("audio", "models"):
        return spoiled(given.command, given.first, given.trials)
    if given.command == "kill":
        return kill(given.kills, given.files, given.seed)
    return (
        full() if given.command == "full" else flat(given.minutes) if given.command == "flat" else silence(given.hours)
    )


if __name__ == "__main__":
    sys.exit(main())
