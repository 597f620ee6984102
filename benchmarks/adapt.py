"""What an adaptation brings and costs, shown on a domain that the project has recordings of.

    python benchmarks/adapt.py DATA ROWS.npz speechocean762 an4 speechocean762+an4

For each source, or sources joined by +: their training transcripts, without any sentence that is tested, are written
as a user's notes; `transcribe adapt` makes a model of them; word errors of all sources are counted before and after.
DATA holds train.jsonl and dev.jsonl; ROWS.npz are log-probabilities that `transcribe lm tune DATA/dev.jsonl --rows
ROWS.npz` keeps. Seconds are the processor's, so other work on the machine changes them little.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from transcribe_cli.bundle.store import find
from transcribe_cli.decoding import Sounding
from transcribe_cli.evaluate import tune
from transcribe_cli.lm import recipe


def notes(data: Path, source: str) -> tuple[list[str], int]:
    """The different training sentences of a source, and how many were left out since they are tested."""
    tested = list(recipe.transcripts(data / "dev.jsonl", ""))
    sentences = list(dict.fromkeys(recipe.transcripts(data / "train.jsonl", source)))
    kept = recipe.untested(sentences, tested)
    return kept, len(sentences) - len(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--model", default="en")
    parser.add_argument("--weight", help="in place of what held-out sentences say")
    arguments = parser.parse_args()
    bundle = find(arguments.model)
    entry = bundle.card.language_model
    assert entry is not None
    assert bundle.language_model_path is not None
    weights = tune.standard(entry)
    names = sorted(set(tune.load(arguments.rows).sources))
    print(f"| notes | sentences | left out | weight | processor seconds | {' | '.join(names)} | all |")
    print("|---" * (len(names) + 6) + "|", flush=True)

    def row(title: str, path: Path) -> None:
        lexicon = path.with_name(bundle.lexicon_path.name) if bundle.lexicon_path is not None else None
        sounding = Sounding.of(bundle.card.sounds, lexicon)
        point = tune.sweep(arguments.rows, bundle.card.alphabet, path, [weights], sounding=sounding)[0]
        rates = " | ".join(f"{100 * point.counts[name].rate:.2f}" for name in names)
        print(f"| {title} | {rates} | {100 * point.words.rate:.2f} |", flush=True)

    row("none |  |  |  | ", bundle.language_model_path)
    for source in arguments.sources:
        with tempfile.TemporaryDirectory() as folder:
            found = [notes(arguments.data, name) for name in source.split("+")]
            kept, dropped = [line for lines, _ in found for line in lines], sum(n for _, n in found)
            (Path(folder) / "notes.txt").write_text(".\n".join(line.capitalize() for line in kept) + ".\n")
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            command = [
                sys.executable,
                "-m",
                "transcribe_cli",
                "adapt",
                f"{folder}/notes.txt",
                "-o",
                f"{folder}/adapted",
            ]
            command += ["--model", arguments.model] + (["--weight", arguments.weight] if arguments.weight else [])
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            weight = json.loads((Path(folder) / "adapted" / "adaptation.json").read_text())["weight"]
            title = f"{source} | {len(kept)} | {dropped} | {weight:.2f} | {seconds:.0f}"
            row(title, Path(folder) / "adapted" / entry.file)


if __name__ == "__main__":
    main()
