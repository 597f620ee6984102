"""The recogniser's own part: encoder frames in, recurrent layers, log-probabilities out.

hidden (batch, frames, dimension) float32 and lengths (batch,) → log_probs (batch, rows, tokens), natural logarithms,
and their lengths. `stack` frames are joined to one recurrent step and every step writes `rows` rows, so a step may be
long and double letters still have a blank between them. A ragged batch equals single utterances: backward layers read
every utterance from its own end.
"""

import torch
from torch import Tensor, nn

from .encoder import FACTS, valid
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

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        ahead: Tensor = self.ahead(x)[0]
        if self.back is None:
            return ahead
        return torch.cat([ahead, reverse(self.back(reverse(x, lengths))[0], lengths)], 2)


class Head(nn.Module):
    """Frames of an encoder → log-probabilities; see the module's docstring."""

    def __init__(self, dimension: int, tokens: int, options: NetworkOptions) -> None:
        super().__init__()
        self.stack, self.rows, self.tokens = options.stack, options.rows, tokens
        width = options.units * (2 if options.bidirectional else 1)
        sizes = [dimension * options.stack] + [width] * (options.layers - 1)
        self.layers = nn.ModuleList(
            Recurrent(size, options.units, options.cell, options.bidirectional) for size in sizes
        )
        self.dropout = nn.Dropout(options.dropout)
        self.dense = nn.Linear(width, options.rows * tokens)

    def out_lengths(self, lengths: Tensor) -> Tensor:
        return (lengths + self.stack - 1) // self.stack * self.rows

    def forward(self, hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        batch, frames, dimension = hidden.shape
        # frames beyond an utterance's end are zeroed: the last step of an odd one would see them
        hidden = hidden * valid(lengths, frames)[:, :, None].to(hidden.dtype)
        short = (self.stack - frames % self.stack) % self.stack
        hidden = nn.functional.pad(hidden, (0, 0, 0, short))
        x = hidden.reshape(batch, (frames + short) // self.stack, self.stack * dimension)
        steps = (lengths + self.stack - 1) // self.stack
        for layer in self.layers:
            x = self.dropout(layer(x, steps))
        scores = self.dense(x).reshape(batch, x.shape[1] * self.rows, self.tokens)
        return torch.log_softmax(scores, 2), steps * self.rows


def frame_seconds(options: NetworkOptions) -> float:
    """Seconds from one output row to the next."""
    return FACTS[options.encoder].frame_seconds * options.stack / options.rows
