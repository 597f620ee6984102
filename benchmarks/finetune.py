"""What fine-tuning on a few minutes of speech brings: half of each speaker's utterances are learned, the others tested.

    python benchmarks/finetune.py DATA/dev.jsonl --source speechocean762

The utterances of a source are dealt out by turns within each speaker; no sentence that is tested is learned, by anyone.
`transcribe train configs/finetune.toml --init MODEL` learns the one part; greedy word errors of the other are counted,
as written, before and after. So that what is forgotten shows too, the other sources of the manifest are tested as well.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from transcribe_cli.bundle.store import find
from transcribe_cli.training import bundling, export, manifest
from transcribe_cli.training.manifest import Utterance

ROOT = Path(__file__).resolve().parent.parent


def split(utterances: list[Utterance]) -> tuple[list[Utterance], list[Utterance]]:
    """(learned, tested): every second utterance of a speaker; a sentence that both would hold is tested alone."""
    turns: dict[str, int] = {}
    parts: tuple[list[Utterance], list[Utterance]] = ([], [])
    for one in utterances:
        turns[one.speaker] = turns.get(one.speaker, 0) + 1
        parts[turns[one.speaker] % 2].append(one)
    tested = {one.text for one in parts[1]}
    return [one for one in parts[0] if one.text not in tested], parts[1]


def minutes(utterances: list[Utterance]) -> float:
    return sum(one.duration_seconds or 0.0 for one in utterances) / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--source", required=True)
    parser.add_argument("--model", default="en")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="options of the config")
    arguments = parser.parse_args()
    model = find(arguments.model).folder
    everything = manifest.read(arguments.manifest)
    learned, tested = split([one for one in everything if one.source == arguments.source])
    others = [one for one in everything if one.source != arguments.source]
    speakers = len({one.speaker for one in learned})
    print(f"{speakers} speakers; {minutes(learned):.1f} min learned, {minutes(tested):.1f} min tested")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest.write(learned, folder / "train.jsonl")
        manifest.write(tested, folder / "dev.jsonl")
        manifest.write(tested + others, folder / "all.jsonl")
        print("before", *export.measure_bundle(model, folder / "all.jsonl"), sep="\n", flush=True)
        began = time.monotonic()
        transcribe = [sys.executable, "-m", "transcribe_cli"]
        config, settings = ROOT / "configs" / "finetune.toml", [f"paths.mine={folder}", *arguments.set]
        sets = [part for setting in settings for part in ("--set", setting)]
        command = [*transcribe, "train", str(config), "--init", str(model), "--out", str(folder / "run"), *sets]
        subprocess.run(command, check=True)
        spent = time.monotonic() - began
        last = str(folder / "run" / "last.pt")
        noise_db = str(bundling.load_bundle(model).features.noise_db)  # the one difference is what was learned
        export_command = [*transcribe, "export", last, "--out", str(folder / "mine"), "--weights", "int8"]
        subprocess.run([*export_command, "--noise-db", noise_db], check=True)
        print(f"after {spent / 60:.1f} min", *export.measure_bundle(folder / "mine", folder / "all.jsonl"), sep="\n")


if __name__ == "__main__":
    main()
