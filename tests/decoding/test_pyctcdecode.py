"""The same texts and scores as pyctcdecode 0.5 on emissions of real utterances: as recorded, and afresh where it is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transcribe_cli.alphabet import Alphabet
from transcribe_cli.decoding.beam import BeamSearch
from transcribe_cli.decoding.fast import FastSearch
from transcribe_cli.decoding.options import DecodingOptions
from transcribe_cli.lm.model import LanguageModel

GOLDEN = Path(__file__).parent / "golden"
ENGLISH = Alphabet(("<blank>", *" 'abcdefghijklmnopqrstuvwxyz"))
RECORDED = json.loads((GOLDEN / "pyctcdecode.json").read_text())


@pytest.fixture(scope="module")
def emissions() -> dict[str, np.ndarray]:
    """(T, 29) float32, natural log-probabilities, from 1/16 nats in a byte."""
    with np.load(GOLDEN / "emissions.npz") as arrays:
        rows = {name: arrays[name].astype(np.float32) / np.float32(-16) for name in arrays}
    return {name: x - np.log(np.exp(x).sum(axis=1, keepdims=True)) for name, x in rows.items()}


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel.load(GOLDEN / "lm.arpa.gz")


def ours(values: dict[str, Any], model: LanguageModel, **more: Any) -> BeamSearch:
    return BeamSearch(
        ENGLISH,
        model if "alpha" in values else None,
        DecodingOptions(
            beam_width=values["beam_width"],
            beam_prune_logp=values.get("beam_prune_logp", -10.0),
            token_min_logp=values.get("token_min_logp", -5.0),
            lm_weight=values.get("alpha", 0.0),
            word_bonus=values.get("beta", 0.0),
            unknown_penalty=-values.get("unk_score_offset", -10.0),
            nbest=3,
        ),
        prune_history=values.get("prune_history", False),
        look_ahead=False,  # theirs hears from the language model only where a word ends
        **more,
    )


@pytest.mark.parametrize("setting", RECORDED["settings"])
def test_texts_and_scores_are_those_recorded(
    setting: str, emissions: dict[str, np.ndarray], model: LanguageModel
) -> None:
    search = ours(RECORDED["settings"][setting], model, score_empty_word=True)
    expected = RECORDED["expected"][setting]
    assert set(expected) == set(emissions)
    for name, log_probs in emissions.items():
        found = search.decode(log_probs)
        assert [h.text for h in found] == [text for text, _, _ in expected[name]]
        for h, (_, acoustic, total) in zip(found, expected[name], strict=True):
            assert h.acoustic == pytest.approx(acoustic, abs=1e-4)
            assert h.total == pytest.approx(total, abs=1e-4)
            assert h.total == h.acoustic + h.language


def test_without_its_rule_for_a_last_space_nearly_all_texts_stay(
    emissions: dict[str, np.ndarray], model: LanguageModel
) -> None:
    search = ours(RECORDED["settings"]["history"], model)
    expected = RECORDED["expected"]["history"]
    same = sum(search.decode(x)[0].text == expected[name][0][0] for name, x in emissions.items())
    assert same >= len(emissions) - 1


@pytest.mark.parametrize("setting", RECORDED["settings"])
def test_pyctcdecode_itself_agrees(
    setting: str, emissions: dict[str, np.ndarray], model: LanguageModel, tmp_path: Path
) -> None:
    pyctcdecode = pytest.importorskip("pyctcdecode")
    import gzip

    values = dict(RECORDED["settings"][setting])
    plain = tmp_path / "lm.arpa"
    plain.write_bytes(gzip.decompress((GOLDEN / "lm.arpa.gz").read_bytes()))
    scores = {key: values[key] for key in ("alpha", "beta", "unk_score_offset") if key in values}
    theirs = pyctcdecode.build_ctcdecoder(["", *ENGLISH.tokens[1:]], str(plain) if scores else None, **scores)
    search = ours(values, model, score_empty_word=True)
    limits = {key: value for key, value in values.items() if key not in scores}
    for log_probs in list(emissions.values())[:8]:
        for h, beam in zip(search.decode(log_probs), theirs.decode_beams(log_probs, **limits), strict=False):
            assert h.text == beam[0]
            assert h.acoustic == pytest.approx(beam[3], abs=1e-4)
            assert h.total == pytest.approx(beam[4], abs=1e-4)


@pytest.mark.parametrize("setting", ["history", "default", "acoustic"])
def test_the_cpp_engine_agrees_with_ours(
    setting: str, emissions: dict[str, np.ndarray], model: LanguageModel, tmp_path: Path
) -> None:
    pytest.importorskip("ctc_beam_decoder")
    import gzip

    values = RECORDED["settings"][setting]
    plain = tmp_path / "lm.arpa"
    plain.write_bytes(gzip.decompress((GOLDEN / "lm.arpa.gz").read_bytes()))
    fast = FastSearch(
        ENGLISH,
        LanguageModel.load(plain) if "alpha" in values else None,
        DecodingOptions(
            beam_width=values["beam_width"],
            lm_weight=values.get("alpha", 0.0),
            word_bonus=values.get("beta", 0.0),
            nbest=3,
        ),
        prune_history=values.get("prune_history", False),
    )
    search = ours(values, model)
    different = 0
    for log_probs in emissions.values():
        theirs, found = fast.decode(log_probs)[0], search.decode(log_probs)[0]
        same = theirs.text == found.text and abs(theirs.total - found.total) < 0.01
        different += not (same and abs(theirs.acoustic - found.acoustic) < 0.01)
        assert theirs.total == pytest.approx(theirs.acoustic + theirs.language)
    assert different <= 1
