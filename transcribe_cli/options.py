"""How options are declared: dataclass fields that carry their help, bounds and choices.

Each room keeps its options beside the code that obeys them, in a frozen dataclass whose fields are made by `option`.
Flags, environment variables, TOML keys, help and docs are all read off these fields, so none is typed twice.
"""

import dataclasses
from typing import Any

from .errors import OptionError


def option(
    default: Any,
    help: str,
    *,
    short: str = "",
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    metavar: str = "",
    panel: str = "",
) -> Any:
    """A dataclass field that is also a command-line option.

    The field's name is the TOML key; with dashes it is the flag (`beam_width` → `--beam-width`), upper-cased the
    environment variable (`TRANSCRIBE_BEAM_WIDTH`). A tuple default means the option may be given many times. Bounds
    are inclusive.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "help": help,
            "short": short,
            "choices": choices,
            "minimum": minimum,
            "maximum": maximum,
            "metavar": metavar,
            "panel": panel,
        },
    )


def check(options: Any) -> None:
    """Raises OptionError where a field of an options dataclass is outside its bounds or choices.

    Meant for `__post_init__`, so that a library caller gets the same sentence as a user of the command line.
    """
    for field in dataclasses.fields(options):
        meta, value = field.metadata, getattr(options, field.name)
        if not meta or value is None:
            continue
        flag = "--" + field.name.replace("_", "-")
        for one in value if isinstance(value, tuple) else (value,):
            if meta["choices"] and one not in meta["choices"]:
                raise OptionError(f"{flag} cannot be {one!r}: choose one of {', '.join(meta['choices'])}")
            if isinstance(one, (int, float)) and not isinstance(one, bool):
                low, high = meta["minimum"], meta["maximum"]
                if one != one or (low is not None and one < low) or (high is not None and one > high):
                    bounds = (
                        f"at least {low}" if high is None else f"at most {high}" if low is None else f"{low} to {high}"
                    )
                    raise OptionError(f"{flag} cannot be {one}: it must be {bounds}")
