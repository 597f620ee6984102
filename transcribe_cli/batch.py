"""Many recordings: several at once, results in the order of the inputs, one bad recording never stopping the rest."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from .errors import TranscribeError
from .transcript import Transcript

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item]):
    """What became of one item: a transcript, or the error that it ended with."""

    item: Item
    transcript: Transcript | None = None
    error: TranscribeError | None = None


def run(items: Iterable[Item], work: Callable[[Item], Transcript], workers: int) -> Iterator[Outcome[Item]]:
    """Does `work` on every item, `workers` at a time in threads, and gives the outcomes in the items' order.

    Threads suffice: the network and the resampler run outside the interpreter's lock. Items are drawn lazily, a few
    ahead, so that an endless list or one that loads audio costs no memory. Only errors of this package become outcomes:
    anything else is a defect and is raised.
    """

    def attempt(item: Item) -> Outcome[Item]:
        try:
            return Outcome(item, transcript=work(item))
        except TranscribeError as error:
            return Outcome(item, error=error)

    waiting: deque[Future[Outcome[Item]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batch")
    try:
        for item in items:
            waiting.append(pool.submit(attempt, item))
            while waiting and (waiting[0].done() or len(waiting) >= 2 * workers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
