"""Pruning by entropy drops what costs least, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
from toy_corpus import sentences

from transcribe_cli.lm import arpa, counts, ngrams, prune, smoothing
from transcribe_cli.lm.ngrams import BOS, NGramModel

GOLDEN = Path(__file__).parent / "golden"


def estimated(order: int = 3) -> NGramModel:
    return smoothing.estimate(counts.count(sentences(250), order)).model


def perplexity(model: NGramModel, text: list[str]) -> float:
    tokens = ngrams.encode(text, model.words)
    return float(10 ** -ngrams.score(model, tokens)[tokens != BOS].mean())


def grams(model: NGramModel, order: int) -> dict[tuple[str, ...], tuple[float, float]]:
    table = model.tables[order - 1]
    names = [tuple(model.words[i] for i in gram) for gram in model.spelled(order)]
    return dict(zip(names, zip(table.log10_probs, table.log10_backoffs, strict=True), strict=True))


def test_what_is_left_equals_kaldingrams() -> None:
    # golden/order3-entropy-3e-4.arpa.gz: `kaldingram prune --threshold 3e-4` (0.1.2) of golden/order3.arpa.gz, in which
    # <s> was given the probability of </s>, as that program means to and does not where <s> is the whole context
    whole = arpa.read(GOLDEN / "order3.arpa.gz")
    ours = prune.prune(whole, 3e-4, keep_suffixes=False)
    theirs = arpa.read(GOLDEN / "order3-entropy-3e-4.arpa.gz")
    assert 0 < sum(theirs.sizes) < 0.6 * sum(whole.sizes)
    for order in (1, 2, 3):
        mine, golden = grams(ours, order), grams(theirs, order)
        assert mine.keys() == golden.keys()
        for name, (log10_prob, log10_backoff) in mine.items():
            if name != ("<s>",):
                assert log10_prob == pytest.approx(golden[name][0], abs=1e-4)
            assert log10_backoff == pytest.approx(golden[name][1], abs=1e-4)


def test_costs_equal_the_perplexity_that_is_lost_by_the_models_own_measure() -> None:
    # the slow way: take one n-gram out, and compare all of its context's words with before
    model = smoothing.estimate(counts.count(["a b", "b a b", "a a c", "c b a", "b b"], 2)).model
    price = prune.costs(model)[1]
    contexts = prune.own_context_probabilities(model)[0]
    for row in range(len(model.tables[1])):
        keep = [np.ones(len(table), dtype=bool) for table in model.tables]
        keep[1][row] = False
        without = ngrams.renormalise(ngrams.select(model, keep))
        h = int(model.contexts(2)[row])
        words = [w for w in range(len(model.words)) if w != BOS]
        before, after = (
            [ngrams.score(m, np.array([h, w], dtype=np.int32))[-1] for w in words] for m in (model, without)
        )
        divergence = sum(10**b * (b - a) * np.log(10) for b, a in zip(before, after, strict=True))
        assert price[row] == pytest.approx(np.expm1(contexts[h] * divergence), abs=1e-6)


@pytest.mark.parametrize("threshold", [1e-5, 1e-4, 1e-3])
def test_pruned_model_sums_to_one(threshold: float) -> None:
    model = prune.prune(estimated(), threshold)
    for context in ((BOS,), (5, 7), (BOS, 4), (9, 3)):
        words = [w for w in range(len(model.words)) if w != BOS]
        total = sum(10 ** ngrams.score(model, np.array([*context, w], dtype=np.int32))[-1] for w in words)
        assert total == pytest.approx(1, abs=1e-4)


def test_more_pruning_costs_more_perplexity() -> None:
    model, text = estimated(), sentences(250)
    measured = [perplexity(prune.prune_to(model, n, prune.costs(model)), text) for n in (3000, 1500, 800, 300)]
    assert measured == sorted(measured)
    assert measured[0] >= perplexity(model, text) - 1e-3


def test_model_is_pruned_to_a_number_of_ngrams() -> None:
    model = estimated()
    price = prune.costs(model)
    for wanted in (2000, 1000, 400):
        assert 0.8 * wanted < sum(prune.prune_to(model, wanted, price).sizes) <= wanted
    assert prune.prune_to(model, 10**6, price) is model


def test_beginnings_and_ends_of_what_stays_stay() -> None:
    model = prune.prune(estimated(4), 2e-4)
    assert all((rows >= 0).all() for rows in ngrams.suffix_rows(model))
    assert ngrams.close(model) is model


def test_shorter_model_drops_the_longest_ngrams() -> None:
    model = estimated()
    short = prune.shorten(model, 2)
    assert short.sizes == model.sizes[:2]
    assert not short.tables[1].log10_backoffs.any()
    assert prune.shorten(model, 3) is model


def test_zero_threshold_drops_nothing_that_costs() -> None:
    model = estimated()
    assert prune.prune(model, 0).sizes[0] == model.sizes[0]
    assert sum(prune.prune(model, 1e9).sizes[1:]) == 0
