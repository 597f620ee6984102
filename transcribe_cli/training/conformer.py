"""hama's encoder: one strided convolution, then conformer blocks without positions.

Source: Gulati et al., Conformer (arXiv 2005.08100); the published weights of hama 1.7 (Apache-2.0), whose convolution
is normalised by folded constants, whose activations are SiLU, and whose stem is GELU.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Attention, merged, valid


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


class ConformerEncoder(nn.Module):
    """hama's encoder: (batch, 80, frames) log-mel at 100 frames/s → (batch, ⌈frames / 2⌉, dimension), any length.

    merge: neighbouring frames averaged to one in front of the first block; the filters over frames are shortened alike.
    """

    def __init__(self, dimension: int, layers: int, heads: int, merge: int = 1, bands: int = 80) -> None:
        super().__init__()
        self.merge = merge
        self.conv = nn.Conv1d(bands, dimension, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(
            ConformerBlock(dimension, heads, 4 * dimension, shortened(torch.zeros(1, 1, 31), merge).shape[2])
            for _ in range(layers)
        )
        self.norm = nn.Identity()  # every block ends with its own

    def out_lengths(self, lengths: Tensor) -> Tensor:
        return ((lengths + 1) // 2 + self.merge - 1) // self.merge

    def stem(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the first block reads, and the lengths in output frames."""
        inside = valid(lengths, mel.shape[2])[:, None].to(mel.dtype)
        x = F.gelu(self.conv(mel * inside)).transpose(1, 2)
        return merged(x, (lengths + 1) // 2, self.merge)  # type: ignore[return-value]

    def through(self, x: Tensor, lengths: Tensor, first: int = 0, end: int | None = None) -> list[Tensor]:
        """Outputs of the blocks first…end - 1, given what the first one reads; lengths in output frames."""
        real = valid(lengths, x.shape[1])
        mask, inside = real[:, None, None], real[:, :, None].to(x.dtype)
        outputs = []
        for block in self.blocks[first:end]:
            x = block(x, mask, inside)
            outputs.append(x)
        return outputs

    def layers(self, mel: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Output of every block and the lengths in output frames."""
        x, out_lengths = self.stem(mel, lengths)
        return self.through(x, out_lengths), out_lengths

    def forward(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        outputs, out_lengths = self.layers(mel, lengths)
        return outputs[-1], out_lengths


def shortened(kernel: Tensor, merge: int) -> Tensor:
    """Filters (channels, 1, taps) for frames `merge` times as long: what they do to a signal that is linear between."""
    if merge == 1:
        return kernel
    half = kernel.shape[2] // 2
    taps = math.ceil(half / merge)
    places = torch.arange(-half, half + 1) / merge
    shares = (1 - (places[:, None] - torch.arange(-taps, taps + 1)).abs()).clamp(min=0)
    return kernel @ shares.to(kernel.dtype)
