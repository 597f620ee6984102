"""How well a network does on dev sets: loss, character and word error rates of greedy decoding, a source at a time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..ctc.collapse import greedy
from ..evaluate.edits import count_all, total
from .units import Speller


@dataclass(frozen=True, slots=True)
class Score:
    """Rates as fractions; loss is the mean negative log-probability a label."""

    source: str
    utterances: int
    loss: float
    cer: float
    wer: float


@dataclass(frozen=True, slots=True)
class Heard:
    """One dev utterance. text: what was said; reference: that as the units can write it; hypothesis: what was read.

    loss: nats over all labels.
    """

    source: str
    text: str
    reference: str
    hypothesis: str
    loss: float
    labels: int


class _Sourced(Protocol):
    @property
    def source(self) -> str: ...


Item = TypeVar("Item", bound=_Sourced)


def spread(items: Sequence[Item], limit: int) -> list[Item]:
    """At most `limit` of each source, spread over it, sources in the order of their first; 0: all as they are."""
    if not limit:
        return list(items)
    by_source: dict[str, list[Item]] = {}
    for one in items:
        by_source.setdefault(one.source, []).append(one)
    return [one for some in by_source.values() for one in some[:: max(1, len(some) // limit)][:limit]]


@torch.inference_mode()
def listen(
    batches: Iterable[tuple[Tensor, Tensor, list[str], list[str]]],
    network: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    speller: Speller,
) -> list[Heard]:
    """Decodes batches of (input, lengths, texts, sources) greedily; the loss is in nats an utterance.

    The reference is the text as the units can write it.
    """
    out = []
    for inputs, lengths, texts, sources in batches:
        log_probs, rows = network(inputs, lengths)
        log_probs = log_probs[:, :, : len(speller.alphabet)]  # an auxiliary head's stand behind them
        targets = [speller.encode(text) for text in texts]
        losses = torch.nn.functional.ctc_loss(
            log_probs.cpu().transpose(0, 1),
            torch.tensor([i for target in targets for i in target]),
            rows.cpu(),
            torch.tensor([len(target) for target in targets]),
            speller.alphabet.blank,
            "none",
            zero_infinity=True,
        )
        scores = log_probs.cpu().numpy()
        for i in range(len(texts)):
            ids = greedy(np.asarray(scores[i, : int(rows[i])]), speller.alphabet.blank)
            written, read = speller.decode(targets[i]), speller.decode(ids)
            out.append(Heard(sources[i], texts[i], written, read, float(losses[i]), len(targets[i])))
    return out


def score(heard: list[Heard]) -> list[Score]:
    """Rates of every source, and of all together as "all" where there are several."""
    sources = list(dict.fromkeys(one.source for one in heard))
    groups = [(source, [one for one in heard if one.source == source]) for source in sources]
    if len(groups) > 1:
        groups.append(("all", heard))
    scores = []
    for source, some in groups:
        words = total(count_all([(one.reference.split(), one.hypothesis.split()) for one in some]))
        letters = total(count_all([(list(one.reference), list(one.hypothesis)) for one in some]))
        n_words = sum(len(one.reference.split()) for one in some)
        n_letters = sum(len(one.reference) for one in some)
        scores.append(
            Score(
                source,
                len(some),
                sum(one.loss for one in some) / max(sum(one.labels for one in some), 1),
                letters.errors / max(n_letters, 1),
                words.errors / max(n_words, 1),
            )
        )
    return scores
