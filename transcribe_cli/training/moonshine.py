"""Moonshine's encoder: convolutions over samples, transformer blocks with rotary positions.

Source: the published weights and description of Moonshine (MIT, Moonshine AI).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Block, merged, valid


class MoonshineEncoder(nn.Module):
    """Moonshine's encoder: (batch, samples) at 16 kHz → (batch, frames, dimension), a frame every 24 ms.

    merge: neighbouring frames averaged to one in front of the first block.
    """

    def __init__(
        self, dimension: int, layers: int, heads: int, merge: int = 1, rotary: int = 32, theta: float = 10000.0
    ) -> None:
        super().__init__()
        self.merge = merge
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

    def out_lengths(self, lengths: Tensor) -> Tensor:
        return (self.conv_lengths(lengths) + self.merge - 1) // self.merge

    def conv_lengths(self, lengths: Tensor) -> Tensor:
        """Frames that the convolutions put out."""
        after_first = (lengths - 127) // 64 + 1
        return ((after_first - 7) // 3 + 1 - 3) // 2 + 1

    def stem(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the first block reads, and the lengths in output frames."""
        samples = samples * valid(lengths, samples.shape[1]).to(samples.dtype)
        x = torch.tanh(self.conv1(samples[:, None]))
        # the group normalisation takes its statistics over each utterance's own frames
        inside = valid((lengths - 127) // 64 + 1, x.shape[2])[:, None].to(x.dtype)
        count = inside.sum(2, keepdim=True) * x.shape[1]
        mean = (x * inside).sum((1, 2), keepdim=True) / count
        variance = ((x - mean) ** 2 * inside).sum((1, 2), keepdim=True) / count
        x = (x - mean) / torch.sqrt(variance + self.group_norm.eps)
        x = x * self.group_norm.weight[None, :, None] + self.group_norm.bias[None, :, None]
        x = F.gelu(self.conv3(F.gelu(self.conv2(x)))).transpose(1, 2)
        return merged(x, self.conv_lengths(lengths), self.merge)  # type: ignore[return-value]

    def through(self, x: Tensor, lengths: Tensor, first: int = 0, end: int | None = None) -> list[Tensor]:
        """Outputs of the blocks first…end - 1, given what the first one reads; lengths in output frames."""
        rates: Tensor = self.rates  # type: ignore[assignment]
        angles = torch.arange(x.shape[1], device=x.device, dtype=rates.dtype)[:, None] * rates[None]
        mask = valid(lengths, x.shape[1])[:, None, None]
        outputs = []
        for block in self.blocks[first:end]:
            x = block(x, mask, (torch.cos(angles), torch.sin(angles)))
            outputs.append(x)
        return outputs

    def layers(self, samples: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Output of every block (not yet normalised) and the lengths in output frames."""
        x, out_lengths = self.stem(samples, lengths)
        return self.through(x, out_lengths), out_lengths

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        outputs, out_lengths = self.layers(samples, lengths)
        return self.norm(outputs[-1]), out_lengths
