"""One reader serves many recordings at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import toy_model

from transcribe_cli.alignment.segments import SegmentOptions
from transcribe_cli.bundle.card import from_dict
from transcribe_cli.decoding import DecodingOptions
from transcribe_cli.emission import Emissions
from transcribe_cli.reader import Reader, ReaderPool, ReaderSettings

SETTINGS = ReaderSettings(
    from_dict(toy_model.card(), "toy"), None, DecodingOptions(decoder="python", nbest=3), SegmentOptions()
)


def stretches(n: int) -> list[Emissions]:
    """Random but peaky rows, so that the search has something to do."""
    rng = np.random.default_rng(5)
    rows = [rng.normal(scale=3, size=(int(rng.integers(20, 80)), 10)).astype(np.float32) for _ in range(n)]
    return [Emissions(r - np.log(np.exp(r).sum(1, keepdims=True)), float(i)) for i, r in enumerate(rows)]


def test_many_threads_read_what_one_reads():
    reader, work = Reader(SETTINGS), stretches(40)
    alone = [reader.read(one) for one in work]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(reader.read, work)) == alone
    assert any(segment.words for segments in alone for segment in segments)


def test_worker_processes_read_what_one_reads():
    work = stretches(6)
    pool = ReaderPool(SETTINGS, 2)
    try:
        got = [future.result() for future in [pool.submit(one) for one in work]]
    finally:
        pool.close()
    assert got == [Reader(SETTINGS).read(one) for one in work]


def test_alternatives_stand_best_first_and_their_scores_add_up():
    for segments in map(Reader(SETTINGS).read, stretches(5)):
        scores = [alternative.total for alternative in segments[0].alternatives]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
        for alternative in segments[0].alternatives:
            assert abs(alternative.acoustic + alternative.language - alternative.total) < 1e-6
