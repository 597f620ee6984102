"""`--config FILE`: makes the settings of TOML files the defaults of a command's flags."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import config
from ..errors import OptionError


def apply(context: typer.Context, path: Path | None) -> Path | None:
    """Callback of the eager `--config` option: flags and the environment still win over what the files say."""
    from . import COMMANDS

    known = {parameter.name for parameter in context.command.params if parameter.name}
    commands = {name.replace("-", "_") for name in COMMANDS}
    command, chosen = (context.info_name or "").replace("-", "_"), dict[str, Any]()
    for settings, where in config.load(path):
        chosen |= config.defaults_for(settings, command, known, commands, where)
    if chosen:
        context.default_map = _as_typed(context.command.params, chosen)
    return path


def _as_typed(parameters: Any, chosen: dict[str, Any]) -> dict[str, Any]:
    """TOML values as the flags' parser takes them: as they would be typed, so that it checks them in the same way.

    A single value for a flag that may be repeated becomes a list.
    """
    many = {parameter.name for parameter in parameters if getattr(parameter, "multiple", False)}
    flags = {parameter.name for parameter in parameters if getattr(parameter, "is_flag", False)}
    typed: dict[str, Any] = {}
    for name, value in chosen.items():
        values = [
            one if isinstance(one, bool) and name in flags else str(one)
            for one in (value if isinstance(value, list) else [value])
        ]
        if isinstance(value, list) and name not in many:
            raise OptionError(f"{name.replace('_', '-')} takes one value, and the config file gives it a list")
        typed[name] = values if name in many else values[0]
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
