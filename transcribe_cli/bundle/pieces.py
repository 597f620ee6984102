"""Graphs that read pieces of words, and what their metadata say of them.

Their metadata have, under a key of each kind, JSON: "format", the "longest" row in pieces, the id of the "unknown"
piece, "starts" – what a row begins with at a "sentence"'s start or where it is "cut" off –, and "pieces" by id, each
with its natural-log probability.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..lm.pieces import Pieces
from .session import open_graph

UNFIT = (AttributeError, KeyError, TypeError, ValueError)  # what metadata of another shape raise


class PieceGraph:
    """A loaded graph with its inventory of pieces; used from any thread.

    key: of the metadata; format: the newest that is known; kind: what an error says that a file is not.
    about: all that the metadata say. start, cut: ids of the pieces that a row begins with.

    Raises ModelError where the file is none, of another kind, or of a later format.
    """

    def __init__(self, path: Path, key: str, format: int, kind: str) -> None:
        self._session, self._path, self._kind = open_graph(path, ["CPUExecutionProvider"], 1), path, kind
        try:
            self.about: dict[str, Any] = json.loads(self._session.get_modelmeta().custom_metadata_map[key])
            newer = self.about["format"] > format
        except UNFIT as error:
            raise self.unfit(error) from error
        if newer:
            raise ModelError(f"{path}: written by a later version: update transcribe")
        try:
            self.pieces = Pieces(self.about["pieces"], int(self.about["unknown"]))
            self.longest = int(self.about["longest"])
            self.cut, self.start = int(self.about["starts"]["cut"]), int(self.about["starts"]["sentence"])
        except UNFIT as error:
            raise self.unfit(error) from error

    def unfit(self, error: Exception) -> ModelError:
        """What to raise where the metadata make no sense."""
        return ModelError(f"{self._path}: no {self._kind} of this program ({error})")

    def run(self, outputs: Sequence[str], feed: dict[str, NDArray[np.int64]]) -> list[Any]:
        """The named outputs. Raises ModelError where the graph fails."""
        try:
            found: list[Any] = self._session.run(list(outputs), feed)
        except Exception as error:  # onnxruntime's own exception types have no common public base
            raise ModelError(f"{self._path}: the model fails: {str(error).splitlines()[0][:200]}") from error
        return found
