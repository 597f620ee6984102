"""Making a model smaller by dropping the n-grams that it misses least.

For each n-gram alone: how much the model's perplexity would rise if it backed off there instead,

    ΔD = −P(h) { p(w|h) [log p(w|h') + log α'(h) − log p(w|h)]  +  (1 − Σ p(·|h)) [log α'(h) − log α(h)] }

with h' the shorter context, α the back-off weight before and α' after. An n-gram goes if e^ΔD − 1 is below the
threshold and nothing that stays begins or ends with it. P(h) is the product of the model's own probabilities, as in the
source, or better, how often contexts occur in the text that the model was made from: lower orders that are smoothed as
Kneser and Ney do are no estimate of that.

Source: Stolcke, "Entropy-based pruning of backoff language models" (1998); on P(h), Chelba et al., "Study on
interaction between entropy pruning and Kneser-Ney smoothing" (2010).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import LanguageModelError
from .ngrams import BOS, EOS, NGramModel, Rows, Table, close, context_sums, find, renormalise, select, suffix_rows

Costs = list[NDArray[np.float64]]


def costs(model: NGramModel, contexts: Sequence[NDArray[np.float64]] | None = None) -> Costs:
    """For each order: e^ΔD − 1 of every n-gram, the relative rise in perplexity without it (infinite for words).

    contexts: P(h) for the rows of each order below the highest (`mixed_shares`); None for the model's own.
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


def mixed_shares(
    mixture: NGramModel,
    models: Sequence[NGramModel],
    shares: Sequence[Sequence[NDArray[np.float32]]],
    weights: NDArray[np.float64],
) -> list[NDArray[np.float64]]:
    """P(h) of every row of a mixture below the highest order, from how often the n-grams of its models occurred.

    shares: a model's n-grams' occurrences a position of its text, as `smoothing.estimate` gives them.
    """
    index = {word: i for i, word in enumerate(mixture.words)}
    total = [np.zeros(len(table)) for table in mixture.tables[:-1]]
    for model, share, weight in zip(models, shares, weights, strict=True):
        number = np.array([index[word] for word in model.words])
        rows = number
        for n in range(1, min(model.order, mixture.order - 1) + 1):
            if n > 1:
                keys = rows[model.contexts(n)] * len(index) + number[model.last_words(n)]
                rows = find(mixture.tables[n - 1].keys, keys)
            total[n - 1][rows] += weight * share[n - 1]
    return total


def prune(
    model: NGramModel,
    threshold: float,
    contexts: Sequence[NDArray[np.float64]] | None = None,
    keep_suffixes: bool = True,
) -> NGramModel:
    """Drops the n-grams whose loss raises the perplexity by less than the threshold (0.01 = one per cent).

    keep_suffixes: keep what longer n-grams that stay end in, since KenLM's trie stores it anyway; without this the
        model is exactly that of the source.

    Raises LanguageModelError for a threshold that is no number of 0 or more.
    """
    if not threshold >= 0:
        raise LanguageModelError(f"a model cannot be pruned by {threshold}: give a number of 0 or more")
    model = close(model) if contexts is None else model
    return _drop(model, costs(model, contexts), threshold, keep_suffixes)


def prune_to(model: NGramModel, n_ngrams: int, price: Costs) -> NGramModel:
    """Drops the cheapest n-grams until at most so many are left in all orders together; words always stay.

    price: what `costs` says of the same model.
    """
    if sum(model.sizes) <= n_ngrams:
        return model
    suffixes = suffix_rows(model)
    low, high = -40.0, 2.0  # natural logarithm of the threshold
    for _ in range(20):
        middle = (low + high) / 2
        left = sum(int(flags.sum()) for flags in _kept(model, price, float(np.exp(middle)), suffixes))
        low, high = (middle, high) if left > n_ngrams else (low, middle)
        if 0.997 * n_ngrams < left <= n_ngrams:
            break
    return _drop(model, price, float(np.exp(high)))


def shorten(model: NGramModel, order: int) -> NGramModel:
    """The model without its n-grams longer than an order."""
    if order >= model.order:
        return model
    last = model.tables[order - 1]
    tables = [*model.tables[: order - 1], Table(last.keys, last.log10_probs, np.zeros_like(last.log10_backoffs))]
    return NGramModel(model.words, tuple(tables))


def _kept(model: NGramModel, price: Costs, threshold: float, suffixes: Sequence[Rows]) -> list[NDArray[np.bool_]]:
    """Flags of what stays: dear enough, or the beginning of what stays, or its end (where suffixes are given)."""
    keep = [cost >= threshold for cost in price]
    for n in range(model.order, 1, -1):
        keep[n - 2][model.contexts(n)[keep[n - 1]]] = True
        if n > 2 and suffixes:
            keep[n - 2][suffixes[n - 2][keep[n - 1]]] = True
    return keep


def _drop(model: NGramModel, price: Costs, threshold: float, keep_suffixes: bool = True) -> NGramModel:
    small = select(model, _kept(model, price, threshold, suffix_rows(model) if keep_suffixes else ()))
    return renormalise(small)
