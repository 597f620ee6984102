"""Many recordings: several at once, one bad recording never stopping the rest."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from .errors import TranscribeError
from .transcript import Transcript

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item]):
    """What became of one item: a transcript, or the error that it ended with; and the seconds it took."""

    item: Item
    transcript: Transcript | None = None
    error: TranscribeError | None = None
    seconds: float = 0.0


def attempt(item: Item, work: Callable[[Item], Transcript]) -> Outcome[Item]:
    """Does `work` on one item. Only errors of this package become outcomes: anything else is a defect and is raised."""
    begun = time.perf_counter()
    try:
        transcript = work(item)
    except TranscribeError as error:
        return Outcome(item, error=error, seconds=time.perf_counter() - begun)
    return Outcome(item, transcript, seconds=time.perf_counter() - begun)


def run(
    items: Iterable[Item], work: Callable[[Item], Transcript], workers: int, in_order: bool = True
) -> Iterator[Outcome[Item]]:
    """Does `work` on every item, `workers` at a time in threads.

    Outcomes come in the items' order, or, without `in_order`, each as soon as it is there: then none waits for a long
    recording before it. Threads suffice: the network and the resampler run outside the interpreter's lock. Items are
    drawn lazily, a few ahead, so that an endless list or one that loads audio costs no memory.

    Whoever stops early (Ctrl-C, a closed pipe) is not kept waiting: what has not begun is dropped, what has is left to
    end by itself.
    """
    waiting: deque[Future[Outcome[Item]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batch")

    def ended(at_most: int) -> Iterator[Outcome[Item]]:
        """Outcomes that are there, and more until at most so many items are under way."""
        while waiting and (len(waiting) > at_most or (waiting[0].done() if in_order else True)):
            if in_order:
                yield waiting.popleft().result()
                continue
            done, _ = wait(waiting, None if len(waiting) > at_most else 0, FIRST_COMPLETED)
            if not done:
                return
            for future in [future for future in waiting if future in done]:
                waiting.remove(future)
                yield future.result()

    try:
        for item in items:
            waiting.append(pool.submit(attempt, item, work))
            yield from ended(2 * workers - 1)
        yield from ended(0)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
