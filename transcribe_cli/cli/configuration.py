"""`--config FILE`: makes the settings of TOML files the defaults of a command's flags."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import config


def apply(context: typer.Context, path: Path | None) -> Path | None:
    """Callback of the eager `--config` option: flags and the environment still win over what the files say."""
    from . import COMMANDS

    settings, where = config.load(path)
    if settings:
        known = {parameter.name for parameter in context.command.params if parameter.name}
        commands = {name.replace("-", "_") for name in COMMANDS}
        chosen = config.defaults_for(settings, (context.info_name or "").replace("-", "_"), known, commands, where)
        context.default_map = _as_typed(context.command.params, chosen)
    return path


def _as_typed(parameters: Any, chosen: dict[str, Any]) -> dict[str, Any]:
    """TOML values as the flags' parser takes them: a single value for a flag that may be repeated becomes a list."""
    many = {parameter.name for parameter in parameters if getattr(parameter, "multiple", False)}
    return {name: [value] if name in many and not isinstance(value, list) else value for name, value in chosen.items()}


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
