"""Alphabets, emissions and ARPA files small enough to check by hand; the obvious version of the search."""

import itertools
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transcribe_cli.alphabet import Alphabet
from transcribe_cli.lm.model import LanguageModel

LETTERS = Alphabet(("<blank>", " ", "a", "b", "c", "t"))

# log10 probabilities; "cat" is ten times likelier than "bat", after "a" a hundred times less likely
CAT = """\\data\\
ngram 1=7
ngram 2=3

\\1-grams:
-2.0\t<unk>\t0
-99\t<s>\t-0.25
-0.5\t</s>\t0
-1.0\ta\t-0.125
-1.0\tcat\t-0.5
-2.0\tbat\t0
-1.5\tab\t-0.75

\\2-grams:
-0.25\ta bat
-2.25\ta cat
-0.5\tcat </s>

\\end\\
"""


def load(text: str | bytes, folder: Path, name: str = "toy.arpa") -> LanguageModel:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return LanguageModel.load(path)


def rows(alphabet: Alphabet, *frames: dict[str, float]) -> NDArray[np.float64]:
    """{token: probability} a frame ("" is the blank), the rest spread over all tokens → (T, V) log-probabilities."""
    out = np.empty((len(frames), len(alphabet)))
    for row, frame in zip(out, frames, strict=True):
        row[:] = (1 - sum(frame.values())) / len(alphabet) + 1e-12
        for token, p in frame.items():
            row[alphabet.blank if token == "" else alphabet.tokens.index(token)] += p
    return np.log(out / out.sum(axis=1, keepdims=True))


def random_rows(seed: int, n_frames: int, n_tokens: int, sharpness: float = 1.5) -> NDArray[np.float64]:
    scores = np.random.default_rng(seed).normal(scale=sharpness, size=(n_frames, n_tokens))
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def every_text(log_probs: NDArray[np.float64], alphabet: Alphabet) -> dict[str, float]:
    """Log of the summed probability of all V^T paths, by the text they collapse to."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        collapsed = [token for token, _ in itertools.groupby(path)]
        found[alphabet.decode(collapsed)].append(math.exp(sum(log_probs[t, v] for t, v in enumerate(path))))
    return {text: math.log(math.fsum(ps)) for text, ps in found.items()}
