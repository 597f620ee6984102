"""The table of epochs: printed, kept as CSV and as a picture, and asked which epochs were best and when to stop."""

import csv
import io
from pathlib import Path
from typing import Any

from ..outputs import write_atomically
from . import plot

COLUMNS = ("epoch", "hours", "source", "training_loss", "validation_loss", "cer", "wer", "rate", "hours_per_second")


def best_epochs(table: list[dict[str, Any]], folder: Path, count: int) -> list[Path]:
    """Checkpoints of the epochs with the lowest CER over all sources, at most `count`."""
    last = table[-1]["source"]
    ranked = sorted((row["cer"], row["epoch"]) for row in table if row["source"] == last)
    paths = [folder / f"epoch-{epoch:03d}.pt" for _, epoch in ranked[:count]]
    return sorted(path for path in paths if path.exists())


def line_of(row: dict[str, Any]) -> str:
    """A row of the epoch table, to be printed."""
    return (
        f"epoch {row['epoch']:3d}  {row['source']:16s} training loss {row['training_loss']:.3f}  "
        f"validation loss {row['validation_loss']:.3f}  CER {100 * row['cer']:5.2f} %  WER {100 * row['wer']:5.2f} %  "
        f"rate {row['rate']:.2e}  {row['hours_per_second']:.4f} h/s"
    )


def record(table: list[dict[str, Any]], folder: Path) -> None:
    """The epoch table as CSV, as a picture where matplotlib is there, and for TensorBoard where that is."""
    write_table(table, folder / "epochs.csv")
    plot.curves(table, folder / "curves.png")
    plot.tensorboard(table, folder / "tensorboard")


def stalled(table: list[dict[str, Any]], patience: int) -> bool:
    """Whether the last `patience` epochs brought no better CER over all sources."""
    last = table[-1]["source"]
    rates = [row["cer"] for row in table if row["source"] == last]
    return len(rates) > patience and min(rates[-patience:]) >= min(rates[:-patience])


def write_table(table: list[dict[str, Any]], path: Path) -> None:
    """The epoch table as CSV."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(table)
    write_atomically(path, text.getvalue())
