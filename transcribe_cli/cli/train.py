"""`transcribe train CONFIG`: trains, or goes on training, the model that a TOML config describes."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import MissingExtra

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="TOML config, as in configs/")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder of checkpoints, tables and pictures")],
    init: Annotated[
        Path | None, typer.Option(help="bundle, or checkpoint, whose weights the training begins with")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="table.key=value over the config, e.g. loop.epochs=3")
    ] = None,
) -> None:
    """Train or fine-tune a model; started again with the same --out, a run goes on where it was stopped."""
    try:
        from ..training import loop, options, weights
    except ImportError as error:
        raise MissingExtra("training", error.name or "torch", "train") from error
    run = options.load(config, tuple(set_ or ()))
    start = weights.begin(init) if init is not None else None
    loop.train(run, out, lambda line: print(line, flush=True), start)
