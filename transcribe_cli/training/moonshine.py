"""Moonshine's encoder: convolutions over samples, transformer blocks with rotary positions.

Source: the published weights and description of Moonshine (MIT, Moonshine AI).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Block, Stack, valid

SHORTEST = 127 + 64 * (7 - 1) + 64 * 3 * (3 - 1)  # samples that one frame is made of


def places(frames: int, rates: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines, (frames, rates) each, by which `blocks.rotate` turns the frames."""
    angles = torch.arange(frames, device=rates.device, dtype=rates.dtype)[:, None] * rates[None]
    return torch.cos(angles), torch.sin(angles)


class MoonshineEncoder(Stack):
    """Moonshine's encoder: (batch, samples) at 16 kHz → (batch, frames, dimension), a frame every 24 ms."""

    def __init__(
        self, dimension: int, layers: int, heads: int, merge: int = 1, before: int = 0, rotary: int = 32,
        theta: float = 10000.0,
    ) -> None:  # fmt: skip
        super().__init__(merge, before)
        self.conv1 = nn.Conv1d(1, dimension, 127, stride=64, bias=False)
        self.group_norm = nn.GroupNorm(1, dimension)
        self.conv2 = nn.Conv1d(dimension, 2 * dimension, 7, stride=3)
        self.conv3 = nn.Conv1d(2 * dimension, dimension, 3, stride=2)
        self.blocks = nn.ModuleList(
            Block(dimension, heads, 4 * dimension, (False, False, False, False), False) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dimension, bias=False)
        rates = 1.0 / theta ** (torch.arange(0, rotary, 2).float() / rotary)
        self.register_buffer("rates", rates, persistent=False)

    def stem_lengths(self, lengths: Tensor) -> Tensor:
        after_first = (lengths - 127) // 64 + 1
        return ((after_first - 7) // 3 + 1 - 3) // 2 + 1

    def stem(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        samples = inputs * valid(lengths, inputs.shape[1]).to(inputs.dtype)
        x = torch.tanh(self.conv1(samples[:, None]))
        # the group normalisation takes its statistics over each utterance's own frames
        inside = valid((lengths - 127) // 64 + 1, x.shape[2])[:, None].to(x.dtype)
        count = inside.sum(2, keepdim=True) * x.shape[1]
        mean = (x * inside).sum((1, 2), keepdim=True) / count
        variance = ((x - mean) ** 2 * inside).sum((1, 2), keepdim=True) / count
        x = (x - mean) / torch.sqrt(variance + self.group_norm.eps)
        return self.after_first(x), self.stem_lengths(lengths)

    def after_first(self, x: Tensor) -> Tensor:
        """(batch, dimension, frames) normalised frames of the first convolution → (batch, frames, dimension)."""
        # scaled with channels last: a graph keeps the names of weights that it uses as they are
        x = (x.transpose(1, 2) * self.group_norm.weight + self.group_norm.bias).transpose(1, 2)
        return F.gelu(self.conv3(F.gelu(self.conv2(x)))).transpose(1, 2)

    def context(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        rates: Tensor = self.rates  # type: ignore[assignment]
        return valid(lengths, x.shape[1])[:, None, None], places(x.shape[1], rates)
