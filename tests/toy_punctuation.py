"""A model that punctuates without training: what stands behind a word hangs on its last letter alone."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LETTERS = "abcdefgh"
PIECES = ["<s>", "<cut>", "<unk>", *LETTERS, *(f"{letter}▁" for letter in LETTERS)]
SIGNS = {"c": ",", "d": ".", "e": "?"}  # behind words that end in these
CASES = {"f": "capital", "g": "upper"}
ABOUT = {
    "format": 1,
    "longest": 64,
    "unknown": 2,
    "starts": {"sentence": 0, "cut": 1},
    "signs": ["", ",", ".", "?"],
    "cases": ["lower", "capital", "upper"],
    "pieces": [[piece, -1.0] for piece in PIECES],
}


def _table(columns: list[str], likes: dict[str, str]) -> np.ndarray:
    table = np.zeros((len(PIECES), len(columns)), np.float32)
    for i, piece in enumerate(PIECES):
        table[i, columns.index(likes.get(piece[0], columns[0]))] = 3
    return table - np.log(np.exp(table).sum(axis=1, keepdims=True))


def write(path: Path, about: object = ABOUT) -> Path:
    """The graph, with what it says of itself (None: nothing)."""
    tables = {"signs": _table(ABOUT["signs"], SIGNS), "cases": _table(ABOUT["cases"], CASES)}
    graph = helper.make_graph(
        [helper.make_node("Gather", [f"{name}_table", "pieces"], [name]) for name in tables],
        "pieces",
        [helper.make_tensor_value_info("pieces", TensorProto.INT64, ["batch", "length"])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "length", table.shape[1]])
            for name, table in tables.items()
        ],
        [numpy_helper.from_array(table, f"{name}_table") for name, table in tables.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    if about is not None:
        model.metadata_props.add(key="punctuation", value=json.dumps(about))
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path
