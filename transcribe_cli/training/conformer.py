"""hama's encoder: one strided convolution, then conformer blocks without positions.

Source: Gulati et al., Conformer (arXiv 2005.08100); the published weights of hama 1.7 (Apache-2.0), whose convolution
is normalised by folded constants, whose activations are SiLU, and whose stem is GELU.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Attention, Stack, valid

KERNEL = 31  # frames of 20 ms that a filter over time sees


class FeedForward(nn.Module):
    """Pre-norm feed-forward with SiLU."""

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimension)
        self.feed_in, self.feed_out = nn.Linear(dimension, hidden), nn.Linear(hidden, dimension)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.feed_out(F.silu(self.feed_in(self.norm(x))))
        return out


class Convolution(nn.Module):
    """Gated linear unit, one filter a channel over neighbouring frames, SiLU."""

    def __init__(self, dimension: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimension)
        self.gate = nn.Linear(dimension, 2 * dimension)
        self.depthwise = nn.Conv1d(dimension, dimension, kernel, padding=kernel // 2, groups=dimension)
        self.mix = nn.Linear(dimension, dimension)

    def forward(self, x: Tensor, inside: Tensor | None) -> Tensor:
        """inside: (batch, frames, 1), 1 on real frames; None: no row is padded."""
        x = F.glu(self.gate(self.norm(x)), 2)
        if inside is not None:
            x = x * inside
        out: Tensor = self.mix(F.silu(self.depthwise(x.transpose(1, 2)).transpose(1, 2)))
        return out


class ConformerBlock(nn.Module):
    """Half a feed-forward, attention, convolution, half a feed-forward, normalisation."""

    def __init__(self, dimension: int, heads: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.feed_first, self.feed_last = FeedForward(dimension, hidden), FeedForward(dimension, hidden)
        self.attention_norm = nn.LayerNorm(dimension)
        self.attention = Attention(dimension, heads, (True, True, True, True))
        self.convolution = Convolution(dimension, kernel)
        self.norm = nn.LayerNorm(dimension)

    def forward(self, x: Tensor, mask: Tensor | None, inside: Tensor | None) -> Tensor:
        x = x + 0.5 * self.feed_first(x)
        x = x + self.attention(self.attention_norm(x), mask, None)
        x = x + self.convolution(x, inside)
        out: Tensor = self.norm(x + 0.5 * self.feed_last(x))
        return out


class ConformerEncoder(Stack):
    """hama's encoder: (batch, 80, frames) log-mel at 100 frames/s → (batch, ⌈frames / 2⌉, dimension), any length.

    Where frames are merged, the filters over them are shortened alike.
    """

    def __init__(
        self, dimension: int, layers: int, heads: int, merge: int = 1, before: int = 0, bands: int = 80
    ) -> None:
        super().__init__(merge, before)
        self.conv = nn.Conv1d(bands, dimension, 3, stride=2, padding=1)
        taps = [shortened(torch.zeros(1, 1, KERNEL), self.merged_by(i)).shape[2] for i in range(layers)]
        self.blocks = nn.ModuleList(ConformerBlock(dimension, heads, 4 * dimension, kernel) for kernel in taps)
        self.norm = nn.Identity()  # every block ends with its own

    def merged_by(self, block: int) -> int:
        """How many frames of the stem a block's frame is the mean of."""
        return self.merge if block >= self.before else 1

    def stem_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths + 1) // 2

    def stem(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        inside = valid(lengths, inputs.shape[2])[:, None].to(inputs.dtype)
        return F.gelu(self.conv(inputs * inside)).transpose(1, 2), self.stem_lengths(lengths)

    def context(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        real = valid(lengths, x.shape[1])
        return real[:, None, None], real[:, :, None].to(x.dtype)

    def adapted(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of the encoder without merging → of this one."""
        blocks = {f"blocks.{i}.convolution.depthwise.weight": self.merged_by(i) for i in range(len(self.blocks))}
        return {name: shortened(value, blocks.get(name, 1)) for name, value in state.items()}


def shortened(kernel: Tensor, merge: int) -> Tensor:
    """Filters (channels, 1, taps) for frames `merge` times as long: what they do to a signal that is linear between."""
    if merge == 1:
        return kernel
    half = kernel.shape[2] // 2
    taps = math.ceil(half / merge)
    places = torch.arange(-half, half + 1) / merge
    shares = (1 - (places[:, None] - torch.arange(-taps, taps + 1)).abs()).clamp(min=0)
    return kernel @ shares.to(kernel.dtype)
