"""What language models cost and bring: building, loading, and word errors and speed of decoding with each.

    python benchmarks/lm.py build TEXT… --order 4 [--words N] [--lmplz PATH]    time, memory; beside KenLM's lmplz
    python benchmarks/lm.py load MODEL…                              seconds until the first score, each in a process
    python benchmarks/lm.py decode ROWS.npz none MODEL… --beam 16,100    word errors, × real time, a row a setting

All print tables in Markdown; times are of this machine, so compare within one run. ROWS.npz are log-probabilities that
`transcribe lm tune MANIFEST --rows ROWS.npz` keeps.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOAD = """import sys, time
from transcribe_cli.lm.model import LanguageModel
started = time.perf_counter()
LanguageModel.load(sys.argv[1]).score("the")
print(time.perf_counter() - started)
"""


def child(command: list[str], **options: object) -> tuple[float, float, float]:
    """(wall seconds, processor seconds, peak megabytes) of a command that must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    # a child of its own, so that its peak is not hidden behind an earlier one's
    code = (
        "import resource, subprocess, sys; r = subprocess.run(sys.argv[1:]).returncode;"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(r)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *command], stderr=subprocess.PIPE, text=True, check=True, **options
    )  # type: ignore[call-overload]
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, spent, int(result.stderr.split()[-1]) / 1024


def build(arguments: argparse.Namespace) -> None:
    """Building from text that is normalised already, words as they stand."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text"
        n_words, n_real = join(sorted(arguments.text), text, arguments.words)
        print(f"{n_words} words, the last {n_words - n_real} of them the first files once more\n")
        print("| builder | processor seconds | wall seconds | peak MB | file MB |\n|---|---|---|---|---|", flush=True)
        order, prune = str(arguments.order), arguments.prune
        ours = [sys.executable, "-m", "transcribe_cli", "lm", "build", str(text), "--as-is", "--order", order, "-q"]
        ours += ["--prune", prune] if prune else []
        for name in ("ours.bin", "ours.arpa")[: 1 if arguments.only_binary else 2]:
            row(f"ours, to {Path(name).suffix}", child([*ours, "-o", f"{folder}/{name}"]), Path(folder) / name)
        if arguments.lmplz:
            theirs = [arguments.lmplz, "-o", order, "-S", "3G", "-T", folder, "--text", str(text)]
            theirs += ["--prune", *prune.split(",")] if prune else []
            row("lmplz, to .arpa", child([*theirs, "--arpa", f"{folder}/theirs.arpa"]), Path(folder) / "theirs.arpa")


def join(paths: list[Path], target: Path, wanted: int | None) -> tuple[int, int]:
    """Writes texts behind one another, from the first again as often as that needs, and cuts behind so many words.

    Returns the words written and how many of them there are without repeating.
    """
    n_words = n_real = 0
    with target.open("wb") as file:
        while not n_real or n_words < (wanted or 0):
            for path in paths:
                with path.open("rb") as lines:
                    for line in lines:
                        if wanted is not None and n_words >= wanted:
                            break
                        file.write(line)
                        n_words += len(line.split())
            n_real = n_real or n_words
    return n_words, n_real


def row(name: str, figures: tuple[float, float, float], path: Path) -> None:
    wall, spent, peak = figures
    print(f"| {name} | {spent:.1f} | {wall:.1f} | {peak:.0f} | {path.stat().st_size / 1e6:.1f} |", flush=True)


def load(arguments: argparse.Namespace) -> None:
    """From the call to the first score, the file in the page cache."""
    print("| model | MB | seconds to the first score |\n|---|---|---|")
    for path in arguments.model:
        best = min(
            float(subprocess.run([sys.executable, "-c", LOAD, path], capture_output=True, check=True).stdout)
            for _ in range(3)
        )
        print(f"| {path.name} | {path.stat().st_size / 1e6:.1f} | {best:.3f} |", flush=True)


def decode(arguments: argparse.Namespace) -> None:
    """Word errors and decoding speed on saved log-probabilities, one core."""
    from transcribe_cli.bundle.store import find
    from transcribe_cli.evaluate import tune

    alphabet = find(arguments.acoustic).card.alphabet
    sources = sorted(set(tune.load(arguments.rows).sources))
    print(f"| language model | α | β | T | beam | unknown | {' | '.join(sources)} | all | × real time |")
    print("|---" * (len(sources) + 8) + "|")
    options = tune.TuneOptions(
        lm_weights=arguments.lm_weight,
        word_bonuses=arguments.word_bonus,
        temperatures=arguments.temperature,
        beam_widths=arguments.beam,
        unknown_penalties=arguments.unknown_penalty,
    )
    for path in arguments.model:
        alone = str(path) == "none"
        name = "none" if alone else f"{path.parent.name}/{path.name}"
        points = tune.grid(options)
        for point in tune.sweep(arguments.rows, alphabet, None if alone else path, points[:1] if alone else points):
            rates = " | ".join(f"{100 * point.counts[source].rate:.2f}" for source in sources)
            speed = point.audio_seconds / point.seconds
            w = point.weights
            weights = f"{w.lm_weight:g} | {w.word_bonus:g} | {w.temperature:g} | {w.beam_width} | {w.unknown_penalty:g}"
            print(
                f"| {name} | {weights} | {rates} | {100 * point.words.rate:.2f} | {speed:.0f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("build")
    one.add_argument("text", type=Path, nargs="+")
    one.add_argument("--order", type=int, default=3)
    one.add_argument("--prune", default="")
    one.add_argument("--words", type=int, help="so many words: the texts from their beginning, as often as it takes")
    one.add_argument("--lmplz")
    one.add_argument("--only-binary", action="store_true", help="not as ARPA as well, which mostly times printing")
    one.set_defaults(run=build)
    one = commands.add_parser("load")
    one.add_argument("model", type=Path, nargs="+")
    one.set_defaults(run=load)
    one = commands.add_parser("decode")
    one.add_argument("rows", type=Path)
    one.add_argument("model", type=Path, nargs="+")
    one.add_argument("--acoustic", default="en", help="model whose alphabet the rows have")
    one.add_argument("--beam", default="100")
    one.add_argument("--lm-weight", default="0.6")
    one.add_argument("--word-bonus", default="2")
    one.add_argument("--temperature", default="1")
    one.add_argument("--unknown-penalty", default="10", help="1000 lets no word through that the model lacks")
    one.set_defaults(run=decode)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
