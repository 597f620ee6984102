"""The network as it is exported: what PyTorch computes, in operators that ONNX Runtime is quick at.

`Masked` takes (input, lengths) and runs ragged batches. `Alone` takes the input by itself: every row of a batch is as
long as the others, as on a CPU, where each window runs alone. It has no mask to compute (a sixth of the time at 15 s),
reads both directions of a recurrent layer in one operator, and attends in ONNX Runtime's own fused operator, which
never writes the (frames, frames) scores to memory. Convolutions are matrix products, which can be int8.
"""

from collections.abc import Iterable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Attention, Block, Stack, merged, rotate
from .conformer import ConformerBlock, ConformerEncoder
from .moonshine import SHORTEST, MoonshineEncoder, places
from .network import ConvEncoder, Head, Recogniser, Recurrent
from .whisper import WhisperEncoder


class Masked(nn.Module):
    """(input, lengths) → log_probs, as the network itself computes them, a second head's beside the first one's."""

    def __init__(self, network: Recogniser) -> None:
        super().__init__()
        self.encoder, self.head, self.mixture = network.encoder, network.head, network.mixture
        self.network = [network]  # in a list, so that its parameters are not found twice
        self.fused = False  # whether operators of ONNX Runtime's own domain are used

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        hidden, frames = self.network[0].encode(inputs, lengths)
        log_probs: Tensor = self.head(hidden, frames)[0]
        return log_probs


class Alone(nn.Module):
    """input → log_probs of a batch without padding; the parameters keep the network's names."""

    def __init__(self, network: Recogniser) -> None:
        super().__init__()
        self.encoder, self.head, self.mixture = _encoder(network.encoder), HeadAlone(network.head), network.mixture
        self.fused = not isinstance(self.encoder, ConvAlone)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.encoder(inputs)
        if self.mixture is None:
            hidden = outputs[-1]
        else:
            weights = torch.softmax(self.mixture, 0)
            hidden = torch.stack([x * w for x, w in zip(outputs, weights, strict=True)]).sum(0)
        log_probs: Tensor = self.head(hidden)
        return log_probs


class _FusedAttention(torch.autograd.Function):
    """softmax(q kᵀ / √d) v over heads that lie side by side; in the graph one operator of ONNX Runtime."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        batch, frames, dimension = q.shape
        q, k, v = (x.view(batch, frames, heads, dimension // heads).transpose(1, 2) for x in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v)
        return mixed.transpose(1, 2).reshape(batch, frames, dimension)

    @staticmethod
    def symbolic(g: Any, q: Any, k: Any, v: Any, heads: int) -> Any:
        out = g.op("com.microsoft::MultiHeadAttention", q, k, v, num_heads_i=heads)
        out.setType(q.type())
        return out


class AttentionAlone(nn.Module):
    """`encoder.Attention` without a mask; rates: of rotary positions, where it has them."""

    def __init__(self, attention: Attention, rates: Tensor | None = None) -> None:
        super().__init__()
        self.heads = attention.heads
        self.query, self.key, self.value, self.out = attention.query, attention.key, attention.value, attention.out
        self.register_buffer("rates", rates, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k = self.query(x), self.key(x)
        if self.rates is not None:
            rotary = places(x.shape[1], cast(Tensor, self.rates))
            q, k = self._turned(q, *rotary), self._turned(k, *rotary)
        mixed: Tensor = _FusedAttention.apply(q, k, self.value(x), self.heads)
        out: Tensor = self.out(mixed)
        return out

    def _turned(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """(batch, frames, dimension) queries or keys, turned by their place."""
        batch, frames, dimension = x.shape
        heads = x.view(batch, frames, self.heads, dimension // self.heads).transpose(1, 2)
        return rotate(heads, cosine, sine).transpose(1, 2).reshape(batch, frames, dimension)


class BlockAlone(nn.Module):
    """`encoder.Block` without a mask."""

    def __init__(self, block: Block, rates: Tensor | None = None) -> None:
        super().__init__()
        self.attention_norm, self.attention = block.attention_norm, AttentionAlone(block.attention, rates)
        self.feed_norm, self.feed_in, self.feed_out = block.feed_norm, block.feed_in, block.feed_out

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        out: Tensor = x + self.feed_out(F.gelu(self.feed_in(self.feed_norm(x))))
        return out


class ConvAsMatrix(nn.Linear):
    """A convolution over three frames as one matrix product, which can be int8: (batch, frames, in) → (…, out)."""

    def __init__(self, conv: nn.Conv1d) -> None:
        if conv.kernel_size != (3,) or conv.padding != (1,):
            raise TypeError(f"{conv} is no convolution over three frames with one of padding")
        super().__init__(3 * conv.in_channels, conv.out_channels)
        self.stride = conv.stride[0]
        weight = conv.weight.detach().permute(0, 2, 1).reshape(conv.out_channels, -1)
        self.load_state_dict({"weight": weight, "bias": conv.bias.detach()})  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        frames = x.shape[1]
        padded = F.pad(x, (0, 0, 1, 1))
        return super().forward(torch.cat([padded[:, i : i + frames : self.stride] for i in range(3)], 2))


class StackAlone(nn.Module):
    """`blocks.Stack` without lengths."""

    def __init__(self, encoder: Stack, blocks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.merge, self.before = encoder.merge, encoder.before
        self.blocks, self.norm = nn.ModuleList(blocks), encoder.norm

    def through(self, x: Tensor) -> list[Tensor]:
        """The normalised outputs of all blocks."""
        outputs = []
        for i, block in enumerate(self.blocks):
            x = block(merged(x, None, self.merge)[0] if i == self.before else x)
            outputs.append(self.norm(x))
        return outputs


class WhisperAlone(StackAlone):
    """`whisper.WhisperEncoder`: the normalised outputs of its blocks."""

    def __init__(self, encoder: WhisperEncoder) -> None:
        super().__init__(encoder, (BlockAlone(cast(Block, block)) for block in encoder.blocks))
        self.conv1, self.conv2 = ConvAsMatrix(encoder.conv1), ConvAsMatrix(encoder.conv2)
        self.register_buffer("positions", cast(Tensor, encoder.positions), persistent=False)

    def forward(self, mel: Tensor) -> list[Tensor]:
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel.transpose(1, 2)))))
        positions: Tensor = self.positions  # type: ignore[assignment]
        return self.through(x + positions[: x.shape[1]])


class MoonshineAlone(StackAlone):
    """`moonshine.MoonshineEncoder`, (batch, samples): the normalised outputs of its blocks."""

    def __init__(self, encoder: MoonshineEncoder) -> None:
        rates = cast(Tensor, encoder.rates)
        super().__init__(encoder, (BlockAlone(cast(Block, block), rates) for block in encoder.blocks))
        self.conv1, self.conv2, self.conv3 = encoder.conv1, encoder.conv2, encoder.conv3
        self.group_norm, self.after_first = encoder.group_norm, encoder.after_first

    def forward(self, samples: Tensor) -> list[Tensor]:
        # a window too short for one frame is filled up, so that it gives one
        wanting = torch.clamp(torch.as_tensor(SHORTEST - samples.shape[1]), min=0)
        x = torch.tanh(self.conv1(F.pad(samples, (0, wanting))[:, None]))  # type: ignore[arg-type]
        mean = x.mean((1, 2), keepdim=True)
        variance = ((x - mean) ** 2).mean((1, 2), keepdim=True)
        return self.through(self.after_first((x - mean) / torch.sqrt(variance + self.group_norm.eps)))


class ConformerBlockAlone(nn.Module):
    """`conformer.ConformerBlock` without a mask."""

    def __init__(self, block: ConformerBlock) -> None:
        super().__init__()
        self.feed_first, self.feed_last = block.feed_first, block.feed_last
        self.attention_norm, self.attention = block.attention_norm, AttentionAlone(block.attention)
        self.convolution, self.norm = block.convolution, block.norm

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0.5 * self.feed_first(x)
        x = x + self.attention(self.attention_norm(x))
        x = x + self.convolution(x, None)
        out: Tensor = self.norm(x + 0.5 * self.feed_last(x))
        return out


class ConformerAlone(StackAlone):
    """`conformer.ConformerEncoder`: the outputs of its blocks."""

    def __init__(self, encoder: ConformerEncoder) -> None:
        super().__init__(encoder, (ConformerBlockAlone(cast(ConformerBlock, block)) for block in encoder.blocks))
        self.conv = ConvAsMatrix(encoder.conv)

    def forward(self, mel: Tensor) -> list[Tensor]:
        return self.through(F.gelu(self.conv(mel.transpose(1, 2))))


class ConvAlone(nn.Module):
    """`network.ConvEncoder`, its output as a list of one."""

    def __init__(self, encoder: ConvEncoder) -> None:
        super().__init__()
        self.convs, self.norms = encoder.convs, encoder.norms

    def forward(self, mel: Tensor) -> list[Tensor]:
        x = mel
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.gelu(norm(conv(x).transpose(1, 2))).transpose(1, 2)
        return [x.transpose(1, 2)]


def _encoder(encoder: nn.Module) -> WhisperAlone | MoonshineAlone | ConformerAlone | ConvAlone:
    if isinstance(encoder, ConvEncoder):
        return ConvAlone(encoder)
    if isinstance(encoder, WhisperEncoder):
        return WhisperAlone(encoder)
    if isinstance(encoder, MoonshineEncoder):
        return MoonshineAlone(encoder)
    return ConformerAlone(cast(ConformerEncoder, encoder))


class RecurrentAlone(nn.Module):
    """`network.Recurrent`, both directions in one operator: (steps, batch, inputs) → (steps, batch, width)."""

    def __init__(self, layer: Recurrent) -> None:
        super().__init__()
        ahead, back = layer.ahead, layer.back
        self.both = type(ahead)(ahead.input_size, ahead.hidden_size, bidirectional=back is not None)
        state = dict(ahead.state_dict())
        if back is not None:
            state |= {f"{name}_reverse": value for name, value in back.state_dict().items()}
        self.both.load_state_dict(state)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.both(x)[0]
        return out


class HeadAlone(nn.Module):
    """`network.Head`: (batch, frames, dimension) → log_probs."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.stack, self.rows, self.tokens, self.plain = head.stack, head.rows, head.tokens, head.plain
        self.norm, self.dense = head.norm, head.dense
        self.auxiliary, self.auxiliary_layer = head.auxiliary, head.auxiliary_layer
        self.layers = nn.ModuleList(RecurrentAlone(cast(Recurrent, layer)) for layer in head.layers)

    def forward(self, hidden: Tensor) -> Tensor:
        batch, frames, dimension = hidden.shape
        if self.norm is not None:
            hidden = self.norm(hidden)
        short = (self.stack - frames % self.stack) % self.stack
        hidden = F.pad(hidden, (0, 0, 0, short))
        steps = (frames + short) // self.stack
        x = hidden.reshape(batch, steps, self.stack * dimension).transpose(0, 1)  # recurrent operators want steps first
        second = None
        for i, layer in enumerate(self.layers):
            y = layer(x)
            x = y if i < self.plain else x + y
            if self.auxiliary is not None and i + 1 == self.auxiliary_layer:
                second = self.auxiliary(x.transpose(0, 1))
        scores = self.dense(x.transpose(0, 1))
        log_probs = torch.log_softmax(scores.reshape(batch, steps * self.rows, self.tokens), 2)
        if second is None:
            return log_probs
        return torch.cat([log_probs, torch.log_softmax(second.reshape(batch, steps * self.rows, -1), 2)], 2)
