"""`--config FILE`: makes the settings of TOML files the defaults of a command's flags."""

import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import config
from ..errors import OptionError
from .flags import FILES, contraries

READERS = ("transcribe", "evaluate", "align", "inspect", "convert")  # the commands that have this flag

# what TOML has and no flag takes as its value
_UNFIT = {
    bool: "true or false",
    list: "a list",
    dict: "a table",
    datetime.date: "a date",
    datetime.datetime: "a date",
    datetime.time: "a time",
}


def apply(context: typer.Context, path: Path | None) -> Path | None:
    """Callback of the eager `--config` option: flags and the environment still win over what the files say."""
    parameters: dict[str, Any] = {parameter.name or "": parameter for parameter in context.command.params}
    keys = {
        spelling.removeprefix("--"): name
        for name, parameter in parameters.items()
        if parameter.param_type_name == "option" and name != "config"
        for spelling in parameter.opts
        if spelling.startswith("--")
    }
    chosen, sources = dict[str, Any](), dict[str, str]()
    for settings, where in config.load(path):
        found = config.defaults_for(settings, context.info_name or "", keys, READERS, where)
        for name, value in found.items():
            chosen[name], sources[name] = _as_typed(context, parameters[name], value, where), where
            if chosen[name]:
                for other in contraries(name):
                    if sources.get(other, where) != where:  # said in the weaker file
                        del chosen[other], sources[other]
    if chosen:
        context.default_map = chosen
        context.meta[FILES] = sources
    return path


def _as_typed(context: typer.Context, parameter: Any, value: Any, where: str) -> Any:
    """A TOML value as the flags' parser takes it: as it would be typed, so that it is checked in the same way.

    A single value for a flag that may be repeated becomes a list. Raises OptionError for what the flag cannot take.
    """
    many, is_flag = getattr(parameter, "multiple", False), getattr(parameter, "is_flag", False)
    key = next(spelling for spelling in parameter.opts if spelling.startswith("--")).removeprefix("--")
    if isinstance(value, list) and not many and parameter.nargs == 1:
        raise OptionError(f"{where}: {key} takes one value, not a list")
    values = value if isinstance(value, list) else [value]
    for one in values:
        if type(one) in _UNFIT and not (is_flag and isinstance(one, bool)):
            raise OptionError(f"{where}: {key} cannot be {_UNFIT[type(one)]}")
    values = [one if isinstance(one, bool) else str(one) for one in values]
    typed = values if many or isinstance(value, list) else values[0]
    try:
        parameter.type_cast_value(context, typed)
    except typer.BadParameter as error:
        raise OptionError(f"{where}: {key}: {error.message}") from error
    return typed


ConfigFlag = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="TRANSCRIBE_CONFIG",
        is_eager=True,
        callback=apply,
        help="TOML file with defaults for these options (also read: ~/.config/transcribe/config.toml)",
    ),
]
