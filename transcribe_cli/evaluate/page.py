"""A summary as one self-contained HTML page: tables that sort, plots as inline SVG, alignments, sound to listen to.

Nothing is loaded from elsewhere, and the page forbids its own browser to do so. Every text from outside is escaped.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from .report import fault, group_name, group_rate, percent

COLOURS = ("#2b6cb0", "#dd6b20", "#2f855a", "#805ad5")

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1a202c;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem;border-bottom:1px solid #cbd5e0;padding-bottom:.2rem}
.wide{overflow-x:auto}@media print{.wide{overflow:visible}}
table{border-collapse:collapse;margin:.6rem 0}th,td{padding:.2rem .6rem;text-align:left;vertical-align:top}
th{background:#edf2f7;cursor:pointer;user-select:none;min-width:3rem}th button{font:inherit;color:inherit;
background:none;border:0;padding:0;text-align:left;cursor:pointer}th[aria-sort=ascending]::after{content:" ▲"}
th[aria-sort=descending]::after{content:" ▼"}tr:nth-child(even) td{background:#f7fafc}.n{text-align:right;
font-variant-numeric:tabular-nums;white-space:nowrap}del{color:#c53030;background:#fff5f5}
ins{color:#276749;background:#f0fff4}del,ins{overflow-wrap:anywhere}.row{display:flex;flex-wrap:wrap;gap:1.5rem}
.note{background:#fffaf0;border-left:4px solid #dd6b20;padding:.3rem .8rem}figure{margin:0}figcaption{font-size:.85rem}
audio{height:2rem;vertical-align:middle}small{color:#4a5568}svg text{font:12px system-ui,sans-serif;fill:#1a202c}
svg{max-width:100%;height:auto;overflow:visible}
"""

SCRIPT = """
for (const head of document.querySelectorAll("th")) head.addEventListener("click", () => {
  const table = head.closest("table"), body = table.tBodies[0], column = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = row => row.cells[column].dataset.v ?? row.cells[column].textContent;
  const numeric = [...body.rows].every(row => !isNaN(value(row)));
  const rows = [...body.rows].sort((a, b) => {
    const x = value(a), y = value(b);
    if (x === "" || y === "") return (x === "") - (y === "");  // what is not known stays last
    return (x === y ? 0 : numeric ? x - y : x.localeCompare(y)) * (down ? -1 : 1);
  });
  body.append(...rows);
});
"""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; media-src data:; img-src data:"


def page(summary: Mapping[str, Any], sounds: Mapping[str, str] | None = None, title: str = "Evaluation") -> str:
    """The whole page. sounds: utterance id → data URI of its audio, for those that can be listened to."""
    sounds = sounds or {}
    systems = summary["systems"]
    parts = [f"<h1>{escape(title)}</h1>", _overview(summary)]
    parts += [f'<p class="note">{escape(note)}</p>' for note in summary["notes"]]
    if summary["speed"]:
        parts.append(_speed(summary["speed"]))
    if summary.get("robustness"):
        parts += ["<h2>Under other conditions</h2>", _robustness(summary["robustness"])]
    if summary.get("sweep"):
        parts += ["<h2>Decoding settings</h2>", _sweep(summary["sweep"])]
    groups = systems[0]["groups"]
    if groups:
        parts.append("<h2>Groups</h2>")
        parts += [_group(name, systems) for name in groups]
    if systems[0]["calibration"]:
        parts += ["<h2>Confidence</h2>", _calibration(systems[0]["calibration"])]
    parts += ["<h2>Errors</h2>", _errors(systems[0])]
    facts = _facts(systems[0])
    if facts:
        parts += ["<h2>Causes</h2>", facts]
    suspected = systems[0]["suspected_references"]
    by_id = {utterance["id"]: utterance for utterance in systems[0]["utterances"]}
    anchors = {id: f"u{k}" for k, id in enumerate(by_id)}
    if suspected:
        parts.append("<h2>References that may be wrong</h2><p>The model is sure of something else.</p>")
        parts.append(_utterances([by_id[row["id"]] for row in suspected], sounds, anchors, "a"))
    parts.append(f"<h2>Utterances of {escape(systems[0]['name'])}, worst first</h2>")
    parts.append(_utterances(sorted(by_id.values(), key=lambda u: -_n_errors(u)), sounds, anchors, "audio"))
    return document(title, parts)


def document(title: str, parts: Sequence[str]) -> str:
    """A whole page of parts that are HTML: with style and script, and forbidden to load anything."""
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n{body}\n<script>{SCRIPT}</script></body></html>\n"
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A sortable table. A cell is a text, (text, sort value), the value "" for an unknown number, or (html, None) for
    what is HTML already."""
    head = "".join(f'<th scope="col"><button>{escape(heading)}</button></th>' for heading in headings)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>'


def _cell(cell: Any) -> str:
    if isinstance(cell, tuple):
        text, value = cell
        if value is None:
            return f"<td>{text}</td>"
        right = "" if value and isinstance(value, str) else ' class="n"'
        return f'<td{right} data-v="{escape(str(value))}">{escape(text)}</td>'
    if isinstance(cell, int):
        return f'<td class="n" data-v="{cell}">{cell}</td>'
    return f"<td>{escape(str(cell))}</td>"


def rate(value: float | None) -> tuple[str, float | str]:
    """A cell with a rate that sorts: infinite ones above all others, unknown ones last."""
    return percent(value), "" if value is None else 1e9 if value == float("inf") else round(value, 6)


def interval(words: Mapping[str, Any]) -> tuple[str, float | str]:
    """A cell with the interval of a rate, which sorts by its lower end."""
    low, high = words["interval"]
    known = low is not None and high is not None
    return f"{percent(low)} – {percent(high)}" if known else "–", rate(low)[1] if known else ""


def group(name: str, value: str) -> tuple[str, str]:
    """A cell with a group's name; bands sort by the number in front of them."""
    return group_name(name, value), value


def _overview(summary: Mapping[str, Any]) -> str:
    rows = []
    for system in summary["systems"]:
        words = system["words"]
        counts = [words[key] for key in ("reference", "substitutions", "deletions", "insertions")]
        rows.append(
            [
                system["name"],
                rate(words["rate"]),
                interval(words),
                *counts,
                rate(system["characters"]["rate"]),
                rate(system["sentences"]["rate"]),
            ]
        )
    headings = ["system", "WER", "95 %", "words", "substituted", "deleted", "inserted", "CER", "sentences wrong"]
    n = summary["systems"][0]["sentences"]["reference"]
    return f"<p>{n} utterances, normaliser <b>{escape(summary['normalizer'])}</b></p>" + table(headings, rows)


def _speed(speed: Mapping[str, Any]) -> str:
    stages = ", ".join(f"{escape(name)} {100 * share:.0f} %" for name, share in speed["shares"].items())
    return (
        f"<p>{speed['times_real_time']:.0f} × real time on {escape(speed['device'])}, one utterance at a time, after a "
        f"warm-up ({stages}); peak memory {speed['peak_megabytes']:.0f} MB</p>"
    )


def _group(name: str, systems: Sequence[Mapping[str, Any]]) -> str:
    groups = systems[0]["groups"][name]
    rows = [
        [
            group(name, value),
            own["sentences"]["reference"],
            own["words"]["reference"],
            *(rate(group_rate(system, name, value)) for system in systems),
        ]
        for value, own in groups.items()
    ]
    found = table([name, "utterances", "words", *(f"WER {system['name']}" for system in systems)], rows)
    plot = ""
    if 1 < len(groups) <= 12:
        series = [
            (
                system["name"],
                [(g["words"]["rate"], *g["words"]["interval"]) for g in own.values()],
            )
            for system in systems
            if (own := system["groups"].get(name, {})).keys() == groups.keys()
        ]
        labels = [group_name(name, value) for value in groups]
        plot = bars(labels, series, f"word error rate by {name}, with 95 % intervals")
    return f'<div class="row"><div>{found}</div>{plot}</div>'


def _robustness(rows: Sequence[Mapping[str, Any]]) -> str:
    names = [system["name"] for system in rows[0]["systems"]]
    cells = [[row["condition"], *(rate(system["words"]["rate"]) for system in row["systems"])] for row in rows]
    series = [
        (name, [(r["systems"][k]["words"]["rate"], *r["systems"][k]["words"]["interval"]) for r in rows])
        for k, name in enumerate(names)
    ]
    plot = bars([row["condition"] for row in rows], series, "word error rate by condition, with 95 % intervals")
    found = table(["condition", *(f"WER {name}" for name in names)], cells)
    return f'<div class="row"><div>{found}</div>{plot}</div>'


def _sweep(points: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            *((f"{value:g}", value) for value in point["settings"].values()),
            rate(point["words"]["rate"]),
            point["words"]["errors"],
            (f"{point['decoding_times_real_time']:.0f}", round(point["decoding_times_real_time"], 3)),
        ]
        for point in points
    ]
    return table([*points[0]["settings"], "WER", "errors", "decoding, × real time"], rows)


def _calibration(found: Mapping[str, Any]) -> str:
    auc = "–" if found["auc"] is None else f"{found['auc']:.3f}"
    text = (
        f"<p>{found['n_words']} words, {percent(found['accuracy'])} right, "
        f"mean confidence {found['mean_confidence']:.3f}; calibration error {found['ece']:.3f}; "
        f"a right word has more confidence than a wrong one in {auc} of pairs."
    )
    curves = [("as it is", found["bins"])]
    if found["mended"]:
        text += f" A temperature {found['temperature']:.2f} times as high would make it {found['mended']['ece']:.3f}."
        curves.append(("with that temperature", found["mended"]["bins"]))
    return text + "</p>" + reliability(curves)


def _errors(system: Mapping[str, Any]) -> str:
    tables = [
        table(["reference", "recognised", "times"], system["substitutions"][:30]),
        table(["deleted", "times"], system["deletions"][:30]),
        table(["inserted", "times"], system["insertions"][:30]),
        table(["often wrong", "wrong", "of"], system["hardest_words"][:30]),
    ]
    return '<div class="row">' + "".join(f"<div>{one}</div>" for one in tables) + "</div>"


def _facts(system: Mapping[str, Any]) -> str:
    lines = []
    if system["empty"]["references"]:
        empty = system["empty"]
        lines.append(f"{empty['references']} utterances without words; {empty['words_invented']} words invented")
    if found := system["vocabulary"]:
        lines.append(
            f"{found['outside']} of {found['words']} reference words are outside the language model's vocabulary, "
            f"{found['outside_wrong']} of these are wrong"
        )
    if found := system["search"]:
        lines.append(
            f"of {found['wrong']} wrong utterances, the search missed a reference that it would have ranked higher in "
            f"{found['search_errors']}; in {found['model_errors']} the models prefer the error"
        )
    return "<ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>" if lines else ""


def _n_errors(utterance: Mapping[str, Any]) -> int:
    return sum(int(utterance["words"][key]) for key in ("substitutions", "deletions", "insertions"))


def _utterances(
    utterances: Sequence[Mapping[str, Any]], sounds: Mapping[str, str], anchors: Mapping[str, str], listen: str
) -> str:
    """listen: "audio" puts a player into each row, "a" a link to it: a sound is in the page once."""
    rows = []
    for one in utterances:
        n = _n_errors(one)
        words = one["words"]["hits"] + one["words"]["substitutions"] + one["words"]["deletions"]
        player, anchor = "", anchors[one["id"]]
        if one["id"] in sounds and listen == "audio":
            player = f'<br><audio id="{anchor}" controls preload="none" src="{escape(sounds[one["id"]])}"></audio>'
        elif one["id"] in sounds:
            player = f'<br><a href="#{anchor}">listen</a>'
        rows.append(
            [
                (f"{aligned(one['alignment'])}{player}<br><small>{escape(one['id'])}</small>", None),
                n,
                rate(n / words if words else (float("inf") if n else 0.0)),
                _number(one["duration"], 1),
                _number(one["confidence"], 2),
                _number(one["snr_db"], 0),
                _number(one["loss"], 1),
                _number(one["hypothesis_loss"], 1),
                _number(one["reference_total"], 1),
                _number(one["hypothesis_total"], 1),
                fault(one),
            ]
        )
    headings = ["alignment", "errors", "WER", "s", "confidence", "SNR dB", "−log P(reference)", "−log P(heard)"]
    return table([*headings, "score of reference", "score of heard", "fault"], rows)


def _number(value: float | None, digits: int) -> tuple[str, float | str]:
    return ("", "") if value is None else (f"{value:.{digits}f}", round(value, 6))


def aligned(alignment: Sequence[Sequence[str | None]]) -> str:
    """Hits plain, what is missing struck out in red, what was put in green."""
    out = []
    for reference, hypothesis in alignment:
        if reference == hypothesis:
            out.append(escape(reference or ""))
            continue
        missing = "" if reference is None else f"<del>{escape(reference)}</del>"
        put_in = "" if hypothesis is None else f"<ins>{escape(hypothesis)}</ins>"
        out.append(f"{missing} {put_in}".strip())
    return " ".join(out)


Series = tuple[str, Sequence[tuple[float | None, float | None, float | None]]]


def bars(labels: Sequence[str], series: Sequence[Series], caption: str) -> str:
    """Bars with intervals, one colour a series, as SVG. Values are rates; infinite ones are left out."""
    width, height, left, bottom, top = 520, 234 + 16 * len(series), 46, 64, 10 + 16 * len(series)
    finite = [v for _, own in series for point in own for v in point if v is not None and v != float("inf")]
    highest = max([*finite, 0.01]) * 1.05
    step = (width - left - 8) / max(len(labels), 1)
    bar = step * 0.8 / max(len(series), 1)

    def y(value: float) -> float:
        return top + (height - top - bottom) * (1 - value / highest)

    out = []
    between = next(m * 10**k for k in range(-3, 300) for m in (1, 2, 5) if highest / (m * 10**k) <= 6)
    for k in range(int(highest / between) + 1):
        tick = between * k
        out.append(f'<line x1="{left}" x2="{width}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#e2e8f0"/>')
        out.append(f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{100 * tick:g} %</text>')
    for s, (name, points) in enumerate(series):
        colour = COLOURS[s % len(COLOURS)]
        out.append(f'<rect x="{left}" y="{4 + 16 * s}" width="12" height="12" fill="{colour}"/>')
        out.append(f'<text x="{left + 16}" y="{14 + 16 * s}">{escape(_short(name, 64))}</text>')
        for i, (value, low, high) in enumerate(points):
            if value is None or value == float("inf"):
                continue
            x = left + i * step + step * 0.1 + s * bar
            out.append(
                f'<rect x="{x:.1f}" y="{y(value):.1f}" width="{bar:.1f}" height="{y(0) - y(value):.1f}" '
                f'fill="{colour}"><title>{escape(labels[i])}: {percent(value)}</title></rect>'
            )
            if low is not None and high is not None and high != float("inf"):
                middle = x + bar / 2
                out.append(
                    f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="{y(low):.1f}" y2="{y(high):.1f}" stroke="#1a202c"/>'
                )
    for i, label in enumerate(labels):
        x = left + (i + 0.5) * step
        out.append(
            f'<text x="{x:.1f}" y="{height - bottom + 14}" text-anchor="end" '
            f'transform="rotate(-30 {x:.1f} {height - bottom + 14})">{escape(_short(label, 18))}</text>'
        )
    return _figure("".join(out), width, height, caption)


def _short(text: str, longest: int) -> str:
    """A text without its middle where it is too long: names that belong together often differ at the end only."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[: longest - half - 1]}…{text[-half:]}"


def reliability(curves: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> str:
    """Accuracy against confidence with the diagonal of honesty; a point's area grows with its words."""
    size, left, bottom, top = 340, 46, 40, 26

    def x(value: float) -> float:
        return left + (size - left - 10) * value

    def y(value: float) -> float:
        return top + (size - top - bottom) * (1 - value)

    out = [f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke="#a0aec0" stroke-dasharray="4"/>']
    for tick in (0, 0.25, 0.5, 0.75, 1):
        out.append(f'<text x="{x(tick):.0f}" y="{y(0) + 16:.0f}" text-anchor="middle">{tick:g}</text>')
        out.append(f'<text x="{left - 6}" y="{y(tick) + 4:.0f}" text-anchor="end">{tick:g}</text>')
    out.append(f'<text x="{x(0.5):.0f}" y="{size - 6}" text-anchor="middle">confidence</text>')
    for k, (name, bins) in enumerate(curves):
        colour = COLOURS[k]
        total = max(sum(one["n_words"] for one in bins), 1)
        points = " ".join(f"{x(one['mean_confidence']):.1f},{y(one['accuracy']):.1f}" for one in bins)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for one in bins:
            radius = 2 + 12 * (one["n_words"] / total) ** 0.5
            out.append(
                f'<circle cx="{x(one["mean_confidence"]):.1f}" cy="{y(one["accuracy"]):.1f}" r="{radius:.1f}" '
                f'fill="{colour}" fill-opacity=".4"><title>{one["n_words"]} words</title></circle>'
            )
        out.append(f'<rect x="{left + 120 * k}" y="4" width="12" height="12" fill="{colour}"/>')
        out.append(f'<text x="{left + 120 * k + 16}" y="14">{escape(name)}</text>')
    return _figure("".join(out), size, size, "share of words that are right against their confidence")


def _figure(inside: str, width: int, height: int, caption: str) -> str:
    return (
        f'<figure><svg role="img" aria-label="{escape(caption)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{inside}</svg><figcaption>{escape(caption)}</figcaption></figure>'
    )
