"""`transcribe evaluate`: error rates of a model, or of any transcripts."""

import io
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..alignment.segments import SegmentOptions
from ..audio.degrade import Degradation, parse
from ..audio.options import AudioOptions
from ..bundle.session import RuntimeOptions
from ..decoding.options import DecodingOptions
from ..emission.windows import WindowOptions
from ..errors import InputError, OptionError
from ..evaluate import measure, report, sweep, terminal, texts, versus
from ..evaluate.compare import compare
from ..evaluate.mend import mend_card
from ..evaluate.options import EvaluateOptions
from ..evaluate.page import page
from ..evaluate.report import Facts, System
from ..evaluate.score import score
from ..outputs import check_target, write_atomically
from ..pipeline import ModelOptions, Options, Recogniser
from .configuration import ConfigFlag
from .flags import takes_options
from .progress import Progress

if TYPE_CHECKING:
    from rich.console import Console

_ALWAYS = {"compare_files", "manifest", "ref", "hyp", "json_file", "report_file", "config", "max_wer"}
_OF_MODE = {  # what else does something there
    "--compare": set[str](),
    "--hyp": {"ref_format", "hyp_format", "normalizer", "by", "draw_together", "draws", "seed", "worst"},
}

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(no_args_is_help=True)
@takes_options(
    EvaluateOptions, ModelOptions, AudioOptions, DecodingOptions, RuntimeOptions, WindowOptions, SegmentOptions
)
def evaluate(
    context: typer.Context,
    manifest: Annotated[
        Path | None,
        typer.Argument(
            metavar="MANIFEST|FOLDER",
            help="What to recognise: a manifest (.jsonl) with texts, or a folder of recordings with .txt files beside.",
            show_default=False,
        ),
    ] = None,
    *,
    ref: Annotated[Path | None, typer.Option("--ref", metavar="FILE", help="Score texts: the references.")] = None,
    hyp: Annotated[
        Path | None, typer.Option("--hyp", metavar="FILE", help="Score texts: what any recogniser wrote.")
    ] = None,
    ref_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help=f"{' | '.join(texts.FORMATS)}; default: by the name")
    ] = None,
    hyp_format: Annotated[str | None, typer.Option(metavar="FORMAT", help="as --ref-format")] = None,
    compare_files: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--compare", metavar="A.json B.json", help="Compare two evaluations of the same set."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all figures as JSON; - for standard output.")
    ] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write one HTML page with plots and tables.")
    ] = None,
    config: ConfigFlag = None,
    evaluate_options: EvaluateOptions,
    model_options: ModelOptions,
    audio_options: AudioOptions,
    decoding_options: DecodingOptions,
    runtime_options: RuntimeOptions,
    window_options: WindowOptions,
    segment_options: SegmentOptions,
) -> None:
    """Measure error rates: of a model on a labelled set, of any transcripts (--ref, --hyp), of two systems (--compare).

    Exit code: 0 measured, 1 above --max-wer or not all could be read, 2 nothing was measured.
    """
    if sum((manifest is not None, ref is not None or hyp is not None, compare_files is not None)) != 1:
        raise OptionError("give one of: a manifest or folder; --ref with --hyp; --compare with two evaluations")
    _refuse_idle(context, "--compare" if compare_files is not None else "--hyp" if manifest is None else "")
    inputs = [path for path in (manifest, ref, hyp, *(compare_files or ())) if path is not None]
    if str(report_file) == "-":
        raise OptionError("--report writes a page, not to standard output: name a file, as evaluation.html")
    if report_file is not None and json_file is not None and report_file.resolve() == json_file.resolve():
        raise OptionError(f"--json and --report both name {json_file}: give them two names")
    for path in (json_file, report_file):
        if path is not None and str(path) != "-":
            check_target(path, overwrite=True, inputs=inputs)
    from rich.console import Console

    # the report is for people, so a pipe gets it too, without colours
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 140, highlight=False, markup=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a sign must not cost the table
    failed, sounds = 0, dict[str, str]()
    if compare_files is not None:
        raise typer.Exit(_compare(*compare_files, console, evaluate_options, json_file, report_file))
    if manifest is None:
        summary = _score_texts(ref, hyp, ref_format, hyp_format, evaluate_options)
    else:
        options = Options(
            model_options, audio_options, runtime_options, window_options, decoding_options, segment_options
        )
        summary, sounds, failed = _measure(manifest, options, evaluate_options, report_file is not None)
    raise typer.Exit(_finish(summary, sounds, console, evaluate_options, json_file, report_file) or failed)


def _finish(
    summary: dict[str, Any],
    sounds: dict[str, str],
    console: "Console",
    options: EvaluateOptions,
    json_file: Path | None,
    report_file: Path | None,
) -> int:
    """Writes and shows a summary; returns the exit code."""
    title = f"Evaluation of {summary['systems'][0]['name']}"
    written = None if report_file is None else page(summary, sounds, title)
    _put_out(
        report.dump(summary), written, lambda: terminal.show(summary, console, options.worst), json_file, report_file
    )
    return _judge(summary["systems"][0], options)


def _put_out(
    figures: str, written: str | None, show: Callable[[], None], json_file: Path | None, report_file: Path | None
) -> None:
    """Files first: what was measured must outlast a reader who has seen enough (`| head`)."""
    if report_file is not None and written is not None:
        write_atomically(report_file, written)
    to_stdout = json_file is not None and str(json_file) == "-"
    if json_file is not None and not to_stdout:
        write_atomically(json_file, figures)
    try:
        if to_stdout:
            sys.stdout.write(figures)
        else:
            show()
    except BrokenPipeError:
        pass
    except SystemExit as end:  # what rich makes of it
        if not isinstance(end.__context__, BrokenPipeError):
            raise


def _judge(system: Mapping[str, Any], options: EvaluateOptions) -> int:
    """1 where a system's word error rate is above the one allowed."""
    rate = system["words"]["rate"]
    rate = float("inf") if rate is None else rate
    if options.max_wer is None or 100 * rate <= options.max_wer:
        return 0
    shown = report.percent(rate)
    print(f"transcribe: the word error rate {shown} is above --max-wer {options.max_wer:g}", file=sys.stderr)
    return 1


def _refuse_idle(context: typer.Context, mode: str) -> None:
    """Raises OptionError for an option on the command line that would change nothing."""
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in _ALWAYS:
            continue
        serves = name in _OF_MODE[mode] if mode else name not in ("ref_format", "hyp_format")
        source = context.get_parameter_source(name)
        if not serves and source is not None and source.name == "COMMANDLINE":
            what = f"with {mode}" if mode else "without --hyp"
            raise OptionError(f"{parameter.opts[0]} changes nothing {what}: leave it out")


def _score_texts(
    ref: Path | None, hyp: Path | None, ref_format: str | None, hyp_format: str | None, options: EvaluateOptions
) -> dict[str, Any]:
    if hyp is None:
        raise OptionError("--ref needs --hyp: the file with what was recognised")
    # one file may hold both, as manifests that were transcribed do
    references = texts.read(ref or hyp, hypothesis=False, format=ref_format or (hyp_format if ref is None else None))
    if ref is None and not references.both:
        raise OptionError(f"--hyp needs --ref: {hyp} holds one text an utterance (JSON lines and CSV may hold both)")
    hypotheses = texts.read(hyp, hypothesis=True, format=hyp_format)
    joined = texts.join(references, hypotheses)
    if not joined.pairs:
        raise InputError(f"{references.where}: nothing to evaluate: there are no references in it")
    facts = {id: Facts(confidences=sure) for id, sure in joined.confidences.items()}
    system = System(hyp.name, score(joined.pairs, options.normalizer), facts)
    notes = []
    if joined.missing:
        notes.append(
            f"{len(joined.missing)} references have no hypothesis and count as not recognised: {joined.missing[0]}, …"
        )
    if joined.extra:
        notes.append(f"{len(joined.extra)} hypotheses have no reference and are left out: {joined.extra[0]}, …")
    return report.summarise([system], options.by, None, notes, options.draws, options.seed, options.draw_together)


def _measure(
    path: Path, options: Options, evaluate: EvaluateOptions, listen: bool
) -> tuple[dict[str, Any], dict[str, str], int]:
    """A summary of a model on a labelled set, utterances' sound, and 1 where some could not be read."""
    grid = sweep.parse(evaluate.sweep)
    conditions: list[Degradation | None] = [None, *parse(evaluate.degrade)]
    lines = measure.labelled(path)
    total = sum(line.duration or 0.0 for line in lines) * len(conditions)
    robustness = []
    with Recogniser(options) as recogniser, Progress(len(lines) * len(conditions), total or None, True) as progress:

        def finished(seconds: float) -> None:
            progress.heard(seconds)
            progress.finished()

        for how in conditions:
            found = measure.measure(lines, recogniser, evaluate.normalizer, how, evaluate.seed, finished)
            name = "as it is" if how is None else how.name
            robustness.append((name, [(system.name, system.score) for system in found.systems]))
            if how is None:
                plain = found
        points = sweep.sweep(lines, recogniser, grid, evaluate.normalizer) if grid else []
    notes = [
        f"{len(plain.failures)} utterances could not be read and are left out: {id}: {why}"
        for id, why in plain.failures[:1]
    ]
    summary = report.summarise(
        plain.systems, evaluate.by, plain.speed, notes, evaluate.draws, evaluate.seed, evaluate.draw_together
    )
    sounds: dict[str, str] = {}
    if listen:
        own = summary["systems"][0]
        worst = sorted(plain.systems[0].score.utterances, key=lambda u: -u.words.errors)[: evaluate.listen]
        wanted = {u.pair.id for u in worst} | {row["id"] for row in own["suspected_references"]}
        sounds = measure.listenable(lines, wanted, recogniser)
    if points:
        summary["sweep"] = sweep.as_json(points)
    if evaluate.mend_card:
        summary["notes"].append(_mend(recogniser, summary["systems"][0]["calibration"]))
    if evaluate.degrade:
        summary["robustness"] = report.robustness(robustness, evaluate.draws, evaluate.seed, evaluate.draw_together)
    return summary, sounds, 1 if plain.failures else 0


def _mend(recogniser: Recogniser, calibration: dict[str, Any] | None) -> str:
    """Writes the temperature into the card; returns what was done, in words."""
    if calibration is None or calibration["temperature"] is None:
        return "the card was left as it is: a temperature needs right and wrong words"
    temperature = mend_card(recogniser.bundle.folder, calibration["temperature"])
    return f"the card's confidence_temperature is now {temperature:g}"


def _compare(
    first: Path,
    second: Path,
    console: "Console",
    options: EvaluateOptions,
    json_file: Path | None,
    report_file: Path | None,
) -> int:
    """Puts two evaluations side by side; returns the exit code."""
    summaries = [report.read(path) for path in (first, second)]
    normalisers = [summary["normalizer"] for summary in summaries]
    if normalisers[0] != normalisers[1]:
        raise InputError(f"{first} was scored with --normalizer {normalisers[0]}, {second} with {normalisers[1]}")
    sides = [summary["systems"][0] for summary in summaries]
    found = compare(report.counts_by_id(sides[0]), report.counts_by_id(sides[1]))
    references = [report.references_by_id(side) for side in sides]
    if other := next((id for id, words in references[0].items() if words != references[1][id]), None):
        raise InputError(f"{other!r} has other reference words in {first} than in {second}: evaluate both on one set")
    names = [f"{side['name']} ({path.name})" for side, path in zip(sides, (first, second), strict=True)]
    written = None if report_file is None else versus.page(names, sides, found, normalisers[0])
    figures = report.dump(versus.as_json(names, found))
    _put_out(figures, written, lambda: terminal.show_comparison(names, sides, found, console), json_file, report_file)
    return _judge(sides[0], options)
