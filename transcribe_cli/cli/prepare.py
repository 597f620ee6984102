"""`transcribe prepare SOURCE`: checks a corpus and writes its manifest, or encodes a config's speech into its cache."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import MissingExtra, OptionError
from ..outputs import check_target, write_atomically

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def prepare(
    source: Annotated[
        Path, typer.Argument(help="corpus folder, .jsonl, .tsv, .stm, metadata.csv; or a TOML config with --cache")
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="manifest of what can be used")] = None,
    cache: Annotated[bool, typer.Option("--cache", help="encode a config's speech into its data.cache folder")] = False,
    worker: Annotated[str, typer.Option(help="with --cache, i/n: every n-th part, beside other workers")] = "0/1",
    case: Annotated[str, typer.Option(help="letters: lower, upper or keep")] = "lower",
    punctuation: Annotated[str, typer.Option(help="signs: drop or keep")] = "drop",
    numbers: Annotated[str, typer.Option(help="digits: words or keep")] = "words",
    accents: Annotated[str, typer.Option(help="accents: strip or keep")] = "strip",
    special: Annotated[list[str] | None, typer.Option(help="token kept as it is, such as <noise>")] = None,
    language: Annotated[str, typer.Option(help="language code, for numbers")] = "en",
    max_seconds: Annotated[float, typer.Option(help="longest utterance, seconds", min=0.5)] = 24.0,
    decode: Annotated[bool, typer.Option(help="decode all audio, to find what is damaged")] = True,
    histogram: Annotated[Path | None, typer.Option(help="picture of the utterances' lengths, PNG")] = None,
    dropped: Annotated[Path | None, typer.Option(help="list of what was dropped and why, TSV")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="table.key=value over the config")] = None,
) -> None:
    """Check training data and report on it; with --cache, run a config's frozen encoder over its speech once."""
    try:
        from ..training import cache as caching
        from ..training import corpora, manifest, options, plot, text
        from ..training import prepare as preparing
        from ..training.units import CHARACTERS
    except ImportError as error:
        raise MissingExtra("preparing training data", error.name or "torch", "train") from error
    if cache:
        part, slash, parts = worker.partition("/")
        if not slash or not part.isdigit() or not parts.isdigit() or not int(part) < int(parts):
            raise OptionError(f"--worker {worker}: write it as i/n, for example 0/2 and 1/2")
        run = options.load(source, tuple(set_ or ()))
        if not run.data.cache:
            raise OptionError(f"{source} names no data.cache to fill")
        for line in caching.fill(run, Path(run.data.cache), (int(part), int(parts))):
            print(line, flush=True)
        return
    if source.suffix == ".toml":
        run = options.load(source, tuple(set_ or ()))
        sets = [one.manifest for one in (*run.data.train, *run.data.dev)]
        utterances = [one for pattern in sets for path in manifest.find(pattern) for one in manifest.read(path)]
    else:
        utterances = corpora.read(source)
    for target in (out, dropped, histogram):
        if target is not None:
            check_target(target, overwrite=True, inputs=[source])
    wanted = text.TextOptions(case, punctuation, numbers, accents, tuple(special or ()), language)
    limits = preparing.Limits(max_seconds=max_seconds, decode=decode)
    report = preparing.check(utterances, wanted, limits, CHARACTERS if wanted == text.TextOptions() else None)
    for line in report.lines():
        print(line)
    if out is not None:
        manifest.write(report.kept, out)
    if dropped is not None:
        write_atomically(dropped, "".join(f"{name}\t{reason}\n" for name, reason in report.dropped))
    if histogram is not None and not plot.histogram(report.seconds, histogram):
        print("no picture: it needs matplotlib (pip install 'transcribe-cli[plot]')", file=sys.stderr)
