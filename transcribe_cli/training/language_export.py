"""A trained network and its pieces → rescorer.onnx, one int8 file that says everything needed to use it.

What `language_graph` says of the graph holds; the key "rescorer" of its metadata is JSON: "format" 1, "longest" pieces
that a row may have, the id of the "unknown" piece, "starts" – the piece that a row begins with, at a "sentence"'s start
or where it is "cut" off in one – and "pieces", each with its natural-log probability, by id.

The float32 graph is compared with PyTorch, and one that differs is refused; what eight bits cost is measured as
perplexity of held-out lines.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from ..decoding.rescorer import FORMAT
from ..errors import TrainingError
from ..outputs import write_atomically
from .language_graph import build
from .language_network import LONGEST, LanguageNetwork
from .language_text import STARTS, UNKNOWN, Inventory, ends_of_words
from .onnx_graph import TOLERANCE, session

_ROWS = 32  # of a batch that is measured

Integers = npt.NDArray[np.int64]
# (batch, length) pieces, (n,) asked, (n,) wanted → (n,) natural-log probabilities
Predict = Callable[[Integers, Integers, Integers], npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Perplexity:
    """Of one source's held-out lines: words, and the perplexity a word before and after the export."""

    words: int
    float32: float
    int8: float


def of_network(network: LanguageNetwork) -> Predict:
    """What PyTorch says, in float32."""
    device = network.embed.weight.device

    def predict(pieces: Integers, asked: Integers, wanted: Integers) -> npt.NDArray[np.float32]:
        with torch.no_grad():
            hidden = network(torch.from_numpy(pieces).to(device), torch.from_numpy(asked).to(device))
            every = network.scores(hidden).log_softmax(-1)
            found = every.gather(1, torch.from_numpy(wanted).to(device)[:, None])[:, 0]
        result: npt.NDArray[np.float32] = found.cpu().numpy()
        return result

    return predict


def of_session(graph: onnxruntime.InferenceSession) -> Predict:
    """What a graph says."""

    def predict(pieces: Integers, asked: Integers, wanted: Integers) -> npt.NDArray[np.float32]:
        inputs = {"pieces": pieces, "asked": asked, "wanted": wanted}
        found: npt.NDArray[np.float32] = graph.run(["log_probs"], inputs)[0]
        return found

    return predict


def padded(rows: Sequence[Sequence[int]]) -> tuple[Integers, Integers, Integers]:
    """Rows of 2 to 65 pieces → pieces (batch, length), asked and wanted (n,): all of each row but its first piece."""
    length = max(map(len, rows)) - 1
    pieces = np.zeros((len(rows), length), np.int64)
    for i, row in enumerate(rows):
        pieces[i, : len(row) - 1] = row[:-1]
    asked = np.concatenate([i * length + np.arange(len(row) - 1) for i, row in enumerate(rows)])
    return pieces, asked, np.concatenate([np.asarray(row[1:], np.int64) for row in rows])


def log_prob(rows: Sequence[Sequence[int]], predict: Predict) -> float:
    """Natural log of the probability of all pieces of the rows but the first ones."""
    order = sorted(rows, key=len)
    parts = [order[i : i + _ROWS] for i in range(0, len(order), _ROWS)]
    return math.fsum(float(predict(*padded(part)).sum(dtype=np.float64)) for part in parts)


def words_of(rows: Sequence[Sequence[int]], inventory: Inventory) -> int:
    """How many words end in the rows."""
    ends = ends_of_words(inventory)
    return sum(int(ends[np.asarray(row[1:])].sum()) for row in rows)


def perplexity(rows: Sequence[Sequence[int]], inventory: Inventory, predict: Predict) -> float:
    """How many words the predictor hesitates between, on average."""
    return math.exp(min(-log_prob(rows, predict) / max(1, words_of(rows, inventory)), 700.0))


def export(
    network: LanguageNetwork, inventory: Inventory, path: Path, held_out: Mapping[str, Sequence[Sequence[int]]]
) -> dict[str, Perplexity]:
    """Writes the file, whole or not at all, and returns what the held-out rows of each source make of it.

    Raises TrainingError when the graph differs from PyTorch, OutputError when the file cannot be written.
    """
    network.eval()
    plain, theirs = of_session(session(build(network, integers=False).SerializeToString())), of_network(network)
    sample = padded(_sample(len(inventory)))
    apart = float(np.abs(plain(*sample) - theirs(*sample)).max())
    if not apart <= TOLERANCE:
        raise TrainingError(f"the ONNX graph differs from PyTorch by {apart:.2g}: not exported")
    model = build(network, integers=True)
    about = {"format": FORMAT, "longest": LONGEST, "unknown": UNKNOWN, "starts": STARTS, "pieces": inventory}
    model.metadata_props.add(key="rescorer", value=json.dumps(about, ensure_ascii=False, separators=(",", ":")))
    content = model.SerializeToString()
    small = of_session(session(content))
    measured = {
        name: Perplexity(
            words_of(rows, inventory), perplexity(rows, inventory, plain), perplexity(rows, inventory, small)
        )
        for name, rows in held_out.items()
    }
    write_atomically(path, content)
    return measured


def _sample(n_pieces: int) -> list[list[int]]:
    """Rows of many lengths, of any pieces."""
    rng = np.random.default_rng(1)
    return [rng.integers(0, n_pieces, length).tolist() for length in (LONGEST + 1, 2, 17, 40, 3, 25)]
