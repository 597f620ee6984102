"""Decoding speed in times real time, one core: our search, the C++ engine and pyctcdecode, with and without hotwords.

    python benchmarks/decoding.py
    python benchmarks/decoding.py --emissions dev.npz --lm models/en/lm.bin --limit 200 --check

Without arguments the emissions and the small language model of the tests are decoded. EMISSIONS is an .npz of natural
log-probabilities (frames, 29) over blank, space, ' and a–z, one array an utterance. Seconds are those of the process,
the best of three rounds; on a shared machine only the ratios mean something. `--check` also counts on how many
utterances the best text and its score equal pyctcdecode's (where it can be imported) or else the C++ engine's.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from transcribe_cli.alphabet import Alphabet
from transcribe_cli.decoding.beam import BeamSearch
from transcribe_cli.decoding.fast import FastSearch, installed
from transcribe_cli.decoding.hotwords import Hotword, HotwordMatcher
from transcribe_cli.decoding.options import DecodingOptions
from transcribe_cli.lm.model import LanguageModel

GOLDEN = Path(__file__).parent.parent / "tests" / "decoding" / "golden"
ENGLISH = Alphabet(("<blank>", *" 'abcdefghijklmnopqrstuvwxyz"))
WIDTHS = (16, 50, 100, 200)
ALPHA, BETA = 0.8, 2.0


def read(paths: list[str], limit: int) -> list[np.ndarray]:
    found = []
    for path in paths or [str(GOLDEN / "emissions.npz")]:
        with np.load(path) as arrays:
            for name in arrays:
                x = arrays[name]
                x = x.astype(np.float32) / -16 if x.dtype == np.uint8 else x.astype(np.float32)
                top = x.max(axis=1, keepdims=True)
                found.append((x - top - np.log(np.exp(x - top).sum(axis=1, keepdims=True))).astype(np.float32))
    step = max(1, len(found) // limit)
    return found[::step][:limit]


def hotwords_of(model: LanguageModel, n: int) -> list[str]:
    """Words of the model, evenly over the alphabet, so that their beginnings are met all the time."""
    words = sorted(word for word in model.words if 4 <= len(word) <= 12 and ENGLISH.spells(word))
    return words[:: max(1, len(words) // n)][:n]


def speed(decode: Callable[[np.ndarray], Any], emissions: list[np.ndarray], seconds: float) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for log_probs in emissions:
            decode(log_probs)
        best = min(best, time.process_time() - start)
    return seconds / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emissions", nargs="*", default=[], metavar="FILE.npz")
    parser.add_argument("--lm", default=str(GOLDEN / "lm.arpa.gz"))
    parser.add_argument("--limit", type=int, default=100, help="utterances")
    parser.add_argument("--frame-seconds", type=float, default=0.02)
    parser.add_argument("--hotwords", type=int, default=200)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    model = LanguageModel.load(arguments.lm)
    emissions = read(arguments.emissions, arguments.limit)
    seconds = sum(map(len, emissions)) * arguments.frame_seconds
    listed = hotwords_of(model, arguments.hotwords)
    matcher = HotwordMatcher([Hotword(word, 10.0) for word in listed])
    try:
        from pyctcdecode import build_ctcdecoder

        theirs = build_ctcdecoder(
            ["", *ENGLISH.tokens[1:]], str(model.path), unigrams=sorted(model.words), alpha=ALPHA, beta=BETA
        )
    except ImportError:
        theirs = None
    weights: dict[str, Any] = {"lm_weight": ALPHA, "word_bonus": BETA}
    named = f"{model.order}-gram of {len(model.words)} words, α {ALPHA}, β {BETA}"
    print(f"{len(emissions)} utterances, {seconds:.0f} s; {named}")
    hot_title = f"x with {len(listed)} hotwords"
    print(f"{'beam':>5} {'engine':<18} {'x real time':>11} {'of ours':>8} {hot_title:>20} {'cost':>5}")
    for width in WIDTHS:
        engines: list[tuple[str, Callable[[np.ndarray], Any], Callable[[np.ndarray], Any] | None]] = []
        ours = BeamSearch(ENGLISH, model, DecodingOptions(beam_width=width, **weights))
        hot = BeamSearch(ENGLISH, model, DecodingOptions(beam_width=width, **weights), hotwords=matcher)
        engines.append(("ours", ours.decode, hot.decode))
        if installed() and model.plain:
            fast = FastSearch(ENGLISH, model, DecodingOptions(beam_width=width, **weights))
            engine = fast._engine

            def fast_hot(x: np.ndarray, engine: Any = engine, width: int = width) -> Any:
                return engine.decode_beams(x, beam_width=width, prune_history=True, hotwords=listed)

            engines.append(("ctc-beam-decoder", fast.decode, fast_hot))
        if theirs is not None:

            def slow(x: np.ndarray, width: int = width) -> Any:
                return theirs.decode_beams(x, beam_width=width, prune_history=True)

            def slow_hot(x: np.ndarray, width: int = width) -> Any:
                return theirs.decode_beams(x, beam_width=width, prune_history=True, hotwords=listed)

            engines.append(("pyctcdecode", slow, slow_hot))
        reference = 0.0
        for name, plain, with_hotwords in engines:
            rate = speed(plain, emissions, seconds)
            reference = reference or rate
            line = f"{width:>5} {name:<18} {rate:>11.0f} {rate / reference:>8.2f}"
            if with_hotwords is not None:
                hot_rate = speed(with_hotwords, emissions, seconds)
                line += f" {hot_rate:>20.0f} {rate / hot_rate:>5.2f}"
            print(line, flush=True)
    if arguments.check:
        check(emissions, model, theirs)


def check(emissions: list[np.ndarray], model: LanguageModel, theirs: Any) -> None:
    """Counts the utterances on which best text and scores are equal, with and without pyctcdecode's last empty word."""
    name, decode = "ctc-beam-decoder", None
    if theirs is not None:
        name, decode = "pyctcdecode", theirs.decode_beams
    elif installed() and model.plain:
        decode = FastSearch(ENGLISH, model, DecodingOptions(lm_weight=ALPHA, word_bonus=BETA))._engine.decode_beams
    if decode is None:
        print("neither pyctcdecode nor ctc-beam-decoder is there to compare with")
        return
    expected = [decode(x, beam_width=100, prune_history=True)[0] for x in emissions]
    for rule in (True, False):
        ours = BeamSearch(ENGLISH, model, DecodingOptions(lm_weight=ALPHA, word_bonus=BETA), score_empty_word=rule)
        same_text = same_scores = 0
        for log_probs, beam in zip(emissions, expected, strict=True):
            best = ours.decode(log_probs)[0]
            same_text += best.text == beam[0]
            same_scores += abs(best.acoustic - beam[3]) < 1e-4 and abs(best.total - beam[4]) < 1e-4
        how = "with its empty last word" if rule else "as shipped"
        print(f"{name}, {how}: {same_text} texts and {same_scores} scores of {len(emissions)} equal")


if __name__ == "__main__":
    main()
