"""Who does the work of a batch: this process, or others that stand behind the same face."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from . import batch
from .batch import Outcome
from .pipeline import Heard, Recogniser
from .transcript import Segment, Transcript


class Engine(Protocol):
    """Turns recordings into transcripts."""

    @property
    def description(self) -> str:
        """What is loaded and where, for those who asked."""
        ...

    def outcomes(
        self, paths: Sequence[Path], begun: Callable[[int], None], heard: Heard, in_order: bool
    ) -> Iterator[Outcome[int]]:
        """An outcome for each path's number. `begun` is called with it when its work begins, from any thread."""
        ...

    def segments(self, path: Path, heard: Heard) -> Iterator[Segment] | None:
        """One recording's segments while it is read; None where only whole transcripts can be had."""
        ...


class Local(contextlib.AbstractContextManager["Local"]):
    """This process: its threads for the network, and worker processes for decoding where they were asked for."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser

    @property
    def description(self) -> str:
        network, lm = self._recogniser.network, self._recogniser.language_model_id
        return f"model {network.card.id}, language model {lm or 'none'}, {network.device}, {network.threads} threads"

    def outcomes(
        self, paths: Sequence[Path], begun: Callable[[int], None], heard: Heard, in_order: bool
    ) -> Iterator[Outcome[int]]:
        def work(i: int) -> Transcript:
            begun(i)
            return self._recogniser.transcribe(paths[i], heard)

        workers = 1 if len(paths) == 1 else self._recogniser.network.threads
        yield from batch.run(range(len(paths)), work, workers, in_order)

    def segments(self, path: Path, heard: Heard) -> Iterator[Segment]:
        return self._recogniser.segments(path, heard=heard)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._recogniser.close()
