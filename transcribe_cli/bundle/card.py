"""A model's card: everything that is needed to feed the model and read its output, as JSON beside it.

What comes in is a dict (read from `card.json` or an ONNX file's metadata), what goes out a checked, frozen value.
Nothing in a card is executed, and no path in it may leave its folder.
"""

import json
import math
import re
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet
from ..errors import ModelError
from ..features import FeatureRecipe

Array = NDArray[np.float32]

FORMAT = 1  # raised when a card stops being readable by older versions


@dataclass(frozen=True, slots=True)
class GraphInput:
    """How the graph is fed. layout: "bft" (batch, features, frames), "btf", or "bn" for raw (batch, samples)."""

    name: str
    layout: str = "bft"
    lengths: str | None = (
        None  # name of an int64 (batch,) input of valid frames; without one only equal lengths share a batch
    )
    max_frames: int | None = None


@dataclass(frozen=True, slots=True)
class GraphOutput:
    """What the graph gives: (batch, rows, columns), natural log-probabilities unless `scores` says otherwise."""

    name: str
    frame_seconds: float  # seconds from one row to the next
    scores: str = "log_probs"  # or "logits", which are log-softmaxed


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """Longest window and the context shared with its neighbours, in seconds, that the model was measured with."""

    seconds: float = 15.0
    context_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class LanguageModelEntry:
    """The language model that travels with the model, and the weights it was tuned at."""

    file: str
    lm_weight: float = 0.5
    word_bonus: float = 1.0
    temperature: float = 1.0  # of the network's rows, before the search
    # where others than the usual ones suit the model
    beam_width: int | None = None
    token_min_logp: float | None = None
    beam_prune_logp: float | None = None
    rescorer: str | None = None  # the file of a neural language model that has a say beside it
    rescorer_weight: float | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A model's card; see the module's docstring. `extra` keeps what this version does not know."""

    name: str
    version: str
    language: str
    sample_rate: int
    features: FeatureRecipe
    input: GraphInput
    output: GraphOutput
    alphabet: Alphabet
    # of a network that also says what sounds it hears, in further columns of the same rows, and how words sound
    sounds: Alphabet | None = None
    lexicon: str | None = None
    spellings: str | None = None  # the file of words that --punctuate writes in a way of their own
    graph: str = "model.onnx"
    windows: WindowPlan = WindowPlan()
    language_model: LanguageModelEntry | None = None
    confidence_temperature: float = 1.0
    checksums: dict[str, str] = field(default_factory=dict)  # file name → sha256, hexadecimal
    extra: dict[str, Any] = field(default_factory=dict)  # training data, licences, measured error rates, …

    @property
    def id(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def columns(self) -> int:
        """Values in a row: the alphabet's, then the sounds'."""
        return len(self.alphabet) + (0 if self.sounds is None else len(self.sounds))

    def letters(self, rows: Array) -> Array:
        """(rows, columns) → the alphabet's part of them."""
        return rows[:, : len(self.alphabet)]


def parse(text: str, where: str) -> Card:
    """JSON text → Card. Raises ModelError, naming `where` and the key, when the card is broken."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ModelError(f"{where}: the card is not JSON ({error})") from error
    if not isinstance(data, dict):
        raise ModelError(f"{where}: the card is not a JSON object")
    return from_dict(data, where)


def from_dict(data: dict[str, Any], where: str) -> Card:
    """A card's JSON object → Card. Raises ModelError, naming `where` and the key, when it is broken."""
    if data.get("format") != FORMAT:
        raise ModelError(f"{where}: card format {data.get('format')!r}, this version reads format {FORMAT}")
    try:
        known: dict[str, Any] = {
            "name": str(data["name"]),
            "version": str(data["version"]),
            "language": str(data.get("language", "")),
            "sample_rate": _integer(data["sample_rate"], 4000, 192000),
            "features": FeatureRecipe.from_dict(data["features"]),
            "input": _value(GraphInput, data["input"], "input"),
            "output": _value(GraphOutput, data["output"], "output"),
            "alphabet": _alphabet(data["alphabet"]),
            "sounds": _alphabet(data["sounds"]) if data.get("sounds") else None,
            "lexicon": _file_name(data["lexicon"]) if data.get("lexicon") else None,
            "spellings": _file_name(data["spellings"]) if data.get("spellings") else None,
            "graph": _file_name(data.get("graph", "model.onnx")),
            "windows": _value(WindowPlan, data.get("windows", {}), "windows"),
            "confidence_temperature": float(data.get("confidence_temperature", 1.0)),
            "checksums": {_file_name(k): str(v) for k, v in data.get("checksums", {}).items()},
        }
        if data.get("language_model"):
            known["language_model"] = _value(LanguageModelEntry, data["language_model"], "language_model")
            _file_name(known["language_model"].file)
            if known["language_model"].rescorer is not None:
                _file_name(known["language_model"].rescorer)
    except KeyError as error:
        raise ModelError(f"{where}: the card lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{where}: the card is broken: {error}") from error
    card = Card(
        **known, extra={k: v for k, v in data.items() if k not in known and k not in ("format", "language_model")}
    )
    _check(card, where)
    return card


def _check(card: Card, where: str) -> None:
    if card.input.layout not in ("bft", "btf", "bn"):
        raise ModelError(f"{where}: input layout {card.input.layout!r} is not one of bft, btf, bn")
    if card.output.scores not in ("log_probs", "logits"):
        raise ModelError(f"{where}: output scores {card.output.scores!r} are neither log_probs nor logits")
    if card.sounds is not None and card.output.scores != "log_probs":
        raise ModelError(f"{where}: a network of letters and sounds must give log_probs, not {card.output.scores}")
    if not 0.001 <= card.output.frame_seconds <= 1:
        raise ModelError(f"{where}: frame_seconds {card.output.frame_seconds} is not between 0.001 and 1")
    if not (0 <= card.windows.context_seconds * 2 < card.windows.seconds <= 600):
        raise ModelError(
            f"{where}: windows of {card.windows.seconds} s cannot hold {card.windows.context_seconds} s of context"
        )
    if not 0 < card.confidence_temperature < math.inf:
        raise ModelError(f"{where}: confidence_temperature must be above 0")


def _value(cls: type[Any], data: object, where: str) -> Any:
    """A part of the card as its dataclass. Raises ValueError where a value is of another type than the field's."""
    if not isinstance(data, dict):
        raise ValueError(f"{where} is not an object")
    kinds: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "None": (type(None),)}
    hints = {field.name: getattr(field.type, "__name__", str(field.type)) for field in fields(cls)}
    for name, value in data.items():
        if name not in hints:
            raise ValueError(f"{where} has an unknown key {str(name)[:40]!r}")
        allowed = tuple(kind for hint in hints[name].split(" | ") for kind in kinds[hint])
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise ValueError(f"{where}: {name} cannot be {str(value)[:40]!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{where}: {name} is not a finite number")
    return cls(**data)


def _alphabet(data: dict[str, Any]) -> Alphabet:
    tokens, boundary = data["tokens"], data.get("boundary", " ")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ValueError("alphabet: tokens is not a list of strings")
    if boundary is not None and (not isinstance(boundary, str) or not boundary):
        raise ValueError(f"alphabet: boundary cannot be {str(boundary)[:40]!r}")
    return Alphabet(tuple(tokens), _integer(data.get("blank", 0), 0, len(tokens) - 1), boundary)


def _integer(value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{value!r} is not a whole number from {low} to {high}")
    return value


def _file_name(value: object) -> str:
    """A plain file name inside the bundle's folder; anything that could leave it is refused."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", value):
        raise ValueError(f"{value!r} is not a plain file name")
    return value
