"""The networks that read pieces as ONNX graphs, in float32 or in integers of eight bits.

A rescorer's inputs: "pieces" (batch, length ≤ 64) int64; "asked" (n,) int64, flat places (row · length + column) whose
next piece is asked for; "wanted" (n,) int64, the pieces that are asked for. Output: "log_probs" (n,) float32, natural
logs of P(wanted | the row's pieces up to and including the asked place). What stands behind a place changes nothing
there, so short rows are padded with anything.

That which punctuates has one input, "pieces" (batch, length ≤ 64) int64, and two outputs, "signs" (batch, length, 4)
and "cases" (batch, length, 3) float32, natural logs. It looks to both sides: rows of a batch must be equally long.

In integers every row of numbers that meets a matrix is brought to a largest magnitude of its own. So the squares behind
the activation, of which a few are very large, take no precision from the other rows, and what shares a batch has
nothing to do with what comes out.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..punctuation import CASES, SIGNS
from .language_network import LanguageNetwork, PunctuationNetwork
from .onnx_graph import OPSET

Floats = npt.NDArray[np.float32]

_IR_VERSION = 8  # what goes with the operators' version: older ONNX Runtimes refuse a newer one
_TINY = 1e-20  # keeps a row of zeros from being divided by nothing
# seven bits, for the reason that `onnx_graph.quantise` gives: 2 · 255 · 63 stays within 16 bits
_HIGHEST = 63


class _Graph:
    """Nodes and constants as they come; a value is named by a string."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: npt.ArrayLike, kind: type = np.float32) -> str:
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value, kind), name)
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        return self.split(operator, *inputs, outputs=1, domain=domain, **attributes)[0]

    def fused(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """An operator of ONNX Runtime's own."""
        return self.add(operator, *inputs, domain="com.microsoft", **attributes)

    def split(self, operator: str, *inputs: str, outputs: int = 2, domain: str = "", **attributes: Any) -> list[str]:
        names = [f"{operator}.{len(self.nodes)}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, domain=domain, **attributes))
        return names


class _Builder(_Graph):
    """The network's parts."""

    def __init__(self, weights: Mapping[str, Floats], heads: int, causal: bool, integers: bool) -> None:
        super().__init__()
        self.weights, self.heads, self.causal, self.integers = weights, heads, causal, integers
        self.width = weights["embed.weight"].shape[1]
        for name, value in (("two", 2.0), ("epsilon", np.finfo(np.float32).eps), ("tiny", _TINY)):
            self.constant(name, value)
        self.constant("ones", np.ones(self.width // heads))
        for name, values in weights.items():
            if values.ndim == 1:
                self.constant(name, values)
        for name, start, scale in (("signed", 128, 1 / 127), ("positive", 0, 1 / 255)):
            self.constant(f"{name}_zero", start, np.uint8)
            self.constant(f"{name}_scale", scale)
        shapes = {"one": [1], "flat": [-1], "rows": [-1, self.width], "first": [0]}
        shapes |= {"by_head": [0, 0, 2 * heads, self.width // heads], "joined": [0, 0, 2 * self.width]}
        shapes |= {"pair": [self.width, self.width], "pair_and_values": [2 * self.width, self.width]}
        for name, shape in shapes.items():
            self.constant(name, shape, np.int64)

    def table(self) -> str:
        """The table of pieces, stored once: its rows are read, and at the end they are what is predicted."""
        values = self.weights["embed.weight"]
        if not self.integers:
            return self.add("Gather", self.constant("table", values), "pieces")
        whole, scale = _rounded(values, axis=1)
        self.constant("table", whole, np.int8)
        self.constant("table_scale", scale)
        found = self.add("Cast", self.add("Gather", "table", "pieces"), to=TensorProto.FLOAT)
        return self.add("Mul", found, self.add("Gather", "table_scale", "pieces"))

    def norm(self, x: str, name: str) -> str:
        """Rows of unit mean square, times a weight."""
        power = self.add("ReduceMean", self.add("Pow", x, "two"), axes=[-1], keepdims=1)
        root = self.add("Sqrt", self.add("Add", power, "epsilon"))
        return self.add("Mul", self.add("Div", x, root), name)

    def linear(self, x: str, name: str, positive: bool = False) -> str:
        """positive: nothing in x is below zero."""
        matrix = self.weights[name].T
        if not self.integers:
            return self.add("MatMul", x, self.constant(name, matrix))
        whole, scale = _rounded(matrix, axis=0)
        self.constant(name, whole, np.int8)
        return self.product(x, name, self.constant(f"{name}_scale", scale[0]), "positive" if positive else "signed")

    def product(self, x: str, matrix: str, matrix_scale: str, sign: str) -> str:
        """x in eight bits, each row over its own largest magnitude, times an int8 matrix of a scale a column."""
        size = x if sign == "positive" else self.add("Abs", x)
        largest = self.add("Add", self.add("ReduceMax", size, axes=[-1], keepdims=1), "tiny")
        whole = self.add("QuantizeLinear", self.add("Div", x, largest), f"{sign}_scale", f"{sign}_zero")
        product = self.fused("MatMulIntegerToFloat", whole, matrix, f"{sign}_scale", matrix_scale, f"{sign}_zero")
        return self.add("Mul", product, largest)

    def attention(self, x: str, block: str) -> str:
        both, values = self.split("Split", self.linear(x, f"{block}.qkv.weight"), "pair_and_values", axis=-1)
        both = self.add("Reshape", self.norm(self.add("Reshape", both, "by_head"), "ones"), "joined")
        queries, keys = self.split("Split", self.fused("RotaryEmbedding", both, "first", "cos", "sin"), "pair", axis=-1)
        return self.fused(
            "MultiHeadAttention", queries, keys, values, num_heads=self.heads, unidirectional=int(self.causal)
        )

    def scores(self, hidden: str) -> str:
        matrix = self.add("Transpose", "table", perm=[1, 0])  # done once, when the graph is loaded
        if not self.integers:
            return self.add("MatMul", hidden, matrix)
        return self.product(hidden, matrix, self.add("Reshape", "table_scale", "flat"), "signed")


def _rounded(values: Floats, axis: int) -> tuple[npt.NDArray[np.int8], Floats]:
    """Whole numbers and the scale of each row (axis 1) or column (axis 0) that makes them the values again."""
    scale = np.maximum(np.abs(values).max(axis, keepdims=True) / _HIGHEST, np.float32(_TINY))
    return np.round(values / scale).astype(np.int8), scale


def build(network: LanguageNetwork | PunctuationNetwork, integers: bool) -> onnx.ModelProto:
    """The network's graph; see the module's docstring."""
    weights = {name: value.detach().float().cpu().numpy() for name, value in network.state_dict().items()}
    graph = _Builder(weights, network.heads, network.causal, integers)
    graph.constant("cos", network.cos.cpu().numpy())
    graph.constant("sin", network.sin.cpu().numpy())
    x = graph.norm(graph.table(), "norm0.weight")
    last = len(network.blocks) - 1
    for i in range(last + 1):
        block = f"blocks.{i}"
        y = graph.attention(graph.norm(x, f"{block}.norm1.weight"), block)
        if i == last and network.causal:  # nothing looks at other places any more
            x, y = (graph.add("Gather", graph.add("Reshape", one, "rows"), "asked") for one in (x, y))
        x = graph.add("Add", x, graph.linear(y, f"{block}.out.weight"))
        y = graph.add("Relu", graph.linear(graph.norm(x, f"{block}.norm2.weight"), f"{block}.up.weight"))
        x = graph.add("Add", x, graph.linear(graph.add("Mul", y, y), f"{block}.down.weight", positive=True))
    x = graph.norm(x, "norm.weight")
    outputs = _next_piece(graph, x) if network.causal else _marks(graph, x)
    axes = {"pieces": ["batch", "length"]} | ({"asked": ["n"], "wanted": ["n"]} if network.causal else {})
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, axis) for name, axis in axes.items()]
    whole = helper.make_graph(graph.nodes, "pieces", inputs, outputs, list(graph.constants.values()))
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(whole, opset_imports=domains, ir_version=_IR_VERSION, producer_name="transcribe-cli")


def _next_piece(graph: _Builder, hidden: str) -> list[onnx.ValueInfoProto]:
    log_probs = graph.add("LogSoftmax", graph.scores(hidden), axis=-1)
    found = graph.add("GatherElements", log_probs, graph.add("Unsqueeze", "wanted", "one"), axis=1)
    graph.nodes.append(helper.make_node("Squeeze", [found, "one"], ["log_probs"]))
    return [helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["n"])]


def _marks(graph: _Builder, hidden: str) -> list[onnx.ValueInfoProto]:
    """Few numbers, and all that comes out: in float32."""
    scores = graph.add("MatMul", hidden, graph.constant("marks", graph.weights["marks.weight"].T))
    graph.constant("kinds", [len(SIGNS), len(CASES)], np.int64)
    outputs = []
    parts = graph.split("Split", scores, "kinds", axis=-1)
    for name, part, n in zip(("signs", "cases"), parts, (len(SIGNS), len(CASES)), strict=True):
        graph.nodes.append(helper.make_node("LogSoftmax", [part], [name], axis=-1))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "length", n]))
    return outputs
