"""Compares the error counts of an evaluation (`transcribe evaluate … --json FILE`) with sclite's and jiwer's.

    python benchmarks/scoring.py EVALUATION.json

Needs jiwer, and `sclite` or `sctk` (Debian package sctk); prints a row each and exits with 1 where a total differs.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jiwer

from transcribe_cli.evaluate.normalise import normaliser


def sclite(references: list[str], hypotheses: list[str]) -> tuple[int, ...] | None:
    """(substitutions, deletions, insertions, errors); None where sclite is not installed."""
    program = shutil.which("sclite") or shutil.which("sctk")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for name, texts in (("ref", references), ("hyp", hypotheses)):
            Path(folder, f"{name}.trn").write_text("".join(f"{text} (u-{k})\n" for k, text in enumerate(texts)))
        command = [program, *(["sclite"] if program.endswith("sctk") else []), "-i", "spu_id"]
        command += ["-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", "-o", "rsum", "stdout"]
        out = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    row = re.search(r"Sum\s*\|\s*\d+\s+\d+\s*\|\s*\d+\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", out)
    return tuple(map(int, row.groups())) if row else None


def main(path: str) -> int:
    """Prints the table; returns the exit code."""
    summary = json.loads(Path(path).read_text())
    normalise = normaliser(summary["normalizer"])
    system = summary["systems"][0]
    # jiwer and sclite have no policy for empty references
    spoken = [u for u in system["utterances"] if normalise(u["reference"])]
    references = [normalise(u["reference"]) for u in spoken]
    hypotheses = [normalise(u["hypothesis"]) for u in spoken]
    names = ("substitutions", "deletions", "insertions")
    ours = [sum(u["words"][name] for u in spoken) for name in names]
    theirs = jiwer.process_words(references, hypotheses)
    rows = {
        "transcribe": (*ours, sum(ours)),
        "jiwer": (*(getattr(theirs, name) for name in names), sum(getattr(theirs, name) for name in names)),
        "sclite": sclite(references, hypotheses),
    }
    print(f"{'':12}{'sub':>8}{'del':>8}{'ins':>8}{'errors':>8}   ({len(spoken)} utterances)")
    for name, row in rows.items():
        print(f"{name:12}" + ("not installed" if row is None else "".join(f"{value:8}" for value in row)))
    return int(len({row[3] for row in rows.values() if row is not None}) > 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
