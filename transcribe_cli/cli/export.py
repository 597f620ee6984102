"""`transcribe export CHECKPOINT… --out BUNDLE`: makes a model bundle of a checkpoint, or of the mean of several."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import MissingExtra, OptionError
from .messages import show_warnings

app = typer.Typer(add_completion=False, rich_markup_mode=None)

WEIGHTS = ("float16", "float32", "int8")


@app.command()
def export(
    checkpoints: Annotated[list[Path], typer.Argument(help="one checkpoint, or several whose weights are averaged")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder of the bundle")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the model in the output folder")] = False,
    start: Annotated[
        Path | None, typer.Option(help="bundle or checkpoint that training began with: half of its weights are taken")
    ] = None,
    model_version: Annotated[str, typer.Option(help="the model's version in its card")] = "1",
    weights: Annotated[str, typer.Option(help="how weights are stored: " + ", ".join(WEIGHTS))] = "float16",
    keep_float: Annotated[
        list[str] | None, typer.Option(help="int8: parts of node names that stay float; default: attention/out")
    ] = None,
    ragged: Annotated[
        bool, typer.Option(help="a graph that takes lengths: unequal windows share a batch on a GPU; slower on a CPU")
    ] = False,
    card: Annotated[Path | None, typer.Option(help="config whose [card] goes into the card: data, licences")] = None,
    lm: Annotated[
        Path | None, typer.Option(help="language model that goes into the bundle; then tune it: transcribe lm tune")
    ] = None,
    rescorer: Annotated[
        Path | None, typer.Option(help="neural language model that has a say beside --lm (transcribe lm rescorer)")
    ] = None,
    noise_db: Annotated[
        float | None,
        typer.Option(
            help="turn loud steady noise down by up to so much; 6 suits speech; default: as trained, or as --start"
        ),
    ] = None,
    measure: Annotated[Path | None, typer.Option(help="manifest to measure word errors and speed on")] = None,
    limit: Annotated[int, typer.Option(help="utterances of each source to measure; 0: all")] = 0,
) -> None:
    """Make a model bundle of a checkpoint: ONNX graph and card; a graph that differs from PyTorch is refused."""
    if weights not in WEIGHTS:
        raise OptionError(f"--weights {weights}: choose one of {', '.join(WEIGHTS)}")
    try:
        from ..training import export as exporting
        from ..training import manifest, onnx_graph, options
    except ImportError as error:
        raise MissingExtra("exporting", error.name or "torch", "train") from error
    show_warnings(quiet=False)
    extra = options.load(card).card if card is not None else {}
    if measure is not None:
        manifest.read(measure)  # refuses what is none before the work
        measure = measure.resolve()
    place = out.resolve()  # the folder is replaced: were it the current one, relative names would lead nowhere
    kept = onnx_graph.KEPT_FLOAT if keep_float is None else tuple(keep_float)
    difference = exporting.export(
        checkpoints, out, model_version, weights, extra, kept, ragged, lm, start, overwrite, rescorer, noise_db
    )
    size = sum(path.stat().st_size for path in place.iterdir() if path.is_file())
    print(f"{out}: {size / 1e6:.1f} MB, {weights}")
    print(
        f"against PyTorch: log-probabilities differ by at most {difference.largest:.2g}, "
        f"{difference.other_best} of {difference.rows} rows have another best token"
    )
    if measure is not None:
        for line in exporting.measure_bundle(place, measure, limit):
            print(line)
