"""The command line: one file a command, loaded when it is called. `transcribe FILES…` needs no command word."""

import importlib
import os
import re
import sys
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from .. import __version__
from ..errors import TranscribeError

COMMANDS = {  # name → one line of help; the module of the same name (dashes as underscores) has `app: typer.Typer`
    "transcribe": "Transcribe recordings (what `transcribe FILES…` does).",
    "evaluate": "Measure error rates of a model, or of any transcripts.",
    "convert": "Render a JSON transcript in other formats.",
    "lm": "Build, mix, prune and tune language models.",
    "adapt": "Teach a model your words from plain text.",
    "prepare": "Check training data and report on it.",
    "units": "Compare output units on a text.",
    "augment-preview": "Hear and see what augmentation does.",
    "train": "Train or fine-tune a model.",
    "export": "Make a model bundle of a checkpoint.",
    "models": "List models, show cards, verify checksums.",
}
DEFAULT = "transcribe"

# other recognisers' spellings of our options, accepted and not shown
_FLAG = re.compile(r"--[a-z]+(_[a-z]+)+(?==|$)")
_RENAMED = {"--output-format": "--format", "--language-model": "--lm"}
_IGNORED_WITH_VALUE = {"--word-timestamps"}  # words are always timed


class _Commands(TyperGroup):
    """Commands that are imported when called, and one that needs no name."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name in COMMANDS if _exists(name)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{cmd_name.replace('-', '_')}", __name__)
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        # the summaries stand in the table above, so that help loads no command
        with formatter.section("Commands (transcribe COMMAND --help)"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx) if name != DEFAULT])


def _exists(name: str) -> bool:
    return (Path(__file__).parent / f"{name.replace('-', '_')}.py").is_file()


app = typer.Typer(cls=_Commands, add_completion=True, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback(no_args_is_help=True, context_settings={"help_option_names": ["--help"]})
def _group(
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
) -> None:
    """Offline speech recognition: prints the words of recordings.

    transcribe talk.wav                        the words on standard output
    transcribe talk.mp3 --format srt           subtitles
    transcribe recordings/ --output-dir texts  a folder, one result a recording

    All options of transcribing: transcribe transcribe --help
    """
    if version:
        print(f"transcribe {__version__}")
        raise typer.Exit


def run(arguments: list[str] | None = None) -> int:
    """Runs the command line; errors raised on purpose become one line on stderr. Returns the exit code."""
    arguments = with_command(modern(sys.argv[1:] if arguments is None else arguments))
    try:
        # the group must not print usage errors by itself: they are one line here too
        result = app(arguments, prog_name="transcribe", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except TranscribeError as error:
        return complain(str(error))
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        return 130
    except Exception as error:
        if hasattr(error, "format_message"):  # Click's usage errors, wherever this Typer keeps them
            return complain(error.format_message())
        raise


def complain(message: str) -> int:
    """One line on stderr; the exit code of what could not start."""
    print(f"transcribe: {' '.join(message.split())}", file=sys.stderr)
    return 2


def modern(arguments: list[str]) -> list[str]:
    """Other recognisers' spellings → ours: `--output_dir` → `--output-dir`, `--word_timestamps True` → nothing."""
    found: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            found += [argument, *rest]
            break
        if _FLAG.match(argument):
            name, equals, value = argument.partition("=")
            argument = name.replace("_", "-") + equals + value
        name, equals, value = argument.partition("=")
        if name in _IGNORED_WITH_VALUE:
            if not equals:
                next(rest, None)
            continue
        found.append(_RENAMED.get(name, name) + equals + value)
    return found


def with_command(arguments: list[str]) -> list[str]:
    """Puts the default command's name in front, unless a command or an option of the program itself stands there."""
    first = arguments[0] if arguments else ""
    own = ("--help", "--version", "--install-completion", "--show-completion")
    if not arguments or first in COMMANDS or first.split("=")[0] in own or os.environ.get("_TRANSCRIBE_COMPLETE"):
        return arguments
    return [DEFAULT, *arguments]
