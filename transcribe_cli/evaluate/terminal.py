"""A summary laid out for a terminal with rich."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .compare import Comparison
from .report import between, fault, group_name, group_rate, percent
from .versus import verdict

MOST_GROUPS = 20  # more, such as speakers, and only the worst half of that many are shown

if TYPE_CHECKING:  # rich is loaded when something is shown
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text


def show(summary: Mapping[str, Any], console: "Console", worst: int = 5, details: bool = True) -> None:
    """Prints what matters most of a summary: rates, groups, errors, the worst utterances."""
    from rich.text import Text

    console.print(_rates(summary))
    for note in summary["notes"]:
        console.print(Text(note, style="yellow"))
    if summary["speed"]:
        console.print(_speed(summary["speed"]))
    if summary.get("robustness"):
        console.print(_robustness(summary["robustness"]))
    if summary.get("sweep"):
        console.print(_sweep(summary["sweep"]))
    if not details:
        return
    system = summary["systems"][0]
    for name, groups in system["groups"].items():
        if len(groups) > 1:
            console.print(_groups(name, groups, summary["systems"]))
    if any(system[key] for key in ("substitutions", "deletions", "insertions")):
        console.print(_errors(system))
    _facts(system, console)
    shown = sorted(system["utterances"], key=lambda u: -_errors_of(u))[:worst]
    if any(map(_errors_of, shown)):
        console.print(Text("worst utterances", style="bold"))
    for utterance in shown:
        if _errors_of(utterance):
            console.print(Text(f"{utterance['id']}: {_errors_of(utterance)} errors{_cause(utterance)}", style="dim"))
            console.print(coloured(utterance["alignment"]))


def show_comparison(
    names: Sequence[str], systems: Sequence[Mapping[str, Any]], comparison: Comparison, console: "Console"
) -> None:
    """Prints two systems side by side with the test's verdict. systems: one of each summary."""
    from rich.table import Table

    table = Table(title="matched pairs", title_justify="left")
    for heading in ("system", "errors", "words", "WER", "better on"):
        table.add_column(heading, justify="left" if heading == "system" else "right")
    for name, counts, better in zip(
        names,
        (comparison.first, comparison.second),
        (comparison.first_better, comparison.second_better),
        strict=True,
    ):
        table.add_row(name, str(counts.errors), str(counts.reference), percent(counts.rate), f"{better} utterances")
    console.print(table)
    console.print(verdict(comparison), highlight=False)
    named = [{**system, "name": name} for system, name in zip(systems, names, strict=True)]
    for name, groups in systems[0]["groups"].items():
        if len(groups) > 1 and name in systems[1]["groups"]:
            console.print(_groups(name, groups, named))


def coloured(alignment: Sequence[Sequence[str | None]]) -> "Text":
    """Hits plain, [-what is missing-] red, {+what was put in+} green; wdiff's marks serve where colours do not."""
    from rich.text import Text

    text = Text()
    for reference, hypothesis in alignment:
        if reference == hypothesis:
            text.append(f"{reference} ")
            continue
        if reference is not None:
            text.append(f"[-{reference}-]", style="red")
        if hypothesis is not None:
            text.append(f"{{+{hypothesis}+}}", style="green")
        text.append(" ")
    return text


def _cause(utterance: Mapping[str, Any]) -> str:
    """The network's loss for the reference and for what was heard, and who is at fault."""
    if utterance["loss"] is None or utterance["hypothesis_loss"] is None:
        return ""
    losses = (
        f", −log P {utterance['loss']:.1f} for the reference, {utterance['hypothesis_loss']:.1f} for what was heard"
    )
    blamed = {"search": "; the search missed it", "models": "; the models prefer the error", "": ""}[fault(utterance)]
    return losses + blamed


def _errors_of(utterance: Mapping[str, Any]) -> int:
    return sum(int(utterance["words"][key]) for key in ("substitutions", "deletions", "insertions"))


def _rates(summary: Mapping[str, Any]) -> "Table":
    from rich.table import Table

    first = summary["systems"][0]
    table = Table(
        title=f"{first['sentences']['reference']} utterances, normaliser {summary['normalizer']}", title_justify="left"
    )
    for heading in ("system", "WER", "95 %", "words", "sub", "del", "ins", "CER", "sentences wrong"):
        table.add_column(heading, justify="left" if heading == "system" else "right")
    for system in summary["systems"]:
        words = system["words"]
        table.add_row(
            system["name"],
            percent(words["rate"]),
            between(words),
            str(words["reference"]),
            str(words["substitutions"]),
            str(words["deletions"]),
            str(words["insertions"]),
            percent(system["characters"]["rate"]),
            f"{system['sentences']['errors']} ({percent(system['sentences']['rate'])})",
        )
    return table


def _groups(name: str, groups: Mapping[str, Any], systems: Sequence[Mapping[str, Any]]) -> "Table":
    from rich.table import Table

    values = list(groups)
    title = f"by {name}"
    if len(values) > MOST_GROUPS:
        sizes = [own["words"]["reference"] for own in groups.values()]
        enough = sorted(sizes)[len(sizes) // 2]  # of a few words any rate can come
        values = sorted(
            (value for value in values if groups[value]["words"]["reference"] >= enough),
            key=lambda value: -(float("inf") if (r := groups[value]["words"]["rate"]) is None else r),
        )[: MOST_GROUPS // 2]
        title += f": the worst of {len(groups)} (with at least {enough} words)"
    table = Table(title=title, title_justify="left")
    table.add_column(name)
    for heading in ("utterances", "words", *(f"WER {system['name']}" for system in systems), "95 %"):
        table.add_column(heading, justify="right")
    for value in values:
        own = groups[value]
        table.add_row(
            group_name(name, value),
            str(own["sentences"]["reference"]),
            str(own["words"]["reference"]),
            *(percent(group_rate(system, name, value)) for system in systems),
            between(own["words"]),
        )
    return table


def _robustness(rows: Sequence[Mapping[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table(title="under other conditions", title_justify="left")
    table.add_column("condition")
    for system in rows[0]["systems"]:
        table.add_column(f"WER {system['name']}", justify="right")
    for row in rows:
        cells = []
        for system in row["systems"]:
            cells.append(f"{percent(system['words']['rate'])} ({between(system['words'])})")
        table.add_row(row["condition"], *cells)
    return table


def _sweep(points: Sequence[Mapping[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table(title="decoding settings (choose on one set, report on another)", title_justify="left")
    for heading in (*points[0]["settings"], "WER", "errors", "decoding, × real time"):
        table.add_column(heading, justify="right")
    best = min(point["words"]["errors"] for point in points)
    for point in points:
        words = point["words"]
        cells = [f"{value:g}" for value in point["settings"].values()]
        cells += [percent(words["rate"]), str(words["errors"]), f"{point['decoding_times_real_time']:.0f}"]
        table.add_row(*cells, style="bold" if words["errors"] == best else None)
    return table


def _errors(system: Mapping[str, Any], rows: int = 10) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title="most frequent errors", title_justify="left")
    for heading in ("substituted", "n", "deleted", "n", "inserted", "n", "most often wrong", "of"):
        table.add_column(heading, justify="right" if heading in ("n", "of") else "left")
    columns = [
        [(f"{a} → {b}", str(n)) for a, b, n in system["substitutions"]],
        [(a, str(n)) for a, n in system["deletions"]],
        [(b, str(n)) for b, n in system["insertions"]],
        [(word, f"{wrong}/{n}") for word, wrong, n in system["hardest_words"]],
    ]
    for k in range(min(rows, max(map(len, columns)))):
        table.add_row(*(Text(cell) for column in columns for cell in (column[k] if k < len(column) else ("", ""))))
    return table


def _facts(system: Mapping[str, Any], console: "Console") -> None:
    from rich.text import Text

    lines = []
    if system["empty"]["references"]:
        empty = system["empty"]
        lines.append(f"{empty['references']} utterances without words: {empty['words_invented']} words invented")
    if vocabulary := system["vocabulary"]:
        share = vocabulary["outside"] / max(vocabulary["words"], 1)
        lines.append(
            f"outside the vocabulary: {percent(share)} of the words, {vocabulary['outside_wrong']} of "
            f"{vocabulary['outside']} wrong"
        )
    if calibration := system["calibration"]:
        auc = "–" if calibration["auc"] is None else f"{calibration['auc']:.3f}"
        line = f"confidence: calibration error {calibration['ece']:.3f}, tells right from wrong {auc}"
        if calibration["mended"]:
            line += f"; temperature ×{calibration['temperature']:.2f} would make it {calibration['mended']['ece']:.3f}"
        lines.append(line)
    if search := system["search"]:
        lines.append(
            f"of {search['wrong']} wrong utterances the search missed a better-ranked reference in "
            f"{search['search_errors']}; the models prefer the error in {search['model_errors']}"
        )
    if suspected := system["suspected_references"]:
        lines.append(f"{len(suspected)} references may be wrong: {', '.join(row['id'] for row in suspected[:5])}")
    for line in lines:
        console.print(Text(line))


def _speed(speed: Mapping[str, Any]) -> "Text":
    from rich.text import Text

    stages = ", ".join(f"{name} {100 * share:.0f} %" for name, share in speed["shares"].items())
    return Text(
        f"{speed['times_real_time']:.0f} × real time, one utterance at a time ({speed['audio_seconds']:.0f} s of audio "
        f"in {speed['seconds']:.2f} s after warm-up; {stages}); peak memory {speed['peak_megabytes']:.0f} MB"
    )
