"""`transcribe align AUDIO TEXT`: when each word of a known text was said, and where text and recording differ."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .. import align as aligner
from ..alignment.forced import ExtraSpeech, ForcedOptions
from ..alignment.script import Script, read_aloud
from ..alignment.segments import SegmentOptions
from ..audio.options import AudioOptions
from ..bundle.card import Card
from ..bundle.session import Network, RuntimeOptions
from ..bundle.store import DEFAULT, find
from ..emission.windows import WindowOptions
from ..errors import InputError, InputNotFound, OptionError
from ..outputs import check_target, write_atomically
from ..transcript import Segment, Transcript, Word
from ..writers import FORMATS, SubtitleOptions, by_file_name, render
from ..writers import find as find_format
from ..writers import json as json_format
from ..writers.cues import audible
from .configuration import ConfigFlag
from .flags import takes_options
from .messages import show_warnings

app = typer.Typer(add_completion=False, rich_markup_mode=None)
LEVELS = ("segments", "words", "characters")
NESTED = ("json", "jsonl", "textgrid")  # formats that hold all levels at once


@app.command(no_args_is_help=True)
@takes_options(
    aligner.TextOptions, ForcedOptions, AudioOptions, RuntimeOptions, WindowOptions, SegmentOptions, SubtitleOptions
)
def align(
    audio: Annotated[str, typer.Argument(metavar="AUDIO", help="recording, or - for standard input")],
    text: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="file with the text, UTF-8, or - for standard input")
    ] = None,
    *,
    literal: Annotated[str | None, typer.Option("--text", help="the text itself, in place of a file")] = None,
    fix_times: Annotated[
        Path | None, typer.Option("--fix-times", metavar="FILE", help="re-time these subtitles (srt or vtt)")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", "-f", help=f"{', '.join(FORMATS)}; default: a table of words, or what -o's name says"),
    ] = None,
    level: Annotated[
        str, typer.Option(help="what a line, cue or label holds [segments | words | characters]")
    ] = "segments",
    score: Annotated[
        bool, typer.Option("--score", help="print −log P(text | audio), in nats; with --format, beside the alignment")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="exit code 1 where text and recording differ")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="write to this file")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a file that is there already")] = False,
    model: Annotated[
        str, typer.Option("--model", "-m", envvar="TRANSCRIBE_MODEL", help="a name, a folder or an .onnx file")
    ] = DEFAULT,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="do not tell differences and warnings")] = False,
    config: ConfigFlag = None,
    text_options: aligner.TextOptions,
    forced_options: ForcedOptions,
    audio_options: AudioOptions,
    runtime_options: RuntimeOptions,
    window_options: WindowOptions,
    segment_options: SegmentOptions,
    subtitle_options: SubtitleOptions,
) -> None:
    """Find when each word of a known text was said, and where text and recording differ.

    \b
      transcribe align talk.wav talk.txt -f srt           subtitles of the text as it is written
      transcribe align book.mp3 chapter.txt --level words -f ctm
      transcribe align talk.wav --text "so it was" --score
      transcribe align talk.wav --fix-times talk.srt -o fixed.srt

    Exit code: 0 aligned, 1 the recording cannot be aligned (or, with --check, differs), 2 nothing was started.
    """
    show_warnings(quiet)
    if level not in LEVELS:
        raise OptionError(f"--level cannot be {level!r}: choose one of {', '.join(LEVELS)}")
    if sum(given is not None for given in (text, literal, fix_times)) != 1:
        raise OptionError("give the text once: as TEXT (a file or -), with --text or with --fix-times")
    if fix_times is not None and (format or (output and output.suffix.lower() not in _suffixes(fix_times))):
        raise OptionError("--fix-times keeps the subtitles' format: `transcribe convert` makes others of a transcript")
    if output is not None:
        check_target(output, overwrite, [Path(one) for one in (audio, text) if one])
    if audio == "-" and "-" in (text, str(fix_times)):
        raise OptionError("recording and text cannot both come from standard input: give one of them as a file")
    name = format or (None if output is None or fix_times else by_file_name(output.name))
    if name is not None:
        find_format(name)
    bundle = find(model)
    settings = aligner.Settings(
        audio_options, window_options, forced_options, text_options, segment_options, score=score
    )
    subtitles = None
    if fix_times is not None:
        from ..alignment import retime

        subtitles = retime.read(_bytes(str(fix_times)), _shown(str(fix_times)))
        lines = retime.spoken(subtitles)
    else:
        lines = (literal if literal is not None else _text(text or "")).splitlines()
    where = "--text" if literal is not None else _shown(str(fix_times or text))
    script = _script(lines, bundle.card, where)
    network = Network(bundle, runtime_options)
    try:
        found = aligner.align(audio, _shown(audio), script, network, settings)
        if subtitles is not None:
            # what was read by --duration ends before the recording does
            end_seconds = audio_options.start + found.transcript.duration_seconds
            times = retime.times(
                subtitles, script, found.words, end_seconds if audio_options.duration is None else math.inf
            )
            if not any(one.found for one in times):
                raise InputError(
                    f"{_shown(audio)}: none of the {len(times)} subtitles of {where} is heard in it: are they of this "
                    "recording?"
                )
    except InputError as error:
        print(f"transcribe: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(1) from None
    finally:
        network.close()
    if subtitles is not None:
        result, notes = retime.write(subtitles, times), retime.report(subtitles, times)
    else:
        result = _rendered(found, settings, name, level, subtitle_options, _shown(audio))
        notes = _differences(found)
    if found.score is not None:
        line = f"{found.score.nats:.4f} nats, {found.score.nats_per_character:.4f} a character"
        line += f" ({found.score.n_characters} characters)"
        notes.append(f"−log P(text | audio): {line}")
        if name is None and output is None and subtitles is None:
            result = line + "\n"
            notes.pop()
    if not quiet:
        for note in notes:
            print(f"transcribe: {_shown(audio)}: {note}", file=sys.stderr)
    if output is None:
        sys.stdout.write(result)
    else:
        write_atomically(output, result)
    raise typer.Exit(1 if check and (found.missing or found.extra) else 0)


def _shown(name: str) -> str:
    return "standard input" if name == "-" else name


def _suffixes(subtitles: Path) -> tuple[str, ...]:
    """What the name of a file with these subtitles may end in; standard input does not say which format it is."""
    return ("", ".srt", ".vtt") if str(subtitles) == "-" else ("", subtitles.suffix.lower())


def _bytes(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except FileNotFoundError as error:
        raise InputNotFound(f"{name}: no such file (for the words themselves use --text)") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror or error})") from error


def _text(name: str) -> str:
    try:
        return _bytes(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: not UTF-8 text (byte {error.start}); is this the recording? AUDIO comes first"
        ) from error


def _script(lines: list[str], card: Card, where: str) -> Script:
    """The lines as a script. Raises InputError where it holds no word, or hardly one that the model can spell."""
    script = read_aloud(lines, card.alphabet, card.language)
    if not script.shown:
        raise InputError(f"{where}: holds no word to align")
    lost = script.unspelled
    if 2 * len(lost) > len(script.shown):
        raise InputError(
            f"{where}: {len(lost)} of its {len(script.shown)} words cannot be spelled with the letters of model "
            f"{card.id} ({lost[0]!r}): write the text as it is said in them, or choose a model of its language"
        )
    return script


def _rendered(
    found: aligner.Alignment,
    settings: aligner.Settings,
    format: str | None,
    level: str,
    subtitles: SubtitleOptions,
    name: str,
) -> str:
    if format is None:
        return _table(found, level)
    transcript = found.transcript
    if format == "audacity":  # a label stands at a time as a subtitle does
        transcript = audible(transcript)
    if level != "characters" or format == "jsonl":
        transcript = _without_characters(transcript)
    if level != "segments" and format not in NESTED:
        transcript = _flat(transcript)
        # a cue a word: nothing holds one back from the next
        subtitles = replace(subtitles, min_cue_seconds=0.0, segments_end_cues=True)
    elif settings.text.by == "line":
        subtitles = replace(subtitles, segments_end_cues=True)
    if format == "json":
        entry = json_format.to_dict(transcript, name) | {"alignment": aligner.to_dict(found, settings)}
        return json.dumps(entry, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    return render(transcript, format, subtitles, name)


def _without_characters(transcript: Transcript) -> Transcript:
    segments = tuple(
        replace(segment, words=tuple(replace(word, characters=()) for word in segment.words))
        for segment in transcript.segments
    )
    return replace(transcript, segments=segments)


def _flat(transcript: Transcript) -> Transcript:
    """A segment for each word, or for each character where there are any."""
    units = [unit for word in transcript.words for unit in (word.characters or (word,))]
    return replace(transcript, segments=tuple(Segment(u.start_seconds, u.end_seconds, (u,)) for u in units))


def _table(found: aligner.Alignment, level: str) -> str:
    """Start, end, confidence, word and a remark, tab-separated, speech beside the text in its place."""
    rows: list[tuple[float, str]] = []
    for word in found.transcript.words:
        units = (word.characters or (word,)) if level == "characters" else (word,)
        for unit in units:
            rows.append((unit.start_seconds, f"{_times(unit)}\t{unit.confidence:.2f}\t{unit.text}{_remark(word)}\n"))
    rows += [(one.start_seconds, f"{_times(one)}\t\t{one.text}\tnot in the text\n") for one in found.extra]
    return "".join(row for _, row in sorted(rows, key=lambda row: row[0]))


def _times(one: Word | ExtraSpeech) -> str:
    return f"{one.start_seconds:.2f}\t{one.end_seconds:.2f}"


def _remark(word: Word) -> str:
    return "" if word.supported else "\tnot said"


def _differences(found: aligner.Alignment) -> list[str]:
    """A line for each passage of the text that was not said and each stretch of speech that it lacks, in order."""
    lines = [
        (p.start_seconds, f"not said at {p.start_seconds:.2f} s, words {p.first + 1} to {p.last + 1}: {_cut(p.text)}")
        for p in found.missing
    ]
    lines += [
        (
            e.start_seconds,
            f"not in the text, {e.start_seconds:.2f} to {e.end_seconds:.2f} s, sounds like: {_cut(e.text)}",
        )
        for e in found.extra
    ]
    return [line for _, line in sorted(lines)]


def _cut(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:70]} … {text[-25:]}"
