"""How fast words are timed, and how well: ordinary segments, an exact long alignment, forced alignment of a long text.

    OMP_NUM_THREADS=1 python benchmarks/alignment.py [--manifest samples/manifest.jsonl] [--model en] [--minutes 60]

Every line of the manifest is sent through the model. Its own transcript is timed (the hard case: the greedy path does
not say it; and the easy one: it does), then the manifest's text over all recordings joined and repeated to `--minutes`.
Seconds are those of the process, so a shared machine still shows too little rather than too much. Also printed: how far
word times lie from the edges of the sound, found by its energy at pauses; and what forced alignment says of a text
that was spoilt by leaving out every 40th word and putting in a word after every 40th, over the recordings once.
"""

import argparse
import itertools
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from transcribe_cli import audio
from transcribe_cli.alignment.forced import AlignedWord, ExtraSpeech, TextWord, align_text, spell
from transcribe_cli.alignment.words import align_words, word_labels
from transcribe_cli.alphabet import Alphabet
from transcribe_cli.audio.manifest import read_manifest
from transcribe_cli.ctc.collapse import greedy
from transcribe_cli.ctc.viterbi import align
from transcribe_cli.emission import WindowOptions, rows
from transcribe_cli.pipeline import ModelOptions, Options, Recogniser

SAMPLES = Path(__file__).parents[1] / "samples" / "manifest.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, default=SAMPLES)
    parser.add_argument("--source", help="only lines with this source")
    parser.add_argument("--limit", type=int, help="only so many lines")
    parser.add_argument("--model", default="en")
    parser.add_argument("--minutes", type=float, default=60)
    arguments = parser.parse_args()
    sounds, texts, emissions = [], [], []
    with Recogniser(Options(model=ModelOptions(model=arguments.model))) as recogniser:
        card = recogniser.bundle.card
        lines = [line for line in read_manifest(arguments.manifest) if line.text]
        lines = [line for line in lines if arguments.source in (None, line.keys.get("source"))][: arguments.limit]
        for line in lines:
            for blocks in audio.excerpts(line.audio, [(line.start, line.duration)], card.sample_rate):
                sounds.append(np.concatenate(list(blocks)))
            texts.append(" ".join(word.spelled for word in spell(line.text or "", card.alphabet) if word.spelled))
            emissions.append(np.concatenate(list(rows([sounds[-1]], recogniser.network, WindowOptions()))))
    alphabet, frame = card.alphabet, card.output.frame_seconds
    seconds = sum(map(len, emissions)) * frame
    print(f"{card.id}: {len(lines)} recordings, {seconds / 60:.1f} min")
    easy = [alphabet.decode(greedy(part, alphabet.blank)) for part in emissions]
    for name, said in (("the greedy text", easy), ("the true text", texts)):
        spent = timed(
            lambda said=said: [align_words(e, t, alphabet, frame) for e, t in zip(emissions, said, strict=True)]
        )
        print(f"align_words, {name:16} {seconds / spent:8.0f} × real time")
    edges(sounds, texts, emissions, alphabet, frame, card.sample_rate)

    times = max(1, round(arguments.minutes * 60 / seconds))
    joined, words = np.concatenate(emissions * times), " ".join(texts * times).split()
    hours = len(joined) * frame / 3600
    labels = alphabet.encode(" ".join(words))
    spent = timed(lambda: align(joined, labels, alphabet.blank, checked=True))
    print(f"align, exact, {hours:.2f} h, {len(labels)} labels   {hours * 3600 / spent:.0f} × real time")
    before = peak_mb()
    blocks = [(joined[i : i + 500], i * frame) for i in range(0, len(joined), 500)]
    told: list[AlignedWord | ExtraSpeech] = []
    spent = timed(lambda: told.extend(align_text(blocks, [TextWord(w, w) for w in words], alphabet, frame)))
    print(f"align_text, {hours:.2f} h, {len(words)} words   {hours * 3600 / spent:.0f} × real time, {report(told)}")
    # once, for speech that goes in circles has no one right place
    once = joined[: round(seconds / frame)]
    blocks = [(once[i : i + 500], i * frame) for i in range(0, len(once), 500)]
    spoilt = list(spoil(" ".join(texts).split()))
    kinds = [kind for kind, _ in spoilt if kind != "out"]
    told = list(align_text(blocks, [TextWord(w, w) for kind, w in spoilt if kind != "out"], alphabet, frame))
    flagged = [not one.supported for one in told if isinstance(one, AlignedWord)]
    put_in = [flag for flag, kind in zip(flagged, kinds, strict=True) if kind == "in"]
    said_words = [flag for flag, kind in zip(flagged, kinds, strict=True) if kind == "said"]
    heard = " ".join(one.text for one in told if isinstance(one, ExtraSpeech)).split()
    print(
        f"spoilt text: {np.mean(put_in):.1%} of {len(put_in)} words put in are flagged, "
        f"{np.mean(said_words):.1%} of {len(said_words)} said ones; {sum(kind == 'out' for kind, _ in spoilt)} words "
        f"left out, {len(heard)} words heard beside the text"
    )
    print(f"memory: {before:.0f} MB before forced alignment, {peak_mb():.0f} MB after")


def timed(work: object) -> float:
    assert callable(work)
    begin = time.process_time()
    work()
    return time.process_time() - begin


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(told: list[AlignedWord | ExtraSpeech]) -> str:
    words = [one for one in told if isinstance(one, AlignedWord)]
    return (
        f"{np.mean([one.supported for one in words]):.1%} supported, {len(told) - len(words)} stretches of extra speech"
    )


def spoil(words: list[str]) -> Iterator[tuple[str, str]]:
    for i, word in enumerate(words):
        yield ("out" if i % 40 == 39 else "said"), word
        if i % 40 == 19:
            yield "in", words[(i * 7919 + 13) % len(words)]


def edges(
    sounds: list[np.ndarray],
    texts: list[str],
    emissions: list[np.ndarray],
    alphabet: Alphabet,
    frame: float,
    rate: int,
) -> None:
    """Distance from the edges of pauses of 0.2 s or more, by energy, to the labels beside them, before any padding."""
    lead, tail = [], []
    hop = rate // 100
    for sound, text, log_probs in zip(sounds, texts, emissions, strict=True):
        n = len(sound) // hop
        level = 10 * np.log10((sound[: n * hop].reshape(n, hop).astype(np.float64) ** 2).mean(axis=1) + 1e-9)
        level = np.convolve(level, np.ones(3) / 3, "same")
        floor, top = np.percentile(level, (8, 95))
        if top - floor < 30 or not text:  # too noisy to tell speech from pause by energy
            continue
        change = np.flatnonzero(np.diff((level > floor + 0.35 * (top - floor)).astype(int))) + 1
        loud = level > floor + 0.35 * (top - floor)
        labels = np.asarray(alphabet.encode(text))
        starts, ends = align(log_probs, labels, alphabet.blank, checked=True).spans()
        first, last = word_labels(labels, alphabet)
        begin, end = starts[first] * frame, ends[last] * frame
        for a, b in itertools.pairwise(change):
            after = int(np.searchsorted(begin, (a + b) / 200))
            if not loud[a] and b - a >= 20 and 0 < after < len(begin) and end[after - 1] < (a + b) / 200 + 0.1:
                tail.append(a / 100 - end[after - 1])
                lead.append(begin[after] - b / 100)
    for name, gaps in (("starts after", lead), ("ends before", tail)):
        if gaps:
            low, middle, high = np.percentile(gaps, (10, 50, 90))
            print(
                f"a word's labels: {name} its sound by {middle:+.3f} s, "
                f"10–90 % {low:+.3f}…{high:+.3f} ({len(gaps)} pauses)"
            )


if __name__ == "__main__":
    main()
