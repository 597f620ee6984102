"""Flags made from option dataclasses: declared once beside the code that obeys them, shown and parsed here.

    @takes_options(AudioOptions, DecodingOptions)
    def command(files: …, *, audio_options: AudioOptions, decoding_options: DecodingOptions) -> None: …

The wrapped function has one flag a field (`--beam-width`, `$TRANSCRIBE_BEAM_WIDTH`, TOML key `beam_width`) and is
called with the dataclasses built. A class named FooOptions arrives as the keyword `foo_options`.
"""

import dataclasses
import functools
import inspect
import re
import types
from collections.abc import Callable
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer


def takes_options(*classes: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator for a Typer command; see the module's docstring."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True).parameters
        keywords = {_keyword(cls): cls for cls in classes}
        fields = {field.name: cls for cls in classes for field in dataclasses.fields(cls) if field.metadata}

        @functools.wraps(function)
        def wrapped(*args: Any, **values: Any) -> None:
            built = {}
            for keyword, cls in keywords.items():
                mine = {name: values.pop(name) for name, owner in fields.items() if owner is cls}
                mine = {name: tuple(value) if isinstance(value, list) else value for name, value in mine.items()}
                built[keyword] = cls(**mine)
            function(*args, **values, **built)

        parameters = [parameter for name, parameter in own.items() if name not in keywords]
        parameters += [_parameter(field, cls) for cls in classes for field in dataclasses.fields(cls) if field.metadata]
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return wrapped

    return decorate


def _keyword(cls: type) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()


def _parameter(field: "dataclasses.Field[Any]", cls: type) -> inspect.Parameter:
    meta = field.metadata
    flag = "--" + field.name.replace("_", "-")
    kind, many, optional = _kind(get_type_hints(cls)[field.name])
    names = [f"{flag}/--no-{flag[2:]}"] if kind is bool and not field.name.startswith("no_") else [flag]
    names += [f"-{meta['short']}"] if meta["short"] else []
    help_text = meta["help"] + (f" [{' | '.join(meta['choices'])}]" if meta["choices"] else "")
    option: Any = typer.Option(
        *names,
        help=help_text,
        envvar="TRANSCRIBE_" + field.name.upper(),
        metavar=meta["metavar"] or None,
        show_default=not (many or optional or field.default == ""),
        rich_help_panel=meta["panel"] or None,
    )
    annotation: Any = list[kind] if many else (kind | None if optional else kind)  # type: ignore[valid-type]
    default: Any = field.default
    default = list(default) if many else default
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[annotation, option]
    )


def _kind(hint: Any) -> tuple[Any, bool, bool]:
    """(type of one value, may be given many times, may be None) of a field's annotation."""
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [one for one in get_args(hint) if one is not type(None)]
        kind, many, _ = _kind(kinds[0])
        return kind, many, True
    if get_origin(hint) is tuple:
        return get_args(hint)[0], True, False
    return hint, False, False
