"""A neural language model's say: its scores against a table, and what it changes where the searches differ."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import toy_rescorer
import toys
from test_sounds import LETTERS, LEXICON, SOUNDS, beside, spelt, sung

from transcribe_cli.decoding import BothSearch, DecodingOptions, Sounding, build
from transcribe_cli.decoding.rescorer import Asked, Rescorer
from transcribe_cli.errors import LanguageModelError
from transcribe_cli.lm.model import LanguageModel

TABLE = np.log(np.random.default_rng(3).dirichlet(np.ones(len(toy_rescorer.PIECES)), len(toy_rescorer.PIECES)))


@pytest.fixture(scope="module")
def rescorer(tmp_path_factory: pytest.TempPathFactory) -> Rescorer:
    return Rescorer(toy_rescorer.write(tmp_path_factory.mktemp("rescorer") / "r.onnx", TABLE.astype(np.float32)))


def chain(*pieces: str) -> float:
    """ln P of all but the first piece, each behind the one before it."""
    places = [toy_rescorer.PIECES.index(piece) for piece in pieces]
    return float(sum(TABLE[last, following] for last, following in itertools.pairwise(places)))


def test_each_word_is_scored_behind_all_before_it(rescorer):
    first, second, none = rescorer.log_probs(
        [
            Asked(("a", "cat"), ("bat", "a"), beginning=True),
            Asked((), ("tack",), beginning=False),
            Asked(("a",), (), beginning=True),
        ]
    )
    assert first == pytest.approx([chain("t▁", "b", "a", "t▁"), chain("t▁", "a▁")], abs=1e-5)
    assert second == pytest.approx([chain("<cut>", "t", "a", "c", "k▁")], abs=1e-5)
    assert len(none) == 0
    assert rescorer.log_probs([Asked((), ("cat",), beginning=True)])[0] == pytest.approx(
        [chain("<s>", "c", "a", "t▁")], abs=1e-5
    )


def test_neighbours_in_a_batch_change_nothing(rescorer):
    rng = np.random.default_rng(1)
    words = ["a", "cat", "bat", "tab", "back"]
    asked = [Asked(tuple(rng.choice(words, rng.integers(4))), tuple(rng.choice(words, 2)), True) for _ in range(150)]
    together = rescorer.log_probs(asked)
    for one, found in zip(asked, together, strict=True):
        assert found == pytest.approx(rescorer.log_probs([one])[0], abs=1e-6)


def test_what_is_longer_than_the_model_holds_is_cut_where_it_begins(rescorer):
    """The toy holds 12 pieces: of what stands before only the last few, of more words than that the first."""
    (found,) = rescorer.log_probs([Asked(("cat",) * 30, ("back", "cat"), beginning=True)])
    assert found == pytest.approx([chain("t▁", "b", "a", "c", "k▁"), chain("k▁", "c", "a", "t▁")], abs=1e-5)
    (many,) = rescorer.log_probs([Asked((), ("back",) * 5, beginning=True)])
    assert len(many) == 5
    assert many[1] == pytest.approx(chain("k▁", "b", "a", "c", "k▁"), abs=1e-5)
    assert many[4] == 0.0


@pytest.mark.parametrize(
    ("about", "told"),
    [
        (None, "no neural language model"),
        ({**toy_rescorer.ABOUT, "format": 2}, "onnx: written by a later version"),
        ({**toy_rescorer.ABOUT, "pieces": 3}, "no neural language model"),
        ({**toy_rescorer.ABOUT, "starts": {}}, "no neural language model"),
    ],
)
def test_another_graph_is_refused_in_a_line(tmp_path, about, told):
    path = toy_rescorer.write(tmp_path / "r.onnx", TABLE.astype(np.float32), about)
    with pytest.raises(LanguageModelError, match=told) as error:
        Rescorer(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_a_file_that_is_no_graph_and_a_graph_that_fails_are_errors_in_a_line(tmp_path):
    broken = tmp_path / "r.onnx"
    broken.write_bytes(b"none")
    with pytest.raises(LanguageModelError, match=r"r\.onnx"):
        Rescorer(broken)
    small = Rescorer(toy_rescorer.write(tmp_path / "s.onnx", TABLE[:5, :5].astype(np.float32)))
    with pytest.raises(LanguageModelError, match="fails") as error:
        small.log_probs([Asked((), ("cat",), True)])
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def sounding(tmp_path_factory: pytest.TempPathFactory) -> Sounding:
    path = tmp_path_factory.mktemp("lexicon") / "lexicon.gz"
    LEXICON.save(path)
    return Sounding(SOUNDS, str(path))


def both(lm: LanguageModel, sounding: Sounding, rescorer: Path | None, **options: object) -> BothSearch:
    heard = LanguageModel.load(lm.path, rescorer)
    made = build(LETTERS, heard, DecodingOptions(**{"lm_weight": 0.6, "word_bonus": 0.5, **options}), sounding)
    assert isinstance(made, BothSearch)
    return made


BAT = {("<s>", "b"): 8.0, ("b", "a"): 8.0, ("a", "t▁"): 8.0}
# "cat" and "bat" are heard alike; the n-grams take "cat"
IN_DOUBT = beside(
    toys.rows(LETTERS, {"c": 0.5, "b": 0.45}, {"a": 0.95}, {"t": 0.95}),
    toys.rows(SOUNDS, {"K": 0.5, "B": 0.45}, {"AE": 0.95}, {"T": 0.95}),
)


def test_it_decides_where_the_searches_are_in_doubt(lm, sounding, tmp_path):
    likes_bat = toy_rescorer.write(tmp_path / "bat.onnx", toy_rescorer.table(BAT))
    assert both(lm, sounding, None).decode(IN_DOUBT)[0].text == "cat"
    assert both(lm, sounding, likes_bat, rescorer_weight=0.8).decode(IN_DOUBT)[0].text == "bat"
    assert both(lm, sounding, likes_bat, rescorer_weight=0).decode(IN_DOUBT)[0].text == "cat"
    # what is heard clearly is not asked about
    sure = beside(spelt("c", "a", "t", sure=0.999), sung("K", "AE", "T"))
    assert both(lm, sounding, likes_bat, rescorer_weight=1.5).decode(sure)[0].text == "cat"


def test_a_whole_text_is_worth_the_mean_of_both_models_probabilities(lm, sounding, tmp_path):
    path = toy_rescorer.write(tmp_path / "r.onnx", TABLE.astype(np.float32))
    rows = beside(spelt(*"cat a"), sung("K", "AE", "T", "|", "AE"))
    state = lm.state(boundary=True)
    n_grams = []
    for word in ("cat", "a", "</s>"):
        following = type(state)()
        n_grams.append(float(lm.kenlm.BaseScore(state, word, following)) * np.log(10))
        state = following
    neural = [chain("<s>", "c", "a", "t▁"), chain("t▁", "a▁")]
    mean = np.log((np.exp(n_grams[:2]) + np.exp(neural)) / 2).sum()
    without, with_it = (both(lm, sounding, one, rescorer_weight=0.9) for one in (None, path))
    difference = with_it.total(rows, "cat a") - without.total(rows, "cat a")
    assert difference == pytest.approx(0.9 * (mean + n_grams[2]) - 0.6 * sum(n_grams), abs=1e-5)


def test_words_that_the_n_grams_do_not_know_keep_their_penalty(lm, sounding, tmp_path):
    assert not lm.knows("kat")
    path = toy_rescorer.write(tmp_path / "r.onnx", toy_rescorer.table({("<s>", "k"): 9.0}))
    rows = beside(spelt("k", "a", "t"), sung("K", "AE", "T"))
    without, with_it = (both(lm, sounding, one, rescorer_weight=0.6) for one in (None, path))
    assert with_it.total(rows, "kat") == pytest.approx(without.total(rows, "kat"), abs=1e-6)


def test_the_toy_is_a_model_of_probabilities():
    assert np.exp(toy_rescorer.table({("<s>", "k"): 9.0})).sum(axis=1) == pytest.approx(1.0)
