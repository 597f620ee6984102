"""The training of a rescorer: a recipe's texts in, rescorer.onnx and rescorer.json out. One function, from the top.

`train` goes on from rescorer.pt of its folder when there is one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..decoding.rescorer import FORMAT
from ..lm.recipe import OVERLAP_WORDS, Recipe, Say
from ..outputs import write_atomically
from . import language_text, steps
from .device import choose_device
from .language_export import Perplexity, export, of_network, perplexity
from .language_network import LONGEST, LanguageNetwork
from .language_options import RescorerOptions
from .language_text import Texts, corpora

STATE, GRAPH, CARD = "rescorer.pt", "rescorer.onnx", "rescorer.json"


def train(recipe: Recipe, data: Path, folder: Path, options: RescorerOptions, say: Say) -> dict[str, Any]:
    """Trains to the last step and exports; returns the card. `say` is told what happens, a line at a time.

    Raises InputNotFound, MissingExtra, OutputError, OptionError (the folder is a file), TrainingError: too little text,
    a state of another run, a loss that is not a number, a graph that differs from PyTorch.
    """
    device, last = choose_device(options.device), folder / STATE
    state = steps.begun(last, folder / GRAPH, options)
    texts = language_text.prepare(recipe, data, folder / "work", options.pieces, say)
    held_out = _held_out(recipe, texts, options.report_lines)
    torch.manual_seed(options.seed)
    network = assemble(options, len(texts.inventory)).to(device)
    rows = language_text.Rows(texts, options.batch_size, LONGEST, options.seed)

    def measure() -> str:
        found = {name: perplexity(some, texts.inventory, of_network(network)) for name, some in held_out.items()}
        return "perplexity a word: " + ", ".join(f"{name} {value:.1f}" for name, value in found.items())

    steps.run(network, rows, texts, options, last, state, measure, say)
    return finish(network, recipe, texts, options, steps.told(options, state), folder, say)


def assemble(options: RescorerOptions, n_pieces: int) -> LanguageNetwork:
    """The network before training."""
    return LanguageNetwork(n_pieces, options.width, options.layers, options.heads, 4 * options.width)


def finish(
    network: LanguageNetwork,
    recipe: Recipe,
    texts: Texts,
    options: RescorerOptions,
    told: Mapping[str, Any],
    folder: Path,
    say: Say,
) -> dict[str, Any]:
    """Writes the graph and its card, says what the eight bits cost, and returns the card."""
    measured = export(network, texts.inventory, folder / GRAPH, _held_out(recipe, texts, options.report_lines))
    for name, one in measured.items():
        say(f"{name}: perplexity a word {one.float32:.1f}, in int8 {one.int8:.1f} ({one.words} words)")
    card = describe(recipe, texts, told, measured)
    card |= {"parameters": sum(one.numel() for one in network.parameters())}
    card |= {"bytes": (folder / GRAPH).stat().st_size}
    write_atomically(folder / CARD, json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    say(f"{folder / GRAPH}: {card['bytes']} bytes")
    return card


def describe(
    recipe: Recipe, texts: Texts, told: Mapping[str, Any], measured: Mapping[str, Perplexity]
) -> dict[str, Any]:
    """What the model is made of, under which licences, how, and how well it predicts held-out lines."""
    return {
        "name": recipe.name,
        "format": FORMAT,
        "model": "causal transformer over pieces of words, int8",
        "pieces": len(texts.inventory),
        "longest": LONGEST,
        "options": dict(told),
        "corpora": corpora(recipe, texts),
        "overlap": {
            "compared_with": list(recipe.exclude),
            "words_in_a_row": OVERLAP_WORDS,
            "lines_dropped": texts.dropped,
        },
        "held_out": {
            name: {"perplexity": round(one.int8, 1), "perplexity_float32": round(one.float32, 1), "words": one.words}
            for name, one in measured.items()
        },
    }


def _held_out(recipe: Recipe, texts: Texts, most: int) -> dict[str, list[list[int]]]:
    """Rows of held-out lines of the sources that the recipe is tuned to, or of all where that is none."""
    have = {name: lines.rows(most, LONGEST) for name, lines in texts.report.items() if len(lines.starts)}
    tuned = {name for part in recipe.tune for name in part.held_out}
    return {name: rows for name, rows in have.items() if name in tuned} or have
