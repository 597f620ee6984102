"""Whisper's encoder: convolutions over log-mel frames, fixed positions, transformer blocks.

Source: the published weights and description of Whisper (MIT, OpenAI).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Block, Stack, valid


class WhisperEncoder(Stack):
    """Whisper's encoder: (batch, 80, frames ≤ 3000) log-mel at 100 frames/s → (batch, ⌈frames / 2⌉, dimension)."""

    def __init__(
        self, dimension: int, layers: int, heads: int, merge: int = 1, before: int = 0, bands: int = 80,
        positions: int = 1500,
    ) -> None:  # fmt: skip
        super().__init__(merge, before)
        self.conv1 = nn.Conv1d(bands, dimension, 3, padding=1)
        self.conv2 = nn.Conv1d(dimension, dimension, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(
            Block(dimension, heads, 4 * dimension, (True, False, True, True), True) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dimension)
        self.register_buffer("positions", sinusoids(positions, dimension), persistent=False)

    def stem_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths + 1) // 2

    def stem(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        # a zero-padded utterance must look to each convolution like a single one, so the padding is zeroed between them
        inside = valid(lengths, inputs.shape[2])[:, None].to(inputs.dtype)
        x = F.gelu(self.conv1(inputs * inside)) * inside
        x = F.gelu(self.conv2(x)).transpose(1, 2)
        positions: Tensor = self.positions  # type: ignore[assignment]
        return x + positions[: x.shape[1]], self.stem_lengths(lengths)

    def context(self, x: Tensor, lengths: Tensor) -> tuple[Tensor]:
        return (valid(lengths, x.shape[1])[:, None, None],)


def sinusoids(length: int, channels: int) -> Tensor:
    """Whisper's fixed positions: (length, channels) float32, sines then cosines."""
    rates = np.exp(-np.log(10000.0) / (channels // 2 - 1) * np.arange(channels // 2))
    angles = np.arange(length)[:, None] * rates[None]
    return torch.from_numpy(np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32))
