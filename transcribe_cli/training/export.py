"""A checkpoint and its encoder → a bundle: one ONNX graph from log-mel frames to log-probabilities, and its card.

The graph: "mel" (batch, 80, frames) float32, or "samples" (batch, samples) where the encoder reads those, →
"log_probs" (batch, rows, tokens); a graph for ragged batches takes "lengths" (batch,) int64 of what is valid too. What
PyTorch and ONNX Runtime say is compared on several lengths and a batch, and a graph that differs is refused.
"""

import hashlib
import json
import logging
import math
import shutil
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from torch import Tensor

from .. import emission
from ..alphabet import Alphabet
from ..bundle.card import FORMAT, Card, parse
from ..bundle.session import Network, RuntimeOptions
from ..bundle.store import Bundle, find, sha256
from ..ctc.collapse import greedy
from ..decoding.rescorer import Rescorer
from ..errors import ModelError, OptionError, OutputError, TrainingError
from ..features import FeatureRecipe
from ..lm.model import LanguageModel
from ..outputs import replacing, write_atomically
from . import cache, checkpoint, manifest, measure
from .graph import Alone, Masked
from .moonshine import MoonshineEncoder
from .network import Recogniser, facts, frame_seconds, pretrained, untrained
from .options import RunOptions, from_dict
from .pronounce import lexicon_of
from .units import CHARACTERS, WORD_END, build, dictionary
from .weights import begin

logger = logging.getLogger(__name__)

TOLERANCE = 1e-4  # between PyTorch and ONNX Runtime, in log-probability
OPSET = 17
LEXICON, RESCORER = "lexicon.gz", "rescorer.onnx"
# what follows attention does a quarter of all that int8 does to the log-probabilities, for a fortieth of the operations
KEPT_FLOAT = ("attention/out",)
HOP = 160  # samples a frame of log-mel; rows of samples are as many or a little fewer
CURE = "choose another checkpoint"


@dataclass(frozen=True, slots=True)
class Difference:
    """Largest difference of valid log-probabilities, and how many rows have another best token."""

    largest: float
    other_best: int
    rows: int


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
    if start.suffix == ".pt":
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


def load_bundle(folder: Path) -> Card:
    """The card of a bundle's folder. Raises ModelError."""
    try:
        return parse((folder / "card.json").read_text(encoding="utf-8"), str(folder))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder}: no card.json to be read there; name a model's folder") from error


def to_onnx(network: Recogniser, path: Path, ragged: bool = False) -> None:
    """Writes the network as ONNX with free batch and frame axes; ragged: with lengths, for batches of unequal ones."""
    samples = _reads_samples(network)
    size = 301 * HOP if samples else 301
    inputs: tuple[Tensor, ...] = (torch.randn(2, size) if samples else torch.randn(2, 80, size),)
    names = ["samples" if samples else "mel"]
    axes = {names[0]: {0: "batch", inputs[0].ndim - 1: "frames"}, "log_probs": {0: "batch", 1: "rows"}}
    if ragged:
        inputs, names = (*inputs, torch.tensor([size, size * 3 // 4])), [*names, "lengths"]
        axes["lengths"] = {0: "batch"}
    graph: Masked | Alone = Masked(network) if ragged else Alone(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's notes on tracing; what it traced is compared below
        torch.onnx.export(
            graph.eval(),
            inputs,
            str(path),
            input_names=names,
            output_names=["log_probs"],
            dynamic_axes=axes,
            opset_version=OPSET,
            custom_opsets={"com.microsoft": 1} if graph.fused else None,
            dynamo=False,
        )


def _reads_samples(network: Recogniser) -> bool:
    return isinstance(network.encoder, MoonshineEncoder)


def session(model: bytes | Path, threads: int = 1, save: Path | None = None) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU; save: where the graph with its operators fused is written."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if save is not None:  # fusions that hold on any machine, not those for this one's processor
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(save)
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def compare(network: Recogniser, model: Path | bytes, seed: int = 0) -> Difference:
    """PyTorch against ONNX Runtime on single inputs of several lengths and on a batch of them.

    The largest difference is NaN or infinite where either gives values that are no finite numbers.
    """
    rng, graph = np.random.default_rng(seed), session(model)
    bands, by = ((), HOP) if _reads_samples(network) else ((80,), 1)
    sizes = [size * by for size in (37, 100, 313, 1000)]
    singles = [rng.normal(0, 0.5, (1, *bands, size)).astype(np.float32) for size in sizes]
    ragged = np.zeros((len(sizes), *bands, max(sizes)), np.float32)
    for i, one in enumerate(singles):
        ragged[i, ..., : one.shape[-1]] = one[0]
    largest, other, rows = 0.0, 0, 0
    batch = run_batch(graph, ragged, np.array(sizes))
    for i, one in enumerate(singles):
        length = torch.tensor([sizes[i]])
        with torch.inference_mode():
            wanted = network(torch.from_numpy(one), length)[0][0].numpy()
        for found in (run_batch(graph, one, length.numpy())[0], batch[i, : len(wanted)]):
            with np.errstate(invalid="ignore"):  # ∞ − ∞ is NaN, which np.maximum keeps and max does not
                largest = float(np.maximum(largest, np.abs(found - wanted).max()))
            other += int((found.argmax(1) != wanted.argmax(1)).sum())
            rows += len(wanted)
    return Difference(largest, other, rows)


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Stores large float32 weights as float16 and casts them when the graph is loaded: half the size, float32 sums.

    Raises TrainingError where float16 cannot hold a weight.
    """
    graph = model.graph
    for one in list(graph.initializer):
        array = onnx.numpy_helper.to_array(one)
        if array.dtype == np.float32 and array.size >= 4096:
            graph.initializer.remove(one)
            _store_half(graph, one.name, array)
    for node in list(graph.node):
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            array = onnx.numpy_helper.to_array(node.attribute[0].t)
            if array.dtype == np.float32 and array.size >= 4096:
                graph.node.remove(node)
                _store_half(graph, node.output[0], array)
    return model


def _store_half(graph: onnx.GraphProto, name: str, array: npt.NDArray[np.float32]) -> None:
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if not np.isfinite(half).all():  # recurrent operators make plain numbers of NaN: the outputs do not show it
        raise TrainingError(f"float16 cannot hold the largest weights ({name}): try --weights float32")
    stored = onnx.numpy_helper.from_array(half, name + "_half")
    graph.initializer.append(stored)
    graph.node.insert(0, onnx.helper.make_node("Cast", [stored.name], [name], to=onnx.TensorProto.FLOAT))


def quantise(model: Path, out: Path, keep_float: Sequence[str] = KEPT_FLOAT) -> None:
    """Dynamic int8, a scale an output channel; nodes whose name contains one of `keep_float` stay as they are.

    Operators are fused once, here: loading takes two thirds of the time.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]

    names = [node.name for node in onnx.load(model).graph.node]
    root, nowhere = logging.getLogger(), logging.NullHandler()
    root.addHandler(nowhere)  # the library advises there, unasked, a step that changes nothing about these graphs
    try:
        quantize_dynamic(
            model,
            out,
            per_channel=True,
            weight_type=QuantType.QInt8,
            # seven bits: on processors without VNNI the products of full eight-bit weights overflow their 16-bit sums,
            # which cost more word errors than the lost bit
            reduce_range=True,
            op_types_to_quantize=["MatMul", "Gemm", "LSTM"],
            nodes_to_exclude=[name for name in names if any(part in name for part in keep_float)],
            extra_options={"MatMulConstBOnly": True},
        )
    finally:
        root.removeHandler(nowhere)
    session(out, save=out)


def _features(noise_db: float, **others: Any) -> FeatureRecipe:
    try:
        return FeatureRecipe(noise_db=noise_db, **others)
    except ValueError as error:
        raise OptionError(f"--noise-db {noise_db:g}: {error}") from error


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
    for name, value in ((data["graph"], content), ("card.json", text)):
        write_atomically(folder / name, value)


def attach(folder: Path, path: Path | None = None, rescorer: Path | None = None) -> None:
    """Puts a language model into a bundle's folder and card, or looks after the one that is there.

    rescorer: a neural one that has a say beside it.

    A network that also hears sounds gets a lexicon for its words, or without a language model for all of the
    pronunciation dictionary. Raises LanguageModelError, OutputError, MissingExtra.
    """
    data = json.loads((folder / "card.json").read_text(encoding="utf-8"))
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
    write_atomically(folder / "card.json", json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def export(
    paths: Sequence[Path], folder: Path, version: str, weights: str = "float16", extra: dict[str, Any] | None = None,
    keep_float: Sequence[str] = KEPT_FLOAT, ragged: bool = False, language_model: Path | None = None,
    start: Path | None = None, overwrite: bool = False, rescorer: Path | None = None,
    noise_db: float | None = None,
) -> Difference:  # fmt: skip
    """Checkpoints → a bundle in `folder`, whole or not at all; until it is whole, what was there stays.

    weights: float32, float16 (stored so, computed in float32) or int8.
    ragged: a graph that takes lengths, so that unequal windows can share a batch on a GPU.
    language_model: a file to go into the bundle; see `attach`.
    start: what the training began with, half of which is taken; see `restore`.
    rescorer: a neural language model that has a say beside `language_model`.
    noise_db: see `FeatureRecipe`; no part of training, where the network learns from noise as it is. None: what the
    bundle says that the training began with, else 0.
    overwrite: a model that is there gives way; its language model stays where it fits, and so do files of other kinds.

    Raises OptionError when the folder is taken, TrainingError when the checkpoints do not fit together, when the
    float32 graph differs from PyTorch by more than the tolerance or when outputs are no finite numbers.
    """
    before = _what_is_there(folder, overwrite)
    if language_model is not None:
        LanguageModel.load(language_model)  # refuses what is none before the work
    if rescorer is not None:
        if language_model is None:
            raise OptionError("--rescorer: has a say beside a language model: give that with --lm")
        Rescorer(rescorer)
    network, options, alphabet, sounds = restore(paths, start)
    if noise_db is None:
        noise_db = load_bundle(start).features.noise_db if start is not None and start.suffix != ".pt" else 0.0
    data = card(options, alphabet, version, {"weights": weights, **(extra or {})}, ragged, sounds, noise_db)
    after, gone = _checked(data), set[str]()
    if before is not None:
        data, gone = _take_over(data, after, before, folder, own_model=language_model is not None)
    with replacing(folder) as new:
        plain = new / "float32.onnx.part"
        to_onnx(network, plain, ragged)
        exact = compare(network, plain)
        if not math.isfinite(exact.largest):
            raise TrainingError(f"{paths[0]}: the network's outputs are no finite numbers: not exported; {CURE}")
        if not exact.largest <= TOLERANCE:
            raise TrainingError(f"the ONNX graph differs from PyTorch by {exact.largest:.2g}: not exported")
        if weights == "int8":
            small = new / "int8.onnx.part"
            quantise(plain, small, keep_float)
            model = onnx.load(small)
            small.unlink()
        else:
            model = onnx.load(plain)
        plain.unlink()
        if weights != "float32":
            model = halve(model)
        difference = compare(network, model.SerializeToString())
        if not math.isfinite(difference.largest):
            raise TrainingError(f"stored as {weights}, the outputs are no finite numbers: try --weights float32")
        # so that a card of another alphabet is refused when the model is loaded
        model.graph.output[0].type.tensor_type.shape.dim[2].dim_value = len(alphabet) + len(sounds or ())
        if before is not None:
            top = str(folder)
            shutil.copytree(folder, new, ignore=lambda at, _: gone if at == top else (), dirs_exist_ok=True)
        write(model, data, new)
        attach(new, language_model, rescorer)
    return difference


def _what_is_there(folder: Path, overwrite: bool) -> Card | None:
    """The card of the model that is to give way, None where there is none. Raises OptionError: the place is taken.

    Only a model gives way: what else a folder holds would be in its way, or lost.
    """
    try:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return None
        if not folder.is_dir():
            raise OptionError(f"{folder}: is a file: choose a folder for the model")
        if not (folder / "card.json").is_file():
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


def _checked(data: dict[str, Any]) -> Card:
    """What a reader makes of the card; what a config brings into it may break it. Raises OptionError."""
    try:
        return parse(json.dumps(data), "--card")
    except (ModelError, TypeError) as error:
        raise OptionError(f"the card would not be readable ({error}): mend [card] of the config") from error


def _take_over(
    data: dict[str, Any], after: Card, before: Card, folder: Path, own_model: bool
) -> tuple[dict[str, Any], set[str]]:
    """The new card with the old one's language model and lexicon where they fit, and the files that are not kept."""
    old = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    fits, entry, gone = before.alphabet == after.alphabet and not own_model, before.language_model, {"card.json"}
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
    kept = {name: value for name, value in before.checksums.items() if name not in gone}
    return {**data, "checksums": {**kept, **data.get("checksums", {})}}, gone


def run_batch(
    model: onnxruntime.InferenceSession, inputs: npt.NDArray[np.float32], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """(batch, 80, frames) log-mel or (batch, samples), how much of each is valid → (batch, rows, tokens).

    Rows beyond an utterance are void.

    A graph that takes no lengths runs every utterance alone.
    """
    name = model.get_inputs()[0].name
    if len(model.get_inputs()) > 1:
        rows: npt.NDArray[np.float32] = model.run(["log_probs"], {name: inputs, "lengths": lengths})[0]
        return rows
    alone = [
        model.run(["log_probs"], {name: np.ascontiguousarray(one[None, ..., :length])})[0][0]
        for one, length in zip(inputs, lengths, strict=True)
    ]
    rows = np.zeros((len(alone), max(map(len, alone)), alone[0].shape[1]), np.float32)
    for row, one in zip(rows, alone, strict=True):
        row[: len(one)] = one
    return rows


class _Timed(Network):
    """A network on one core whose windows run where they are asked for, and are timed."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle, RuntimeOptions(device="cpu", threads=1))
        self.spent = 0.0

    def submit(self, features: npt.NDArray[np.float32]) -> "Future[npt.NDArray[np.float32]]":
        future: Future[npt.NDArray[np.float32]] = Future()
        began = time.process_time()  # of this process alone: what else runs on the machine does not count
        future.set_result(self._run_one(features))
        self.spent += time.process_time() - began
        return future


def measure_bundle(folder: Path, path: Path, limit: int = 0) -> list[str]:
    """Greedy error rates a source of a bundle on a manifest, and its network's speed on one core, as lines of text.

    The network sees the windows that it sees in transcribing.
    """
    bundle = find(str(folder))
    card, reader, heard, seconds = bundle.card, cache.Reader(), [], 0.0
    utterances = manifest.read(path)
    with closing(_Timed(bundle)) as network:
        for utterance in measure.spread(utterances, limit):
            samples = reader(utterance)
            blocks = emission.rows([samples], network, emission.WindowOptions())
            log_probs = np.concatenate([np.zeros((0, card.columns), np.float32), *blocks])
            seconds += len(samples) / card.sample_rate
            text = card.alphabet.decode(greedy(card.letters(log_probs), card.alphabet.blank))
            heard.append(measure.Heard(utterance.source, utterance.text, utterance.text, text, 0.0, 0))
    lines = [
        f"{score.source:16s} {score.utterances:5d} utterances  "
        f"CER {100 * score.cer:5.2f} %  WER {100 * score.wer:5.2f} %"
        for score in measure.score(heard)
    ]
    return [*lines, f"network: {seconds / max(network.spent, 1e-9):.0f} x real time on one core"]
