"""A trained network that punctuates and its pieces → punctuation.onnx, one int8 file that says all it takes to use it.

What `language_graph` says of the graph holds; the key "punctuation" of its metadata is JSON: "format" 1, "longest"
pieces that a row may have, the id of the "unknown" piece, "starts" – the piece that a row begins with where speech
begins ("sentence"; it also stands where speech ends) or is "cut" off –, the "signs" and "cases" that the outputs'
columns stand for, "pieces", each with its natural-log probability, by id, and "pauses" where they are known.

The float32 graph is compared with PyTorch, and one that differs is refused; what eight bits cost is measured as signs
and capitals of held-out lines.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch

from ..errors import TrainingError
from ..outputs import write_atomically
from ..punctuation import CASES, FORMAT, SIGNS
from .language_graph import build
from .language_network import LONGEST, PunctuationNetwork
from .language_text import STARTS, UNKNOWN, Inventory, Lines
from .onnx_graph import TOLERANCE, session
from .punctuation_text import labels

_ROWS = 32  # of a batch that is measured

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
# (batch, length) pieces → log-probabilities (batch, length, signs) and (batch, length, cases)
Predict = Callable[[Integers], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Found:
    """How often a sign, or a capital, was set where it stands, was set, and stands in the text."""

    right: int = 0
    said: int = 0
    true: int = 0

    def __add__(self, other: "Found") -> "Found":
        return Found(self.right + other.right, self.said + other.said, self.true + other.true)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / max(1, self.said + self.true)


Score = dict[str, Found]  # of each sign, and of "capitals"


def of_network(network: PunctuationNetwork) -> Predict:
    """What PyTorch says, in float32."""

    def predict(pieces: Integers) -> tuple[Floats, Floats]:
        with torch.no_grad():
            scores = network.scores(network(torch.from_numpy(pieces).to(network.embed.weight.device)))
        signs, cases = (one.log_softmax(-1).cpu().numpy() for one in scores)
        return signs, cases

    return predict


def of_session(graph: onnxruntime.InferenceSession) -> Predict:
    """What a graph says."""

    def predict(pieces: Integers) -> tuple[Floats, Floats]:
        signs, cases = graph.run(["signs", "cases"], {"pieces": pieces})
        return signs, cases

    return predict


def score(lines: Lines, predict: Predict) -> Score:
    """What is right of the lines, cut into rows as they come, without what stands before and behind."""
    step = LONGEST - 1
    starts = range(0, len(lines.pieces) - step + 1, step) or range(1)
    rows = np.stack([lines.pieces[i : i + step].astype(np.int64) for i in starts])
    marks = np.stack([lines.marks[i : i + step].astype(np.int64) for i in starts])
    pieces = np.concatenate([np.full((len(rows), 1), STARTS["cut"]), rows], axis=1)
    parts = [predict(pieces[i : i + _ROWS]) for i in range(0, len(pieces), _ROWS)]
    said_signs, said_cases = (np.concatenate([part[i][:, 1:].argmax(-1) for part in parts]) for i in range(2))
    signs, cases = labels(marks)
    found = {sign: _found(said_signs == i, signs == i, signs >= 0) for i, sign in enumerate(SIGNS) if sign}
    return found | {"capitals": _found(said_cases > 0, cases > 0, cases >= 0)}


def _found(said: npt.NDArray[np.bool_], true: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]) -> Found:
    return Found(int((said & true).sum()), int((said & known).sum()), int(true.sum()))


def total(scores: Mapping[str, Score]) -> Score:
    """The sum over all sources."""
    return {name: sum((one[name] for one in scores.values()), Found()) for name in (*SIGNS[1:], "capitals")}


def told(score: Score) -> str:
    """One line of F1 values."""
    return ", ".join(f"{name} {100 * one.f1:.1f}" for name, one in score.items())


def export(
    network: PunctuationNetwork, inventory: Inventory, path: Path, held_out: Mapping[str, Lines]
) -> dict[str, tuple[Score, Score]]:
    """Writes the file, whole or not at all; returns what is right of each source's lines, in float32 and as written.

    Raises TrainingError when the graph differs from PyTorch, OutputError when the file cannot be written.
    """
    network.eval()
    plain, theirs = of_session(session(build(network, integers=False).SerializeToString())), of_network(network)
    rng = np.random.default_rng(1)
    for shape in ((3, LONGEST), (1, 1), (2, 17)):
        sample = rng.integers(0, len(inventory), shape)
        apart = max(float(np.abs(a - b).max()) for a, b in zip(plain(sample), theirs(sample), strict=True))
        if not apart <= TOLERANCE:
            raise TrainingError(f"the ONNX graph differs from PyTorch by {apart:.2g}: not exported")
    model = build(network, integers=True)
    about = {"format": FORMAT, "longest": LONGEST, "unknown": UNKNOWN, "starts": STARTS}
    about |= {"signs": SIGNS, "cases": CASES, "pieces": inventory}
    model.metadata_props.add(key="punctuation", value=json.dumps(about, ensure_ascii=False, separators=(",", ":")))
    content = model.SerializeToString()
    small = of_session(session(content))
    measured = {name: (score(lines, plain), score(lines, small)) for name, lines in held_out.items()}
    write_atomically(path, content)
    return measured


def add_metadata(path: Path, more: Mapping[str, Any]) -> None:
    """Puts more keys into what a written model says of itself. Raises OutputError."""
    model = onnx.load(path)
    (told,) = (one for one in model.metadata_props if one.key == "punctuation")
    told.value = json.dumps(json.loads(told.value) | more, ensure_ascii=False, separators=(",", ":"))
    write_atomically(path, model.SerializeToString())
