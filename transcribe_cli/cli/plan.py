"""What a call of `transcribe` has to do: which recordings, into which files, and what is done already."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..audio.inputs import Input
from ..audio.source import shown
from ..errors import AudioError, OptionError
from ..journal import History, Source, is_ours, source_of
from ..outputs import check_target, names
from ..writers import FORMATS, find
from .batch_options import BatchOptions
from .output_options import OutputOptions


@dataclass(frozen=True, slots=True)
class Task:
    """One recording with the result files that it is to have; no files: its text goes to standard output."""

    input: Input
    files: Mapping[str, Path]  # format → path
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Tasks, in the order of the inputs, and what of the inputs needs no work."""

    tasks: tuple[Task, ...]
    formats: tuple[str, ...]
    n_done: int = 0
    failures: tuple[tuple[Input, str], ...] = ()  # known from an earlier run, with the reason


def listed(inputs: Sequence[Input], output: OutputOptions, batch: BatchOptions) -> list[Task]:
    """Every recording of this shard with all of its result files.

    Raises OptionError where formats and destinations do not fit, two recordings would have one result, or a recording
    would be replaced by one.
    """
    formats = output.formats
    for name in formats:
        find(name)
    if output.output is not None:
        check_target(output.output, output.overwrite or output.skip_existing, [one.path for one in inputs])
    if output.output_dir is None:
        if len(formats) > 1:
            raise OptionError(f"{len(formats)} formats at once need a place for the files: --output-dir DIR")
        if len(inputs) > 1 and formats[0] not in ("txt", "jsonl"):
            raise OptionError(f"several recordings as {formats[0]} need a place for the files: --output-dir DIR")
        if batch.retry_failed:
            raise OptionError("--retry-failed asks the journal of an output folder: add --output-dir DIR")
        return [Task(one, {}) for one in inputs if _mine(one, batch)]
    relative = [Path(one.path).relative_to(one.root) if one.root else Path(Path(one.name).name) for one in inputs]
    columns = {
        name: [output.output_dir / path for path in names(relative, FORMATS[name].extension)] for name in formats
    }
    files = [{name: columns[name][i] for name in formats} for i in range(len(inputs))]
    taken: dict[Path, str] = {}
    for one, results in zip(inputs, files, strict=True):
        for path in results.values():
            if path in taken:
                raise OptionError(
                    f"{taken[path]} and {one.name} would both be written to {path}: transcribe them in separate calls"
                )
            taken[path] = one.name
    read = {identity for one in inputs if (identity := _identity(one.path)) is not None}
    lost = next((path for path in taken if _identity(path) in read), None)
    if lost is not None:
        raise OptionError(f"{lost} is read and would be overwritten: choose another folder")
    return [
        Task(one, results, source_of(one.path)) for one, results in zip(inputs, files, strict=True) if _mine(one, batch)
    ]


def _identity(path: Path) -> tuple[int, int] | None:
    """What is the same of two names of one file; None where there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _mine(one: Input, batch: BatchOptions) -> bool:
    """Whether this machine's share holds the recording; a name below its folder is the same on every machine."""
    name = one.relative if one.root is not None else Path(os.path.normpath(one.name))
    return batch.share is None or batch.share.holds(name.as_posix())


def without_journal(tasks: Sequence[Task], output: OutputOptions) -> Plan:
    """What is left to do, judged by which results exist. Raises OptionError where one would be lost."""
    kept = list(tasks)
    if output.is_there:
        kept = []
    elif output.output_dir is not None and output.skip_existing:
        left = (replace(task, files=_missing(task)) for task in tasks)  # what is there may have been edited
        kept = [task for task in left if task.files]
    elif not output.overwrite:
        there = next((path for task in kept for path in task.files.values() if os.path.exists(path)), None)
        if there is not None:
            raise OptionError(f"{there} exists already: add --skip-existing or --overwrite")
    return Plan(tuple(kept), output.formats, len(tasks) - len(kept))


def _missing(task: Task) -> dict[str, Path]:
    """The result files that are not there yet. A name that the system does not take is one: writing it says why."""
    return {name: path for name, path in task.files.items() if not os.path.exists(path)}


def with_journal(
    tasks: Sequence[Task],
    output: OutputOptions,
    batch: BatchOptions,
    history: History,
    made: Mapping[str, str],
) -> Plan:
    """What is left to do, judged by the journal: what is missing or was made of other sound or by other settings.

    made: format → fingerprint of the settings now. A result is replaced only where it is as this program left it.
    Raises OptionError for one that is not.
    """
    if output.skip_existing or output.overwrite:
        return without_journal(tasks, output)
    assert output.output_dir is not None
    left: list[Task] = []
    failures: list[tuple[Input, str]] = []
    n_done = 0
    for task in tasks:
        missing: dict[str, Path] = {}
        for name, path in task.files.items():
            known = history.results.get(below(path, output.output_dir))
            if os.path.exists(path):
                if not is_ours(path, known):
                    raise OptionError(
                        f"{path} exists already, and not as the journal knows it: add --skip-existing or --overwrite"
                    )
                assert known is not None  # it is ours
                if known.size is not None and (known.source, known.made) == (task.source, made[name]):
                    continue
                if _another(known.source, task.source):
                    raise OptionError(
                        f"{path} is what was said in {shown(known.source.path)}: choose another folder, or --overwrite"
                    )
            missing[name] = path
        reason = None if batch.retry_failed else _known_failure(task, missing, output.output_dir, history, made)
        if not missing:
            n_done += 1
        elif reason is not None:
            failures.append((task.input, reason))
        else:
            left.append(Task(task.input, missing, task.source))
    return Plan(tuple(left), output.formats, n_done, tuple(failures))


def _another(made_of: Source, now: Source | None) -> bool:
    """Whether a result is of a recording that is still there and is not the one that would replace it."""
    if now is None or made_of.path == now.path:
        return False
    try:
        return not os.path.samefile(made_of.path, now.path)
    except (OSError, ValueError):  # it was moved, or is gone; ValueError: a null byte in a damaged journal's name
        return False


def below(path: Path, folder: Path) -> str:
    """A result's name in the journal."""
    return path.relative_to(folder).as_posix()


def _known_failure(
    task: Task, missing: Mapping[str, Path], folder: Path, history: History, made: Mapping[str, str]
) -> str | None:
    """Why the recording failed before and would fail again; None where trying it makes sense.

    Only what is wrong in the recording itself counts: a full disk, a folder that was not mounted, a missing extra or
    permission may be mended by now.
    """
    entry = None if task.source is None else history.entries.get(task.source.path)
    if entry is None or entry.state != "failed" or entry.source != task.source:
        return None
    own_fault = entry.kind == AudioError.__name__
    same = all(entry.made.get(below(path, folder)) == made[name] for name, path in missing.items())
    return entry.error if own_fault and same else None
