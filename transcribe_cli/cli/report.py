"""What a run says at its end: the recordings that failed, and the exit code."""

import sys
from pathlib import Path

from ..audio.inputs import Input
from ..audio.source import shown
from ..errors import OutputError, TranscribeError
from ..outputs import write_atomically
from .output_options import OutputOptions
from .plan import Plan

MOST_ROWS = 100  # of the table; all of them are in the journal


class Report:
    """Failures, each told when it happens, and for a batch once more in a table at the end."""

    def __init__(self, plan: Plan, output: OutputOptions) -> None:
        self._plan, self._output = plan, output
        self._failures = [(one, _line(reason)) for one, reason in plan.failures]
        self.n_failed = 0  # in this run

    def failed(self, one: Input, error: TranscribeError) -> None:
        """Tells of one failure at once."""
        self.n_failed += 1
        reason = _line(str(error))
        self._failures.append((one, reason))
        name = shown(one.name)
        print(f"transcribe: {reason if name in reason else f'{name}: {reason}'}", file=sys.stderr)

    def end(self, n_tried: int) -> int:
        """The last words. Returns the exit code."""
        plan, total = self._plan, n_tried + self._plan.n_done + len(self._plan.failures)
        if plan.n_done and not self._output.quiet and self._output.output_dir is not None:
            print(f"transcribe: {plan.n_done} of {total} recordings were done before", file=sys.stderr)
        if self._failures and total > 1:
            table = self._output.output_dir is not None
            again = " (--retry-failed tries again what failed before)" if plan.failures else ""
            print(
                f"transcribe: {len(self._failures)} of {total} recordings failed{again}{':' if table else ''}",
                file=sys.stderr,
            )
            if table:
                self._table()
        elif plan.failures:
            print(f"transcribe: {plan.failures[0][1]} (--retry-failed tries it again)", file=sys.stderr)
        return 1 if self._failures else 0

    def _table(self) -> None:
        # recordings end in any order; those that failed before are no tasks of this run
        order = {task.input: i for i, task in enumerate(self._plan.tasks)}
        failures = sorted(self._failures, key=lambda failure: order.get(failure[0], -1))
        rows = [(shown(one.name), reason) for one, reason in failures[:MOST_ROWS]]
        width = min(60, max(len(name) for name, _ in rows))
        for name, reason in rows:
            print(f"  {name:{width}}  {reason.removeprefix(name + ': ')}", file=sys.stderr)
        if len(self._failures) > MOST_ROWS:
            left = len(self._failures) - MOST_ROWS
            print(f"  … and {left} more: transcribe status {self._output.output_dir}", file=sys.stderr)


def save(path: Path, text: str) -> bool:
    """Writes the one file of all results. Where it is refused they are printed, since they took long to make; False."""
    try:
        write_atomically(path, text)
    except OutputError as error:
        print(f"transcribe: {error}; what was transcribed goes to standard output", file=sys.stderr)
        sys.stdout.write(text)
        return False
    return True


def _line(text: str) -> str:
    return " ".join(text.split())
