"""What one stretch of speech says: decode it, time its words, group them. In this process, or in worker processes."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from . import decoding
from .alignment.segments import SegmentOptions, group
from .alignment.words import align_words
from .bundle.card import Card
from .decoding.options import DecodingOptions
from .emission.pauses import Emissions
from .lm.model import LanguageModel
from .transcript import Alternative, Segment


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """All a worker process needs to make its own reader; small and picklable."""

    card: Card
    lm_path: str | None
    decoding: DecodingOptions
    segments: SegmentOptions


class Reader:
    """Turns stretches into segments in the calling thread. Loading it loads the language model."""

    def __init__(self, settings: ReaderSettings) -> None:
        self._settings = settings
        greedy = settings.decoding.decoder == "greedy"
        language_model = None if settings.lm_path is None or greedy else LanguageModel.load(settings.lm_path)
        self._lock = threading.Lock()  # a decoder keeps its search in itself, and several recordings are read at once
        self._decoder = decoding.build(settings.card.alphabet, language_model, settings.decoding)

    def read(self, emissions: Emissions) -> list[Segment]:
        """One stretch → its segments; an empty list where no word is the best explanation."""
        card, options = self._settings.card, self._settings.segments
        with self._lock:
            hypotheses = self._decoder.decode(emissions.log_probs)
        if not hypotheses[0].text:
            return []
        words = align_words(
            emissions.log_probs,
            hypotheses[0].text,
            card.alphabet,
            card.output.frame_seconds,
            emissions.start_seconds,
            temperature=card.confidence_temperature,
        )
        segments = list(group(words, options))
        if segments and self._settings.decoding.nbest > 1:
            # the list is of the whole stretch; where that was broken into segments it stands at the first
            nbest = tuple(Alternative(h.text, h.acoustic, h.language, h.total) for h in hypotheses)
            segments[0] = replace(segments[0], alternatives=nbest)
        return segments

    def submit(self, emissions: Emissions) -> "Future[list[Segment]]":
        """As `read`, in the form that `ReaderPool` has."""
        future: Future[list[Segment]] = Future()
        future.set_result(self.read(emissions))
        return future

    def close(self) -> None:
        """Nothing to close; here because a pool has something."""


_worker: Reader | None = None  # one a worker process, made by its initialiser


def _start_worker(settings: ReaderSettings) -> None:
    global _worker
    _worker = Reader(settings)


def _read_in_worker(emissions: Emissions) -> list[Segment]:
    assert _worker is not None
    return _worker.read(emissions)


class ReaderPool:
    """A `Reader` in each of `jobs` worker processes; the same segments, in the order of `submit`."""

    def __init__(self, settings: ReaderSettings, jobs: int) -> None:
        import multiprocessing

        # loaded here first: a broken language model or hotword is an error of this process, not a dead pool;
        # spawn: a forked child would inherit the network's threads in an unknown state
        Reader(settings)
        start: Callable[[], None] = partial(_start_worker, settings)
        self._pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=start)

    def submit(self, emissions: Emissions) -> "Future[list[Segment]]":
        return self._pool.submit(_read_in_worker, emissions)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
