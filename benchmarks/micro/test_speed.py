"""Small parts timed again and again with pytest-benchmark, to see what a change costs.

    pytest benchmarks/micro
    pytest benchmarks/micro --benchmark-save=before       # … change something …
    pytest benchmarks/micro --benchmark-compare

Inputs are made here or lie among the tests, so that figures do not move with the models. × real time stands in the
column of extra information of `--benchmark-json`.
"""

from pathlib import Path

import numpy as np
import pytest

from transcribe_cli import decoding
from transcribe_cli.alignment.words import align_words
from transcribe_cli.alphabet import Alphabet
from transcribe_cli.ctc.collapse import greedy
from transcribe_cli.decoding.options import DecodingOptions
from transcribe_cli.features import Extractor, FeatureRecipe, finish
from transcribe_cli.lm.model import LanguageModel

GOLDEN = Path(__file__).parents[2] / "tests" / "decoding" / "golden"
ENGLISH = Alphabet(("<blank>", *" 'abcdefghijklmnopqrstuvwxyz"))
FRAME_SECONDS = 0.02


@pytest.fixture(scope="module")
def emissions():
    """Natural log-probabilities of real utterances, (rows, 29) each."""
    found = []
    with np.load(GOLDEN / "emissions.npz") as arrays:
        for name in arrays:
            x = arrays[name].astype(np.float32)
            x = x / -16 if arrays[name].dtype == np.uint8 else x
            x -= x.max(axis=1, keepdims=True)
            found.append(x - np.log(np.exp(x).sum(axis=1, keepdims=True)))
    return found


@pytest.fixture(scope="module")
def arpa(tmp_path_factory):
    """A 3-gram model of 20000 words that nobody said, as ARPA text."""
    draw = np.random.default_rng(0)
    words = [f"w{k}" for k in range(20000)]
    pairs = sorted({(int(a), int(b)) for a, b in draw.integers(0, len(words), (60000, 2))})
    follower = dict(pairs)  # KenLM wants the last two words of every three to be a pair of the file
    triples = [(a, b, follower[b]) for a, b in pairs if b in follower]
    lines = ["\\data\\", f"ngram 1={len(words) + 3}", f"ngram 2={len(pairs)}", f"ngram 3={len(triples)}", ""]
    lines += ["\\1-grams:", "-4.5\t<unk>", "-99\t<s>\t-0.3", "-1.5\t</s>"]
    lines += [f"-4.1\t{word}\t-0.2" for word in words]
    lines += ["", "\\2-grams:", *(f"-1.3\t{words[a]} {words[b]}\t-0.1" for a, b in pairs)]
    lines += ["", "\\3-grams:", *(f"-0.7\t{words[a]} {words[b]} {words[c]}" for a, b, c in triples), "", "\\end\\", ""]
    path = tmp_path_factory.mktemp("arpa") / "model.arpa"
    path.write_text("\n".join(lines))
    return path


def timed(benchmark, work, audio_seconds):
    """Times `work` and notes × real time."""
    found = benchmark(work)
    if benchmark.stats is not None:
        benchmark.extra_info["times_real_time"] = audio_seconds / benchmark.stats.stats.median
    return found


@pytest.mark.parametrize("kind", ["log-mel", "mfcc"])
def test_features_of_a_minute_in_blocks(benchmark, kind):
    recipe = FeatureRecipe() if kind == "log-mel" else FeatureRecipe(kind="mfcc", deltas=2)
    sound = (np.random.default_rng(0).standard_normal(60 * 16000) * 0.1).astype(np.float32)

    def work():
        extractor = Extractor(recipe)
        parts = [extractor.push(sound[k : k + 80000]) for k in range(0, len(sound), 80000)]
        return np.concatenate([*parts, extractor.flush()])

    assert len(timed(benchmark, work, 60)) == 6000


def test_finishing_of_a_window(benchmark):
    raw = np.random.default_rng(0).standard_normal((1500, 80)).astype(np.float32)
    assert timed(benchmark, lambda: finish(raw, FeatureRecipe()), 15).shape == (1500, 80)


@pytest.mark.parametrize("decoder", ["greedy", "python", "fast"])
def test_decoding(benchmark, emissions, decoder):
    if decoder == "fast":
        pytest.importorskip("ctc_beam_decoder")
    model = None if decoder == "greedy" else LanguageModel.load(GOLDEN / "lm.arpa.gz")
    search = decoding.build(ENGLISH, model, DecodingOptions(decoder=decoder, lm_weight=0.6, word_bonus=2.0))
    texts = timed(
        benchmark, lambda: [search.decode(own)[0].text for own in emissions], sum(map(len, emissions)) * FRAME_SECONDS
    )
    assert any(texts)


def test_timing_of_words(benchmark, emissions):
    texts = [ENGLISH.decode(greedy(own, ENGLISH.blank)) for own in emissions]

    def work():
        return [align_words(own, text, ENGLISH, FRAME_SECONDS) for own, text in zip(emissions, texts, strict=True)]

    found = timed(benchmark, work, sum(map(len, emissions)) * FRAME_SECONDS)
    assert [len(words) for words in found] == [len(text.split()) for text in texts]


def test_loading_of_an_arpa_file(benchmark, arpa):
    assert benchmark(lambda: LanguageModel.load(arpa)).order == 3
