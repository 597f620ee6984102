"""What pauses say about sentences: how much likelier each length is behind a sign than behind a word without one.

It is counted in recordings that nobody has punctuated. What stands where is known from the words alone, not surely but
as a probability, and by that much a pause counts for each sign. So what is found is weaker than the truth, which is
well: people also pause to think. To count again with what was found, as expectation and maximisation would, put signs
at nearly all pauses. Full stops and question marks share their pauses.
"""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TrainingError
from ..lm.packed import read_lines
from ..punctuation import ENDS, Punctuator

Floats = NDArray[np.float64]

# seconds; a pause belongs to the nearest one
LENGTHS = np.array([0.0, 0.08, 0.16, 0.24, 0.32, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3, 1.7, 2.2])
_FEWEST = 2000  # words: with fewer the long pauses, which count, are too few
_SMOOTH = 2.0  # pauses of each length that are counted as seen, spread as all pauses are
_LARGEST = 4.0  # of the logs: rare lengths must not decide alone
# people pause where nobody writes a comma; with all of it the ends of sentences would lose to commas (RESULTS.md)
_COMMA_SHARE = 0.5


def estimate(punctuator: Punctuator, transcripts: Path) -> dict[str, Any]:
    """The "pauses" of a model's metadata, from transcripts with timed words (`transcribe --format jsonl`).

    Raises InputNotFound, TrainingError: no such transcripts, or too few words.
    """
    said, bins = [np.empty((0, len(punctuator.signs)))], [np.empty(0, np.int64)]
    for words, starts, ends in _recordings(transcripts):
        signs, _ = punctuator.log_probs([word.lower() for word in words], 0, len(words), False, False)
        said.append(np.exp(signs[:-1]))
        bins.append(np.abs((starts[1:] - ends[:-1])[:, None] - LENGTHS).argmin(axis=1))
    prior, lengths = np.concatenate(said), np.concatenate(bins)
    if len(lengths) < _FEWEST:
        raise TrainingError(f"{transcripts}: {len(lengths)} pauses between words are too few: give {_FEWEST} or more")
    kinds = _kinds(punctuator.signs)
    prior = np.stack([prior[:, kinds == kind].sum(axis=1) for kind in range(kinds.max() + 1)], axis=1)
    logs = np.log(_distributions(prior, lengths))
    logs = np.clip(logs - logs[0], -_LARGEST, _LARGEST)
    told = {}
    for sign, kind in zip(punctuator.signs, kinds, strict=True):
        share = _COMMA_SHARE if sign == "," else 1.0
        told[sign] = [round(float(x), 3) for x in share * logs[kind]]
    return {"seconds": LENGTHS.tolist(), "logs": told}


def check(transcripts: Path) -> None:
    """Refuses, before any work, what `estimate` could not read."""
    deque(_recordings(transcripts), 0)


def _kinds(signs: Sequence[str]) -> NDArray[np.int64]:
    """For each sign which distribution of pauses it has; all that end sentences have one."""
    names = ["." if sign in ENDS else sign for sign in signs]
    return np.array([list(dict.fromkeys(names)).index(name) for name in names])


def _distributions(prior: Floats, lengths: NDArray[np.int64]) -> Floats:
    """(words, kinds) probabilities by the words alone and each word's pause → (kinds, lengths) probabilities."""
    every = np.bincount(lengths, minlength=len(LENGTHS)) / len(lengths)
    seen = np.stack([np.bincount(lengths, column, len(LENGTHS)) for column in prior.T])
    counts = seen + _SMOOTH * len(LENGTHS) * (every + 1e-6)
    found: Floats = counts / counts.sum(axis=1, keepdims=True)
    return found


def _recordings(path: Path) -> Iterator[tuple[list[str], Floats, Floats]]:
    """Words, starts and ends in seconds, of every line with two words or more."""
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            words = [one for one in json.loads(line).get("words", []) if one["word"].strip()]
            times = np.array([(one["start"], one["end"]) for one in words], np.float64).reshape(-1, 2)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrainingError(
                f"{path}: line {number} is no transcript with timed words: make them with --format jsonl"
            ) from error
        if len(words) > 1:
            yield [one["word"] for one in words], times[:, 0], times[:, 1]
