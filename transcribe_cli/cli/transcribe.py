"""`transcribe FILES…`: reads flags, builds options, hands recordings to the recogniser, writes results."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from .. import journal, memory
from ..alignment.segments import SegmentOptions
from ..audio import probe
from ..audio.inputs import Input, find_inputs
from ..audio.options import AudioOptions
from ..audio.source import shown
from ..bundle.session import RuntimeOptions
from ..bundle.store import find as find_model
from ..decoding.options import DecodingOptions
from ..emission.windows import WindowOptions
from ..engine import Engine, Local
from ..errors import OptionError, OutputError, TranscribeError
from ..figures import FiguresOptions
from ..outputs import write_atomically
from ..pipeline import ModelOptions, Options, Recogniser
from ..punctuation import PunctuationOptions
from ..transcript import Segment, Transcript
from ..writers import FORMATS, Lines, SubtitleOptions, render, stream
from .batch_options import BatchOptions
from .configuration import ConfigFlag
from .flags import takes_options
from .messages import show_warnings
from .output_options import OutputOptions
from .plan import Plan, Task, listed, with_journal, without_journal
from .progress import Progress, visible
from .record import Record
from .report import Report, save

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(no_args_is_help=True)
@takes_options(
    OutputOptions,
    BatchOptions,
    ModelOptions,
    AudioOptions,
    DecodingOptions,
    RuntimeOptions,
    WindowOptions,
    SegmentOptions,
    PunctuationOptions,
    FiguresOptions,
    SubtitleOptions,
)
def transcribe(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES…",
            help="Recordings, folders, globs, @list.txt, manifests (.jsonl), or - for standard input.",
            show_default=False,
        ),
    ],
    *,
    config: ConfigFlag = None,
    output_options: OutputOptions,
    batch_options: BatchOptions,
    model_options: ModelOptions,
    audio_options: AudioOptions,
    decoding_options: DecodingOptions,
    runtime_options: RuntimeOptions,
    window_options: WindowOptions,
    segment_options: SegmentOptions,
    punctuation_options: PunctuationOptions,
    figures_options: FiguresOptions,
    subtitle_options: SubtitleOptions,
) -> None:
    """Print the words of recordings, or write them as text, subtitles, JSON, …

    Exit code: 0 all done, 1 some recordings failed, 2 nothing was started, 130 stopped by Ctrl-C.
    """
    show_warnings(output_options.quiet)
    options = Options(
        model_options,
        audio_options,
        runtime_options,
        window_options,
        decoding_options,
        segment_options,
        punctuation_options,
        figures_options,
    )
    manifests = [name for name in files if name.lower().endswith(".jsonl")]
    if manifests:
        from .manifests import transcribe_manifests

        if len(manifests) < len(files):
            raise OptionError(f"{manifests[0]} is a manifest: give manifests and recordings in separate calls")
        raise typer.Exit(
            transcribe_manifests([Path(name) for name in manifests], options, output_options, batch_options)
        )
    inputs = find_inputs(files, output_options.include, output_options.exclude)
    tasks = listed(inputs, output_options, batch_options)
    # judged before the list is split: the shares' lines joined are those of the whole
    named = output_options.with_filename or (len(inputs) > 1 and not output_options.no_filename)
    with contextlib.ExitStack() as stack:
        record = _journalled(tasks, options, output_options, batch_options, subtitle_options)
        plan = without_journal(tasks, output_options) if record is None else record.plan
        if not plan.tasks:  # all is done
            raise typer.Exit(Report(plan, output_options).end(0))
        if record is not None:
            stack.callback(record.open(options).close)
        engine = stack.enter_context(_engine(options, plan, output_options, batch_options))
        raise typer.Exit(_Run(plan, engine, options, output_options, subtitle_options, record, named).go())


def _journalled(
    tasks: Sequence[Task],
    options: Options,
    output: OutputOptions,
    batch_options: BatchOptions,
    subtitles: SubtitleOptions,
) -> "Record | None":
    if output.output_dir is None or not batch_options.journal:
        return None
    forms: dict[str, dict[str, object]] = {
        name: asdict(subtitles) if FORMATS[name].cues else {} for name in output.formats
    }
    if "json" in forms:
        forms["json"] = {"timing": output.timing}
    made = journal.fingerprints(find_model(options.model.model), options, output.formats, forms)
    plan = with_journal(tasks, output, batch_options, journal.read(output.output_dir), made)
    return Record(output.output_dir, batch_options.shard or "", made, plan)


def _engine(
    options: Options, plan: Plan, output: OutputOptions, batch_options: BatchOptions
) -> "contextlib.AbstractContextManager[Engine]":
    if batch_options.engine == "ray":
        from ..cluster import Cluster

        return Cluster(options, output.jobs, len(plan.tasks))
    memory.hold_small()  # a process that is ours may be told so; the library leaves its user's alone
    return Local(Recogniser(options, output.jobs))


class _Run:
    """One call's recordings, from the first to the exit code."""

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        options: Options,
        output: OutputOptions,
        subtitles: SubtitleOptions,
        record: "Record | None",
        named: bool,
    ) -> None:
        self._plan, self._engine, self._options = plan, engine, options
        self._output, self._subtitles, self._record, self._named = output, subtitles, record, named
        self._recorded = recorded(options)
        self._report = Report(plan, output)

    def go(self) -> int:
        inputs, begun = [task.input for task in self._plan.tasks], time.perf_counter()
        if self._output.verbose:
            print(f"transcribe: {self._engine.description}", file=sys.stderr)
        show, saved = not self._output.quiet, True
        with Progress(len(inputs), _total_seconds(inputs) if show else None, show) as progress:
            if self._output.output is None:
                self._to(progress, _print)
            else:
                written: list[str] = []
                self._to(progress, written.append)
                if self._report.n_failed < len(inputs):
                    saved = save(self._output.output, "".join(written))
        if self._output.verbose:
            seconds, speed = progress.seconds, progress.seconds / max(time.perf_counter() - begun, 1e-9)
            print(f"transcribe: {seconds:.1f} s of audio, {speed:.0f} × real time", file=sys.stderr)
        code = self._report.end(len(inputs))
        return code if saved else 1

    def _to(self, progress: Progress, write: Callable[[str], None]) -> None:
        """Does all recordings; what belongs on standard output (or into `-o FILE`) goes to `write`."""
        tasks, split = self._plan.tasks, self._options.audio.channel == "split"
        if len(tasks) == 1 and not tasks[0].files and not self._named and not split:
            lines = stream(self._plan.formats[0], shown(tasks[0].input.name))
            segments = self._engine.segments(tasks[0].input.path, progress.heard) if lines else None
            if lines is not None and segments is not None:
                self._streamed(tasks[0].input, lines, segments, write)
                return
        in_order = not tasks[0].files
        for outcome in self._engine.outcomes(
            [task.input.path for task in tasks], self._begin, progress.heard, in_order
        ):
            task, error = tasks[outcome.item], outcome.error
            if outcome.transcript is not None:
                try:
                    self._write(task, outcome.transcript, outcome.seconds, write)
                except OutputError as problem:
                    error = problem
            if error is not None:
                self._report.failed(task.input, error)
                if self._record is not None:
                    self._record.failed(task, error)
            progress.finished()

    def _begin(self, i: int) -> None:
        if self._record is not None:
            self._record.begin(self._plan.tasks[i])

    def _streamed(self, one: Input, lines: Lines, segments: Iterator[Segment], write: Callable[[str], None]) -> None:
        """A single recording whose text is written while it is read."""
        try:
            write(lines.header)
            for segment in segments:
                write(lines.segment(segment))
        except TranscribeError as error:
            self._report.failed(one, error)

    def _write(self, task: Task, transcript: Transcript, seconds: float, write: Callable[[str], None]) -> None:
        took = round(seconds, 3) if self._output.timing else None
        transcript = replace(transcript, options=self._recorded, processing_seconds=took)
        name = shown(task.input.name)  # of whatever bytes: results are UTF-8, and a line is a line
        texts = {format: render(transcript, format, self._subtitles, name) for format in task.files}
        for format, path in task.files.items():
            write_atomically(path, texts[format])
        if self._record is not None:
            self._record.done(task, texts, transcript.duration_seconds, seconds)
        if not task.files:
            format = self._plan.formats[0]
            if self._named and format == "txt":
                split = any(segment.channel is not None for segment in transcript.segments)
                # one line a recording: channels stay told apart within it
                text = " ".join(render(transcript, "txt").split("\n")).strip() if split else transcript.text
                write(f"{name}\t{text}\n")
            else:
                write(render(transcript, format, self._subtitles, name))


def recorded(options: Options) -> dict[str, object]:
    """The options that decide the words, as JSON may hold them."""
    return {
        key: value for room in asdict(options).values() for key, value in room.items() if value not in (None, "", ())
    }


def _total_seconds(inputs: Sequence[Input]) -> float | None:
    """Length of all recordings, for the progress bar; None where nobody looks or one cannot tell."""
    if not visible() or not all(one.path.is_file() for one in inputs):  # a pipe can be opened once only
        return None
    try:
        lengths = [probe(one.path).duration_seconds for one in inputs]
    except TranscribeError:
        return None
    known = [seconds for seconds in lengths if seconds is not None]
    return sum(known) if len(known) == len(lengths) else None


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()  # whoever reads the pipe gets each line as soon as it is decided
