"""A run's side of the journal: tasks in, lines out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .. import __version__
from ..errors import TranscribeError
from ..journal import Journal
from ..pipeline import Options
from .plan import Plan, Task, below


@dataclass(slots=True)
class Record:
    """What is noted about one run; `open` before the rest."""

    folder: Path
    shard: str
    made: Mapping[str, str]  # format → fingerprint
    plan: Plan
    _journal: Journal | None = field(default=None, init=False)

    def open(self, options: Options) -> Journal:
        """Begins the journal and notes the run. Raises OutputError where the folder cannot be written."""
        self._journal = Journal(self.folder, self.shard)
        n_done, n_failed = self.plan.n_done, len(self.plan.failures)
        settings = {"version": __version__, "model": options.model.model, "made": dict(self.made), "shard": self.shard}
        self._journal.run(len(self.plan.tasks) + n_done + n_failed, n_done, n_failed, settings)
        return self._journal

    def begin(self, task: Task) -> None:
        if self._journal is not None and task.source is not None:
            self._journal.begin(task.source, self._results(task))

    def done(self, task: Task, texts: Mapping[str, str], audio_seconds: float, took_seconds: float) -> None:
        if self._journal is not None and task.source is not None:
            results = {
                below(path, self.folder): (self.made[format], texts[format]) for format, path in task.files.items()
            }
            self._journal.done(task.source, results, audio_seconds, took_seconds)

    def failed(self, task: Task, error: TranscribeError) -> None:
        if self._journal is not None and task.source is not None:
            self._journal.failed(task.source, self._results(task), error)

    def _results(self, task: Task) -> dict[str, str]:
        return {below(path, self.folder): self.made[format] for format, path in task.files.items()}
