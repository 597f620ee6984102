"""A neural language model that needs no training: single letters as pieces, each row's last piece decides the next."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PIECES = ["<s>", "<cut>", "<unk>", *"abckt", *(f"{letter}▁" for letter in "abckt")]
ABOUT = {
    "format": 1,
    "longest": 12,
    "unknown": 2,
    "starts": {"sentence": 0, "cut": 1},
    "pieces": [[piece, -1.0] for piece in PIECES],
}


def table(likes: dict[tuple[str, str], float] | None = None) -> np.ndarray:
    """(pieces, pieces) float32 ln P(next | last): even odds, but e^bonus times as likely where `likes` says so."""
    scores = np.zeros((len(PIECES), len(PIECES)), np.float64)
    for (last, following), bonus in (likes or {}).items():
        scores[PIECES.index(last), PIECES.index(following)] = bonus
    return (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))).astype(np.float32)


def write(path: Path, log_probs: np.ndarray, about: object = ABOUT) -> Path:
    """The graph of such a table, with what it says of itself (None: nothing)."""
    nodes = [
        helper.make_node("Reshape", ["pieces", "all"], ["flat"]),
        helper.make_node("Gather", ["flat", "asked"], ["last"]),
        helper.make_node("Unsqueeze", ["last", "one"], ["last_column"]),
        helper.make_node("Unsqueeze", ["wanted", "one"], ["wanted_column"]),
        helper.make_node("Concat", ["last_column", "wanted_column"], ["places"], axis=1),
        helper.make_node("GatherND", ["table", "places"], ["log_probs"]),
    ]
    constants = {"all": np.array([-1]), "one": np.array([1]), "table": log_probs}
    graph = helper.make_graph(
        nodes,
        "rescorer",
        [
            helper.make_tensor_value_info("pieces", TensorProto.INT64, ["batch", "length"]),
            helper.make_tensor_value_info("asked", TensorProto.INT64, ["n"]),
            helper.make_tensor_value_info("wanted", TensorProto.INT64, ["n"]),
        ],
        [helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    if about is not None:
        model.metadata_props.add(key="rescorer", value=json.dumps(about))
    onnx.save(model, path)
    return path
