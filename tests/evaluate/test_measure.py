import json
import math

import numpy as np
import pytest
import soundfile

from transcribe_cli import decoding
from transcribe_cli.alphabet import Alphabet
from transcribe_cli.decoding.options import DecodingOptions
from transcribe_cli.errors import InputError, OptionError
from transcribe_cli.evaluate import sweep
from transcribe_cli.evaluate.measure import labelled, line_id, signal_to_noise, spelled
from transcribe_cli.lm.model import LanguageModel

ALPHABET = Alphabet(("<blank>", *" abcde"))
ARPA = """\\data\\
ngram 1=5
ngram 2=2

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.3
-0.9\t</s>
-0.5\tbad\t-0.2
-0.7\tcab\t-0.1

\\2-grams:
-0.2\t<s> bad
-0.4\tbad cab

\\end\\
"""


@pytest.fixture
def decoder(tmp_path):
    (tmp_path / "lm.arpa").write_text(ARPA)
    options = DecodingOptions(decoder="python", lm_weight=0.7, word_bonus=1.5, unknown_penalty=5.0)
    return decoding.build(ALPHABET, LanguageModel.load(tmp_path / "lm.arpa"), options)


@pytest.mark.parametrize("text", ["bad cab", "cab", "deed bad", "aa a"])
def test_rows_that_spell_a_text_decode_to_it(decoder, text):
    assert decoder.decode(spelled(text, ALPHABET))[0].text == text


def test_the_language_score_of_a_text_is_what_the_search_gave_it(decoder):
    draw = np.random.default_rng(0)
    logits = spelled("bad cab", ALPHABET) / 12 + draw.normal(0, 0.5, (14, 7))
    log_probs = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    found = decoder.decode(log_probs)[0]
    assert found.text == "bad cab"
    assert decoder.decode(spelled("bad cab", ALPHABET))[0].language == pytest.approx(found.language, abs=1e-4)
    # an unknown word costs its penalty
    known, unknown = (decoder.decode(spelled(text, ALPHABET))[0].language for text in ("cab", "cad"))
    assert known - unknown > 5.0 - 0.7 * math.log(10)


def test_signal_to_noise_is_near_what_was_mixed():
    draw = np.random.default_rng(0)
    t = np.arange(64000) / 16000
    speech = np.where(np.sin(2 * np.pi * t) > 0, np.sin(2 * np.pi * 300 * t), 0.0)
    for snr_db in (5, 20, 35):
        noise = draw.normal(0, math.sqrt(0.5 * 10 ** (-snr_db / 10)), len(t))
        assert signal_to_noise((speech + noise).astype(np.float32), 16000) == pytest.approx(snr_db, abs=2.5)


def test_signal_to_noise_of_silence_or_of_almost_nothing_is_unknown():
    assert signal_to_noise(np.zeros(16000, np.float32), 16000) is None
    assert signal_to_noise(np.ones(100, np.float32), 16000) is None


def test_lines_without_a_text_are_not_evaluated(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 16000)
    lines = [{"audio": "a.wav", "text": "x", "id": 7}, {"audio": "a.wav"}, {"audio": "a.wav", "start": 0.5, "text": ""}]
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = labelled(tmp_path / "set.jsonl")
    assert [line_id(line) for line in found] == ["7", "a.wav 0.5"]
    (tmp_path / "set.jsonl").write_text(json.dumps(lines[1]))
    with pytest.raises(InputError, match="nothing to evaluate"):
        labelled(tmp_path / "set.jsonl")


def test_settings_are_combined():
    assert sweep.parse(["beam-width:4,8", "lm_weight:0.5,1"]) == [
        {"beam_width": 4, "lm_weight": 0.5},
        {"beam_width": 4, "lm_weight": 1.0},
        {"beam_width": 8, "lm_weight": 0.5},
        {"beam_width": 8, "lm_weight": 1.0},
    ]
    assert sweep.parse([]) == []
    with pytest.raises(OptionError, match="at most 1000"):
        sweep.parse([f"lm_weight:{','.join(str(k / 40) for k in range(40))}", f"word_bonus:{','.join('1' * 40)}"])
