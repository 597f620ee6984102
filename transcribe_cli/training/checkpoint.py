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


def load(path: Path) -> dict[str, Any]:
    """Reads a state; nothing in it is executed. Raises TrainingError when it is missing or damaged."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: no such checkpoint") from error
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise TrainingError(
            f"{path} is no checkpoint of this program or is damaged: delete it to start anew"
        ) from error
    return state


def average(paths: list[Path]) -> dict[str, torch.Tensor]:
    """The mean of several checkpoints' weights."""
    return mean([load(path)["model"] for path in paths])


def mean(weights: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of several networks' weights, in float32, of the names that the first has."""
    return {key: torch.stack([one[key].float() for one in weights]).mean(0) for key in weights[0]}
