"""Our estimates equal those of KenLM's lmplz, n-gram by n-gram."""

from pathlib import Path

import numpy as np
import pytest
from make_golden import CASES, N_SENTENCES
from toy_corpus import sentences

from transcribe_cli.lm import arpa, counts, ngrams, smoothing

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", CASES)
def test_every_ngram_equals_lmplz(name: str) -> None:
    order, prune = CASES[name]
    ours = smoothing.estimate(
        counts.count(sentences(N_SENTENCES), order), tuple(int(value) for value in prune.split())
    ).model
    theirs = arpa.read(GOLDEN / f"{name}.arpa.gz")
    assert ours.sizes == theirs.sizes
    assert set(ours.words) == set(theirs.words)
    number = np.array([theirs.words.index(word) for word in ours.words])
    rows = number
    for n in range(1, order + 1):
        mine, golden = ours.tables[n - 1], theirs.tables[n - 1]
        if n > 1:
            keys = rows[ours.contexts(n)] * len(number) + number[ours.last_words(n)]
            rows = ngrams.find(golden.keys, keys)
            assert (rows >= 0).all(), f"{n}-grams that lmplz does not have"
        np.testing.assert_allclose(mine.log10_probs, golden.log10_probs[rows], atol=1e-4)
        np.testing.assert_allclose(mine.log10_backoffs, golden.log10_backoffs[rows], atol=1e-4)
