"""How far each version of a model was from the others: word errors on the race's utterances, and the differences.

    python benchmarks/distance.py peers.json "en 0.4=evaluation04.json" "en 0.5=evaluation05.json" --markdown RESULTS.md

peers.json is what `benchmarks/peers.py --json` writes, each evaluation what `transcribe evaluate … --json` wrote of a
version over the same dev sets; of it those utterances count that the race had. The first system of an evaluation is
taken, the one with language model. Both must have used the same normaliser.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import record

from transcribe_cli.evaluate.edits import Counts, total

OTHERS = ("moonshine-tiny-graphs", "whisper-tiny.en", "whisper-base")
NORMALISER = "whisper-english"
Heard = dict[str, Counts]  # by utterance


def read_version(path: Path, ids: set[str]) -> tuple[Heard, dict[str, str]]:
    """(counts, sources) of the race's utterances."""
    evaluation = json.loads(path.read_text(encoding="utf-8"))
    if evaluation["normalizer"] != NORMALISER:
        raise SystemExit(f"{path}: normaliser {evaluation['normalizer']}, the race's is {NORMALISER}")
    found = {u["id"]: u for u in evaluation["systems"][0]["utterances"] if u["id"] in ids}
    if missing := ids - set(found):
        raise SystemExit(f"{path}: lacks {len(missing)} of the race's utterances, such as {min(missing)}")
    return {id: Counts(**u["words"]) for id, u in found.items()}, {id: u["keys"]["source"] for id, u in found.items()}


def rates(heard: Heard, sources: dict[str, str]) -> dict[str, float]:
    """Word errors in percent by source, and of all."""
    groups: dict[str, list[Counts]] = {"all": list(heard.values())}
    for id, counts in heard.items():
        groups.setdefault(sources[id], []).append(counts)
    return {name: 100 * total(counts).rate for name, counts in groups.items()}


def table(others: dict[str, dict[str, float]], versions: dict[str, dict[str, float]]) -> list[str]:
    """Markdown: for every source its rates, then each version's distance to each of the others."""
    lines = [
        f"| word errors, % | {' | '.join([*others, *versions])} |",
        "|---" * (len(others) + len(versions) + 1) + "|",
    ]
    sources = sorted(next(iter(versions.values())), key=lambda name: (name == "all", name))
    for source in sources:
        cells = [f"{each[source]:.1f}" for each in (*others.values(), *versions.values())]
        lines.append(f"| **{source}** | {' | '.join(cells)} |")
        for name, other in others.items():
            cells = [""] * len(others) + [f"{own[source] - other[source]:+.1f}" for own in versions.values()]
            lines.append(f"| minus {name} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", type=Path)
    parser.add_argument("versions", nargs="+", metavar="NAME=EVALUATION.json")
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    race: dict[str, Any] = json.loads(arguments.peers.read_text(encoding="utf-8"))
    counts = {name: {id: Counts(**one) for id, one in each.items()} for name, each in race["counts"].items()}
    names = [name for name in OTHERS if name in counts]
    versions: dict[str, dict[str, float]] = {}
    sources: dict[str, str] = {}
    for text in arguments.versions:
        name, _, path = text.partition("=")
        heard, sources = read_version(Path(path), set(counts[names[0]]))
        versions[name] = rates(heard, sources)
    others = {race["systems"][name]["title"].split(",")[0]: rates(counts[name], sources) for name in names}
    lines = table(others, versions)
    print(*lines, sep="\n")
    if arguments.markdown:
        told = ["", f"    {record.command('distance')}", "", f"{len(sources)} utterances, normaliser {NORMALISER}.", ""]
        record.place(arguments.markdown, "distance", "How far from the others", "\n".join([*told, *lines, ""]))


if __name__ == "__main__":
    main()
