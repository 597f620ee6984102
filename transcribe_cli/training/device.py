"""Where training is computed."""

import torch

from ..errors import DeviceError, OptionError


def choose_device(name: str) -> torch.device:
    """cpu, cuda, or whichever there is. Raises DeviceError when CUDA was asked for and is not there."""
    if name not in ("cpu", "cuda", "auto"):
        raise OptionError(f"loop.device {name!r}: choose cpu, cuda or auto")
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("loop.device is cuda, and no CUDA device can be used here: use cpu or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
