"""Signs and capitals of texts, as the program sets them: how many are right, and what it costs.

    python benchmarks/punctuation.py TEXT… [--model FILE] [--lines 1000] [--misheard 10] [--speech 150]
    python benchmarks/punctuation.py --agreement THEIRS.jsonl OURS.jsonl

TEXT: sentences as people write them, a line each, that the model has not learned from. They are read as a recording
would be: words without signs, in segments of ten. Then the same with every tenth word (`--misheard`) replaced by
another word of the text, as a recogniser's words are not all right. Prints F1 (the harmonic mean of precision and
recall) of each sign and of capitals, of full stops and question marks together as ends of sentences, and words a second
of one core, beside those of `--speech` words a minute.

With --agreement: two recognisers' transcripts of the same recordings, JSON lines with "id" and "text". Behind each word
that both heard, but the last of a recording, stands what the one sets where the other does: F1, which no side wins.
"""

import argparse
import difflib
import json
import random
import re
import time
from collections.abc import Sequence
from pathlib import Path

from transcribe_cli.bundle.store import find
from transcribe_cli.lm.packed import read_lines
from transcribe_cli.punctuation import CASES, ENDS, SIGNS, PunctuationOptions, Punctuator, punctuated
from transcribe_cli.training.punctuation_export import Found
from transcribe_cli.training.punctuation_text import UNTOLD, marked
from transcribe_cli.transcript import Segment, Word

SEGMENT_WORDS = 10


def main() -> None:
    arguments = parsed()
    if arguments.agreement:
        agreement(*arguments.agreement)
        return
    path = Path(arguments.model) if arguments.model else PunctuationOptions(punctuate=True).path(find().card.language)
    assert path is not None
    punctuator = Punctuator(path)
    print(f"{'text':<34} {'words':>7} {'misheard':>8} {'comma':>6} {'stop':>6} {'?':>6} {'end':>6} {'capital':>7}")
    total_words = seconds = 0.0
    for name in arguments.texts:
        words, marks = read(Path(name), arguments.lines)
        for percent in sorted({0, arguments.misheard}):
            began = time.perf_counter()
            got = list(punctuated(segments(misheard(words, percent)), punctuator))
            seconds += time.perf_counter() - began
            total_words += len(words)
            shares = " ".join(f"{100 * one.f1:>6.1f}" for one in scores([w.text for s in got for w in s.words], marks))
            print(f"{Path(name).name:<34} {len(words):>7} {percent:>7}% {shares}")
    rate = total_words / seconds
    faster = 60 * rate / arguments.speech
    print(f"{rate:.0f} words a second: {faster:.0f} times as fast as {arguments.speech} a minute are said")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--agreement", nargs=2, type=Path, metavar=("THEIRS", "OURS"))
    parser.add_argument("--model", help="in place of the one that travels with the program")
    parser.add_argument("--lines", type=int, default=1000, help="of each text")
    parser.add_argument("--misheard", type=int, default=10, help="percent of words that are others")
    parser.add_argument("--speech", type=int, default=150, help="words a minute that people say")
    return parser.parse_args()


def read(path: Path, most: int) -> tuple[list[str], list[int]]:
    """The words of the first lines that can be read, and their marks."""
    words: list[str] = []
    marks: list[int] = []
    for line in read_lines(path):
        if not most:
            break
        found = marked(line.decode("utf-8", "replace"))
        if found is not None:
            words += found[0]
            marks += found[1]
            most -= 1
    return words, marks


def misheard(words: Sequence[str], percent: int) -> list[str]:
    """So many percent of the words are others; the same ones every time."""
    chance = random.Random(1)
    return [chance.choice(words) if chance.random() * 100 < percent else word for word in words]


def segments(words: Sequence[str]) -> list[Segment]:
    """The words as a recogniser gives them out, with no pauses that would tell anything."""
    heard = [Word(word, 0.4 * i, 0.4 * i + 0.4, 1.0) for i, word in enumerate(words)]
    parts = [tuple(heard[i : i + SEGMENT_WORDS]) for i in range(0, len(heard), SEGMENT_WORDS)]
    return [Segment(part[0].start_seconds, part[-1].end_seconds, part) for part in parts]


def agreement(theirs: Path, ours: Path) -> None:
    """Prints how often two sets the same sign behind the same word of the same recording."""
    texts = [
        {
            one["id"]: one.get("pred_text", one.get("text", "")).split()
            for one in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        }
        for path in (theirs, ours)
    ]
    said: list[str] = []
    marks: list[int] = []
    for name in texts[0].keys() & texts[1].keys():
        a, b = (text[name] for text in texts)
        bare_a, bare_b = ([re.sub(r"[^\w']", "", word).lower() for word in words] for words in (a, b))
        for block in difflib.SequenceMatcher(None, bare_a, bare_b, autojunk=False).get_matching_blocks():
            for i in range(block.size):
                word, mine = a[block.a + i], b[block.b + i]
                if block.a + i + 1 == len(a) or block.b + i + 1 == len(b):
                    continue
                sign = next((one for one in word if one in ",.?!;:"), "")
                sign = {"!": ".", ";": ",", ":": ","}.get(sign, sign)
                said.append(mine)
                marks.append(SIGNS.index(sign) * 4 + any(map(str.isupper, word)))
    shares = ", ".join(
        f"{name} {100 * one.f1:.1f} ({one.said} and {one.true})"
        for name, one in zip(("comma", "stop", "?", "end", "capital"), scores(said, marks), strict=True)
    )
    print(f"{len(said)} words that both heard: F1, % (ours and theirs): {shares}")


def scores(written: Sequence[str], marks: Sequence[int]) -> list[Found]:
    """Of commas, full stops, question marks, ends of sentences, and capitals."""
    counts = [[0, 0, 0] for _ in range(5)]
    for word, mark in zip(written, marks, strict=True):
        sign, case = mark >> 2, CASES[mark & 3]
        said = word[-1] if word[-1] in SIGNS else ""
        kinds = [(said == one, SIGNS[sign] == one) for one in SIGNS[1:]] if sign != UNTOLD else []
        kinds += [(said in ENDS, SIGNS[sign] in ENDS)] if sign != UNTOLD else []
        for count, (found, true) in [
            *zip(counts, kinds, strict=False),
            (counts[4], (any(map(str.isupper, word)), case != "lower")),
        ]:
            count[0] += found and true
            count[1] += found
            count[2] += true
    return [Found(*count) for count in counts]


if __name__ == "__main__":
    main()
