"""What one stretch of speech says: decode it, time its words, group them. In this process, or in worker processes."""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from . import decoding
from .alignment.segments import SegmentOptions, group
from .alignment.words import align_words
from .bundle.card import Card
from .decoding.lexicon import Sounding
from .decoding.options import DecodingOptions
from .emission.pauses import Emissions
from .lm.model import LanguageModel
from .transcript import Alternative, Segment

log = logging.getLogger("transcribe_cli.reader")


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """All a worker process needs to make its own reader; small and picklable."""

    card: Card
    lm_path: str | None
    decoding: DecodingOptions
    segments: SegmentOptions
    sounding: Sounding | None = None  # of a model that hears sounds
    rescorer_path: str | None = None  # of a neural model that has a say beside the n-grams


class Reader:
    """Turns stretches into segments in the calling thread. Loading it loads the language model.

    decoder: what it decodes with, for questions; decoding goes through `read`.
    """

    def __init__(self, settings: ReaderSettings) -> None:
        self._settings = settings
        greedy = settings.decoding.decoder == "greedy"
        language_model = None
        if settings.lm_path is not None and not greedy:
            language_model = LanguageModel.load(settings.lm_path, settings.rescorer_path)
        self._lock = threading.Lock()  # a decoder keeps its search in itself, and several recordings are read at once
        self.decoder = decoding.build(settings.card.alphabet, language_model, settings.decoding, settings.sounding)

    def read(self, emissions: Emissions) -> list[Segment]:
        """One stretch → its segments; an empty list where no word is the best explanation."""
        card, options = self._settings.card, self._settings.segments
        with self._lock:
            hypotheses = self.decoder.decode(emissions.log_probs)
        if not hypotheses[0].text:
            return []
        words = align_words(
            card.letters(emissions.log_probs),
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all; the parent says when it is over
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker = Reader(settings)


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers: they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _read_in_worker(emissions: Emissions) -> list[Segment]:
    assert _worker is not None
    return _worker.read(emissions)


class ReaderPool:
    """A `Reader` in each of `jobs` worker processes; the same segments, in the order of `submit`.

    A worker that dies (killed for its memory, say) costs no words: what the workers held is read in this process, and
    new ones are started.
    """

    def __init__(self, settings: ReaderSettings, jobs: int) -> None:
        self._settings, self._jobs, self._lock = settings, jobs, threading.Lock()
        # loaded here first: a broken language model or hotword is an error of this process, not a dead pool
        self._own = Reader(settings)
        self._pool, self._closed = self._start(), False

    def submit(self, emissions: Emissions) -> "Future[list[Segment]]":
        """As `Reader.submit`; the work is done elsewhere."""
        result: Future[list[Segment]] = Future()
        try:
            with self._lock:
                pool = self._pool
            work = pool.submit(_read_in_worker, emissions)
        except BrokenExecutor:
            self._replace(pool)
            return self._own.submit(emissions)

        def hand_over(done: "Future[list[Segment]]") -> None:
            try:
                result.set_result(done.result())
            except BrokenExecutor:
                self._replace(pool)
                _settle(result, lambda: self._own.read(emissions))
            except BaseException as error:  # CancelledError at the end, or what reading raised
                result.set_exception(error)

        work.add_done_callback(hand_over)
        return result

    def close(self) -> None:
        """Waits for what is being read and drops the rest."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        # spawn: a forked child would inherit the network's threads in an unknown state
        start: Callable[[], None] = partial(_start_worker, self._settings)
        return ProcessPoolExecutor(self._jobs, multiprocessing.get_context("spawn"), initializer=start)

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        """A new pool in place of one whose worker died; whoever sees it first makes it."""
        with self._lock:
            if self._pool is not broken or self._closed:
                return
            log.warning("a decoding process died; another one takes its place")
            self._pool = self._start()
        broken.shutdown(wait=False)


def _settle(future: "Future[list[Segment]]", work: Callable[[], list[Segment]]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)
