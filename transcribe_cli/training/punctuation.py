"""The training of a model that punctuates: a recipe's texts in, punctuation.onnx and punctuation.json out.

`train` goes on from punctuation.pt of its folder when there is one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..lm.recipe import Recipe, Say
from ..outputs import write_atomically
from ..punctuation import CASES, FORMAT, SIGNS, Punctuator
from . import punctuation_pauses, punctuation_text, steps
from .device import choose_device
from .language_network import LONGEST, PunctuationNetwork
from .language_options import PunctuationTraining
from .language_text import Lines, Texts, corpora
from .punctuation_export import Score, add_metadata, export, of_network, score, told, total

STATE, GRAPH, CARD = "punctuation.pt", "punctuation.onnx", "punctuation.json"


def train(
    recipe: Recipe,
    data: Path,
    folder: Path,
    options: PunctuationTraining,
    say: Say,
    speech: Path | None = None,
    start: Path | None = None,
) -> dict[str, Any]:
    """Trains to the last step and exports; returns the card. `say` is told what happens, a line at a time.

    speech: transcripts with timed words, that say how long pauses are.
    start: the state of this training before it was lengthened; half of its weights and half of these are taken then.

    Raises InputNotFound, MissingExtra, OutputError, OptionError (the folder is a file), TrainingError: too little text,
    a state of another run, a loss that is not a number, a graph that differs from PyTorch.
    """
    if speech is not None:
        punctuation_pauses.check(speech)
    device, last = choose_device(options.device), folder / STATE
    before = None if start is None else steps.other_end(start, options)
    state = steps.begun(last, folder / GRAPH, options)
    texts = punctuation_text.prepare(recipe, data, folder / "work", options.pieces, say)
    held_out = {name: _some(lines, options.report_lines) for name, lines in texts.report.items() if len(lines.starts)}
    torch.manual_seed(options.seed)
    network = assemble(options, len(texts.inventory)).to(device)
    rows = punctuation_text.Rows(texts, options.batch_size, options.seed)

    def measure() -> str:
        found = {name: score(lines, of_network(network)) for name, lines in held_out.items()}
        return f"F1, %: {told(total(found))}"

    steps.run(network, rows, texts, options, last, state, measure, say)
    told_of = steps.told(options, state)
    if before is not None:
        steps.halfway(network, before, texts)
        told_of |= {"halfway_to": before["step"]}
    card = finish(network, recipe, texts, told_of, folder, held_out, say)
    return card if speech is None else hear(folder, speech, card, say)


def assemble(options: PunctuationTraining, n_pieces: int) -> PunctuationNetwork:
    """The network before training."""
    return PunctuationNetwork(n_pieces, options.width, options.layers, options.heads, 4 * options.width)


def finish(
    network: PunctuationNetwork,
    recipe: Recipe,
    texts: Texts,
    told_of: Mapping[str, Any],
    folder: Path,
    held_out: Mapping[str, Lines],
    say: Say,
) -> dict[str, Any]:
    """Writes the graph and its card, says what the eight bits cost, and returns the card."""
    measured = export(network, texts.inventory, folder / GRAPH, held_out)
    for i, kind in enumerate(("float32", "int8")):
        say(f"{kind}: F1, %: {told(total({name: both[i] for name, both in measured.items()}))}")
    card = describe(recipe, texts, told_of, {name: small for name, (_, small) in measured.items()})
    card |= {"parameters": sum(one.numel() for one in network.parameters())}
    card |= {"bytes": (folder / GRAPH).stat().st_size}
    write_atomically(folder / CARD, json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    say(f"{folder / GRAPH}: {card['bytes']} bytes")
    return card


def hear(folder: Path, speech: Path, card: dict[str, Any], say: Say) -> dict[str, Any]:
    """Tells a finished model of pauses, and its card; returns that. Raises as `punctuation_pauses.estimate`."""
    pauses = punctuation_pauses.estimate(Punctuator(folder / GRAPH), speech)
    add_metadata(folder / GRAPH, {"pauses": pauses})
    card |= {"pauses": pauses, "bytes": (folder / GRAPH).stat().st_size}
    write_atomically(folder / CARD, json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    for sign, logs in pauses["logs"].items():
        if sign:
            told = zip(pauses["seconds"], logs, strict=True)
            say(f"{sign} by seconds of pause: " + ", ".join(f"{seconds:g} {log:+.1f}" for seconds, log in told))
    return card


def describe(recipe: Recipe, texts: Texts, told_of: Mapping[str, Any], measured: Mapping[str, Score]) -> dict[str, Any]:
    """What the model is made of, under which licences, how, and what is right of held-out lines."""
    return {
        "name": recipe.name,
        "format": FORMAT,
        "model": "transformer over pieces of words, int8",
        "pieces": len(texts.inventory),
        "longest": LONGEST,
        "signs": SIGNS,
        "cases": CASES,
        "options": dict(told_of),
        "corpora": corpora(recipe, texts),
        "held_out_f1": {
            name: {kind: round(100 * found.f1, 1) for kind, found in one.items()} for name, one in measured.items()
        },
    }


def _some(lines: Lines, most: int) -> Lines:
    """The first lines of a source's held-out ones."""
    end = len(lines.pieces) if len(lines.starts) <= most else int(lines.starts[most])
    return Lines(lines.pieces[:end], lines.starts[:most], lines.marks[:end])
