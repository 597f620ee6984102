"""Mixing models: p(w|h) = Σ λ_m p_m(w|h), as one model with back-off; and finding the λ that suit a text.

The mixture holds every n-gram that one of the models holds; what a model lacks it scores by backing off. Other words
of a context are approximated by one back-off weight, as in any back-off model (SRILM's static mixture).
A model shares the probability of its <unk> evenly between <unk> and the words that only the others know, so that the
mixture still sums to one over the joined vocabulary.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import LanguageModelError
from .ngrams import BOS, EOS, SPECIALS, UNK, NGramModel, Rows, Table, close, distinct, encode, find, renormalise, score


def mix(models: Sequence[NGramModel], weights: Sequence[float] | NDArray[np.float64]) -> NGramModel:
    """Models and their weights (scaled here to sum to one) → one model.

    Raises LanguageModelError for weights that make no sense.
    """
    total = sum(map(float, weights))
    if len(models) != len(weights) or not all(weight >= 0 for weight in weights) or not 0 < total < np.inf:
        raise LanguageModelError("a mixture needs one finite weight of 0 or more for each model, and one above 0")
    shares = np.array(weights, dtype=float) / total
    models = [close(model) for model in models]
    words = tuple(dict.fromkeys([*SPECIALS, *(word for model in models for word in model.words)]))
    index = {word: i for i, word in enumerate(words)}
    numbers = [np.array([index[word] for word in model.words]) for model in models]

    rows: list[Rows] = numbers  # each model's row → the mixture's row, in the current order
    keys = [np.arange(len(words))]
    scores = [_word_scores(model, number, len(words)) for model, number in zip(models, numbers, strict=True)]
    tables: list[Table] = []
    suffixes: Rows = np.zeros(len(words), dtype=np.int64)
    for n in range(1, max(model.order for model in models) + 1):
        if n > 1:
            per_model = [
                rows[m][model.contexts(n)] * len(words) + numbers[m][model.last_words(n)] if n <= model.order else None
                for m, model in enumerate(models)
            ]
            joined = distinct(np.concatenate([k for k in per_model if k is not None]))
            context, word = np.divmod(joined, len(words))
            suffixes = word if n == 2 else find(keys[-1], suffixes[context] * len(words) + word)
            next_rows = [np.empty(0, np.int64) if k is None else np.searchsorted(joined, k) for k in per_model]
            for m, model in enumerate(models):
                scores[m] = _scores(model, n, rows[m], next_rows[m], scores[m], context, suffixes)
            rows = next_rows
            keys.append(joined)
        p = np.zeros(len(keys[-1]))
        for share, s in zip(shares, scores, strict=True):
            p += share * 10.0 ** s.astype(np.float64)
        log10_probs = np.log10(p).astype(np.float32)
        if n == 1:
            log10_probs[BOS] = 0.0  # never predicted
        tables.append(Table(keys[-1], log10_probs, np.zeros(len(p), dtype=np.float32)))
    return renormalise(NGramModel(words, tuple(tables)))


def _word_scores(model: NGramModel, number: Rows, size: int) -> NDArray[np.float32]:
    """log10 p(word) of one model for the joined vocabulary."""
    missing = size - len(model.words)
    share = model.tables[0].log10_probs[UNK] - np.log10(missing + 1)
    scores = np.full(size, share, dtype=np.float32)
    scores[number] = model.tables[0].log10_probs
    scores[UNK] = share
    return scores


def _scores(
    model: NGramModel,
    n: int,
    rows_below: Rows,
    rows: Rows,
    below: NDArray[np.float32],
    context: Rows,
    suffixes: Rows,
) -> NDArray[np.float32]:
    """log10 p_m(w|h) of one model for all n-grams of the mixture of order n, from its scores of the order below."""
    scores = below[suffixes]
    if n - 1 <= model.order - 1:
        backoffs = np.zeros(len(below), dtype=np.float32)
        backoffs[rows_below] = model.tables[n - 2].log10_backoffs
        scores = scores + backoffs[context]
        scores[rows] = model.tables[n - 1].log10_probs
    return scores


def find_weights(models: Sequence[NGramModel], sentences: Sequence[str]) -> NDArray[np.float64]:
    """The weights under which the mixture gives a text its highest probability; words that no model knows do not count.

    Raises LanguageModelError where the text has no known word.
    """
    vocabulary = set().union(*(model.words for model in models))
    scores = []
    known: NDArray[np.bool_] | None = None
    for model in models:
        tokens = encode(sentences, model.words)
        s = score(model, tokens)
        s[tokens == UNK] -= np.log10(len(vocabulary) - len(model.words) + 1)
        scores.append(s)
        known = tokens != UNK if known is None else known | (tokens != UNK)
        known &= tokens != BOS
    if known is None or not known[tokens != EOS].any():
        raise LanguageModelError("the tuning text has no word that the models know")
    return expectation_maximisation(np.stack([s[known] for s in scores]))


def expectation_maximisation(
    log10_probs: NDArray[np.float64], importance: NDArray[np.float64] | None = None, tolerance: float = 1e-5
) -> NDArray[np.float64]:
    """(models, positions) log10 probabilities of the same words → (models,) weights of the best mixture.

    importance: (positions,) what each position counts; alike by default.
    """
    p = 10.0**log10_probs
    weights = np.full(len(p), 1 / len(p))
    importance = np.ones(p.shape[1]) if importance is None else importance
    share = importance / importance.sum()
    for _ in range(500):
        joint = weights[:, None] * p
        updated = (joint / joint.sum(axis=0)) @ share
        done = np.abs(updated - weights).max() < tolerance
        weights = updated
        if done:
            break
    return weights
