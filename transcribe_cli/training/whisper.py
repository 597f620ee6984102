"""Whisper's encoder: convolutions over log-mel frames, fixed positions, transformer blocks.

Source: the published weights and description of Whisper (MIT, OpenAI).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Block, merged, valid


class WhisperEncoder(nn.Module):
    """Whisper's encoder: (batch, 80, frames ≤ 3000) log-mel at 100 frames/s → (batch, ⌈frames / 2⌉, dimension).

    merge: neighbouring frames averaged to one in front of the first block.
    """

    def __init__(
        self, dimension: int, layers: int, heads: int, merge: int = 1, bands: int = 80, positions: int = 1500
    ) -> None:
        super().__init__()
        self.merge = merge
        self.conv1 = nn.Conv1d(bands, dimension, 3, padding=1)
        self.conv2 = nn.Conv1d(dimension, dimension, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(
            Block(dimension, heads, 4 * dimension, (True, False, True, True), True) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dimension)
        self.register_buffer("positions", sinusoids(positions, dimension), persistent=False)

    def out_lengths(self, lengths: Tensor) -> Tensor:
        return ((lengths + 1) // 2 + self.merge - 1) // self.merge

    def stem(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the first block reads, and the lengths in output frames."""
        # a zero-padded utterance must look to each convolution like a single one, so the padding is zeroed between them
        inside = valid(lengths, mel.shape[2])[:, None].to(mel.dtype)
        x = F.gelu(self.conv1(mel * inside)) * inside
        x = F.gelu(self.conv2(x)).transpose(1, 2)
        positions: Tensor = self.positions  # type: ignore[assignment]
        return merged(x + positions[: x.shape[1]], (lengths + 1) // 2, self.merge)  # type: ignore[return-value]

    def through(self, x: Tensor, lengths: Tensor, first: int = 0, end: int | None = None) -> list[Tensor]:
        """Outputs of the blocks first…end - 1, given what the first one reads; lengths in output frames."""
        mask = valid(lengths, x.shape[1])[:, None, None]
        outputs = []
        for block in self.blocks[first:end]:
            x = block(x, mask)
            outputs.append(x)
        return outputs

    def layers(self, mel: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Output of every block (not yet normalised) and the lengths in output frames."""
        x, out_lengths = self.stem(mel, lengths)
        return self.through(x, out_lengths), out_lengths

    def forward(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        outputs, out_lengths = self.layers(mel, lengths)
        return self.norm(outputs[-1]), out_lengths


def sinusoids(length: int, channels: int) -> Tensor:
    """Whisper's fixed positions: (length, channels) float32, sines then cosines."""
    rates = np.exp(-np.log(10000.0) / (channels // 2 - 1) * np.arange(channels // 2))
    angles = np.arange(length)[:, None] * rates[None]
    return torch.from_numpy(np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32))
