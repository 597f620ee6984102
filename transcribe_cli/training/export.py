"""A checkpoint and its encoder → a bundle: one ONNX graph from log-mel frames to log-probabilities, and its card.

What PyTorch and ONNX Runtime say is compared on several lengths and a batch, and a graph that differs is refused.
"""

import math
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from .. import emission
from ..bundle.session import Network, RuntimeOptions
from ..bundle.store import Bundle, find
from ..ctc.collapse import greedy
from ..decoding.rescorer import Rescorer
from ..errors import OptionError, TrainingError
from ..lm.model import LanguageModel
from ..outputs import replacing
from . import cache, checkpoint, manifest, measure
from .bundling import attach, card, checked, load_bundle, take_over, what_is_there, write
from .onnx_graph import KEPT_FLOAT, TOLERANCE, Difference, compare, halve, quantise, to_onnx
from .restore import CURE, restore


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
    noise_db: see `FeatureRecipe`. None: what the network was trained with; where it learned from noise as it is, what
    the bundle says that the training began with, else 0.
    overwrite: a model that is there gives way; its language model stays where it fits, and so do files of other kinds.

    Raises OptionError when the folder is taken, TrainingError when the checkpoints do not fit together, when the
    float32 graph differs from PyTorch by more than the tolerance or when outputs are no finite numbers.
    """
    before = what_is_there(folder, overwrite)
    if language_model is not None:
        LanguageModel.load(language_model)  # refuses what is none before the work
    if rescorer is not None:
        if language_model is None:
            raise OptionError("--rescorer: has a say beside a language model: give that with --lm")
        Rescorer(rescorer)
    network, options, alphabet, sounds = restore(paths, start)
    if noise_db is None:
        noise_db = options.data.noise_db or _noise_db_of(start)
    data = card(options, alphabet, version, {"weights": weights, **(extra or {})}, ragged, sounds, noise_db)
    after, gone = checked(data), set[str]()
    if before is not None:
        data, gone = take_over(data, after, before, folder, own_model=language_model is not None)
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


def _noise_db_of(start: Path | None) -> float:
    """What the bundle that a training began with says; 0 where it began with none."""
    return 0.0 if start is None or checkpoint.is_one(start) else load_bundle(start).features.noise_db


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
