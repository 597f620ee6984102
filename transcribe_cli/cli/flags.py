"""Flags made from option dataclasses: declared once beside the code that obeys them, shown and parsed here.

    @takes_options(AudioOptions, DecodingOptions)
    def command(files: …, *, audio_options: AudioOptions, decoding_options: DecodingOptions) -> None: …

The wrapped function has one flag a field (`--beam-width`, `$TRANSCRIBE_BEAM_WIDTH`, TOML key `beam_width`) and is
called with the dataclasses built. A class named FooOptions arrives as the keyword `foo_options`. Of two options that
contradict each other, as `--lm` and `--no-lm`, the one said in the stronger place stays. An error about an option that
nobody typed tells where it is from.
"""

import dataclasses
import functools
import inspect
import re
import types
from collections.abc import Callable
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

from ..errors import OptionError

FILES = "transcribe.files"  # in a context's `meta`: the config file that a parameter's value is from
_CONTEXT = "its_context"  # the parameter that Typer fills with it
_STRENGTH = {"COMMANDLINE": 3, "ENVIRONMENT": 2, "DEFAULT_MAP": 1}  # Click's names of where a value is from


def takes_options(*classes: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator for a Typer command; see the module's docstring."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(function, eval_str=True).parameters
        own_context = next((name for name, parameter in own.items() if parameter.annotation is typer.Context), None)
        keywords = {_keyword(cls): cls for cls in classes}
        fields = {field.name: cls for cls in classes for field in dataclasses.fields(cls) if field.metadata}

        @functools.wraps(function)
        def wrapped(*args: Any, **values: Any) -> None:
            context: typer.Context = values[own_context] if own_context else values.pop(_CONTEXT)
            given = _settled(context, {name: values.pop(name) for name in fields}, fields)
            try:
                built = {
                    keyword: cls(**{name: given[name] for name, owner in fields.items() if owner is cls})
                    for keyword, cls in keywords.items()
                }
                function(*args, **values, **built)
            except OptionError as error:
                raise OptionError(f"{error}{_whence(context, str(error))}") from error

        parameters = [parameter for name, parameter in own.items() if name not in keywords]
        parameters += [_parameter(field, cls) for cls in classes for field in dataclasses.fields(cls) if field.metadata]
        if own_context is None:
            parameters.append(
                inspect.Parameter(_CONTEXT, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=typer.Context)
            )
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return wrapped

    return decorate


def contraries(name: str) -> tuple[str, ...]:
    """What the options that say the contrary of one would be called: of `no_lm`, `lm`."""
    if name.startswith("no_"):
        return name[3:], f"with_{name[3:]}"
    return (f"no_{name.removeprefix('with_')}",)


def _settled(context: typer.Context, values: dict[str, Any], owners: dict[str, type]) -> dict[str, Any]:
    """The values as fields hold them; what a stronger contrary overrules is as if it had not been said."""

    def strength(name: str) -> int:
        source = context.get_parameter_source(name)
        return _STRENGTH.get(source.name, 0) if source else 0

    defaults = {field.name: field.default for cls in set(owners.values()) for field in dataclasses.fields(cls)}
    settled = {}
    for name, value in values.items():
        if isinstance(value, list):  # a text in the environment may end in a line end and have blank lines
            value = tuple(one for one in value if strength(name) != _STRENGTH["ENVIRONMENT"] or str(one).strip())
        stronger = (other for other in contraries(name) if values.get(other) and strength(other) > strength(name))
        settled[name] = defaults[name] if any(stronger) else value
    return settled


def _whence(context: typer.Context, message: str) -> str:
    """For each option that a message names and nobody typed: where its value is from."""
    named, found = re.findall(r"--[a-z][a-z-]*", message), []
    for parameter in context.command.params:
        name, flag = parameter.name or "", next((one for one in parameter.opts if one in named), None)
        source = context.get_parameter_source(name)
        if flag is not None and source is not None:
            if source.name == "ENVIRONMENT":
                found.append(f"{flag} is from ${parameter.envvar}")
            elif source.name == "DEFAULT_MAP":
                found.append(f"{flag} is from {context.meta[FILES][name]}")
    return f" ({', '.join(found)})" if found else ""


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
