"""`transcribe convert`: JSON transcripts in other formats, without their audio."""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError, InputNotFound, OptionError, OutputError, TranscribeError
from ..outputs import check_target, write_atomically
from ..transcript import Transcript
from ..writers import FORMATS, SubtitleOptions, by_file_name, find, render
from ..writers import json as json_format
from .configuration import ConfigFlag
from .flags import takes_options

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(no_args_is_help=True)
@takes_options(SubtitleOptions)
def convert(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILES…", help="Transcripts written with --format json; - for standard input."),
    ],
    *,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help=f"one or several, with commas: {', '.join(FORMATS)}; default: txt, or what -o's name says",
            envvar="TRANSCRIBE_FORMAT",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="write to this file instead of standard output"),
    ] = None,
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", metavar="DIR", help="write one file a transcript into this folder")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace files that are there already")] = False,
    config: ConfigFlag = None,
    subtitle_options: SubtitleOptions,
) -> None:
    """Render JSON transcripts (ours, or Whisper's) in other formats, without their audio.

    Exit code: 0 all done, 1 some failed, 2 nothing was started.
    """
    formats = _formats(format, output)
    if output is not None and output_dir is not None:
        raise OptionError("--output is for one file, --output-dir for many: give one of them")
    if output_dir is None and len(files) * len(formats) > 1:
        raise OptionError("several results need a place for the files: --output-dir DIR")
    targets = _targets(files, formats, output, output_dir)
    for target in (path for paths in targets for path in paths if path is not None):
        check_target(target, overwrite, [Path(name) for name in files if name != "-"])
    failed = 0
    for name, paths in zip(files, targets, strict=True):
        try:
            transcript, called = _read(name)
            for one, path in zip(formats, paths, strict=True):
                text = render(transcript, one, subtitle_options, called)
                if path is None:
                    _print(text)
                else:
                    write_atomically(path, text)
        except TranscribeError as error:
            failed += 1
            print(f"transcribe: {' '.join(str(error).split())}", file=sys.stderr)
    raise typer.Exit(1 if failed else 0)


def _formats(given: str | None, output: Path | None) -> list[str]:
    if given is None:
        return ["txt" if output is None else by_file_name(output.name)]
    names = list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    for name in names:
        find(name)
    return names or ["txt"]


def _targets(files: list[str], formats: list[str], output: Path | None, folder: Path | None) -> list[list[Path | None]]:
    """Where each file's formats go, None for standard output. Raises OptionError where two would share a name."""
    if folder is None:
        return [[output]]
    stems = ["transcript" if name == "-" else Path(name).stem for name in files]
    targets: list[list[Path | None]] = [
        [folder / f"{stem}.{FORMATS[one].extension}" for one in formats] for stem in stems
    ]
    twice = next((path for path, n in Counter(path for paths in targets for path in paths).items() if n > 1), None)
    if twice is not None:
        raise OptionError(f"two of the files would be written to {twice}: convert them in separate calls")
    return targets


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError as error:
        raise OutputError(
            f"standard output: its encoding {error.encoding} lacks {error.object[error.start]!r}; "
            "write to a file with -o, or set PYTHONIOENCODING=utf-8"
        ) from error


def _read(name: str) -> tuple[Transcript, str]:
    """A transcript and what its recording was called."""
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        text = data.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InputNotFound(f"{name}: no such file") from error
    except (OSError, ValueError) as error:
        reason = "not UTF-8 text" if isinstance(error, UnicodeError) else getattr(error, "strerror", None) or error
        raise InputError(f"{name}: cannot be read ({reason}); convert takes what --format json wrote") from error
    return json_format.read(text, name), json_format.recording(text)
