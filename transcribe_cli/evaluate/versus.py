"""Two evaluations of one set side by side: as plain values for scripts, and as one HTML page.

What comes in are the summaries' systems and their Comparison, what goes out JSON-ready values and the page: rates and
verdict, groups, and the utterances on which the two differ, each with both alignments.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from .compare import Comparison
from .page import aligned, bars, document, group, interval, rate, table
from .report import group_name, group_rate

MOST_UTTERANCES = 500  # of those that differ, most different first: a page with tens of thousands does not scroll


def as_json(names: Sequence[str], found: Comparison) -> dict[str, Any]:
    """The comparison as plain values with their rates."""
    sides = [
        {"name": name, **asdict(counts), "errors": counts.errors, "reference": counts.reference, "rate": counts.rate}
        for name, counts in zip(names, (found.first, found.second), strict=True)
    ]
    for side, better in zip(sides, (found.first_better, found.second_better), strict=True):
        side["better_on"] = better
    return {
        "format": "transcribe-comparison",
        "version": 1,
        "utterances": found.n_utterances,
        "systems": sides,
        "difference": found.difference,
        "interval": [found.difference_low, found.difference_high],
        "z": found.z,
        "p": found.p,
        "second_wins": found.second_wins,
    }


def verdict(found: Comparison) -> str:
    """The difference with its interval and whether it is more than chance, in words."""
    z = f"{found.z:.2f}".replace("inf", "∞")
    p = f"p = {found.p:.4f}" if found.p >= 0.0001 else "p < 0.0001"
    return (
        f"difference {100 * found.difference:+.2f} points "
        f"(95 %: {100 * found.difference_low:+.2f} to {100 * found.difference_high:+.2f}), "
        f"z = {z}, {p}, the second wins in {100 * found.second_wins:.1f} % of "
        f"bootstrap sets: {'different' if found.p < 0.05 else 'not told apart'} at the 5 % level"
    )


def page(names: Sequence[str], systems: Sequence[Mapping[str, Any]], found: Comparison, normaliser: str) -> str:
    """The whole page. systems: one of each summary, with the same utterances."""
    title = f"{names[0]} and {names[1]}"
    rows = []
    for name, system, better in zip(names, systems, (found.first_better, found.second_better), strict=True):
        words = system["words"]
        rows.append(
            [
                name,
                rate(words["rate"]),
                interval(words),
                *(words[key] for key in ("reference", "substitutions", "deletions", "insertions")),
                rate(system["characters"]["rate"]),
                rate(system["sentences"]["rate"]),
                better,
            ]
        )
    headings = ["system", "WER", "95 %", "words", "substituted", "deleted", "inserted", "CER", "sentences wrong"]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{found.n_utterances} utterances, normaliser <b>{escape(normaliser)}</b></p>",
        table([*headings, "better on"], rows),
        f'<p class="note">{escape(verdict(found))}. The test pairs the utterances (Gillick and Cox 1989).</p>',
    ]
    shared = [name for name in systems[0]["groups"] if name in systems[1]["groups"]]
    if shared:
        parts.append("<h2>Groups</h2>")
        parts += [_group(name, names, systems) for name in shared]
    parts += ["<h2>Where they differ</h2>", _differences(names, systems)]
    return document(title, parts)


def _group(name: str, names: Sequence[str], systems: Sequence[Mapping[str, Any]]) -> str:
    groups = [system["groups"][name] for system in systems]
    values = [value for value in groups[0] if value in groups[1]]
    rows = []
    for value in values:
        first, second = (group_rate(system, name, value) for system in systems)
        apart = None if first is None or second is None else first - second
        own = groups[0][value]
        rows.append(
            [
                group(name, value),
                own["sentences"]["reference"],
                own["words"]["reference"],
                rate(first),
                rate(second),
                ("", "") if apart is None or not math.isfinite(apart) else (f"{100 * apart:+.1f}", round(apart, 6)),
            ]
        )
    found = table([name, "utterances", "words", *(f"WER {one}" for one in names), "points"], rows)
    plot = ""
    if 1 < len(values) <= 12:
        series = [
            (one, [(own[value]["words"]["rate"], *own[value]["words"]["interval"]) for value in values])
            for one, own in zip(names, groups, strict=True)
        ]
        labels = [group_name(name, value) for value in values]
        plot = bars(labels, series, f"word error rate by {name}, with 95 % intervals")
    return f'<div class="row"><div>{found}</div>{plot}</div>'


def _differences(names: Sequence[str], systems: Sequence[Mapping[str, Any]]) -> str:
    """Utterances with another number of errors, then those with other errors; most different first."""
    others = {str(one["id"]): one for one in systems[1]["utterances"]}
    pairs = [(one, others[str(one["id"])]) for one in systems[0]["utterances"]]
    unlike = [(a, b, _errors(a) - _errors(b)) for a, b in pairs if a["alignment"] != b["alignment"]]
    unlike.sort(key=lambda row: -abs(row[2]))
    rows = [
        [
            (f"{aligned(a['alignment'])}<br><small>{escape(str(a['id']))}</small>", None),
            (aligned(b["alignment"]), None),
            _errors(a),
            _errors(b),
            (f"{apart:+d}", apart),
        ]
        for a, b, apart in unlike[:MOST_UTTERANCES]
    ]
    said = f"<p>{len(unlike)} utterances are not heard alike"
    said += f"; the {MOST_UTTERANCES} most different ones:</p>" if len(unlike) > MOST_UTTERANCES else ":</p>"
    return said + table([names[0], names[1], "errors", "errors", "difference"], rows) if rows else "<p>Nowhere.</p>"


def _errors(utterance: Mapping[str, Any]) -> int:
    return sum(int(utterance["words"][key]) for key in ("substitutions", "deletions", "insertions"))
