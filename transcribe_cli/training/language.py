"""The training of a rescorer: a recipe's texts in, rescorer.onnx and rescorer.json out. One function, from the top.

`train` goes on from rescorer.pt of its folder when there is one, exactly where it was: the weights, the optimisers'
state and the step are all there is to know, since the rows of a step depend on the seed and the step alone.

Sources: Jordan et al., Muon, 2024, and Liu et al., "Muon is scalable for LLM training" (arXiv 2502.16982), for the
optimiser of the blocks' matrices and its rate.
"""

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..decoding.rescorer import FORMAT
from ..errors import OptionError, TrainingError
from ..lm.recipe import OVERLAP_WORDS, Recipe, Say
from ..outputs import check_target, write_atomically
from . import checkpoint, language_text
from .language_export import Perplexity, export, of_network, perplexity
from .language_network import LONGEST, LanguageNetwork
from .language_options import RescorerOptions
from .language_text import Texts
from .loop import choose_device

STATE, GRAPH, CARD = "rescorer.pt", "rescorer.onnx", "rescorer.json"
_SAID = 50  # steps between two lines of progress
# may change when a run goes on, as they change nothing but rounding, or what is told of it
_FREE = ("save_steps", "report_lines", "device", "threads", "bfloat16", "compile")


def train(recipe: Recipe, data: Path, folder: Path, options: RescorerOptions, say: Say) -> dict[str, Any]:
    """Trains to the last step and exports; returns the card. `say` is told what happens, a line at a time.

    Raises InputNotFound, MissingExtra, OutputError, OptionError (the folder is a file), TrainingError: too little text,
    a state of another run, a loss that is not a number, a graph that differs from PyTorch.
    """
    if folder.is_file():
        raise OptionError(f"{folder}: is a file: choose a folder for the model")
    check_target(folder / GRAPH, overwrite=True)
    device, last = choose_device(options.device), folder / STATE
    state = checkpoint.load(last) if last.exists() else {}
    if state:
        _same_run(state, options, last)
    torch.set_num_threads(options.threads or os.cpu_count() or 1)
    texts = language_text.prepare(recipe, data, folder / "work", options.pieces, say)
    if state and state["text"] != texts.fingerprint:
        raise TrainingError(f"{last} is of another text: train into another folder, or delete it")
    held_out = _held_out(recipe, texts, options.report_lines)

    torch.manual_seed(options.seed)
    network = assemble(options, len(texts.inventory)).to(device)
    optimisers = optimisers_of(network, options.rate)
    rates = [[group["lr"] for group in one.param_groups] for one in optimisers]
    step = 0
    if state:
        network.load_state_dict(state["model"])
        for one, kept in zip(optimisers, state["optimisers"], strict=True):
            one.load_state_dict(kept)
        step = state["step"]
        say(f"going on from step {step}")
    rows = language_text.Rows(texts, options.batch_size, LONGEST, options.seed)
    mixed = options.bfloat16 and _has_bfloat16(device)

    def plain_loss(pieces: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            return network.loss(pieces)

    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    n_pieces = sum(len(lines.pieces) for lines in texts.train.values())
    say(f"{n_parameters} parameters, {n_pieces} pieces of text, {'bfloat16' if mixed else 'float32'}")
    loss_of: Callable[[Tensor], Tensor] = plain_loss
    if options.compile and step < options.steps:
        loss_of = _compiled(plain_loss, torch.from_numpy(rows(step)).to(device), say)
    network.train()
    began, total, since = time.monotonic(), 0.0, step
    while step < options.steps:
        scale = schedule(step, options)
        for one, highest in zip(optimisers, rates, strict=True):
            for group, rate in zip(one.param_groups, highest, strict=True):
                group["lr"] = rate * scale
        loss = loss_of(torch.from_numpy(rows(step)).to(device))
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(f"step {step + 1}: the loss is not a number: delete {last} and take a lower --rate")
        loss.backward()  # type: ignore[no-untyped-call]
        for one in optimisers:
            one.step()
            one.zero_grad()
        step, total = step + 1, total + value
        if step % _SAID == 0 or step == options.steps:
            pace = (step - since) * options.batch_size * LONGEST / max(time.monotonic() - began, 1e-9)
            say(f"step {step}/{options.steps}: loss {total / (step - since):.4f} a piece, {pace:.0f} pieces/s")
            began, total, since = time.monotonic(), 0.0, step
        if step % options.save_steps == 0 or step == options.steps:
            state = {"options": asdict(options), "model": network.state_dict(), "step": step}
            state |= {"optimisers": [one.state_dict() for one in optimisers]}
            state |= {"pieces": texts.inventory, "text": texts.fingerprint}
            checkpoint.save(state, last)
            paused = time.monotonic()
            found = {name: perplexity(some, texts.inventory, of_network(network)) for name, some in held_out.items()}
            say("  perplexity a word: " + ", ".join(f"{name} {value:.1f}" for name, value in found.items()))
            began += time.monotonic() - paused
    return finish(network, recipe, texts, options, folder, say)


def assemble(options: RescorerOptions, n_pieces: int) -> LanguageNetwork:
    """The network before training."""
    return LanguageNetwork(n_pieces, options.width, options.layers, options.heads, 4 * options.width)


def optimisers_of(network: LanguageNetwork, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for the table and the normalisations.

    Raises TrainingError where PyTorch is too old to have Muon.
    """
    if not hasattr(torch.optim, "Muon"):
        raise TrainingError(f"PyTorch {torch.__version__} has no Muon optimiser: pip install 'torch>=2.9'")
    matrices = [one for block in network.blocks for one in block.parameters() if one.ndim == 2]
    ours = set(map(id, matrices))
    others = [one for one in network.parameters() if id(one) not in ours]
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.05, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def schedule(step: int, options: RescorerOptions) -> float:
    """A step's part of the highest rate: a linear rise, a stretch at the top, a linear fall over the second half."""
    left = (options.steps - step) / (0.5 * options.steps)
    return min(1.0, (step + 1) / max(1, options.warmup_steps), left)


def finish(
    network: LanguageNetwork, recipe: Recipe, texts: Texts, options: RescorerOptions, folder: Path, say: Say
) -> dict[str, Any]:
    """Writes the graph and its card, says what the eight bits cost, and returns the card."""
    measured = export(network, texts.inventory, folder / GRAPH, _held_out(recipe, texts, options.report_lines))
    for name, one in measured.items():
        say(f"{name}: perplexity a word {one.float32:.1f}, in int8 {one.int8:.1f} ({one.words} words)")
    card = describe(recipe, texts, options, measured)
    card |= {"parameters": sum(one.numel() for one in network.parameters())}
    card |= {"bytes": (folder / GRAPH).stat().st_size}
    write_atomically(folder / CARD, json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    say(f"{folder / GRAPH}: {card['bytes']} bytes")
    return card


def describe(
    recipe: Recipe, texts: Texts, options: RescorerOptions, measured: Mapping[str, Perplexity]
) -> dict[str, Any]:
    """What the model is made of, under which licences, how, and how well it predicts held-out lines."""
    told = {name: value for name, value in asdict(options).items() if name not in _FREE}
    return {
        "name": recipe.name,
        "format": FORMAT,
        "model": "causal transformer over pieces of words, int8",
        "pieces": len(texts.inventory),
        "longest": LONGEST,
        "options": told,
        "corpora": [
            {
                "component": component.name,
                "words": texts.words[source.name],
                "file": source.name,
                "licence": source.licence,
                "origin": source.origin,
            }
            for component in recipe.components
            for source in component.sources
        ],
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


def _same_run(state: dict[str, Any], options: RescorerOptions, path: Path) -> None:
    """Raises TrainingError where a state is of other options, or of none of ours."""
    try:
        found = RescorerOptions(**state["options"])
        state["step"], state["optimisers"], state["text"], state["pieces"]
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{path} is no state of this training: train into another folder, or delete it") from error
    free = {name: getattr(options, name) for name in _FREE}
    for name, value in asdict(replace(found, **free)).items():
        if value != getattr(options, name):
            flag = "--" + name.replace("_", "-")
            raise TrainingError(
                f"{path} was trained with {flag} {value}, not {getattr(options, name)}: "
                "train into another folder, or delete it"
            )


def _has_bfloat16(device: torch.device) -> bool:
    """Whether mixed precision is quicker; elsewhere the products are computed by detours."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    told: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(told.get("avx512_bf16") or told.get("amx_bf16") or told.get("bf16"))


def _compiled(loss_of: Callable[[Tensor], Tensor], sample: Tensor, say: Say) -> Callable[[Tensor], Tensor]:
    """The same function as a program of its own, five times as quick, where one can be made."""
    compilers = (os.environ.get("CXX", ""), "g++", "clang++", "c++")
    if not any(shutil.which(name) for name in compilers if name):
        say("no C++ compiler is found: training goes on without one, at a fifth of the pace")
        return loss_of
    quick: Callable[[Tensor], Tensor] = torch.compile(loss_of)
    try:
        quick(sample)
    except (RuntimeError, OSError) as error:  # a compiler without its headers, a cache that cannot be written
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        say(f"the network cannot be compiled ({reason}): training goes on at a fifth of the pace")
        return loss_of
    return quick
