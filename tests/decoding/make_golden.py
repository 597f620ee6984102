"""Writes golden/: emissions of real utterances, a small language model, and what pyctcdecode makes of them.

    python tests/decoding/make_golden.py EMISSIONS.npz… --texts META.json

needs pyctcdecode 0.5 (NumPy 1, Python 3.12 at most) and kenlm. EMISSIONS hold an array of natural log-probabilities
(frames, 29) for each utterance id over blank, space, ' and a–z; META.json has {id: {"text": …}}. The language model is
an interpolated Witten-Bell trigram of the texts, so it knows the answers: it is here to be compared, not to be good.
"""

import argparse
import gzip
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "golden"
LETTERS = " 'abcdefghijklmnopqrstuvwxyz"
SETTINGS = {
    "default": {"alpha": 0.5, "beta": 1.5, "beam_width": 100, "prune_history": False},
    "history": {"alpha": 0.8, "beta": 2.0, "beam_width": 100, "prune_history": True},
    "narrow": {"alpha": 0.8, "beta": 2.0, "beam_width": 8, "prune_history": True},
    "tight": {"alpha": 0.3, "beta": 0.0, "beam_width": 50, "beam_prune_logp": -5.0, "token_min_logp": -3.0},
    "open": {"alpha": 1.2, "beta": -1.0, "beam_width": 100, "unk_score_offset": -2.0, "token_min_logp": -7.0},
    "acoustic": {"beam_width": 100},
}


def arpa(sentences: list[list[str]], order: int = 3) -> str:
    counts: Counter[tuple[str, ...]] = Counter()
    for words in sentences:
        tokens = ["<s>", *words, "</s>"]
        for n in range(1, order + 1):
            counts.update(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
    del counts[("<s>",)]
    total: Counter[tuple[str, ...]] = Counter()
    kinds: Counter[tuple[str, ...]] = Counter()
    for gram, count in counts.items():
        total[gram[:-1]] += count
        kinds[gram[:-1]] += 1
    size = len([gram for gram in counts if len(gram) == 1]) + 1
    p: dict[tuple[str, ...], float] = {("<unk>",): kinds[()] / size / (total[()] + kinds[()])}
    for gram in sorted(counts, key=len):
        context = gram[:-1]
        lower = p[gram[1:]] if context else 1 / size
        p[gram] = (counts[gram] + kinds[context] * lower) / (total[context] + kinds[context])
    p[("<s>",)] = 1e-99
    lines = ["\\data\\", *(f"ngram {n}={sum(len(g) == n for g in p)}" for n in range(1, order + 1))]
    for n in range(1, order + 1):
        lines.append(f"\n\\{n}-grams:")
        for gram in sorted(g for g in p if len(g) == n):
            back = math.log10(kinds[gram] / (total[gram] + kinds[gram])) if kinds[gram] else 0.0
            tail = f"\t{back:.4f}" if n < order else ""
            lines.append(f"{max(-99.0, math.log10(p[gram])):.4f}\t{' '.join(gram)}{tail}")
    return "\n".join([*lines, "\n\\end\\\n"])


def restored(stored: np.ndarray) -> np.ndarray:
    """What the tests do as well: 1/16 nats in a byte → rows that sum to one, float32."""
    x = stored.astype(np.float32) / np.float32(-16)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("emissions", nargs="+")
    parser.add_argument("--texts", required=True)
    arguments = parser.parse_args()
    import kenlm
    from pyctcdecode import build_ctcdecoder

    meta = json.loads(Path(arguments.texts).read_text())
    stored, texts = {}, []
    for path in arguments.emissions:
        arrays = np.load(path)
        short = [name for name in arrays if 100 <= len(arrays[name]) <= 260]
        texts += [meta[name]["text"].split() for name in list(arrays)[:120]]
        for name in short[:: max(1, len(short) // 8)][:8]:
            stored[name] = np.minimum(np.round(arrays[name].astype(np.float32) * -16), 255).astype(np.uint8)
            texts.append(meta[name]["text"].split())
    HERE.mkdir(exist_ok=True)
    np.savez_compressed(HERE / "emissions.npz", **stored)
    # one word in nine is left out, so that unknown words and their beginnings are scored as well
    words = sorted({word for text in texts for word in text})
    unknown = set(words[::9])
    text = arpa([[word for word in sentence if word not in unknown] for sentence in texts])
    with (HERE / "lm.arpa.gz").open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        file.write(text.encode())
    plain = Path("/tmp/golden.arpa")
    plain.write_text(text)
    kenlm.Model(str(plain))
    expected: dict[str, dict[str, list[tuple[str, float, float]]]] = {}
    for setting, values in SETTINGS.items():
        model = {key: value for key, value in values.items() if key in ("alpha", "beta", "unk_score_offset")}
        search = {key: value for key, value in values.items() if key not in model}
        decoder = build_ctcdecoder(["", *LETTERS], str(plain) if model else None, **model)
        expected[setting] = {
            name: [
                (b[0], round(float(b[3]), 6), round(float(b[4]), 6))
                for b in decoder.decode_beams(restored(x), **search)[:3]
            ]
            for name, x in stored.items()
        }
    (HERE / "pyctcdecode.json").write_text(json.dumps({"settings": SETTINGS, "expected": expected}, indent=0) + "\n")


if __name__ == "__main__":
    main()
