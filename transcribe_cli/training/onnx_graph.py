"""The network as one ONNX graph: written, compared with PyTorch, stored small.

The graph: "mel" (batch, 80, frames) float32, or "samples" (batch, samples) where the encoder reads those, →
"log_probs" (batch, rows, tokens); a graph for ragged batches takes "lengths" (batch,) int64 of what is valid too.
"""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from torch import Tensor

from ..errors import TrainingError
from .graph import Alone, Masked
from .moonshine import MoonshineEncoder
from .network import Recogniser

TOLERANCE = 1e-4  # between PyTorch and ONNX Runtime, in log-probability
OPSET = 17
# what follows attention does a quarter of all that int8 does to the log-probabilities, for a fortieth of the operations
KEPT_FLOAT = ("attention/out",)
HOP = 160  # samples a frame of log-mel; rows of samples are as many or a little fewer


@dataclass(frozen=True, slots=True)
class Difference:
    """Largest difference of valid log-probabilities, and how many rows have another best token."""

    largest: float
    other_best: int
    rows: int


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
