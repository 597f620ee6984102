"""Interpolated modified Kneser–Ney smoothing: counts → an n-gram model.

    a(h w)  adjusted count: occurrences for the highest order and for what begins with <s>,
            else the number of different words seen before h w
    p(w|h) = (a(h w) − D(a(h w))) / Σ a(h ·)  +  γ(h) p(w|h without its first word)
    γ(h)   = (Σ of what the discounts took  +  Σ of what pruning dropped) / Σ a(h ·)

with one discount a count of 1, 2, 3 and more, for each order; below the words lies the uniform distribution over the
vocabulary with <unk>, without <s>. γ(h) is the back-off weight of h.

Source: Chen & Goodman, "An empirical study of smoothing techniques for language modeling" (1998); Heafield et al.,
"Scalable modified Kneser-Ney language model estimation" (2013), whose definitions of the edge cases are followed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .counts import Counts, starts_sentence
from .ngrams import BOS, EOS, NO_PROBABILITY, UNK, NGramModel, Rows, Table

Discounts = tuple[float, float, float]  # taken from adjusted counts of 1, 2, 3 and more

FALLBACK: Discounts = (0.5, 1.0, 1.5)  # where a text is too small or too regular to estimate them


@dataclass(frozen=True, slots=True)
class Estimate:
    """A model with how it came about: `discounts[n - 1]`, and the orders that had to use `FALLBACK`.

    shares[n - 1]: (N,) float32, how often each kept n-gram occurs a position of the text.
    """

    model: NGramModel
    shares: tuple[NDArray[np.float32], ...]
    discounts: tuple[Discounts, ...]
    fallback_orders: tuple[int, ...]


def estimate(counts: Counts, prune: Sequence[int] = (), vocabulary: NDArray[np.bool_] | None = None) -> Estimate:
    """Counts → model.

    prune: for each order, n-grams that occur this often or less are left out (missing orders repeat the last; words
        always stay). vocabulary: (V,) bool, words to keep; n-grams with others are left out. What is left out still
        counts for the discounts and its probability goes to the back-off.
    """
    order, size = len(counts.keys), len(counts.words)
    thresholds = [0, *(prune[min(n, len(prune) - 1)] if prune else 0 for n in range(1, order))]
    kept = _kept(counts, thresholds, vocabulary)
    adjusted = adjusted_counts(counts)
    discounts = [discounts_of(a) for a in adjusted]

    probs: list[NDArray[np.float64]] = []
    gammas: list[NDArray[np.float64]] = []
    for n in range(order):
        a, keep = adjusted[n], kept[n]
        context = counts.keys[n] // size if n else np.zeros(size, dtype=np.int64)
        n_contexts = len(counts.keys[n - 1]) if n else 1
        taken = np.array([0.0, *(discounts[n] or FALLBACK)])[np.minimum(a, 3)]
        total = np.bincount(context, weights=a, minlength=n_contexts)
        with np.errstate(invalid="ignore", divide="ignore"):
            gamma = np.bincount(context, weights=np.where(keep, taken, a), minlength=n_contexts) / total
        gamma[total == 0] = 1.0  # no context: all is left to the shorter one
        lower = probs[n - 1][counts.suffixes[n]] if n else np.full(size, 1.0 / (np.count_nonzero(keep) - 1))
        p = (a - taken) / total[context] + gamma[context] * lower
        if n == 0:
            p[BOS] = 1.0  # never predicted; scored as certain when it is asked for
        probs.append(p)
        gammas.append(gamma)
    n_positions = counts.n_tokens + 2 * counts.n_sentences
    return Estimate(
        _assemble(counts, kept, probs, gammas),
        tuple((o[keep] / n_positions).astype(np.float32) for o, keep in zip(counts.occurrences, kept, strict=True)),
        tuple(d or FALLBACK for d in discounts),
        tuple(n + 1 for n, d in enumerate(discounts) if d is None),
    )


def adjusted_counts(counts: Counts) -> list[Rows]:
    """For each order: occurrences, or for lower orders the number of different words before, as described above."""
    order, first = len(counts.keys), starts_sentence(counts)
    adjusted = []
    for n in range(order):
        if n == order - 1:
            a = counts.occurrences[n].copy()
        else:
            left = np.bincount(counts.suffixes[n + 1], minlength=len(counts.keys[n]))
            a = np.where(first[n], counts.occurrences[n], left)
        if n == 0:
            a[[UNK, BOS]] = 0
        adjusted.append(a)
    return adjusted


def discounts_of(adjusted: Rows) -> Discounts | None:
    """The three discounts of an order from its counts of counts; None where they cannot be estimated."""
    t = np.bincount(np.minimum(adjusted, 5), minlength=6).astype(float)
    if not t[1:4].all():
        return None
    y = t[1] / (t[1] + 2 * t[2])
    found = tuple(k - (k + 1) * y * t[k + 1] / t[k] for k in (1, 2, 3))
    if any(not 0 <= d <= k for k, d in enumerate(found, 1)):
        return None
    return found[0], found[1], found[2]


def _kept(counts: Counts, thresholds: Sequence[int], vocabulary: NDArray[np.bool_] | None) -> list[NDArray[np.bool_]]:
    size = len(counts.words)
    words = np.ones(size, dtype=bool) if vocabulary is None else vocabulary.copy()
    words[[UNK, BOS, EOS]] = True
    kept = [words]
    for n in range(1, len(counts.keys)):
        context, word = np.divmod(counts.keys[n], size)
        # a rarer context cannot have kept a more frequent continuation: thresholds must not fall with the order
        kept.append((counts.occurrences[n] > thresholds[n]) & kept[n - 1][context] & words[word])
    return kept


def _assemble(
    counts: Counts,
    kept: list[NDArray[np.bool_]],
    probs: list[NDArray[np.float64]],
    gammas: list[NDArray[np.float64]],
) -> NGramModel:
    """Kept n-grams with new numbers."""
    size = len(counts.words)
    number = np.cumsum(kept[0]) - 1  # old word → new word
    words = tuple(word for word, keep in zip(counts.words, kept[0], strict=True) if keep)
    tables: list[Table] = []
    rows = number
    for n, keep in enumerate(kept):
        context, word = np.divmod(counts.keys[n][keep], size)
        keys = rows[context] * len(words) + number[word] if n else np.arange(len(words))
        if n + 1 < len(kept):
            with np.errstate(divide="ignore"):
                backoffs = np.maximum(np.log10(gammas[n + 1][keep]), NO_PROBABILITY)
        else:
            backoffs = np.zeros(len(keys))
        log10_probs = np.minimum(np.log10(probs[n][keep]), 0.0)
        tables.append(Table(keys, log10_probs.astype(np.float32), backoffs.astype(np.float32)))
        rows = np.cumsum(keep) - 1
    return NGramModel(words, tuple(tables))
