"""What pretrained encoders are built of: masks, merging of frames, attention, transformer blocks and stacks of blocks.

Everything here takes (batch, frames, dimension) float32 and keeps padded frames from touching real ones.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def valid(lengths: Tensor, size: int) -> Tensor:
    """(batch,) lengths → (batch, size) bool, True on real frames."""
    return torch.arange(size, device=lengths.device)[None] < lengths[:, None]


def merged(x: Tensor, lengths: Tensor | None, size: int) -> tuple[Tensor, Tensor | None]:
    """(batch, frames, dimension) → the mean of every `size` neighbours, and the lengths in merged frames.

    The last frame of an utterance is the mean of what is left for it. lengths None: no row is padded.
    Source: Bolya et al., Token Merging (arXiv 2210.09461), with neighbours in time always the ones that are merged.
    """
    if size == 1:
        return x, lengths
    batch, frames, dimension = x.shape
    ones = torch.ones_like(x[:, :, :1])
    inside = ones if lengths is None else ones * valid(lengths, frames)[:, :, None]
    short = (size - frames % size) % size
    n = (frames + short) // size
    sums = F.pad(x * inside, (0, 0, 0, short)).reshape(batch, n, size, dimension).sum(2)
    counts = F.pad(inside, (0, 0, 0, short)).reshape(batch, n, size, 1).sum(2)
    return sums / counts.clamp(min=1), None if lengths is None else (lengths + size - 1) // size


class Stack(nn.Module):
    """An encoder: a stem that turns its input to frames, and blocks; the frames are merged in front of one block.

    merge: neighbouring frames averaged to one; before: the block in front of which that happens.
    """

    blocks: nn.ModuleList
    norm: nn.Module

    def __init__(self, merge: int = 1, before: int = 0) -> None:
        super().__init__()
        self.merge, self.before = merge, before

    def stem(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the first block reads (not merged yet), and the lengths in its frames."""
        raise NotImplementedError

    def stem_lengths(self, lengths: Tensor) -> Tensor:
        """Lengths of inputs → in frames of the stem."""
        raise NotImplementedError

    def context(self, x: Tensor, lengths: Tensor) -> tuple[Any, ...]:
        """What every block is given beside its frames: masks and the like."""
        raise NotImplementedError

    def out_lengths(self, lengths: Tensor) -> Tensor:
        """Lengths of inputs → in output frames."""
        return (self.stem_lengths(lengths) + self.merge - 1) // self.merge

    def through(
        self, x: Tensor, lengths: Tensor, first: int = 0, end: int | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Outputs of the blocks first…end - 1, given what the first one reads, and the lengths in the last's frames."""
        outputs, context = [], self.context(x, lengths)
        for i, block in list(enumerate(self.blocks))[first:end]:
            if i == self.before and self.merge > 1:
                x, lengths = merged(x, lengths, self.merge)  # type: ignore[assignment]
                context = self.context(x, lengths)
            x = block(x, *context)
            outputs.append(x)
        return outputs, lengths

    def layers(self, inputs: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Output of every block (not yet normalised) and the lengths in output frames."""
        return self.through(*self.stem(inputs, lengths))

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        outputs, out_lengths = self.layers(inputs, lengths)
        return self.norm(outputs[-1]), out_lengths


class Attention(nn.Module):
    """Multi-head self-attention over all valid frames; `rotate` is applied to queries and keys where given."""

    def __init__(self, dimension: int, heads: int, biases: tuple[bool, bool, bool, bool]) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(dimension, dimension, bias=bias) for bias in biases)

    def forward(self, x: Tensor, mask: Tensor | None, rotary: tuple[Tensor, Tensor] | None) -> Tensor:
        batch, frames, dimension = x.shape
        q, k, v = (
            projection(x).view(batch, frames, self.heads, dimension // self.heads).transpose(1, 2)
            for projection in (self.query, self.key, self.value)
        )
        if rotary is not None:
            q, k = rotate(q, *rotary), rotate(k, *rotary)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, frames, dimension))
        return out


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary positions on the first 2 × cosine.shape[-1] channels, neighbouring channels as pairs."""
    turned, kept = x[..., : 2 * cosine.shape[-1]], x[..., 2 * cosine.shape[-1] :]
    even, odd = turned[..., 0::2], turned[..., 1::2]
    pairs = torch.stack([even * cosine - odd * sine, odd * cosine + even * sine], -1)
    return torch.cat([pairs.flatten(-2), kept], -1)


class Block(nn.Module):
    """Pre-norm transformer block: attention, then a GELU feed-forward."""

    def __init__(
        self, dimension: int, heads: int, hidden: int, biases: tuple[bool, bool, bool, bool], norm_bias: bool
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dimension, bias=norm_bias)
        self.attention = Attention(dimension, heads, biases)
        self.feed_norm = nn.LayerNorm(dimension, bias=norm_bias)
        self.feed_in, self.feed_out = nn.Linear(dimension, hidden), nn.Linear(hidden, dimension)

    def forward(self, x: Tensor, mask: Tensor | None, rotary: tuple[Tensor, Tensor] | None = None) -> Tensor:
        x = x + self.attention(self.attention_norm(x), mask, rotary)
        out: Tensor = x + self.feed_out(F.gelu(self.feed_in(self.feed_norm(x))))
        return out
