"""The command line: one file a command, loaded when it is called. `transcribe FILES…` needs no command word."""

import copy
import importlib
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from .. import __version__
from ..errors import TranscribeError

COMMANDS = {  # name → one line of help; the module of the same name (dashes as underscores) has `app: typer.Typer`
    "transcribe": "Transcribe recordings (what `transcribe FILES…` does).",
    "evaluate": "Measure error rates of a model, or of any transcripts.",
    "align": "Time a known text, score it, re-time subtitles.",
    "status": "Show how far the batches of an output folder are.",
    "inspect": "Say what recordings are like and what of it hurts recognition.",
    "convert": "Render a JSON transcript in other formats.",
    "lm": "Build, mix, prune and tune language models.",
    "adapt": "Teach a model your words from plain text.",
    "prepare": "Check training data and report on it.",
    "units": "Compare output units on a text.",
    "augment-preview": "Hear and see what augmentation does.",
    "train": "Train or fine-tune a model.",
    "export": "Make a model bundle of a checkpoint.",
    "doctor": "Check the installation, and say what would make it better.",
    "models": "List models, show cards, verify checksums.",
}
DEFAULT = "transcribe"

# other recognisers' spellings of our options, accepted and not shown
_FLAG = re.compile(r"--[a-z]+(_[a-z]+)+(?==|$)")
_RENAMED = {
    "--output-format": "--format",
    "--language-model": "--lm",
    "--max-line-width": "--max-line-length",
    "--max-line-count": "--max-lines",
}
_IGNORED_WITH_VALUE = {"--word-timestamps"}  # words are always timed


class _Commands(TyperGroup):
    """Commands that are imported when called, and one that needs no name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, with_command(args))

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        # where the first word is still being typed it may also be the default command's option or a file
        command = self.get_command(ctx, DEFAULT)
        inner = command.make_context(DEFAULT, [], parent=ctx, resilient_parsing=True)
        return [*super().shell_complete(ctx, incomplete), *command.shell_complete(inner, incomplete)]

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name in COMMANDS if _exists(name)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{cmd_name.replace('-', '_')}", __name__)
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        for parameter in command.params:
            if getattr(parameter, "multiple", False):  # in the environment a value a line: phrases have blanks
                parameter.type = copy.copy(parameter.type)
                parameter.type.envvar_list_splitter = "\n"  # type: ignore[misc]
        command.format_usage = partial(_usage, command)  # type: ignore[method-assign]
        return command

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        formatter.write_usage("transcribe", "[OPTIONS] FILES…  |  COMMAND …")

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        # the summaries stand in the table above, so that help loads no command
        with formatter.section("Commands (transcribe COMMAND --help)"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx) if name != DEFAULT])


def _usage(command: Any, ctx: Any, formatter: Any) -> None:
    """The usage line with arguments as they are called: `FILES…`, not `{FILES…}...`."""
    pieces = re.sub(r"\{([^{}]*)\}", r"\1", " ".join(command.collect_usage_pieces(ctx))).replace("…...", "…")
    formatter.write_usage("transcribe" if command.name == DEFAULT else ctx.command_path, pieces)


def _exists(name: str) -> bool:
    return (Path(__file__).parent / f"{name.replace('-', '_')}.py").is_file()


app = typer.Typer(cls=_Commands, add_completion=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"transcribe {__version__}")
        raise typer.Exit


@app.callback(no_args_is_help=True, context_settings={"help_option_names": ["--help"]})
def _group(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", is_eager=True, callback=_version
    ),
) -> None:
    """Offline speech recognition: prints the words of recordings.

    \b
      transcribe talk.wav                             the words on standard output
      transcribe talk.mp3 --format srt -o talk.srt    subtitles
      transcribe recordings/ --output-dir texts       a folder, one result a recording
      ffmpeg -v error -i talk.mkv -f wav - | transcribe -     from a pipe

    \b
    Used most (all of them: transcribe transcribe --help):
      -f, --format NAMES       txt, srt, vtt, json, tsv, … several with commas
      -o, --output FILE        write to a file; its ending chooses the format
      --output-dir DIR         one file a recording, mirroring the input tree
      --hotword "PHRASE"       a word to listen for (may be repeated)
      --lm FILE, --no-lm       another language model, or none
      -m, --model NAME         another model (transcribe models)
      --start, --duration      a part of the recording, in seconds
      --channel split          each channel on its own
      --config FILE            any option as TOML; $TRANSCRIBE_… in the environment
    """


def run(arguments: list[str] | None = None) -> int:
    """Runs the command line; errors raised on purpose become one line on stderr. Returns the exit code."""
    arguments = modern(sys.argv[1:] if arguments is None else arguments)
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
    except SystemExit as end:  # what Typer makes of a closed pipe
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        raise
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a bare `transcribe`: the help is the answer
            print(error, file=sys.stderr)
            return 2
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
    if not arguments or first in COMMANDS or first in own:
        return arguments
    return [DEFAULT, *arguments]
