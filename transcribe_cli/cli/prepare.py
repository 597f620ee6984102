"""`transcribe prepare CONFIG --cache`: runs the frozen encoder over a config's speech once and keeps its output."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import MissingExtra, OptionError

app = typer.Typer(rich_markup_mode=None)


@app.command()
def prepare(
    config: Annotated[Path, typer.Argument(help="TOML config, as in configs/")],
    cache: Annotated[
        bool, typer.Option("--cache", help="encode the config's speech into its data.cache folder")
    ] = False,
    worker: Annotated[str, typer.Option(help="i/n: do every n-th part, counting from i, beside other workers")] = "0/1",
    set_: Annotated[list[str] | None, typer.Option("--set", help="table.key=value over the config")] = None,
) -> None:
    """Check training data and report on it; with --cache also encode it."""
    try:
        from ..training import cache as caching
        from ..training import options
    except ImportError as error:
        raise MissingExtra("training", error.name or "torch", "train") from error
    part, slash, parts = worker.partition("/")
    if not slash or not part.isdigit() or not parts.isdigit() or not int(part) < int(parts):
        raise OptionError(f"--worker {worker}: write it as i/n, for example 0/2 and 1/2")
    run = options.load(config, tuple(set_ or ()))
    if cache:
        for line in caching.fill(run, Path(run.data.cache), (int(part), int(parts))):
            print(line, flush=True)
