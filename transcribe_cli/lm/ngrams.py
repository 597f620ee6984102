"""An n-gram model with back-off, in arrays.

The n-grams of each order lie in one sorted table. An n-gram is named by its row there; its key is
`row of its first n-1 words in the table below × V + its last word`, so a table of any order is one sorted int64 column,
and finding, merging and joining n-grams are binary searches over whole arrays. Every table holds the prefixes of the
next one. Probabilities are kept as ARPA files write them: log10, float32; anything that leaves this room for the
decoder is a natural logarithm.

Legend: V words in the vocabulary, n order of a table, h the words before the last (the context), w the last word.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]

UNK, BOS, EOS = 0, 1, 2  # word ids in every model of this package
SPECIALS = ("<unk>", "<s>", "</s>")
OTHER_UNK = "<UNK>"  # some toolkits' spelling
NO_PROBABILITY = -99.0  # what ARPA files write for log10 of zero


@dataclass(frozen=True, slots=True)
class Table:
    """The n-grams of one order, keys strictly ascending: (N,) int64, (N,) float32, (N,) float32."""

    keys: Rows
    log10_probs: Floats
    log10_backoffs: Floats  # zero where an n-gram is no context, and in the highest order

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class NGramModel:
    """`words[id]` is the vocabulary, `tables[n - 1]` the n-grams of order n; row i of the first table is word i."""

    words: tuple[str, ...]
    tables: tuple[Table, ...]

    @property
    def order(self) -> int:
        return len(self.tables)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(table) for table in self.tables)

    def contexts(self, order: int) -> Rows:
        """(N,) rows of the contexts in the table below, for the n-grams of an order from 2 on."""
        return self.tables[order - 1].keys // len(self.words)

    def last_words(self, order: int) -> Rows:
        """(N,) last words of the n-grams of an order."""
        return self.tables[order - 1].keys % len(self.words)

    def spelled(self, order: int) -> Rows:
        """(N, order) word ids of all n-grams of an order."""
        columns = np.empty((len(self.tables[order - 1]), order), dtype=np.int64)
        rows = np.arange(len(columns))
        for n in range(order, 0, -1):
            keys = self.tables[n - 1].keys[rows]
            rows, columns[:, n - 1] = np.divmod(keys, len(self.words))
        return columns


def distinct(keys: Rows) -> Rows:
    """The different keys, ascending. (`np.unique` hashes first, which takes five times as long for many millions.)"""
    ascending = np.sort(keys)
    return ascending[np.concatenate([[True], ascending[1:] != ascending[:-1]])] if len(keys) else ascending


def find(keys: Rows, queries: Rows) -> Rows:
    """Rows of the queries in ascending keys, -1 where a key is not there; shapes (N,), (Q,) → (Q,)."""
    if not len(keys):
        return np.full(len(queries), -1, dtype=np.int64)
    rows = np.searchsorted(keys, queries)
    rows[rows == len(keys)] = 0
    return np.where(keys[rows] == queries, rows, -1)


def suffix_rows(model: NGramModel) -> list[Rows]:
    """For each order from 2 on: rows, in the table below, of the n-grams without their first word; -1 where missing."""
    size = len(model.words)
    found = [model.last_words(2)] if model.order > 1 else []
    for n in range(3, model.order + 1):
        shorter = found[-1][model.contexts(n)]
        rows = find(model.tables[n - 2].keys, shorter * size + model.last_words(n))
        found.append(np.where(shorter >= 0, rows, -1))
    return found


def close(model: NGramModel) -> NGramModel:
    """The same model with every n-gram's suffix present, each added one at the probability that back-off gives it.

    KenLM's trie and the merging of models need it; models estimated without pruning have it already.
    """
    size = len(model.words)
    tables, suffixes = list(model.tables), suffix_rows(model)
    if all((rows >= 0).all() for rows in suffixes):
        return model
    # names of all n-grams as words, since rows move when n-grams come in below
    spelled = [model.spelled(n) for n in range(1, model.order + 1)]
    columns: list[tuple[Floats, Floats]] = [(table.log10_probs, table.log10_backoffs) for table in tables]
    for n in range(model.order, 2, -1):
        below = np.concatenate([spelled[n - 2], spelled[n - 1][:, 1:]])
        unique, first = np.unique(below, axis=0, return_index=True)
        new = first >= len(spelled[n - 2])
        probs = np.full(len(unique), np.nan, dtype=np.float32)
        backoffs = np.zeros(len(unique), dtype=np.float32)
        probs[~new], backoffs[~new] = (column[first[~new]] for column in columns[n - 2])
        spelled[n - 2], columns[n - 2] = unique, (probs, backoffs)
    closed: list[Table] = [tables[0]]
    for n in range(2, model.order + 1):
        keys = _keys([table.keys for table in closed], spelled[n - 1], size)
        order = np.argsort(keys)
        probs, backoffs = (column[order] for column in columns[n - 1])
        closed.append(Table(keys[order], probs, backoffs))
        missing = np.flatnonzero(np.isnan(probs))
        partial = NGramModel(model.words, tuple(closed))
        if len(missing):
            context = keys[order][missing] // size
            lower = spelled[n - 1][order][missing][:, 1:]
            rows = _rows([table.keys for table in closed], lower, size)
            probs[missing] = closed[n - 2].log10_backoffs[context] + partial.tables[n - 2].log10_probs[rows]
    return NGramModel(model.words, tuple(closed))


def _rows(keys: Sequence[Rows], spelled: Rows, size: int) -> Rows:
    rows = spelled[:, 0]
    for n in range(1, spelled.shape[1]):
        rows = find(keys[n], rows * size + spelled[:, n])
    return rows


def _keys(keys: Sequence[Rows], spelled: Rows, size: int) -> Rows:
    """Keys of spelled n-grams, given the tables below."""
    return _rows(keys, spelled[:, :-1], size) * size + spelled[:, -1]


def encode(sentences: Iterable[str], words: Sequence[str]) -> NDArray[np.int32]:
    """Sentences → one row of word ids with <s> and </s> around each; unknown words are <unk>; (P,) int32."""
    index = {word: i for i, word in enumerate(words)}
    parts = []
    lines = iter(sentences)
    while block := list(itertools.islice(lines, 20_000)):
        tokens = f"<s> {' </s> <s> '.join(block)} </s>".split()
        parts.append(np.fromiter((index.get(token, UNK) for token in tokens), dtype=np.int32, count=len(tokens)))
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)


def match(model: NGramModel, tokens: NDArray[np.int32]) -> list[Rows]:
    """For each order n: the row of the n-gram that ends at each position of encoded text, -1 where there is none."""
    rows: list[Rows] = [tokens.astype(np.int64)]
    starts = tokens == BOS
    for n in range(2, model.order + 1):
        before = np.concatenate([[-1], rows[-1][:-1]])
        before[starts] = -1
        keys = np.where(before >= 0, before * len(model.words) + tokens, -1)
        ascending = np.argsort(keys)  # sorted queries keep the search in the cache
        found = np.empty(len(keys), dtype=np.int64)
        found[ascending] = find(model.tables[n - 1].keys, keys[ascending])
        rows.append(found)
    return rows


def score(model: NGramModel, tokens: NDArray[np.int32]) -> NDArray[np.float64]:
    """log10 p(word | sentence so far) at each position of encoded text; zero at <s>; (P,) → (P,) float64."""
    rows = match(model, tokens)
    total = np.zeros(len(tokens))
    pending = np.ones(len(tokens), dtype=bool)  # positions whose longest n-gram is not met yet
    for n in range(model.order, 0, -1):
        table = model.tables[n - 1]
        here = pending & (rows[n - 1] >= 0)
        total[here] += table.log10_probs[rows[n - 1][here]]
        pending &= ~here
        if n > 1:
            context = np.concatenate([[-1], rows[n - 2][:-1]])
            backing = pending & (context >= 0)
            total[backing] += model.tables[n - 2].log10_backoffs[context[backing]]
    total[tokens == BOS] = 0.0
    return total


def context_sums(model: NGramModel, order: int, suffixes: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probability that the contexts of an order leave over: 1 − Σ p(w|h) and 1 − Σ p(w|shorter h), each (contexts,).

    The sums run over the n-grams of that order; the quotient is the contexts' back-off weight.
    """
    table, below = model.tables[order - 1], model.tables[order - 2]
    context = model.contexts(order)
    explicit = np.bincount(context, weights=np.power(10.0, table.log10_probs.astype(np.float64)), minlength=len(below))
    lower = np.power(10.0, below.log10_probs.astype(np.float64))
    shorter = np.bincount(context, weights=lower[suffixes], minlength=len(below))
    return np.subtract(1.0, explicit), np.subtract(1.0, shorter)


def renormalise(model: NGramModel) -> NGramModel:
    """The same probabilities with the back-off weights that make every context's distribution sum to one."""
    backoffs = [np.zeros(len(table), dtype=np.float32) for table in model.tables]
    suffixes = suffix_rows(model)
    for n in range(2, model.order + 1):
        # lower orders come first: where a suffix is missing, its probability takes their new weights
        rows = suffixes[n - 2]
        below = model.tables[n - 2].log10_probs
        lower = np.where(rows >= 0, below[rows], 0).astype(np.float64)
        if (rows < 0).any():
            missing = rows < 0
            lower[missing] = _backed_off(model, backoffs, n, missing)
        context = model.contexts(n)
        probs = 10.0 ** model.tables[n - 1].log10_probs.astype(np.float64)
        left = 1.0 - np.bincount(context, weights=probs, minlength=len(below))
        below_left = 1.0 - np.bincount(context, weights=10.0**lower, minlength=len(below))
        # float32 probabilities leave rounding errors of some 1e-7, which must not become a negative remainder
        weights = np.log10(np.maximum(left, 1e-6) / np.maximum(below_left, 1e-6))
        backoffs[n - 2] = weights.astype(np.float32)
    tables = [Table(t.keys, t.log10_probs, b) for t, b in zip(model.tables, backoffs, strict=True)]
    return NGramModel(model.words, tuple(tables))


def _backed_off(
    model: NGramModel, backoffs: Sequence[Floats], order: int, flags: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """log10 probabilities, by shorter n-grams, of flagged n-grams' last words where the suffix is not in the model."""
    tables = [Table(t.keys, t.log10_probs, b) for t, b in zip(model.tables, backoffs, strict=True)][: order - 1]
    shorter = NGramModel(model.words, tuple(tables))
    grams = model.spelled(order)[flags][:, 1:].astype(np.int32)
    if not len(grams):
        return np.empty(0)
    # scored one behind the other: a model of order n - 1 looks back no further than the gram's own first word
    return score(shorter, grams.reshape(-1)).reshape(grams.shape)[:, -1]


def select(model: NGramModel, keep: Sequence[NDArray[np.bool_]]) -> NGramModel:
    """The n-grams with a true flag, an array an order; words and contexts of what is kept must be kept."""
    size = len(model.words)
    tables, rows = [model.tables[0]], np.arange(size)
    for n in range(2, model.order + 1):
        table, flags = model.tables[n - 1], keep[n - 1]
        context, word = np.divmod(table.keys[flags], size)
        tables.append(Table(rows[context] * size + word, table.log10_probs[flags], table.log10_backoffs[flags]))
        rows = np.cumsum(flags) - 1
    while len(tables) > 1 and not len(tables[-1]):
        tables.pop()
    return NGramModel(model.words, tuple(tables))
