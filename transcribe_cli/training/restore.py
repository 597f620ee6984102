"""Checkpoints → the recogniser that they are of: one, the mean of several, or halfway back to where they began."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ..alphabet import Alphabet
from ..errors import TrainingError
from . import checkpoint
from .bundling import load_bundle
from .network import Recogniser, pretrained, untrained
from .options import RunOptions, from_dict
from .units import CHARACTERS, WORD_END, build
from .weights import begin

CURE = "choose another checkpoint"


def restore(
    paths: Sequence[Path], start: Path | None = None
) -> tuple[Recogniser, RunOptions, Alphabet, Alphabet | None]:
    """The recogniser of one checkpoint, or of the mean of several, with its options, alphabet and sounds.

    start: bundle or checkpoint that the training began with; half of its weights and half of these are taken then.
    An auxiliary head stays where it writes sounds beside letters; any other has done its work in training.

    Raises TrainingError when they do not fit together.
    """
    states = [checkpoint.load(path, CURE) for path in paths]
    options = from_dict(states[0]["options"], str(paths[0]))
    _check_alike(paths, states)
    weights = checkpoint.mean([state["model"] for state in states])
    tokens, boundary, *_ = _writes(states[0], options)
    alphabet = Alphabet(tokens, boundary=boundary)
    sounds = None
    if options.network.auxiliary_layer and (options.data.units, options.data.auxiliary_units) == ("char", "phoneme"):
        sounds = build("phoneme", []).alphabet
        sounds = Alphabet(sounds.tokens, sounds.blank, boundary=WORD_END)
    if start is not None:
        _check_beginning(start, states[0], alphabet, sounds)
        weights = _halfway(weights, begin(start), start)
    network = untrained(options.network, len(alphabet), len(sounds) if sounds else 0)
    if sounds is None:
        weights = {key: value for key, value in weights.items() if "auxiliary" not in key}
    try:
        if not any(key.startswith("head.") for key in weights):  # trained over a cache: the encoder is as it was
            network.encoder.load_state_dict(pretrained(options.network).state_dict())
            network.head.load_state_dict(weights)
        else:
            network.load_state_dict(weights)
    except RuntimeError as error:  # PyTorch lists every name, a line each
        raise TrainingError(f"{paths[0]}: its weights do not fit the network that it describes: {CURE}") from error
    if not all(value.isfinite().all() for value in network.state_dict().values()):
        raise TrainingError(f"{', '.join(map(str, paths))}: weights that are no finite numbers: {CURE}")
    return network.eval(), options, alphabet, sounds


def _check_alike(paths: Sequence[Path], states: Sequence[dict[str, Any]]) -> None:
    """Raises TrainingError where the mean of the checkpoints would mean nothing."""
    together = ", ".join(map(str, paths))
    options = [from_dict(state["options"], str(path)) for state, path in zip(states, paths, strict=True)]
    if any(other.network != options[0].network for other in options):
        raise TrainingError(f"{together}: checkpoints of different networks cannot be averaged")
    first = _writes(states[0], options[0])
    if any(_writes(state, other) != first for state, other in zip(states, options, strict=True)):
        raise TrainingError(f"{together}: checkpoints that write different alphabets or units cannot be averaged")
    shapes = [{key: value.shape for key, value in state["model"].items()} for state in states]
    if any(other != shapes[0] for other in shapes):
        raise TrainingError(f"{together}: checkpoints with different weights cannot be averaged")


def _writes(state: dict[str, Any], options: RunOptions) -> tuple[tuple[str, ...], str | None, str, Any]:
    """What the rows of a checkpoint's network mean: tokens, boundary, kind of units, and an auxiliary head's units."""
    second = (options.data.auxiliary_units, state.get("auxiliary")) if options.network.auxiliary_layer else None
    return tuple(state.get("tokens", CHARACTERS.tokens)), state.get("boundary", " "), options.data.units, second


def _check_beginning(start: Path, state: dict[str, Any], alphabet: Alphabet, sounds: Alphabet | None) -> None:
    """Raises TrainingError where the beginning's rows mean something else. What one of them lacks is no matter."""
    if checkpoint.is_one(start):
        before = checkpoint.load(start, CURE)
        *ours, own = _writes(state, from_dict(state["options"], "checkpoint"))
        *theirs, other = _writes(before, from_dict(before["options"], str(start)))
        same = ours == theirs and (own == other or own is None or other is None)
    else:
        bundle = load_bundle(start)
        same = bundle.alphabet == alphabet and (bundle.sounds == sounds or bundle.sounds is None or sounds is None)
    if not same:
        raise TrainingError(f"{start}: writes another alphabet or other units: not what this training began with")


def _halfway(weights: dict[str, Tensor], began: dict[str, Tensor], start: Path) -> dict[str, Tensor]:
    """The mean of weights and of those that they began with. Raises TrainingError where some have no forerunner."""
    before = {}
    for key, value in weights.items():
        found = began.get(key, began.get(f"head.{key}"))  # trained over a cache: the head alone, by bare names
        if found is None or found.shape != value.shape:
            raise TrainingError(f"{start}: has no weights that fit {key}: not what this training began with")
        before[key] = found
    return checkpoint.mean([weights, before])
