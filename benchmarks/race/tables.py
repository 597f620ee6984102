"""What the race says: figures of every system, a table for the terminal, Markdown, a picture."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transcribe_cli.evaluate.compare import compare
from transcribe_cli.evaluate.edits import Counts
from transcribe_cli.evaluate.score import Pair, Score, bootstrap, score

from .course import Course

NORMALISER = "whisper-english"


def figures(title: str, result: dict[str, Any], course: Course) -> dict[str, Any]:
    """Rates, speeds, sizes of one system, and its counts by utterance."""
    heard = result["utterances"]
    own = score(
        [Pair(u.id, u.text, heard[u.id]["text"], u.seconds, {"source": u.source}) for u in course.utterances],
        NORMALISER,
    )
    long = score([Pair("long", course.long.text, result["long"]["text"])], NORMALISER)
    seconds = sum(u.seconds for u in course.utterances)
    spent = {clock: sum(one[clock] for one in heard.values()) for clock in ("wall", "cpu")}
    between = bootstrap(own)
    found = {
        "title": title,
        "wer": {name: group.words.rate for name, group in own.group(lambda u: u.pair.keys["source"]).items()},
        "wer_all": own.words.rate,
        "interval": [between.low, between.high],
        "words": own.words.reference,
        "wer_long": long.words.rate,
        "times_real_time": {
            "utterances": {clock: seconds / spent[clock] for clock in spent},
            "long": {clock: course.long.seconds / result["long"][clock] for clock in spent},
        },
        "cold_seconds": result["cold_seconds"],
        "peak_mb": max(result["loading"]["peak_mb"], result["long"]["peak_mb"]),
        "install_mb": result["install_mb"],
        "model_mb": result["model_mb"],
        "invented": {one.id: len(result[one.id]["text"].split()) for one in course.wordless},
        "yardstick_seconds": result["yardstick_seconds"],
        "load_before": result["load_before"],
        "counts": counts(own),
    }
    return found


def counts(own: Score) -> dict[str, Counts]:
    return {u.pair.id: u.words for u in own.utterances}


def against(rows: dict[str, dict[str, Any]], home: str) -> None:
    """Puts the paired differences to `home` and the ratios of costs into every row."""
    first = rows[home]
    for row in rows.values():
        found = compare(row["counts"], first["counts"])
        row["difference"] = [found.difference, found.difference_low, found.difference_high]
        row["p"] = found.p
        row["cost_ratio"] = {
            what: first["times_real_time"][what]["cpu"] / row["times_real_time"][what]["cpu"]
            for what in ("utterances", "long")
        }


def warnings(rows: dict[str, dict[str, Any]], cores: int) -> list[str]:
    """Why the speeds may not be comparable."""
    usual = statistics.median(row["yardstick_seconds"] for row in rows.values())
    found = [
        f"{row['title']}: a fixed piece of work took {row['yardstick_seconds'] / usual:.2f} times as long as with the "
        "others; its speeds are doubtful"
        for row in rows.values()
        if not 0.9 < row["yardstick_seconds"] / usual < 1.1
    ]
    first = next(iter(rows.values()))
    if first["load_before"] > 0.25 * cores:
        found.append(f"the machine was busy when the first system began (load {first['load_before']:.1f})")
    return found


Table = tuple[list[str], list[list[str]]]


def accuracy(rows: dict[str, dict[str, Any]], home: str) -> Table:
    sources = sorted({name for row in rows.values() for name in row["wer"]})
    heading = ["system", *sources, "all", "95 %", f"minus {rows[home]['title']}, points (95 %)", "long recording"]
    body = []
    for name, row in sorted(rows.items(), key=lambda item: item[1]["wer_all"]):
        apart = "–"
        if name != home:
            apart = "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * x for x in row["difference"]))
        body.append(
            [
                row["title"],
                *(f"{100 * row['wer'][source]:.1f} %" for source in sources),
                f"{100 * row['wer_all']:.1f} %",
                "{:.1f}–{:.1f}".format(*(100 * x for x in row["interval"])),
                apart,
                f"{100 * row['wer_long']:.1f} %",
            ]
        )
    return heading, body


def cost(rows: dict[str, dict[str, Any]], home: str) -> Table:
    heading = ["system", "utterances", "a core", "long recording", "a core", f"cost of {rows[home]['title']} = 1"]
    heading += ["first word", "peak", "install", "model", "words in silence", "in noise"]
    body = []
    for row in sorted(rows.values(), key=lambda row: -row["times_real_time"]["utterances"]["cpu"]):
        speed = row["times_real_time"]
        body.append(
            [
                row["title"],
                *(f"{speed[what][clock]:.1f} ×" for what in ("utterances", "long") for clock in ("wall", "cpu")),
                f"{row['cost_ratio']['utterances']:.1f} / {row['cost_ratio']['long']:.1f}",
                f"{row['cold_seconds']:.2f} s",
                f"{row['peak_mb']:.0f} MB",
                f"{row['install_mb']:.0f} MB",
                f"{row['model_mb']:.0f} MB",
                *(str(row["invented"].get(name, "–")) for name in ("silence", "noise")),
            ]
        )
    return heading, body


def markdown(table: Table) -> str:
    heading, body = table
    return "".join(f"| {' | '.join(row)} |\n" for row in [heading, ["---"] * len(heading), *body])


def show(table: Table, title: str) -> None:
    from rich.console import Console
    from rich.table import Table as Rich

    found = Rich(title=title, title_justify="left")
    heading, body = table
    for k, one in enumerate(heading):
        found.add_column(one, justify="right" if k else "left")
    for row in body:
        found.add_row(*row)
    Console(width=190, highlight=False).print(found)


def picture(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Word errors against speed a core, with intervals; the area of a point is the model's size."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 6))
    colours = pyplot.get_cmap("tab20").colors  # type: ignore[attr-defined]
    colours = colours[::2] + colours[1::2]  # pale ones from the eleventh on
    for k, row in enumerate(sorted(rows, key=lambda row: row["wer_all"])):
        x, y = row["times_real_time"]["utterances"]["cpu"], 100 * row["wer_all"]
        low, high = (100 * value for value in row["interval"])
        colour, ours = colours[k % len(colours)], "`" in row["title"]
        axes.errorbar(x, y, yerr=[[y - low], [high - y]], color=colour, capsize=3, linewidth=1)
        axes.scatter(x, y, s=12 + 2 * row["model_mb"], color=colour, alpha=0.6, marker="s" if ours else "o")
        axes.plot(
            [], [], "s" if ours else "o", color=colour, label=f"{row['title'].replace('`', '')} ({y:.1f} %, {x:.0f} ×)"
        )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, fontsize=8, frameon=False)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.1)
    axes.set_xlabel("× real time on one core, one utterance at a time (logarithmic)")
    axes.set_ylabel(f"word error rate, % ({NORMALISER}), with 95 % intervals")
    axes.grid(True, alpha=0.3)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)
