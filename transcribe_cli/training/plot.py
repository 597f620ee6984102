"""Pictures of a run and of its data. Each is skipped quietly where its optional library is missing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def curves(table: list[dict[str, Any]], path: Path) -> bool:
    """Loss and word error rate by hours of speech as PNG; False without matplotlib."""
    if (pyplot := _pyplot()) is None:
        return False
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    sources = list(dict.fromkeys(row["source"] for row in table))
    for source in sources:
        rows = [row for row in table if row["source"] == source]
        hours = [row["hours"] for row in rows]
        left.plot(hours, [row["validation_loss"] for row in rows], "o-", label=source)
        right.plot(hours, [100 * row["wer"] for row in rows], "o-", label=source)
    rows = [row for row in table if row["source"] == sources[0]]
    left.plot([row["hours"] for row in rows], [row["training_loss"] for row in rows], "k--", label="training")
    left.set(xlabel="hours of speech", ylabel="loss, nats a label", yscale="log")
    right.set(xlabel="hours of speech", ylabel="word errors, %")
    left.legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    return True


def histogram(seconds: Sequence[float], path: Path) -> bool:
    """How long utterances are, as PNG; False without matplotlib."""
    if (pyplot := _pyplot()) is None:
        return False
    figure, axes = pyplot.subplots(figsize=(6, 4))
    axes.hist(seconds, bins=40)
    axes.set(xlabel="seconds", ylabel="utterances")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    return True


def spectrograms(pictures: Sequence[tuple[str, npt.NDArray[np.float32]]], path: Path) -> bool:
    """Named (frames, bands) log-mels below one another as PNG; False without matplotlib."""
    if (pyplot := _pyplot()) is None:
        return False
    figure, axes = pyplot.subplots(len(pictures), 1, figsize=(10, 1.8 * len(pictures)), squeeze=False)
    for row, (name, mel) in zip(axes[:, 0], pictures, strict=True):
        row.imshow(mel.T, origin="lower", aspect="auto", extent=(0, len(mel) / 100, 0, mel.shape[1]))
        row.set(ylabel=name)
    axes[-1, 0].set(xlabel="seconds")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    return True


def tensorboard(table: list[dict[str, Any]], folder: Path) -> bool:
    """The last epoch's figures as TensorBoard events; False where tensorboard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return False
    with SummaryWriter(str(folder)) as writer:
        for row in table:
            if row["epoch"] == table[-1]["epoch"]:
                for key in ("validation_loss", "cer", "wer", "training_loss", "rate"):
                    writer.add_scalar(f"{key}/{row['source']}", row[key], row["epoch"])
    return True


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
