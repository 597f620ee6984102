"""The loop in which the networks of pieces learn: so many steps of rows that are drawn by the step's number.

It goes on from the state in its file when there is one, exactly where it was: the weights, the optimisers' state and
the step are all there is to know, since the rows of a step depend on the seed and the step alone.

Sources: Jordan et al., Muon, 2024, and Liu et al., "Muon is scalable for LLM training" (arXiv 2502.16982), for the
optimiser of the blocks' matrices and its rate.
"""

import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..errors import OptionError, TrainingError
from ..lm.recipe import Say
from ..outputs import check_target
from . import checkpoint
from .language_network import LONGEST, LanguageNetwork, PunctuationNetwork
from .language_options import RescorerOptions
from .language_text import Texts

Rows = Callable[[int], npt.NDArray[np.int64]]  # a step's number → its rows
Options = TypeVar("Options", bound=RescorerOptions)

_SAID = 50  # steps between two lines of progress
# may change when a run goes on, as they change nothing but rounding, or what is told of it
FREE = ("save_steps", "report_lines", "device", "threads", "bfloat16", "compile")


def begun(path: Path, graph: Path, options: Options) -> dict[str, Any]:
    """The state in the file, empty where there is none, before any work.

    A run may be lengthened: with more steps the rate is that of the longer run, so it rises again where it had fallen.
    "lengthened" tells at which steps that happened.

    Raises TrainingError where it is of another run, OptionError or OutputError where the graph could not be written.
    """
    if graph.parent.is_file():
        raise OptionError(f"{graph.parent}: is a file: choose a folder for the model")
    check_target(graph, overwrite=True)
    state = checkpoint.load(path) if path.exists() else {}
    if state:
        _same_run(state, options, path, "train into another folder, or delete it")
        if state["options"]["steps"] != options.steps:
            state["lengthened"] = [*state.get("lengthened", []), state["step"]]
    return state


def run(
    network: LanguageNetwork | PunctuationNetwork,
    rows: Rows,
    texts: Texts,
    options: RescorerOptions,
    path: Path,
    state: dict[str, Any],
    measure: Callable[[], str],
    say: Say,
) -> None:
    """Trains to the last step. `say` is told what happens, a line at a time, and what `measure` finds now and then.

    state: what `begun` found in the file at `path`, where the state is kept from now on.
    Raises TrainingError: a state of other text, a loss that is not a number; OutputError.
    """
    if state and state["text"] != texts.fingerprint:
        raise TrainingError(f"{path} is of another text: train into another folder, or delete it")
    torch.set_num_threads(options.threads or os.cpu_count() or 1)
    device = network.embed.weight.device
    optimisers = optimisers_of(network, options.rate)
    rates = [[group["lr"] for group in one.param_groups] for one in optimisers]
    step, lengthened = 0, state.get("lengthened", [])
    if state:
        network.load_state_dict(state["model"])
        for one, kept in zip(optimisers, state["optimisers"], strict=True):
            one.load_state_dict(kept)
        step = state["step"]
        say(f"going on from step {step}")
    mixed = options.bfloat16 and _has_bfloat16(device)

    def plain_loss(some: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            return network.loss(some)

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
            raise TrainingError(f"step {step + 1}: the loss is not a number: delete {path} and take a lower --rate")
        loss.backward()  # type: ignore[no-untyped-call]
        for one in optimisers:
            one.step()
            one.zero_grad()
        step, total = step + 1, total + value
        if step % _SAID == 0 or step == options.steps:
            pace = (step - since) * options.batch_size * LONGEST / max(time.monotonic() - began, 1e-9)
            say(f"step {step}/{options.steps}: loss {total / (step - since):.4f}, {pace:.0f} pieces/s")
            began, total, since = time.monotonic(), 0.0, step
        if step % options.save_steps == 0 or step == options.steps:
            state = {"options": asdict(options), "model": network.state_dict(), "step": step}
            state |= {"optimisers": [one.state_dict() for one in optimisers]}
            state |= {"pieces": texts.inventory, "text": texts.fingerprint, "lengthened": lengthened}
            checkpoint.save(state, path)
            paused = time.monotonic()
            say(f"  {measure()}")
            network.train()
            began += time.monotonic() - paused


def other_end(path: Path, options: Options) -> dict[str, Any]:
    """The state that the same training had before it was lengthened. Raises TrainingError where it is none."""
    cure = "name the state that this training had before it was lengthened"
    state = checkpoint.load(path, cure)
    _same_run(state, options, path, cure)
    return state


def halfway(network: LanguageNetwork | PunctuationNetwork, state: Mapping[str, Any], texts: Texts) -> None:
    """The network becomes the mean of itself and of a state. Raises TrainingError where that has other pieces."""
    if state["text"] != texts.fingerprint:
        raise TrainingError("--start: a state of other text, which cannot be averaged with this one")
    network.load_state_dict(checkpoint.mean([network.state_dict(), state["model"]]))


def told(options: RescorerOptions, state: Mapping[str, Any]) -> dict[str, Any]:
    """What a card says of a run: the options that made the weights what they are, and where it was lengthened.

    state: what `begun` found.
    """
    made_by = {name: value for name, value in asdict(options).items() if name not in FREE}
    return made_by | ({"lengthened": state["lengthened"]} if state.get("lengthened") else {})


def optimisers_of(network: LanguageNetwork | PunctuationNetwork, rate: float) -> list[torch.optim.Optimizer]:
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


def _same_run(state: dict[str, Any], options: Options, path: Path, cure: str) -> None:
    """Raises TrainingError where a state is of other options, or of none of ours."""
    try:
        found = type(options)(**state["options"])
        state["step"], state["optimisers"], state["text"], state["pieces"]
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{path} is no state of this training: {cure}") from error
    free = {name: getattr(options, name) for name in FREE}
    for name, value in asdict(replace(found, **free)).items():
        longer = name == "steps" and options.steps > value
        if value != getattr(options, name) and not longer:
            flag = "--" + name.replace("_", "-")
            raise TrainingError(f"{path} was trained with {flag} {value}, not {getattr(options, name)}: {cure}")


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
