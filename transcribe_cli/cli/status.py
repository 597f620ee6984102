"""`transcribe status DIR`: how far the batches are that write into a folder, from their journals."""

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import journal
from ..audio.source import shown
from ..errors import InputError, InputNotFound

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(no_args_is_help=True)
def status(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="an output folder: what --output-dir was", show_default=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="everything that is known, as JSON")] = False,
) -> None:
    """Show how far the batches of an output folder are, and what failed.

    "begun" are recordings under way, or held by a process that was killed. Exit code: 0 nothing failed, 1 some
    recordings failed, 2 there is no journal.
    """
    kept = journal.journals(folder)
    if not kept and not os.path.isdir(folder):
        raise InputNotFound(f"{folder}: no such folder; give the one that --output-dir named")
    if not kept:
        raise InputError(
            f"{folder}: no journal in it; batches with --output-dir keep one, unless --no-journal is given"
        )
    history = journal.read(folder)
    facts = _facts(history)
    if as_json:
        sys.stdout.write(json.dumps(facts, ensure_ascii=True, indent=1) + "\n")
    else:
        sys.stdout.write(_table(facts))
    raise typer.Exit(1 if facts["failed"] else 0)


def _facts(history: journal.History) -> dict[str, Any]:
    states = Counter(entry.state for entry in history.entries.values())
    done = [entry for entry in history.entries.values() if entry.state == "done"]
    return {
        "done": states["done"],
        "failed": states["failed"],
        "begun": states["begun"],
        "audio_seconds": round(sum(entry.audio_seconds for entry in done), 3),
        "took_seconds": round(sum(entry.took_seconds for entry in done), 3),
        "runs": [
            {"journal": run.journal, "at": run.at, "inputs": run.inputs, "done": run.done, "failed": run.failed}
            | {"left": run.left, "settings": dict(run.settings)}
            for run in history.runs
        ],
        "recordings": [
            {"path": entry.source.path, "state": entry.state, "attempts": entry.attempts, "at": entry.at}
            | {"size": entry.source.size}
            | ({"error": entry.error, "kind": entry.kind} if entry.state == "failed" else {})
            | ({"audio_seconds": entry.audio_seconds} if entry.state == "done" else {})
            for entry in history.entries.values()
        ],
    }


def _table(facts: dict[str, Any]) -> str:
    hours = facts["audio_seconds"] / 3600
    lines = [f"{facts['done']} done ({hours:.2f} h of audio), {facts['failed']} failed, {facts['begun']} begun"]
    header = ("last run", "share", "model", "inputs", "done", "failed", "left")
    rows: list[tuple[str, ...]] = [header]
    for run in facts["runs"]:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run["at"]))
        settings = run["settings"]
        rows.append(
            (
                when,
                str(settings.get("shard") or "all"),
                shown(str(settings.get("model", ""))),
                *(str(run[key]) for key in header[3:]),
            )
        )
    widths = [max(len(row[k]) for row in rows) for k in range(len(header))]
    lines += [
        "",
        *("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows),
    ]
    for state in ("failed", "begun"):
        some = [one for one in facts["recordings"] if one["state"] == state]
        if some:
            lines += ["", f"{state}:"]
            for one in some:
                tries = f" ({one['attempts']} attempts)" if one["attempts"] > 1 else ""
                name = shown(one["path"])
                reason = " ".join(one.get("error", "").split()).removeprefix(f"{name}: ")
                lines.append(f"  {name}{tries}" + (f": {reason}" if reason else ""))
    return "\n".join(lines) + "\n"
