"""The networks that read pieces of words: a rescorer's, and that which punctuates.

A rescorer says which piece comes next, after the pieces of a sentence so far, by a causal transformer; the other looks
to both sides and says of each word which sign follows it and how it is capitalised. Both are transformers with
normalisation before each part, rotary positions, queries and keys of unit mean square, and a squared ReLU; a rescorer
has one table for the pieces that it reads and those that it predicts. No biases.

Sources: Su et al., RoFormer (arXiv 2104.09864), rotary positions; So et al., Primer (arXiv 2109.08668), squared ReLU;
Press and Wolf, "Using the output embedding to improve language models" (arXiv 1608.05859).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..punctuation import CASES, SIGNS

LONGEST = 64  # pieces that it reads at most
_BASE = 1000  # of the rotary positions' wavelengths


class Block(nn.Module):
    """Attention, then a layer of its own for each place: (batch, length, width) → the same.

    causal: whether a place attends to what came before it only.
    """

    def __init__(self, width: int, heads: int, inner: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, inner, bias=False), nn.Linear(inner, width, bias=False)
        nn.init.zeros_(self.out.weight)  # so that the block begins as no change at all
        nn.init.zeros_(self.down.weight)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, asked: Tensor | None = None) -> Tensor:
        """asked: flat places, the only ones that are gone on with: (batch, length, width) → (asked, width) then."""
        batch, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = F.rms_norm(q, (q.shape[-1],)), F.rms_norm(k, (k.shape[-1],))
        y = F.scaled_dot_product_attention(_turned(q, cos, sin), _turned(k, cos, sin), v, is_causal=self.causal)
        y = y.transpose(1, 2).reshape(batch, length, width)
        if asked is not None:
            x, y = x.reshape(-1, width)[asked], y.reshape(-1, width)[asked]
        x = x + self.out(y)
        x = x + self.down(F.relu(self.up(self.norm2(x))).square())
        return x


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Each pair of numbers, of which one lies in either half, turned by its place's angle."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


class Transformer(nn.Module):
    """pieces (batch, length ≤ 64) int64 → hidden (batch, length, width)."""

    cos: Tensor
    sin: Tensor

    def __init__(self, pieces: int, width: int, layers: int, heads: int, inner: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.embed = nn.Embedding(pieces, width)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(width, heads, inner, causal) for _ in range(layers))
        self.norm0, self.norm = nn.RMSNorm(width), nn.RMSNorm(width)
        half = width // heads // 2
        angles = torch.arange(LONGEST)[:, None] / _BASE ** (torch.arange(half) / half)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, pieces: Tensor, asked: Tensor | None = None) -> Tensor:
        """asked: flat places, row · length + column, whose hidden (asked, width) is wanted; None for all."""
        length = pieces.shape[1]
        x = self.norm0(self.embed(pieces))
        for block in self.blocks[:-1]:
            x = block(x, self.cos[:length], self.sin[:length])
        x = self.blocks[-1](x, self.cos[:length], self.sin[:length], asked)
        hidden: Tensor = self.norm(x)
        return hidden


class LanguageNetwork(Transformer):
    """A rescorer's: a place's next piece by `scores`."""

    def __init__(self, pieces: int, width: int = 192, layers: int = 4, heads: int = 3, inner: int = 768) -> None:
        super().__init__(pieces, width, layers, heads, inner, causal=True)

    def scores(self, hidden: Tensor) -> Tensor:
        """(…, width) → (…, pieces), before the softmax."""
        return F.linear(hidden, self.embed.weight)

    def loss(self, pieces: Tensor) -> Tensor:
        """The mean cross entropy, in nats, of the pieces (batch, 2 … 65) after the first one."""
        scores = self.scores(self(pieces[:, :-1])).float()
        return F.cross_entropy(scores.view(-1, scores.shape[-1]), pieces[:, 1:].reshape(-1))


class PunctuationNetwork(Transformer):
    """Of each piece that ends a word: which sign follows the word, and how it is capitalised."""

    def __init__(self, pieces: int, width: int = 192, layers: int = 4, heads: int = 3, inner: int = 768) -> None:
        super().__init__(pieces, width, layers, heads, inner, causal=False)
        self.marks = nn.Linear(width, len(SIGNS) + len(CASES), bias=False)

    def scores(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """(…, width) → (…, signs) and (…, cases), before the softmax."""
        signs, cases = self.marks(hidden).split([len(SIGNS), len(CASES)], dim=-1)
        return signs, cases

    def loss(self, rows: Tensor) -> Tensor:
        """The sum of both mean cross entropies, in nats.

        rows: (3, batch, length ≤ 64): pieces, signs and cases; −1 where nothing is asked for.
        """
        pieces, signs, cases = rows
        said = self.scores(self(pieces))
        both = [
            F.cross_entropy(scores.float().flatten(0, 1), wanted.flatten(), ignore_index=-1)
            for scores, wanted in zip(said, (signs, cases), strict=True)
        ]
        return both[0] + both[1]
