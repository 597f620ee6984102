"""A model's folder as training writes it: the graph with its card, a language model and lexicon, what gives way."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import onnx

from ..alphabet import Alphabet
from ..bundle.card import FORMAT, Card, parse
from ..bundle.store import sha256
from ..errors import ModelError, OptionError, OutputError
from ..features import FeatureRecipe
from ..lm.model import LanguageModel
from ..outputs import write_atomically
from .network import facts, frame_seconds
from .onnx_graph import HOP
from .options import RunOptions
from .pronounce import lexicon_of
from .units import dictionary

logger = logging.getLogger(__name__)

CARD, LEXICON, RESCORER = "card.json", "lexicon.gz", "rescorer.onnx"


def load_bundle(folder: Path) -> Card:
    """The card of a bundle's folder. Raises ModelError."""
    try:
        return parse((folder / CARD).read_text(encoding="utf-8"), str(folder))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder}: no card.json to be read there; name a model's folder") from error


def card(
    options: RunOptions, alphabet: Alphabet, version: str, extra: dict[str, Any], ragged: bool = False,
    sounds: Alphabet | None = None, noise_db: float = 0.0,
) -> dict[str, Any]:  # fmt: skip
    """The card of a model trained with these options, without checksums."""
    second = {} if sounds is None else {"sounds": _units(sounds)}
    longest, rows_apart = facts(options.network).max_seconds, frame_seconds(options.network)
    limit = None if longest is None else round(longest * 100)
    lengths = "lengths" if ragged else None
    if facts(options.network).input == "samples":
        apart = round(rows_apart * 16000)
        hop = next(hop for hop in range(HOP, 0, -1) if apart % hop == 0)  # rows lie on frames
        features = _features(noise_db, kind="waveform", hop=hop)
        feed: dict[str, Any] = {"name": "samples", "layout": "bn", "lengths": lengths, "max_frames": None}
    else:
        features = _features(noise_db)
        feed = {"name": "mel", "layout": "bft", "lengths": lengths, "max_frames": limit}
    return {
        "format": FORMAT,
        "name": options.name,
        "version": version,
        "language": options.language,
        "sample_rate": 16000,
        "features": features.to_dict(),
        "input": feed,
        "output": {"name": "log_probs", "frame_seconds": rows_apart, "scores": "log_probs"},
        "alphabet": _units(alphabet),
        **second,
        "graph": "model.onnx",
        # 10 s with half a second of context are a tenth faster and cost half a point of word errors
        "windows": {"seconds": 15.0, "context_seconds": 1.0},
        **options.card,
        **extra,
    }


def _features(noise_db: float, **others: Any) -> FeatureRecipe:
    try:
        return FeatureRecipe(noise_db=noise_db, **others)
    except ValueError as error:
        raise OptionError(f"--noise-db {noise_db:g}: {error}") from error


def _units(alphabet: Alphabet) -> dict[str, Any]:
    return {"tokens": list(alphabet.tokens), "blank": alphabet.blank, "boundary": alphabet.boundary}


def write(model: onnx.ModelProto, data: dict[str, Any], folder: Path) -> None:
    """Writes model.onnx, which carries the card, and card.json with its checksum; each appears whole or not at all."""
    for old in [entry for entry in model.metadata_props if entry.key == "card"]:
        model.metadata_props.remove(old)
    model.metadata_props.add(key="card", value=json.dumps(data, ensure_ascii=False))
    folder.mkdir(parents=True, exist_ok=True)
    content = model.SerializeToString()
    data = {**data, "checksums": {**data.get("checksums", {}), data["graph"]: hashlib.sha256(content).hexdigest()}}
    text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    for name, value in ((data["graph"], content), (CARD, text)):
        write_atomically(folder / name, value)


def attach(folder: Path, path: Path | None = None, rescorer: Path | None = None) -> None:
    """Puts a language model into a bundle's folder and card, or looks after the one that is there.

    rescorer: a neural one that has a say beside it.

    A network that also hears sounds gets a lexicon for its words, or without a language model for all of the
    pronunciation dictionary. Raises LanguageModelError, OutputError, MissingExtra.
    """
    data = json.loads((folder / CARD).read_text(encoding="utf-8"))
    checksums = data.setdefault("checksums", {})
    if path is not None:
        write_atomically(folder / "lm.bin", path.read_bytes())
        others = {key: value for key, value in data.items() if key not in ("language_model", "lexicon")}
        data = {"language_model": {"file": "lm.bin", "id": path.stem}, **others}
        checksums["lm.bin"] = sha256(folder / "lm.bin")
    if rescorer is not None:
        write_atomically(folder / RESCORER, rescorer.read_bytes())
        data["language_model"]["rescorer"] = RESCORER
        checksums[RESCORER] = sha256(folder / RESCORER)
    if data.get("sounds") and not data.get("lexicon"):
        model = data.get("language_model")
        words = LanguageModel.load(folder / model["file"]).words if model else sorted(dictionary())
        lexicon_of(words, load_bundle(folder).alphabet).save(folder / LEXICON)
        data["lexicon"] = LEXICON
        checksums[LEXICON] = sha256(folder / LEXICON)
    write_atomically(folder / CARD, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def what_is_there(folder: Path, overwrite: bool) -> Card | None:
    """The card of the model that is to give way, None where there is none. Raises OptionError: the place is taken.

    Only a model gives way: what else a folder holds would be in its way, or lost.
    """
    try:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return None
        if not folder.is_dir():
            raise OptionError(f"{folder}: is a file: choose a folder for the model")
        if not (folder / CARD).is_file():
            other = min(path.name for path in folder.iterdir())
            raise OptionError(f"{folder}: holds {other} and no model: choose another folder")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    if not overwrite:
        raise OptionError(f"{folder}: holds a model already: choose another folder, or give --overwrite")
    try:
        return load_bundle(folder)
    except ModelError as error:
        raise OptionError(f"{error}: such a model is not replaced: remove it, or choose another folder") from error


def checked(data: dict[str, Any]) -> Card:
    """What a reader makes of the card; what a config brings into it may break it. Raises OptionError."""
    try:
        return parse(json.dumps(data), "--card")
    except (ModelError, TypeError) as error:
        raise OptionError(f"the card would not be readable ({error}): mend [card] of the config") from error


def take_over(
    data: dict[str, Any], after: Card, before: Card, folder: Path, own_model: bool
) -> tuple[dict[str, Any], set[str]]:
    """The new card with the old one's language model and lexicon where they fit, and the files that are not kept."""
    old = json.loads((folder / CARD).read_text(encoding="utf-8"))
    fits, entry, gone = before.alphabet == after.alphabet and not own_model, before.language_model, {CARD}
    gone |= {before.graph, after.graph}
    if entry is not None:
        there = all((folder / name).is_file() for name in (entry.file, entry.rescorer) if name is not None)
        if fits and there:
            data = {"language_model": old["language_model"], **data}
        else:
            gone |= {entry.file, str(Path(entry.file).with_suffix(".json")), entry.rescorer or entry.file}
            if not own_model:
                reason = f"{entry.file} is not there" if fits else "its alphabet is another"
                logger.warning("%s: the language model is not kept: %s; --lm gives one", folder, reason)
        fits = fits and there
    if before.lexicon is not None:  # of the language model's words
        if fits and before.sounds == after.sounds and (folder / before.lexicon).is_file():
            data = {"lexicon": before.lexicon, **data}
        else:
            gone.add(before.lexicon)
    if before.spellings is not None:  # of words that the language model was taught
        if fits and (folder / before.spellings).is_file():
            data = {"spellings": before.spellings, **data}
        else:
            gone.add(before.spellings)
    kept = {name: value for name, value in before.checksums.items() if name not in gone}
    return {**data, "checksums": {**kept, **data.get("checksums", {})}}, gone
