"""Settings from TOML files: the user's own, then `--config`; both give way to the environment and to flags.

Keys are option names with dashes or underscores (`beam-width = 100`); a table named after a command
(`[evaluate]`) holds keys for that command alone.
"""

import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from .errors import OptionError


def user_config_path() -> Path | None:
    """`$XDG_CONFIG_HOME/transcribe/config.toml`, or the same under `~/.config`; None for a user without a home."""
    try:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    except RuntimeError:
        return None
    return folder / "transcribe" / "config.toml"


def load(explicit: Path | None) -> list[tuple[dict[str, Any], str]]:
    """Each file's settings and name, the one that wins last. A per-user file need not exist, an explicit one must.

    A folder of the user's that cannot be looked at holds none.

    Raises OptionError when a file is missing, unreadable or not TOML.
    """
    found: list[tuple[dict[str, Any], str]] = []
    for path, must in ((user_config_path(), False), (explicit, True)):
        if path is None or not (must or os.path.isfile(path)):
            continue
        try:
            settings = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
        except FileNotFoundError:
            raise OptionError(f"{path}: no such config file") from None
        # beside what is no UTF-8 and no TOML: numbers too long and lists too deep for Python
        except (OSError, ValueError, RecursionError) as error:
            raise OptionError(f"{path}: cannot be read as TOML ({error})") from error
        found.append((settings, str(path)))
    return found


def defaults_for(
    settings: dict[str, Any], command: str, known: Mapping[str, str], commands: Collection[str], where: str
) -> dict[str, Any]:
    """What of one file's settings are defaults of one command's options, by the names of its parameters.

    known: that command's keys, with dashes, and the parameters they set; commands: the names of all that read such
    files. Keys outside a table are meant for transcribing, and for other commands as far as they have the same option.
    Raises OptionError on a table or key that is not known, so that a misspelt one is found.
    """
    chosen: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            if key not in commands:
                tables = ", ".join(f"[{name}]" for name in commands)
                raise OptionError(f"{where}: no command reads the table [{key}]: there are {tables}")
            if key == command:
                for inner, setting in value.items():
                    if _dashed(inner) not in known:
                        raise OptionError(f"{where}: unknown key {inner!r} in [{key}] (see `transcribe {key} --help`)")
                    chosen[known[_dashed(inner)]] = setting
        elif _dashed(key) in known:
            chosen.setdefault(known[_dashed(key)], value)
        elif command == "transcribe":
            raise OptionError(f"{where}: unknown key {key!r} (see `transcribe transcribe --help`)")
    return chosen


def _dashed(key: str) -> str:
    return key.replace("_", "-")
