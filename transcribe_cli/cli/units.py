"""`transcribe units CORPUS`: what each kind of output unit would mean for a text."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import MissingExtra

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def units(
    corpus: Annotated[Path, typer.Argument(help="training corpus or manifest")],
    dev: Annotated[
        Path | None, typer.Option(help="dev corpus or manifest; without it the training text itself")
    ] = None,
    size: Annotated[int, typer.Option(help="most units of the word and bpe inventories", min=60)] = 500,
    frame_seconds: Annotated[float, typer.Option(help="seconds an output row of the model", min=0.001)] = 0.02,
) -> None:
    """Compare output units on a text: inventory, coverage, unknown words, units a second against output rows."""
    try:
        from ..training import corpora
        from ..training import units as measuring
    except ImportError as error:
        raise MissingExtra("comparing units", error.name or "torch", "train") from error
    train = [one.text for one in corpora.read(corpus)]
    spoken = corpora.read(dev if dev is not None else corpus)
    pairs = [(one.text, corpora.seconds(one)) for one in spoken]
    print("units      inventory  coverage  unknown words  units/s  rows/s  too dense")
    for kind in measuring.KINDS:
        one = measuring.report(kind, train, pairs, 1 / frame_seconds, size)
        print(
            f"{kind:10s}{one.inventory:10d}{100 * one.unit_coverage:9.2f}%{100 * one.oov_rate:14.2f}%"
            f"{one.units_per_second:9.1f}{one.rows_per_second:8.1f}{100 * one.too_dense:10.2f}%"
        )
