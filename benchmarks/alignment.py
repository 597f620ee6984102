"""How fast words are timed, and how well: ordinary segments, an exact long alignment, forced alignment of a long text.

    OMP_NUM_THREADS=1 python benchmarks/alignment.py [--manifest samples/manifest.jsonl] [--model en] [--minutes 60]

Every line of the manifest is sent through the model. Its own transcript is timed (the hard case: the greedy path does
not say it; and the easy one: it does), then the manifest's text over all recordings joined and repeated to `--minutes`.
Seconds are those of the process, so a shared machine still shows too little rather than too much. Also printed: how far
word times lie from the edges of the sound, found by its energy at pauses; what forced alignment says of a text
that was spoilt by leaving out every 40th word and putting in a word after every 40th, over the recordings once; and, in
groups of eight recordings, whether `transcribe align`'s rules find a sentence put into the text and one taken out of
it; and how many words are found where a third of all is in the text alone, or in the sound alone. With --command the
whole command is run on one core over the recordings joined, network and all.
"""

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from transcribe_cli import audio
from transcribe_cli.align import TextOptions, passages
from transcribe_cli.alignment.forced import AlignedWord, ExtraSpeech, TextWord, align_text, spell
from transcribe_cli.alignment.words import align_words
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
    parser.add_argument("--cache", type=Path, help=".npz of emissions: read where it is there, else written")
    parser.add_argument("--command", action="store_true", help="run `transcribe align` over the recordings joined")
    arguments = parser.parse_args()
    sounds, texts, emissions = [], [], []
    with Recogniser(Options(model=ModelOptions(model=arguments.model))) as recogniser:
        card = recogniser.bundle.card
        lines = [line for line in read_manifest(arguments.manifest) if line.text]
        lines = [line for line in lines if arguments.source in (None, line.keys.get("source"))][: arguments.limit]
        cached = arguments.cache is not None and arguments.cache.exists()
        for line in lines:
            texts.append(" ".join(word.spelled for word in spell(line.text or "", card.alphabet) if word.spelled))
            if cached and not arguments.command:
                continue
            for blocks in audio.excerpts(line.audio, [(line.start, line.duration)], card.sample_rate):
                sounds.append(np.concatenate(list(blocks)))
            if cached:
                continue
            both = np.concatenate(list(rows([sounds[-1]], recogniser.network, WindowOptions())))
            emissions.append(card.letters(both))
    if cached:
        with np.load(arguments.cache) as file:
            emissions = [file[f"e{i}"].astype(np.float32) for i in range(len(lines))]
    elif arguments.cache is not None:
        halves: dict[str, Any] = {f"e{i}": rows.astype(np.float16) for i, rows in enumerate(emissions)}
        np.savez(arguments.cache, **halves)
    alphabet, frame = card.alphabet, card.output.frame_seconds
    seconds = sum(map(len, emissions)) * frame
    print(f"{card.id}: {len(lines)} recordings, {seconds / 60:.1f} min")
    easy = [alphabet.decode(greedy(part, alphabet.blank)) for part in emissions]
    for name, said in (("the greedy text", easy), ("the true text", texts)):
        spent = timed(
            lambda said=said: [align_words(e, t, alphabet, frame) for e, t in zip(emissions, said, strict=True)]
        )
        print(f"align_words, {name:16} {seconds / spent:8.0f} × real time")
    if sounds:
        edges(sounds, texts, emissions, alphabet, frame, card.sample_rate)

    times = max(1, round(arguments.minutes * 60 / seconds))
    joined, words = np.concatenate(emissions * times), " ".join(texts * times).split()
    hours = len(joined) * frame / 3600
    labels = alphabet.encode(" ".join(words))
    spent = timed(lambda: align(joined, labels, alphabet.blank, checked=True))
    print(f"align, exact, {hours:.2f} h, {len(labels)} labels   {hours * 3600 / spent:.0f} × real time")
    before = peak_mb()
    parts = [(joined[i : i + 500], i * frame) for i in range(0, len(joined), 500)]
    told: list[AlignedWord | ExtraSpeech] = []
    spent = timed(lambda: told.extend(align_text(parts, [TextWord(w, w) for w in words], alphabet, frame)))
    print(f"align_text, {hours:.2f} h, {len(words)} words   {hours * 3600 / spent:.0f} × real time, {report(told)}")
    # once, for speech that goes in circles has no one right place
    once = joined[: round(seconds / frame)]
    parts = [(once[i : i + 500], i * frame) for i in range(0, len(once), 500)]
    spoilt = list(spoil(" ".join(texts).split()))
    kinds = [kind for kind, _ in spoilt if kind != "out"]
    told = list(align_text(parts, [TextWord(w, w) for kind, w in spoilt if kind != "out"], alphabet, frame))
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
    sentences(texts, emissions, alphabet, frame)
    pages(texts, emissions, alphabet, frame)
    if arguments.command:
        command(sounds, texts, card.sample_rate, arguments.model)


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


def sentences(texts: list[str], emissions: list[np.ndarray], alphabet: Alphabet, frame: float) -> None:
    """Eight recordings at a time: with their text, with a sentence of another group put in, with one taken out."""
    rng, group, told_words, rules = np.random.default_rng(0), 8, TextOptions().missing_words, TextOptions()
    falsely, false_words, n_words, found_in, found_out, n = 0, 0, 0, 0, 0, 0
    inside, around = [], []
    for begin in range(0, len(texts) - group + 1, group):
        parts, said = emissions[begin : begin + group], texts[begin : begin + group]
        rest = [t for i, t in enumerate(texts) if not begin <= i < begin + group and len(t.split()) >= 8]
        longer = [k for k in range(1, group - 1) if len(said[k].split()) >= 6]
        if not rest or not longer:
            continue
        n += 1

        def told(words: list[str], parts: list[np.ndarray] = parts) -> tuple[list[AlignedWord], list[ExtraSpeech]]:
            found = list(align_text([(np.concatenate(parts), 0.0)], [TextWord(w, w) for w in words], alphabet, frame))
            extra = [one for one in found if isinstance(one, ExtraSpeech)]
            loud = [one for one in extra if one.end_seconds - one.start_seconds >= rules.extra_seconds]
            return [one for one in found if isinstance(one, AlignedWord)], loud

        words, extra = told(" ".join(said).split())
        falsely += len(list(passages(words, told_words))) + len(extra)
        false_words += sum(not one.supported for one in words)
        n_words += len(words)
        own = " ".join(said).split()
        new = rest[int(rng.integers(len(rest)))].split()[:25]
        at = int(rng.integers(1, len(own)))
        words, _ = told([*own[:at], *new, *own[at:]])
        hit = [p for p in passages(words, told_words) if p.first < at + len(new) and p.last >= at]
        inside.append(sum(min(p.last + 1, at + len(new)) - max(p.first, at) for p in hit) / len(new))
        around.append(sum(p.last - p.first + 1 for p in hit) - inside[-1] * len(new))
        found_in += inside[-1] >= 0.5
        k = int(rng.choice(longer))
        left, right = (sum(len(p) for p in parts[:j]) * frame for j in (k, k + 1))
        _, extra = told(" ".join(said[:k] + said[k + 1 :]).split())
        held = sum(max(0.0, min(e.end_seconds, right) - max(e.start_seconds, left)) for e in extra)
        found_out += held >= 0.3 * (right - left)
    if n:
        print(
            f"sentences: of {n} put in {found_in} are found ({np.mean(inside):.1%} of their words, "
            f"{np.mean(around):.2f} words beside them), of {n} taken out {found_out}; with the true text {falsely} "
            f"passages are told that are none, and {false_words / n_words:.2%} of the words are marked"
        )


def pages(texts: list[str], emissions: list[np.ndarray], alphabet: Alphabet, frame: float) -> None:
    """A third of all that only the text has, or only the sound, at the beginning and in the middle."""
    third = len(texts) // 3
    for name, lacking in (("in front", range(third)), ("in the middle", range(third, 2 * third))):
        rest = [i for i in range(len(texts)) if i not in lacking]
        for whose, read, written in (("read", rest, range(len(texts))), ("written down", range(len(texts)), rest)):
            words = [(i in lacking, TextWord(w, w)) for i in written for w in texts[i].split()]
            sound = np.concatenate([emissions[i] for i in read])
            found = align_text([(sound, 0.0)], [word for _, word in words], alphabet, frame)
            told = [one.supported for one in found if isinstance(one, AlignedWord)]
            both = [yes for yes, (only, _) in zip(told, words, strict=True) if not only]
            alone = [yes for yes, (only, _) in zip(told, words, strict=True) if only]
            print(
                f"a third that nobody has {whose}, {name}: {np.mean(both):.1%} of {len(both)} words of both are found"
                + (f", {np.mean(alone):.2%} of {len(alone)} others taken as said" if alone else "")
            )


def command(sounds: list[np.ndarray], texts: list[str], rate: int, model: str) -> None:
    """`transcribe align` as a user starts it, on one core: seconds of processor time and peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        soundfile.write(f"{folder}/talk.wav", np.concatenate(sounds), rate, subtype="PCM_16")
        Path(folder, "talk.txt").write_text("\n".join(texts))
        hours = sum(map(len, sounds)) / rate / 3600
        for extra in ([], ["--score"]):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            call = [sys.executable, "-m", "transcribe_cli", "align", f"{folder}/talk.wav", f"{folder}/talk.txt"]
            call += [
                "--model",
                model,
                "--threads",
                "1",
                "--format",
                "json",
                "-o",
                f"{folder}/out{len(extra)}.json",
                *extra,
            ]
            subprocess.run(call, check=True, stderr=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            told = json.loads(Path(folder, f"out{len(extra)}.json").read_text())["alignment"]
            print(
                f"transcribe align {' '.join(extra):8}{hours:.2f} h, one core, network included: {spent:.0f} s, "
                f"{hours * 3600 / spent:.0f} × real time, {after.ru_maxrss / 1024:.0f} MB; {told['words']} words, "
                f"{told['unsupported_words']} marked, {len(told['not_said'])} passages not said, "
                f"{len(told['not_in_text'])} not in the text"
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
        first, last = alphabet.words(labels)
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
