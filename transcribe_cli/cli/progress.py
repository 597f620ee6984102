"""How far a run is, on standard error, when that is a terminal: recordings, audio done, × real time, time left."""

import os
import sys
import threading
import time
from typing import Any


class Progress:
    """Counts audio and recordings from any thread; draws a bar where someone can see it, else does nothing.

    total_seconds: audio to come, None where it is not known (pipes).
    """

    def __init__(self, n_recordings: int, total_seconds: float | None, show: bool) -> None:
        self._n_recordings, self._total = n_recordings, total_seconds
        self._lock, self._seconds, self._done, self._begun = threading.Lock(), 0.0, 0, time.monotonic()
        self._bar: Any
        self._task: Any
        self._bar, self._task = self._make() if show and visible() else (None, None)

    @property
    def seconds(self) -> float:
        """Audio read so far."""
        return self._seconds

    def heard(self, seconds: float) -> None:
        """So much more audio was read."""
        with self._lock:
            self._seconds += seconds
            self._draw()

    def finished(self) -> None:
        """One more recording is done, well or not."""
        with self._lock:
            self._done += 1
            self._draw()

    def __enter__(self) -> "Progress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _make(self) -> tuple[Any, Any]:
        # imported only where a bar is drawn
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
        )
        # words that go to the same terminal are written above the bar, unbroken; what goes elsewhere is not touched
        console = Console(stderr=True, soft_wrap=True)
        bar = Bar(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty())
        return bar, bar.add_task("", total=self._total, speed="")

    def _draw(self) -> None:
        if self._bar is not None:
            speed = self._seconds / max(time.monotonic() - self._begun, 1e-3)
            hours = f"{self._seconds / 3600:.2f} h" if self._seconds >= 360 else f"{self._seconds / 60:.1f} min"
            text = f"{self._done}/{self._n_recordings} recordings, {hours}"
            self._bar.update(self._task, completed=self._seconds, description=text, speed=f"{speed:.0f} × real time")


def visible() -> bool:
    """Whether standard error is a terminal that can redraw a line."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
