"""`transcribe inspect FILES…`: what recordings are like, and what of it hurts recognition."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..audio.inputs import find_inputs
from ..audio.options import AudioOptions
from ..bundle.store import DEFAULT
from ..errors import OptionError, TranscribeError
from ..outputs import check_target
from .configuration import ConfigFlag
from .flags import takes_options
from .messages import show_warnings

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(no_args_is_help=True)
@takes_options(AudioOptions)
def inspect(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILES…", help="recordings, folders, globs, @list.txt, or - for standard input"),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="a JSON object a recording, one a line")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="draw sound, features and what the model makes of them (extra plot)"
        ),
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="with --plot: what is said, if known")] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", envvar="TRANSCRIBE_MODEL", help="with --plot: name, folder or .onnx file")
    ] = DEFAULT,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a picture that is there already")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no warnings of the decoder")] = False,
    config: ConfigFlag = None,
    audio_options: AudioOptions,
) -> None:
    """Say what recordings are like: format, level, clipping, noise, bandwidth, pauses, and what hurts recognition.

    Nothing is recognised, so hours take seconds; --plot runs the model over at most a minute.

    Exit code: 0 all done (warnings or not), 1 some recordings cannot be read, 2 nothing was started.
    """
    from ..inspection import inspect as measure
    from ..inspection import text as as_text
    from ..inspection import to_dict
    from ..inspection.report import check_channel

    show_warnings(quiet)
    check_channel(audio_options)
    inputs = find_inputs(files)
    if plot is not None and len(inputs) != 1:
        raise OptionError(f"--plot draws one recording, not {len(inputs)}: give one")
    if plot is not None and files == ["-"]:
        raise OptionError("--plot reads the recording twice: save standard input to a file first")
    if plot is not None:
        from ..inspection.plot import check_picture, draw

        check_picture(plot)
        check_target(plot, overwrite)
    failed = 0
    for one in inputs:
        try:
            report = measure(one.path, audio_options)
            if plot is not None:
                draw(one.path, plot, audio_options, model, text)
        except TranscribeError as error:
            failed += 1
            message = str(error) if one.name in str(error) else f"{one.name}: {error}"
            print(f"transcribe: {' '.join(message.split())}", file=sys.stderr)
            continue
        print(
            json.dumps(to_dict(report), ensure_ascii=False) if as_json else as_text(report), end="\n" if as_json else ""
        )
        sys.stdout.flush()
    raise typer.Exit(1 if failed else 0)
