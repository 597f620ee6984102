"""Checkpoints: everything a run needs to go on as if it had never stopped, never half-written.

A file is written beside its final name, flushed to the disk, and renamed; what was there before stays until then.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..errors import OutputError, TrainingError
from ..outputs import atomically


def save(state: dict[str, Any], path: Path) -> None:
    """Writes a state of tensors and plain values. Raises OutputError when the disk is full; the old file then stays."""
    try:
        with atomically(path) as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:
        raise OutputError(
            f"{path}: the checkpoint cannot be written ({error}); free some space and start again"
        ) from error


def is_one(path: Path) -> bool:
    """Whether what a training begins with is a checkpoint, and not a model's folder."""
    return path.suffix == ".pt"


def load(path: Path, cure: str = "delete it to start anew") -> dict[str, Any]:
    """Reads a state with its "options" and "model"; nothing in it is executed.

    cure: what to do about a file that is none; a run that goes on from it has another than a command that only reads.
    Raises TrainingError when it is missing, unreadable, damaged or something else.
    """
    if path.is_dir():
        raise TrainingError(f"{path}: is a folder, not a checkpoint: {_inside(path)}")
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: no such checkpoint") from error
    except OSError as error:
        raise TrainingError(f"{path}: the checkpoint cannot be read ({error.strerror or error})") from error
    try:
        with file:
            state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    # of half a file PyTorch looks for the end in front of the beginning, which is an OSError
    except (OSError, RuntimeError, EOFError, LookupError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path} is no checkpoint of this program or is damaged: {cure}") from error
    if not isinstance(state, dict) or not all(isinstance(state.get(key), dict) for key in ("options", "model")):
        raise TrainingError(f"{path} is no checkpoint of this program, which holds options and a model: {cure}")
    if not all(isinstance(value, torch.Tensor) for value in state["model"].values()):
        raise TrainingError(f"{path} is no checkpoint of this program: its model is not of weights: {cure}")
    return state


def _inside(folder: Path) -> str:
    """What to name in place of a folder."""
    if (folder / "card.json").exists():
        return "it is a model already; name the checkpoint (.pt) that it was made of"
    found = sorted(folder.glob("*.pt"))
    return f"name one in it, such as {found[0]}" if found else "name a .pt file of a training run"


def average(paths: list[Path]) -> dict[str, torch.Tensor]:
    """The mean of several checkpoints' weights."""
    return mean([load(path)["model"] for path in paths])


def mean(weights: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of several networks' weights, in float32, of the names that the first has."""
    return {key: torch.stack([one[key].float() for one in weights]).mean(0) for key in weights[0]}
