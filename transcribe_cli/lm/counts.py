"""Counting: sentences → how often each n-gram of each order occurs, within a bounded amount of memory.

Text streams in, becomes word ids in a file, and every order is counted from the one below: the n-gram that starts at a
position has the key `row of the (n-1)-gram there × V + next word`, so each order is one sort of int64 keys. The keys
are sorted in blocks that are kept on disk and merged range by range. A position's (n-1)-gram one word later is the
n-gram's suffix, which gives the suffix links that smoothing needs without a search.
"""

import itertools
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import LanguageModelError
from .ngrams import BOS, EOS, OTHER_UNK, SPECIALS, Rows

Ids = NDArray[np.int32]

BLOCK = 1 << 22  # positions sorted at once; 4 million keys with their ranks are about 130 MB


@dataclass(frozen=True, slots=True)
class Counts:
    """All n-grams of a text that start and end inside one sentence, <s> and </s> included.

    keys[n - 1]: (N,) int64 as in `ngrams`; occurrences[n - 1]: (N,) int64; suffixes[n - 1]: (N,) int32 rows of the
    n-gram without its first word in the order below (zeros for words). Words are numbered as they first appear.
    """

    words: tuple[str, ...]
    keys: tuple[Rows, ...]
    occurrences: tuple[Rows, ...]
    suffixes: tuple[Ids, ...]
    n_sentences: int
    n_tokens: int  # without <s> and </s>


def count(sentences: Iterable[str], order: int, folder: Path | None = None, block: int = BLOCK) -> Counts:
    """Counts all n-grams up to an order; every sentence is a string of words between spaces.

    folder: where temporary files go (the system's place by default). block: positions sorted at once.

    Raises:
        LanguageModelError: no words at all, or one of <s>, </s>, <unk>, <UNK> among the words.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix="transcribe-lm-") as name:
        place = Path(name)
        words, n_sentences = _number_words(sentences, place / "tokens")
        if n_sentences == 0:
            raise LanguageModelError("the text has no words in it: check that it is plain text in the right language")
        tokens = np.memmap(place / "tokens", dtype=np.int32, mode="r")
        size, n_positions = len(words), len(tokens)

        keys = [np.arange(size)]
        occurrences = [np.bincount(tokens, minlength=size)]
        suffixes = [np.zeros(size, dtype=np.int32)]
        rows: Ids = tokens
        for n in range(2, order + 1):
            runs = []
            for number, start in enumerate(range(0, n_positions, block)):
                run = _sort_block(tokens, rows, start, min(start + block, n_positions), n, size)
                for part, array in run.items():
                    np.save(place / f"{part}{number}.npy", array)
                runs.append(number)
            merged_keys, merged_counts = _merge(place, runs, block)
            next_rows = np.memmap(place / f"rows{n}", dtype=np.int32, mode="w+", shape=(n_positions,))
            suffix = np.empty(len(merged_keys), dtype=np.int32)
            for number, start in zip(runs, range(0, n_positions, block), strict=True):
                end = min(start + block, n_positions)
                inside = np.flatnonzero(_inside(tokens, rows, start, end, n)) + start
                final = np.searchsorted(merged_keys, np.load(place / f"keys{number}.npy")).astype(np.int32)
                at = final[np.load(place / f"ranks{number}.npy")]
                next_rows[start:end] = -1
                next_rows[inside] = at
                suffix[at] = rows[inside + 1]
            keys.append(merged_keys)
            occurrences.append(merged_counts)
            suffixes.append(suffix)
            rows = next_rows
        n_tokens = n_positions - 2 * n_sentences
        del tokens, rows  # the files go with the folder
    return Counts(words, tuple(keys), tuple(occurrences), tuple(suffixes), n_sentences, n_tokens)


def _number_words(sentences: Iterable[str], path: Path) -> tuple[tuple[str, ...], int]:
    """Writes the text as int32 word ids with <s> and </s> around each sentence; returns the words and the sentences."""
    index: defaultdict[str, int] = defaultdict()
    index.default_factory = index.__len__
    for special in SPECIALS:
        index[special]
    n_sentences = 0
    with path.open("wb") as file:
        for block in _blocks(sentences):
            tokens = f"<s> {' </s> <s> '.join(block)} </s>".split()
            ids = np.fromiter(map(index.__getitem__, tokens), dtype=np.int32, count=len(tokens))
            if np.count_nonzero(ids < len(SPECIALS)) != 2 * len(block):
                raise LanguageModelError("the text has <s>, </s> or <unk> as a word: remove them, they are added here")
            ids.tofile(file)
            n_sentences += len(block)
    if OTHER_UNK in index:
        raise LanguageModelError(f"the text has {OTHER_UNK} as a word: remove it, readers take it for <unk>")
    return tuple(index), n_sentences


def _blocks(sentences: Iterable[str]) -> Iterator[list[str]]:
    filled = (sentence for sentence in sentences if sentence and not sentence.isspace())
    while block := list(itertools.islice(filled, 20_000)):
        yield block


def _inside(tokens: Ids, rows: Ids, start: int, end: int, n: int) -> NDArray[np.bool_]:
    """Which positions of a block start an n-gram that stays within its sentence."""
    stop = min(end, len(tokens) - n + 1)
    inside = np.zeros(end - start, dtype=bool)
    if stop > start:
        inside[: stop - start] = (rows[start:stop] >= 0) & (tokens[start + n - 2 : stop + n - 2] != EOS)
    return inside


def _sort_block(tokens: Ids, rows: Ids, start: int, end: int, n: int, size: int) -> dict[str, Rows]:
    """Distinct keys of a block in order, how often each occurs, and each inside position's rank among them."""
    inside = np.flatnonzero(_inside(tokens, rows, start, end, n)) + start
    keys = rows[inside].astype(np.int64) * size + tokens[inside + n - 1]
    order = np.argsort(keys)
    ascending = keys[order]
    first = np.concatenate([[True], ascending[1:] != ascending[:-1]]) if len(keys) else np.zeros(0, dtype=bool)
    ranks = np.empty(len(keys), dtype=np.int64)
    ranks[order] = np.cumsum(first) - 1
    starts = np.flatnonzero(first)
    return {"keys": ascending[starts], "counts": np.diff(starts, append=len(keys)), "ranks": ranks}


def _merge(place: Path, runs: list[int], block: int) -> tuple[Rows, Rows]:
    """Merges sorted runs on disk into distinct keys with summed counts, a range of keys at a time."""
    if len(runs) == 1:
        return np.load(place / f"keys{runs[0]}.npy"), np.load(place / f"counts{runs[0]}.npy")
    keys = [np.load(place / f"keys{run}.npy", mmap_mode="r") for run in runs]
    counts = [np.load(place / f"counts{run}.npy", mmap_mode="r") for run in runs]
    total = sum(map(len, keys))
    n_ranges = max(1, -(-total // block))
    sample = np.sort(np.concatenate([part[:: max(1, len(part) // 1000)] for part in keys]))
    borders = sample[np.linspace(0, len(sample) - 1, n_ranges + 1).astype(np.int64)[1:-1]]
    cuts = [np.concatenate([[0], np.searchsorted(part, borders), [len(part)]]) for part in keys]
    merged: list[tuple[Rows, Rows]] = []
    for i in range(n_ranges):
        here = np.concatenate([part[cut[i] : cut[i + 1]] for part, cut in zip(keys, cuts, strict=True)])
        weights = np.concatenate([part[cut[i] : cut[i + 1]] for part, cut in zip(counts, cuts, strict=True)])
        order = np.argsort(here)
        ascending = here[order]
        if len(ascending):
            starts = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]]))
            merged.append((ascending[starts], np.add.reduceat(weights[order], starts)))
    return np.concatenate([part for part, _ in merged]), np.concatenate([part for _, part in merged])


def starts_sentence(counts: Counts) -> list[NDArray[np.bool_]]:
    """For each order: which n-grams begin with <s>; (N,) bool."""
    flags = [np.arange(len(counts.words)) == BOS]
    for keys in counts.keys[1:]:
        flags.append(flags[-1][keys // len(counts.words)])
    return flags
