"""Weights read back out of an exported graph, float or int8, under PyTorch's names: where fine-tuning begins.

The exporter keeps the names of biases, convolutions and normalisations; matrices of linear and recurrent layers are
transposed or re-ordered, and are found by the name of the node that uses them: `/head/layers.0/both/LSTM` for both
directions of a layer, or `…/ahead/LSTM` and `…/back/LSTM` in a graph with lengths.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper

from ..errors import ModelError
from . import checkpoint
from .bundling import load_bundle

Array = npt.NDArray[np.float32]

PRODUCTS = ("MatMul", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul")


def begin(path: Path) -> dict[str, torch.Tensor]:
    """Weights of a bundle's folder or of a checkpoint (`.pt`), those of the recurrent part under "head.".

    Raises ModelError or TrainingError when there are none.
    """
    if not checkpoint.is_one(path):
        return read(path / load_bundle(path).graph)
    state: dict[str, torch.Tensor] = checkpoint.load(path, "name a bundle or another checkpoint")["model"]
    if any(name.startswith("head.") for name in state):
        return state
    return {f"head.{name}": value for name, value in state.items()}  # trained over a cache: the head alone


def read(path: Path) -> dict[str, torch.Tensor]:
    """All parameters of the graph. Raises ModelError when the file is no graph that this package exported."""
    try:
        graph = onnx.load(path).graph
    except Exception as error:  # protobuf's DecodeError has no public name
        raise ModelError(f"{path}: no readable ONNX graph ({error})") from error
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            stored[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    for node in graph.node:  # weights that are stored as float16
        if node.op_type == "Cast" and node.input[0] in stored and stored[node.input[0]].dtype == np.float16:
            stored[node.output[0]] = stored[node.input[0]].astype(np.float32)

    state: dict[str, Array] = {
        # a normalisation's weights may have been turned beside the channels that they scale
        name: (array.reshape(-1) if "norm." in name else array).astype(np.float32)
        for name, array in stored.items()
        if name.endswith((".weight", ".bias", "mixture")) and array.dtype in (np.float32, np.float16)
    }
    for node in graph.node:
        module = node.name.rpartition("/")[0].strip("/").replace("/", ".")
        module = f"encoder.{module}" if module.startswith("blocks.") else module
        if node.op_type in PRODUCTS and (matrix := _weight(node.input[1], stored)) is not None:
            if module.rpartition(".")[2].startswith("conv"):  # a convolution over three frames, as one product
                matrix = matrix.reshape(3, -1, matrix.shape[1])
            state[f"{module}.weight"] = np.ascontiguousarray(matrix.T)
        elif node.op_type in ("LSTM", "DynamicQuantizeLSTM", "GRU"):
            state |= _recurrent(module, node, stored)
    if not state:
        raise ModelError(f"{path}: its weights have no names to begin training with")
    return {name: torch.from_numpy(np.array(array, np.float32)) for name, array in state.items()}


def _weight(name: str, stored: dict[str, npt.NDArray[np.generic]]) -> Array | None:
    """A float matrix, dequantised where it is int8; None for what is no weight."""
    if name not in stored:
        return None
    array = stored[name]
    base = name.removesuffix("_quantized")
    if base == name:
        return array.astype(np.float32) if array.ndim >= 2 and array.dtype == np.float32 else None
    scale, zero = stored[f"{base}_scale"].astype(np.float32), stored[f"{base}_zero_point"].astype(np.float32)
    if array.ndim == 3:  # (directions, inputs, gates): a scale a gate
        scale, zero = scale.reshape(len(scale), 1, -1), zero.reshape(len(zero), 1, -1)
    return ((array.astype(np.float32) - zero) * scale).astype(np.float32)


def _recurrent(module: str, node: onnx.NodeProto, stored: dict[str, npt.NDArray[np.generic]]) -> dict[str, Array]:
    """ONNX keeps gates as i o f c (LSTM) or z r h (GRU); PyTorch as i f g o, or r z n."""
    order = [0, 2, 3, 1] if "LSTM" in node.op_type else [1, 0, 2]
    found = {}
    layer, _, last = module.rpartition(".")
    directions = (f"{layer}.ahead", f"{layer}.back") if last == "both" else (module,)
    matrices = [_weight(node.input[i], stored) for i in (1, 2)]
    biases = np.asarray(stored[node.input[3]], np.float32)
    for i, direction in enumerate(directions[: len(biases)]):
        for matrix, name in zip(matrices, ("weight_ih_l0", "weight_hh_l0"), strict=True):
            if matrix is None:
                return {}
            gates = matrix[i].T if "DynamicQuantize" in node.op_type else matrix[i]
            found[f"{direction}.{name}"] = _gates(gates, order)
        for half, name in zip(np.split(biases[i], 2), ("bias_ih_l0", "bias_hh_l0"), strict=True):
            found[f"{direction}.{name}"] = _gates(half, order)
    return found


def _gates(array: Array, order: list[int]) -> Array:
    parts = np.split(array, len(order))
    return np.concatenate([parts[i] for i in order])
