"""Pretrained speech encoders rebuilt in PyTorch: log-mel frames or samples in, hidden frames out.

`load(name, path)` reads a `.npz` of float arrays (see `extract.py`) into the module of that name. Every encoder takes
(input, lengths) and gives (hidden, lengths): hidden (batch, frames, dimension) float32. A padded batch with its lengths
equals the single utterances: padding is masked in every convolution, statistic and attention.
Source: the published weights and descriptions of Whisper (MIT, OpenAI) and Moonshine (MIT, Moonshine AI).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import TrainingError


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """What the rest of the training needs to know of an encoder."""

    dimension: int
    layers: int
    heads: int
    frame_seconds: float
    input: str  # "mel" or "samples"
    max_seconds: float | None
    licence: str


FACTS = {
    "whisper-tiny.en": EncoderFacts(384, 4, 6, 0.02, "mel", 30.0, "MIT, OpenAI"),
    "whisper-base": EncoderFacts(512, 6, 8, 0.02, "mel", 30.0, "MIT, OpenAI"),
    "moonshine-tiny": EncoderFacts(288, 6, 8, 384 / 16000, "samples", None, "MIT, Moonshine AI"),
}


def valid(lengths: Tensor, size: int) -> Tensor:
    """(batch,) lengths → (batch, size) bool, True on real frames."""
    return torch.arange(size, device=lengths.device)[None] < lengths[:, None]


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


class WhisperEncoder(nn.Module):
    """Whisper's encoder: (batch, 80, frames ≤ 3000) log-mel at 100 frames/s → (batch, ⌈frames / 2⌉, dimension)."""

    def __init__(self, dimension: int, layers: int, heads: int, bands: int = 80, positions: int = 1500) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(bands, dimension, 3, padding=1)
        self.conv2 = nn.Conv1d(dimension, dimension, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(
            Block(dimension, heads, 4 * dimension, (True, False, True, True), True) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dimension)
        self.register_buffer("positions", sinusoids(positions, dimension), persistent=False)

    def out_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths + 1) // 2

    def stem(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the first block reads, and the lengths in output frames."""
        # a zero-padded utterance must look to each convolution like a single one, so the padding is zeroed between them
        inside = valid(lengths, mel.shape[2])[:, None].to(mel.dtype)
        x = F.gelu(self.conv1(mel * inside)) * inside
        x = F.gelu(self.conv2(x)).transpose(1, 2)
        positions: Tensor = self.positions  # type: ignore[assignment]
        return x + positions[: x.shape[1]], self.out_lengths(lengths)

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


class MoonshineEncoder(nn.Module):
    """Moonshine's encoder: (batch, samples) at 16 kHz → (batch, frames, dimension), a frame every 24 ms."""

    def __init__(self, dimension: int, layers: int, heads: int, rotary: int = 32, theta: float = 10000.0) -> None:
        super().__init__()
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
        return x, self.out_lengths(lengths)

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


Encoder = WhisperEncoder | MoonshineEncoder

# names in the extracted files → names here
_RENAMED = {
    "pos": "positions",
    "ln_post": "norm",
    "groupnorm": "group_norm",
    "attn_ln": "attention_norm",
    "mlp_ln": "feed_norm",
    "fc1": "feed_in",
    "fc2": "feed_out",
    "query": "attention.query",
    "key": "attention.key",
    "value": "attention.value",
    "out": "attention.out",
}


def build(name: str) -> Encoder:
    """An encoder of that architecture with random weights. Raises TrainingError on an unknown name."""
    if name not in FACTS:
        raise TrainingError(f"unknown encoder {name!r}: choose one of {', '.join(FACTS)}, or conv")
    facts = FACTS[name]
    kind = WhisperEncoder if facts.input == "mel" else MoonshineEncoder
    return kind(facts.dimension, facts.layers, facts.heads)


def load(name: str, path: Path, layers: int = 0) -> Encoder:
    """The encoder with its pretrained weights, in evaluation mode; layers: blocks to keep, 0 for all.

    Raises TrainingError when the file is missing or holds other weights.
    """
    encoder = build(name)
    try:
        with np.load(path) as arrays:
            state = {
                ".".join(_RENAMED.get(part, part) for part in key.split(".")): torch.from_numpy(
                    arrays[key].astype(np.float32)
                )
                for key in arrays.files
                if not key.startswith("_")
            }
        encoder.load_state_dict(state, strict=True)
    except FileNotFoundError as error:
        raise TrainingError(
            f"{path}: no such encoder file; make it with: python -m transcribe_cli.training.extract {name} --out {path}"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{path} does not hold the weights of {name}: {str(error).splitlines()[0]}") from error
    if layers:
        encoder.blocks = encoder.blocks[:layers]
    return encoder.eval()
