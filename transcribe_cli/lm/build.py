"""From sentences to a model in one call, with the choices that a user has.

In go sentences and `BuildOptions`, out comes a model with the facts of its making. Order of work: count, choose the
vocabulary, drop rare n-grams, smooth, drop n-grams by entropy.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import LanguageModelError, OptionError
from ..options import check, option
from . import counts, prune, smoothing
from .files import characters
from .ngrams import SPECIALS, NGramModel


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How a language model is estimated."""

    order: int = option(3, "longest n-gram, in words (or characters)", minimum=1, maximum=6)
    unit: str = option("word", "what the model predicts", choices=("word", "char"))
    prune: str = option(
        "", "drop n-grams seen so often or less, one threshold an order: 0,0,1 drops 3-grams seen once", metavar="N,N,…"
    )
    entropy: float | None = option(
        None, "drop n-grams whose loss raises perplexity by less than this share (1e-8 is mild, 1e-6 strong)", minimum=0
    )
    max_ngrams: int | None = option(None, "drop the cheapest n-grams until so many are left", minimum=1)
    min_count: int = option(1, "leave out words that occur more rarely", minimum=1)
    max_words: int | None = option(None, "keep only the most frequent words", minimum=1)
    vocabulary: str | None = option(None, "keep only the words of this file, one a line", metavar="FILE")

    def __post_init__(self) -> None:
        check(self)
        thresholds(self)


@dataclass(frozen=True, slots=True)
class Built:
    """A model and what it came from."""

    model: NGramModel
    n_sentences: int
    n_tokens: int
    n_words: int  # different words of the text, before any were left out
    discounts: tuple[smoothing.Discounts, ...]
    fallback_orders: tuple[int, ...]


def thresholds(options: BuildOptions) -> tuple[int, ...]:
    """The count thresholds of `prune`. Raises OptionError where they are no rising whole numbers."""
    try:
        values = tuple(int(value) for value in options.prune.replace(",", " ").split())
    except ValueError as error:
        raise OptionError(f"--prune cannot be {options.prune!r}: give whole numbers, such as 0,0,1") from error
    if any(value < 0 for value in values) or list(values) != sorted(values):
        raise OptionError(f"--prune cannot be {options.prune!r}: thresholds must be 0 or more and must not fall")
    if values and values[0]:
        raise OptionError("--prune starts with the threshold of words, which must be 0: use --min-count for them")
    if len(values) > options.order:
        raise OptionError(f"--prune has {len(values)} thresholds, the model has {options.order} orders")
    return values


def build(sentences: Iterable[str], options: BuildOptions, folder: Path | None = None) -> Built:
    """Estimates a model. Raises LanguageModelError where the text has no words, InputError where it cannot be read."""
    if options.unit == "char":
        sentences = map(characters, sentences)
    counted = counts.count(sentences, options.order, folder)
    estimate = smoothing.estimate(counted, thresholds(options), _vocabulary(counted, options))
    model = estimate.model
    if options.entropy:
        model = prune.prune(model, options.entropy)
    if options.max_ngrams is not None:
        model = prune.prune_to(model, options.max_ngrams, prune.costs(model))
    return Built(
        model,
        counted.n_sentences,
        counted.n_tokens,
        len(counted.words) - len(SPECIALS),
        estimate.discounts,
        estimate.fallback_orders,
    )


def _vocabulary(counted: counts.Counts, options: BuildOptions) -> NDArray[np.bool_] | None:
    """Which words stay, or None for all."""
    if options.min_count == 1 and options.max_words is None and options.vocabulary is None:
        return None
    occurrences = counted.occurrences[0].copy()
    occurrences[: len(SPECIALS)] = 0
    keep: NDArray[np.bool_] = occurrences >= options.min_count
    if options.vocabulary is not None:
        try:
            words = set(Path(options.vocabulary).read_text(encoding="utf-8-sig").split())
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"--vocabulary {options.vocabulary} cannot be read ({error})") from error
        keep &= np.array([word in words for word in counted.words])
    if options.max_words is not None:
        # the earlier word stays where two are as frequent, so that a build can be repeated
        ranked = np.lexsort((np.arange(len(keep)), -np.where(keep, occurrences, 0)))
        dropped = np.ones(len(keep), dtype=bool)
        dropped[ranked[: options.max_words]] = False
        keep &= ~dropped
    keep[: len(SPECIALS)] = False
    if not keep.any():
        raise LanguageModelError("no word is left: the vocabulary's limits fit none of the text's words")
    return keep
