"""The recogniser's own part: encoder frames in, recurrent layers, log-probabilities out.

hidden (batch, frames, dimension) float32 and lengths (batch,) → log_probs (batch, rows, tokens), natural logarithms,
and their lengths. `stack` frames are joined to one recurrent step and every step writes `rows` rows, so a step may be
long and double letters still have a blank between them. A ragged batch equals single utterances: backward layers read
every utterance from its own end.
"""

from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import TrainingError
from .blocks import valid
from .encoder import FACTS, Encoder, EncoderFacts, build, load
from .options import NetworkOptions


def reverse(x: Tensor, lengths: Tensor) -> Tensor:
    """(batch, steps, size), each sequence turned round within its length, padding left behind it."""
    steps = torch.arange(x.shape[1], device=x.device)[None]
    turned = lengths[:, None] - 1 - steps
    index = torch.where(turned >= 0, turned, steps)
    return x.gather(1, index[:, :, None].expand(-1, -1, x.shape[2]))


class Recurrent(nn.Module):
    """One recurrent layer, forward and where asked backward, outputs side by side."""

    def __init__(self, inputs: int, units: int, cell: str, bidirectional: bool) -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.ahead = kind(inputs, units, batch_first=True)
        # two one-way layers in place of a bidirectional one: on padded batches they run in the fast path, which a
        # packed sequence does not (half the time on a CPU)
        self.back = kind(inputs, units, batch_first=True) if bidirectional else None

    @torch.no_grad()
    def silence(self) -> None:
        """Weights with which the output is nothing, and learns: the cell's new content, the third gate, is 0."""
        for way in (self.ahead, self.back):
            for parameter in way.parameters() if way is not None else ():
                size = len(parameter) // (4 if isinstance(way, nn.LSTM) else 3)
                parameter[2 * size : 3 * size] = 0

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        ahead: Tensor = self.ahead(x)[0]
        if self.back is None:
            return ahead
        return torch.cat([ahead, reverse(self.back(reverse(x, lengths))[0], lengths)], 2)


class ConvEncoder(nn.Module):
    """Strided convolutions with normalisation: (batch, bands, frames) → (batch, ⌈frames / strides⌉, width)."""

    def __init__(self, bands: int, width: int, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.strides = strides
        sizes = [bands] + [width] * (len(strides) - 1)
        # a kernel of 2 × stride + 1 sees every frame at least twice
        self.convs = nn.ModuleList(
            nn.Conv1d(size, width, 2 * stride + 1, stride, stride) for size, stride in zip(sizes, strides, strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in strides)

    def out_lengths(self, lengths: Tensor) -> Tensor:
        for stride in self.strides:
            lengths = (lengths + stride - 1) // stride
        return lengths

    def forward(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = mel
        for conv, norm, stride in zip(self.convs, self.norms, self.strides, strict=True):
            x = conv(x * valid(lengths, x.shape[2])[:, None].to(x.dtype))
            lengths = (lengths + stride - 1) // stride
            x = F.gelu(norm(x.transpose(1, 2))).transpose(1, 2)
        return x.transpose(1, 2), lengths


class Head(nn.Module):
    """Frames of an encoder → log-probabilities; see the module's docstring.

    auxiliary_tokens: size of an auxiliary alphabet, read from one of the layers; 0 for none.
    """

    def __init__(self, dimension: int, tokens: int, options: NetworkOptions, auxiliary_tokens: int = 0) -> None:
        super().__init__()
        self.stack, self.rows, self.tokens = options.stack, options.rows, tokens
        self.norm = nn.LayerNorm(dimension) if options.norm else None
        width = options.units * (2 if options.bidirectional else 1)
        sizes = [dimension * options.stack] + [width] * (options.layers - 1)
        if options.residual == 1:
            raise TrainingError("network.residual 1: the first layer's input is of another width; begin at 2")
        layers = [Recurrent(size, options.units, options.cell, options.bidirectional) for size in sizes]
        self.plain = options.residual - 1 if options.residual else options.layers  # layers that do not add
        for layer in layers[self.plain :]:
            layer.silence()
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(options.dropout)
        self.dense = nn.Linear(width, options.rows * tokens)
        self.auxiliary_layer = options.auxiliary_layer if auxiliary_tokens else 0
        self.auxiliary = nn.Linear(width, options.rows * auxiliary_tokens) if self.auxiliary_layer else None

    def out_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths + self.stack - 1) // self.stack * self.rows

    def both(self, hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """log_probs, the auxiliary head's or None, and their lengths."""
        batch, frames, dimension = hidden.shape
        if self.norm is not None:
            hidden = self.norm(hidden)
        # frames beyond an utterance's end are zeroed: the last step of an odd one would see them
        hidden = hidden * valid(lengths, frames)[:, :, None].to(hidden.dtype)
        short = (self.stack - frames % self.stack) % self.stack
        hidden = F.pad(hidden, (0, 0, 0, short))
        x = hidden.reshape(batch, (frames + short) // self.stack, self.stack * dimension)
        steps = (lengths + self.stack - 1) // self.stack
        middle = None
        for i, layer in enumerate(self.layers):
            y = self.dropout(layer(x, steps))
            x = y if i < self.plain else x + y
            if self.auxiliary is not None and i + 1 == self.auxiliary_layer:
                middle = self._rows(self.auxiliary(x))
        return self._rows(self.dense(x)), middle, steps * self.rows

    def _rows(self, scores: Tensor) -> Tensor:
        batch, steps, width = scores.shape
        return torch.log_softmax(scores.reshape(batch, steps * self.rows, width // self.rows).float(), 2)

    def forward(self, hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities, those of an auxiliary head beside them in the same rows, and their lengths."""
        log_probs, middle, rows = self.both(hidden, lengths)
        return log_probs if middle is None else torch.cat([log_probs, middle], 2), rows


class Recogniser(nn.Module):
    """Encoder and head as one, as it is exported: (batch, 80, frames) log-mel, or samples, and lengths → log_probs.

    over_cache: the inputs are what the first block that is trained reads, (batch, frames, dimension), as a cache of
    the frozen blocks below it holds them.
    """

    def __init__(
        self, encoder: Encoder | ConvEncoder, head: Head, options: NetworkOptions, over_cache: bool = False
    ) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head
        self.lowest, self.over_cache = options.frozen_blocks, over_cache
        self.frozen = not isinstance(encoder, ConvEncoder) and options.encoder_rate == 0
        blocks = 0 if isinstance(encoder, ConvEncoder) else len(encoder.blocks)
        self.mixture = nn.Parameter(torch.zeros(blocks)) if options.mixture and blocks else None
        if self.frozen:
            encoder.requires_grad_(False)
        elif self.lowest and not isinstance(encoder, ConvEncoder):
            encoder.requires_grad_(False)
            encoder.blocks[self.lowest :].requires_grad_(True)
            encoder.norm.requires_grad_(True)

    def encode(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden frames and their lengths."""
        if isinstance(self.encoder, ConvEncoder):
            return self.encoder(inputs, lengths)  # type: ignore[no-any-return]
        if self.over_cache:
            outputs, frames = self.encoder.through(inputs, lengths, self.lowest)
        elif self.lowest:
            with torch.no_grad():
                x, frames = self.encoder.stem(inputs, lengths)
                below, frames = self.encoder.through(x, frames, 0, self.lowest)
            outputs, frames = self.encoder.through(below[-1], frames, self.lowest)
        else:
            outputs, frames = self.encoder.layers(inputs, lengths)
        if self.mixture is None:
            return self.encoder.norm(outputs[-1]), frames
        weights = torch.softmax(self.mixture, 0)
        return torch.stack([self.encoder.norm(x) * w for x, w in zip(outputs, weights, strict=True)]).sum(0), frames

    def both(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """log_probs, the auxiliary head's or None, and their lengths."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not (self.frozen and self.mixture is None)):
            hidden, frames = self.encode(inputs, lengths)
        return self.head.both(hidden, frames)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """As `Head`."""
        log_probs, middle, rows = self.both(inputs, lengths)
        return log_probs if middle is None else torch.cat([log_probs, middle], 2), rows


def facts(options: NetworkOptions) -> EncoderFacts:
    """What an encoder, pretrained or convolutional, gives out.

    Raises TrainingError on an unknown name, or on options that name blocks the encoder has not or exclude each other.
    """
    if options.encoder == "conv":
        seconds = 0.01
        for stride in options.conv_strides:
            seconds *= stride
        return EncoderFacts(options.conv_width, len(options.conv_strides), 0, seconds, "mel", None, "ours", ConvEncoder)
    if options.encoder not in FACTS:
        raise TrainingError(f"unknown encoder {options.encoder!r}: choose one of {', '.join(FACTS)}, conv")
    found = FACTS[options.encoder]
    blocks = options.encoder_layers or found.layers
    if blocks > found.layers:
        raise TrainingError(f"network.encoder_layers {blocks}: {options.encoder} has {found.layers}")
    if options.merge > 1 and options.merge_before >= (1 if options.mixture else blocks):
        raise TrainingError(
            f"network.merge_before {options.merge_before}: there are blocks 0 to {blocks - 1}, "
            "and with network.mixture it must be 0"
        )
    if options.frozen_blocks and (options.mixture or not options.frozen_blocks < blocks):
        raise TrainingError(
            f"network.frozen_blocks {options.frozen_blocks}: leave at least one of {blocks} blocks to be trained, "
            "and network.mixture off"
        )
    return replace(found, frame_seconds=found.frame_seconds * options.merge)


def untrained(options: NetworkOptions, tokens: int, auxiliary_tokens: int = 0, over_cache: bool = False) -> Recogniser:
    """The whole network with random weights. Raises TrainingError as `facts` does."""
    head = Head(facts(options).dimension, tokens, options, auxiliary_tokens)
    if options.encoder == "conv":
        return Recogniser(ConvEncoder(80, options.conv_width, options.conv_strides), head, options)
    encoder = build(options.encoder, options.merge, options.merge_before)
    if options.encoder_layers:
        encoder.blocks = encoder.blocks[: options.encoder_layers]
    return Recogniser(encoder, head, options, over_cache)


def pretrained(options: NetworkOptions, blocks: int = 0) -> Encoder:
    """The encoder with the weights of its file; blocks: how many of them, 0 as the options say.

    Raises TrainingError when the file is missing or holds other weights.
    """
    path, blocks = Path(options.encoder_file), blocks or options.encoder_layers
    return load(options.encoder, path, blocks, options.merge, options.merge_before)


def frame_seconds(options: NetworkOptions) -> float:
    """Seconds from one output row to the next."""
    return facts(options).frame_seconds * options.stack / options.rows
