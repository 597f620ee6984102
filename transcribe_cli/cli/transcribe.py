"""`transcribe FILES…`: reads flags, builds options, hands recordings to the recogniser, writes results."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from .. import batch
from ..alignment.segments import SegmentOptions
from ..audio import probe
from ..audio.inputs import Input, find_inputs
from ..audio.options import AudioOptions
from ..bundle.session import RuntimeOptions
from ..decoding.options import DecodingOptions
from ..emission.windows import WindowOptions
from ..errors import OptionError, OutputError, TranscribeError
from ..outputs import names, write_atomically
from ..pipeline import ModelOptions, Options, Recogniser
from ..transcript import Transcript
from ..writers import FORMATS, Lines, SubtitleOptions, find, render, stream
from .configuration import ConfigFlag
from .flags import takes_options
from .messages import show_warnings
from .output_options import OutputOptions
from .progress import Progress, visible

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(no_args_is_help=True)
@takes_options(
    OutputOptions,
    ModelOptions,
    AudioOptions,
    DecodingOptions,
    RuntimeOptions,
    WindowOptions,
    SegmentOptions,
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
    model_options: ModelOptions,
    audio_options: AudioOptions,
    decoding_options: DecodingOptions,
    runtime_options: RuntimeOptions,
    window_options: WindowOptions,
    segment_options: SegmentOptions,
    subtitle_options: SubtitleOptions,
) -> None:
    """Print the words of recordings, or write them as text, subtitles, JSON, …

    Exit code: 0 all done, 1 some recordings failed, 2 nothing was started, 130 stopped by Ctrl-C.
    """
    show_warnings(output_options.quiet)
    options = Options(model_options, audio_options, runtime_options, window_options, decoding_options, segment_options)
    manifests = [name for name in files if name.endswith(".jsonl")]
    if manifests:
        from .manifests import transcribe_manifests

        if len(manifests) < len(files):
            raise OptionError(f"{manifests[0]} is a manifest: give manifests and recordings in separate calls")
        raise typer.Exit(transcribe_manifests([Path(name) for name in manifests], options, output_options))
    plan = _plan(find_inputs(files, output_options.include, output_options.exclude), output_options)
    if not plan.inputs:
        return  # --skip-existing, and all is done
    with Recogniser(options, output_options.jobs) as recogniser:
        raise typer.Exit(_Run(plan, recogniser, output_options, subtitle_options).go())


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done: inputs with their result files by format; no files: standard output."""

    inputs: tuple[Input, ...]
    files: tuple[dict[str, Path], ...]  # one a input, empty where its text goes to standard output
    formats: tuple[str, ...]


def _plan(inputs: list[Input], options: OutputOptions) -> _Plan:
    formats = options.formats
    for name in formats:
        find(name)
    if options.output is not None and options.output.exists() and not options.overwrite:
        raise OptionError(f"{options.output} exists already: add --overwrite, or choose another name")
    if options.output_dir is None:
        if len(formats) > 1:
            raise OptionError(f"{len(formats)} formats at once need a place for the files: --output-dir DIR")
        if len(inputs) > 1 and formats[0] not in ("txt", "jsonl"):
            raise OptionError(f"several recordings as {formats[0]} need a place for the files: --output-dir DIR")
        return _Plan(tuple(inputs), tuple({} for _ in inputs), formats)
    relative = [Path(one.path).relative_to(one.root) if one.root else Path(Path(one.name).name) for one in inputs]
    columns = {
        name: [options.output_dir / path for path in names(relative, FORMATS[name].extension)] for name in formats
    }
    files = [{name: columns[name][i] for name in formats} for i in range(len(inputs))]
    taken: dict[Path, str] = {}
    for one, outputs in zip(inputs, files, strict=True):
        for path in outputs.values():
            if path in taken:
                raise OptionError(
                    f"{taken[path]} and {one.name} would both be written to {path}: transcribe them in separate calls"
                )
            taken[path] = one.name
    kept = range(len(inputs))
    if options.skip_existing:
        kept = [i for i in kept if not all(path.exists() for path in files[i].values())]  # type: ignore[assignment]
    elif not options.overwrite:
        there = next((path for i in kept for path in files[i].values() if path.exists()), None)
        if there is not None:
            raise OptionError(f"{there} exists already: add --skip-existing or --overwrite")
    return _Plan(tuple(inputs[i] for i in kept), tuple(files[i] for i in kept), formats)


class _Run:
    """One call's recordings, from the first to the exit code."""

    def __init__(self, plan: _Plan, recogniser: Recogniser, output: OutputOptions, subtitles: SubtitleOptions) -> None:
        self._plan, self._recogniser, self._output, self._subtitles = plan, recogniser, output, subtitles
        self._named = output.with_filename or (len(plan.inputs) > 1 and not output.no_filename)
        self._options = recorded(recogniser.options)

    def go(self) -> int:
        n_inputs, begun = len(self._plan.inputs), time.perf_counter()
        if self._output.verbose:
            network, lm = self._recogniser.network, self._recogniser.language_model_id
            where = f"{network.device}, {network.threads} threads"
            print(f"transcribe: model {network.card.id}, language model {lm or 'none'}, {where}", file=sys.stderr)
        with Progress(n_inputs, _total_seconds(self._plan.inputs), not self._output.quiet) as progress:
            if self._output.output is None:
                failed = self._to(progress, _print)
            else:
                written: list[str] = []
                failed = self._to(progress, written.append)
                if failed < n_inputs:
                    write_atomically(self._output.output, "".join(written))
        if self._output.verbose:
            seconds, speed = progress.seconds, progress.seconds / max(time.perf_counter() - begun, 1e-9)
            print(f"transcribe: {seconds:.1f} s of audio, {speed:.0f} × real time", file=sys.stderr)
        if failed and n_inputs > 1:
            print(f"transcribe: {failed} of {n_inputs} recordings failed", file=sys.stderr)
        return 1 if failed else 0

    def _to(self, progress: Progress, write: Callable[[str], None]) -> int:
        """Does all recordings; what belongs on standard output (or into `-o FILE`) goes to `write`. → failures."""
        inputs, split = self._plan.inputs, self._recogniser.options.audio.channel == "split"
        if len(inputs) == 1 and not self._plan.files[0] and not self._named and not split:
            lines = stream(self._plan.formats[0], inputs[0].name)
            if lines is not None:
                return self._streamed(inputs[0], lines, progress, write)
        failed = 0
        workers = 1 if len(inputs) == 1 else self._recogniser.network.threads
        for outcome in batch.run(range(len(inputs)), lambda i: self._transcribe(inputs[i], progress), workers):
            i, error = outcome.item, outcome.error
            if outcome.transcript is not None:
                try:
                    self._write(i, outcome.transcript, write)
                except OutputError as problem:
                    error = problem
            if error is not None:
                failed += 1
                _complain(inputs[i], error)
            progress.finished()
        return failed

    def _streamed(self, one: Input, lines: Lines, progress: Progress, write: Callable[[str], None]) -> int:
        """A single recording whose text is written while it is read."""
        try:
            write(lines.header)
            for segment in self._recogniser.segments(one.path, heard=progress.heard):
                write(lines.segment(segment))
        except TranscribeError as error:
            _complain(one, error)
            return 1
        return 0

    def _transcribe(self, one: Input, progress: Progress) -> Transcript:
        begun = time.perf_counter()
        transcript = self._recogniser.transcribe(one.path, progress.heard)
        seconds = round(time.perf_counter() - begun, 3) if self._output.timing else None
        return replace(transcript, options=self._options, processing_seconds=seconds)

    def _write(self, i: int, transcript: Transcript, write: Callable[[str], None]) -> None:
        one, files = self._plan.inputs[i], self._plan.files[i]
        for name, path in files.items():
            write_atomically(path, render(transcript, name, self._subtitles, one.name))
        if not files:
            format = self._plan.formats[0]
            if self._named and format == "txt":
                write(f"{one.name}\t{transcript.text}\n")
            else:
                write(render(transcript, format, self._subtitles, one.name))


def recorded(options: Options) -> dict[str, object]:
    """The options that decide the words, as JSON may hold them."""
    return {
        key: value for room in asdict(options).values() for key, value in room.items() if value not in (None, "", ())
    }


def _total_seconds(inputs: Sequence[Input]) -> float | None:
    """Length of all recordings, for the progress bar; None where nobody looks or one cannot tell."""
    if not visible():
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


def _complain(one: Input, error: TranscribeError) -> None:
    text = str(error)
    message = text if one.name in text else f"{one.name}: {text}"
    print(f"transcribe: {' '.join(message.split())}", file=sys.stderr)
