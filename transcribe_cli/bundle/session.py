"""The network: windows of features in, natural log-probabilities out. The only place that knows onnxruntime.

On a CPU every window runs alone on one thread and several windows run side by side: no padding, so a window's result
does not depend on its neighbours, and two runs are byte-identical; measured, it is also faster than batches (a
batch of eight 10 s windows 0.77 × the speed of single ones on one core). On CUDA windows of similar length
share a batch.
"""

import queue
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeviceError, ModelError
from ..options import check, option
from .card import Card
from .store import Bundle

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """Where and how the network runs."""

    device: str = option("auto", "where the network runs", choices=("auto", "cpu", "cuda"))
    threads: int = option(
        0, "CPU threads for the network; 0: one for each core this process may use", minimum=0, maximum=256
    )
    batch: int = option(16, "windows that share one batch on CUDA; a CPU runs each alone", minimum=1, maximum=256)

    def __post_init__(self) -> None:
        check(self)


def read_metadata(path: Path) -> dict[str, str]:
    """The custom metadata of an ONNX file. Raises ModelError when the file is not a loadable graph."""
    return dict(open_graph(path, ["CPUExecutionProvider"], 1).get_modelmeta().custom_metadata_map)


class Network:
    """A loaded graph with its queue of windows.

    `submit` takes the features of one window, (t, f) float32 (or (n,) samples for a raw-waveform model), and gives a
    Future of its (rows, columns) float32 natural log-probabilities.

    Raises:
        ModelError: the graph cannot be loaded or contradicts its card.
        DeviceError: `device` is cuda and CUDA cannot be used.
    """

    def __init__(self, bundle: Bundle, options: RuntimeOptions | None = None) -> None:
        options = options or RuntimeOptions()
        self.card = bundle.card
        self.device = _choose_device(options.device)
        self.threads = options.threads or usable_cores()
        if self.device == "cuda":
            self._session = open_graph(
                bundle.graph_path, ["CUDAExecutionProvider", "CPUExecutionProvider"], self.threads
            )
            if "CUDAExecutionProvider" not in self._session.get_providers():
                if options.device == "cuda":
                    raise DeviceError(
                        "CUDA was asked for and onnxruntime fell back to the CPU: run `transcribe doctor` for the cause"
                    )
                self.device = "cpu"
        if self.device == "cpu":
            self._session = open_graph(bundle.graph_path, ["CPUExecutionProvider"], 1)
        _check_graph(self._session, self.card, str(bundle.graph_path))
        self._workers = ThreadPoolExecutor(self.threads if self.device == "cpu" else 1, thread_name_prefix="network")
        self._pending: queue.SimpleQueue[tuple[Array, Future[Array]]] = queue.SimpleQueue()
        self._batch = options.batch if self.device == "cuda" else 1
        self._lock = threading.Lock()

    @property
    def lookahead(self) -> int:
        """Windows worth having in flight: enough that no thread waits, few enough that memory stays flat."""
        return 2 * self.threads if self.device == "cpu" else 2 * self._batch

    def submit(self, features: Array) -> "Future[Array]":
        """Queues one window; see the class."""
        if self.device == "cpu":
            return self._workers.submit(self._run_one, features)
        future: Future[Array] = Future()
        self._pending.put((features, future))
        self._workers.submit(self._run_pending)
        return future

    def close(self) -> None:
        """Waits for what is running and drops what has not begun."""
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _run_one(self, features: Array) -> Array:
        return self._run([features])[0]

    def _run_pending(self) -> None:
        taken: list[tuple[Array, Future[Array]]] = []
        while len(taken) < self._batch:
            try:
                taken.append(self._pending.get_nowait())
            except queue.Empty:
                break
        # without a lengths input only equal lengths may share a batch; with one, similar lengths waste little
        taken.sort(key=lambda pair: len(pair[0]))
        while taken:
            first = len(taken[0][0])
            longest = first if self.card.input.lengths is None else int(first * 1.25) + 1
            group = [pair for pair in taken if len(pair[0]) <= longest]
            taken = taken[len(group) :]
            try:
                results = self._run([features for features, _ in group])
            except BaseException as error:
                for _, future in group:
                    future.set_exception(error)
            else:
                for (_, future), result in zip(group, results, strict=True):
                    future.set_result(result)

    def _run(self, windows: list[Array]) -> list[Array]:
        feed, lengths = _feed(windows, self.card)
        try:
            rows = self._session.run([self.card.output.name], feed)[0]
        except Exception as error:  # onnxruntime's own exception types have no common public base
            raise ModelError(
                f"model {self.card.id} failed on a window of {lengths[0]} frames: {_first_line(error)}"
            ) from error
        rows = np.asarray(rows, np.float32)
        if rows.ndim != 3 or rows.shape[0] != len(windows) or rows.shape[2] != self.card.columns:
            promised = f"(batch, rows, {self.card.columns})"
            raise ModelError(f"model {self.card.id} gave shape {rows.shape}, not {promised} as its card says")
        if not np.isfinite(rows).all():
            raise ModelError(f"model {self.card.id} gave values that are not numbers")
        if self.card.output.scores == "logits":
            rows = rows - rows.max(axis=2, keepdims=True)
            rows = rows - np.log(np.exp(rows).sum(axis=2, keepdims=True))
        longest = max(lengths)
        return [rows[i, : -(-rows.shape[1] * n // longest)] for i, n in enumerate(lengths)]


def _feed(windows: list[Array], card: Card) -> tuple[dict[str, NDArray[Any]], list[int]]:
    lengths = [len(window) for window in windows]
    batch = np.zeros((len(windows), max(lengths), *windows[0].shape[1:]), np.float32)
    for row, window in zip(batch, windows, strict=True):
        row[: len(window)] = window
    if card.input.layout == "bft":
        batch = np.ascontiguousarray(batch.transpose(0, 2, 1))
    feed: dict[str, NDArray[Any]] = {card.input.name: batch}
    if card.input.lengths is not None:
        feed[card.input.lengths] = np.array(lengths, np.int64)
    return feed, lengths


def open_graph(path: Path, providers: list[str], threads: int) -> Any:
    """An onnxruntime session of a graph. Raises ModelError where it cannot be loaded."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # windows are of many lengths, and a plan kept for each is memory for nothing
    options.log_severity_level = 4  # onnxruntime's warnings are ours to phrase
    try:
        # with one provider there is nothing to fall back to, and onnxruntime would say so on standard output
        fallback = int(len(providers) > 1)
        return onnxruntime.InferenceSession(str(path), options, providers=providers, enable_fallback=fallback)
    except Exception as error:  # see _run
        raise ModelError(f"{path}: onnxruntime cannot load this model ({_first_line(error)})") from error


def _check_graph(session: Any, card: Card, where: str) -> None:
    inputs = {value.name: value for value in session.get_inputs()}
    expected = {card.input.name} | ({card.input.lengths} if card.input.lengths else set())
    if set(inputs) != expected:
        raise ModelError(f"{where}: the graph's inputs are {sorted(inputs)}, the card says {sorted(expected)}")
    outputs = {value.name: value for value in session.get_outputs()}
    if card.output.name not in outputs:
        raise ModelError(f"{where}: the graph has no output {card.output.name!r}, only {sorted(outputs)}")
    tokens = (outputs[card.output.name].shape or [None])[-1]
    if isinstance(tokens, int) and tokens != card.columns:
        raise ModelError(f"{where}: the graph has {tokens} output tokens, the card's alphabet {card.columns}")
    if card.input.layout != "bn":
        shape = inputs[card.input.name].shape
        features = shape[1 if card.input.layout == "bft" else 2] if len(shape) == 3 else None
        if isinstance(features, int) and features != card.features.dimension:
            raise ModelError(
                f"{where}: the graph takes {features} features a frame, the card makes {card.features.dimension}"
            )


def _choose_device(wanted: str) -> str:
    if wanted == "cpu":
        return "cpu"
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return "cuda"
    if wanted == "cuda":
        raise DeviceError(
            "this onnxruntime has no CUDA provider: pip install 'transcribe-cli[gpu]', or use --device cpu"
        )
    return "cpu"


def usable_cores() -> int:
    """Cores that this process may use."""
    import os

    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS or Windows
        return max(1, os.cpu_count() or 1)


def _first_line(error: BaseException) -> str:
    line = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
