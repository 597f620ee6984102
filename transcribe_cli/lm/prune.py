"""Making a model smaller by dropping the n-grams that it misses least.

For each n-gram alone: how much the model's perplexity would rise if it backed off there instead,

    ΔD = −P(h) { p(w|h) [log p(w|h') + log α'(h) − log p(w|h)]  +  (1 − Σ p(·|h)) [log α'(h) − log α(h)] }

with h' the shorter context, α the back-off weight before and α' after. An n-gram goes if e^ΔD − 1 is below the threshold
and nothing that stays begins with it. P(h) is the product of the model's own probabilities, as in the source, or better,
how often contexts occur in the training text: smoothed as Kneser–Ney does, the lower orders are no estimate of that.

Source: Stolcke, "Entropy-based pruning of backoff language models" (1998); on P(h), Chelba et al., "Study on interaction
between entropy pruning and Kneser-Ney smoothing" (2010).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .ngrams import BOS, EOS, NGramModel, Rows, close, context_sums, match, renormalise, select, suffix_rows

Costs = list[NDArray[np.float64]]


def costs(model: NGramModel, contexts: Sequence[NDArray[np.float64]] | None = None) -> Costs:
    """For each order: e^ΔD − 1 of every n-gram, the relative rise in perplexity without it (infinite for words).

    contexts: P(h) for the rows of each order below the highest (`context_frequencies`); None for the model's own.
    The model must hold every n-gram's suffix (`close`).
    """
    contexts = contexts or own_context_probabilities(model)
    suffixes = suffix_rows(model)
    result: Costs = [np.full(len(model.tables[0]), np.inf)]
    for n in range(2, model.order + 1):
        h = model.contexts(n)
        p = 10.0 ** model.tables[n - 1].log10_probs.astype(float)
        shorter = 10.0 ** model.tables[n - 2].log10_probs[suffixes[n - 2]].astype(float)
        left, lower = (np.maximum(sums, 1e-9) for sums in context_sums(model, n, suffixes[n - 2]))
        log_alpha = np.log(left / lower)[h]
        log_without = np.log((left[h] + p) / (lower[h] + shorter))
        change = p * (np.log(shorter) + log_without - np.log(p)) + left[h] * (log_without - log_alpha)
        result.append(np.expm1(-contexts[n - 2][h] * change))
    return result


def own_context_probabilities(model: NGramModel) -> list[NDArray[np.float64]]:
    """P(h) of every row below the highest order: the product of the model's probabilities; <s> counts as </s>."""
    first = model.tables[0].log10_probs.astype(float)
    first[BOS] = first[EOS]
    logs = [first]
    for n in range(2, model.order):
        logs.append(logs[-1][model.contexts(n)] + model.tables[n - 1].log10_probs)
    return [10.0**log for log in logs]


def context_frequencies(
    model: NGramModel, texts: Sequence[NDArray[np.int32]], weights: Sequence[float]
) -> list[NDArray[np.float64]]:
    """P(h) of every row below the highest order: its share of the positions of encoded texts, the texts weighted."""
    shares = [np.zeros(len(table)) for table in model.tables[:-1]]
    for tokens, weight in zip(texts, weights, strict=True):
        for share, rows in zip(shares, match(model, tokens), strict=False):
            share += weight * np.bincount(rows[rows >= 0], minlength=len(share)) / len(tokens)
    return shares


def prune(model: NGramModel, threshold: float, contexts: Sequence[NDArray[np.float64]] | None = None) -> NGramModel:
    """Drops the n-grams whose loss raises the perplexity by less than the threshold (0.01 = one per cent)."""
    model = close(model) if contexts is None else model
    return _drop(model, costs(model, contexts), threshold)


def prune_to(model: NGramModel, n_ngrams: int, contexts: Sequence[NDArray[np.float64]] | None = None) -> NGramModel:
    """Drops the cheapest n-grams until at most so many are left in all orders together; words always stay."""
    model = close(model) if contexts is None else model
    if sum(model.sizes) <= n_ngrams:
        return model
    price, suffixes = costs(model, contexts), suffix_rows(model)
    low, high = -40.0, 2.0  # natural logarithm of the threshold
    for _ in range(24):
        middle = (low + high) / 2
        left = sum(int(flags.sum()) for flags in _kept(model, price, float(np.exp(middle)), suffixes))
        low, high = (middle, high) if left > n_ngrams else (low, middle)
    return _drop(model, price, float(np.exp(high)))


def _kept(model: NGramModel, price: Costs, threshold: float, suffixes: Sequence[Rows]) -> list[NDArray[np.bool_]]:
    """Flags of what stays: dear enough, or the beginning or end of what stays (KenLM's trie stores both anyway)."""
    keep = [cost >= threshold for cost in price]
    for n in range(model.order, 1, -1):
        keep[n - 2][model.contexts(n)[keep[n - 1]]] = True
        if n > 2:
            keep[n - 2][suffixes[n - 2][keep[n - 1]]] = True
    return keep


def _drop(model: NGramModel, price: Costs, threshold: float) -> NGramModel:
    return renormalise(select(model, _kept(model, price, threshold, suffix_rows(model))))
