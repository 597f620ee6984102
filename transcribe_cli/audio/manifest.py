"""Lists of recordings and parts of them: one JSON object a line.

    {"audio": "talks/one.flac", "start": 12.5, "duration": 4.2, "text": "what was said", …}

`audio` is relative to the manifest's folder and stays inside it; only it must be there. NeMo's names
(`audio_filepath`, `offset`) are read as well. Other keys are kept as they are.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, InputNotFound, ManifestError
from .source import shown

LONGEST_LINE = 1 << 20  # bytes
LONGEST_SECONDS = 1e7


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """One line: a span of a recording (`duration` None: to its end), its text where known, and the whole object."""

    audio: Path
    start: float
    duration: float | None
    text: str | None
    keys: dict[str, Any]
    number: int  # of the line, from 1


def is_manifest(path: str | os.PathLike[str]) -> bool:
    """Whether a name is that of a manifest."""
    return os.fspath(path).lower().endswith(".jsonl")


def read_manifest(path: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> list[ManifestLine]:
    """All lines of a manifest, in order; blank ones are passed over.

    `root` takes the place of the manifest's own folder: audio paths start there and may not leave it.
    Raises InputNotFound, InputError, and ManifestError, naming file and line, for the first line that is broken or
    where there is none at all.
    """
    folder = Path(os.fspath(path)).parent if root is None else Path(root)
    lines = list(_lines(path, folder))
    if not lines:
        raise ManifestError(f"{shown(path)}: the manifest is empty")
    return lines


def by_recording(lines: list[ManifestLine]) -> list[tuple[Path, list[ManifestLine]]]:
    """Lines gathered by recording, so that each is opened once (`audio.excerpts`); order of first appearance."""
    groups: dict[Path, list[ManifestLine]] = {}
    for line in lines:
        groups.setdefault(line.audio, []).append(line)
    return list(groups.items())


def _lines(path: str | os.PathLike[str], folder: Path) -> Iterator[ManifestLine]:
    name = shown(path)
    try:
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                where = f"{name}:{number}"
                if len(line) > LONGEST_LINE:
                    raise ManifestError(f"{where}: the line is longer than 1 MB; write one JSON object a line")
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if line.strip():
                    yield _parse(line, where, number, folder)
    except FileNotFoundError as error:
        raise InputNotFound(f"{name}: no such manifest") from error
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def parse_object(line: str | bytes, where: str) -> dict[str, Any]:
    """One line's JSON object. Raises ManifestError, naming `where`, for anything else, and for half of a character."""
    try:
        keys = json.loads(line)
    except UnicodeDecodeError as error:
        raise ManifestError(f"{where}: not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not a JSON object ({getattr(error, 'msg', None) or error})") from error
    escaped = b"\\u" in line if isinstance(line, bytes) else "\\u" in line
    if escaped:  # it may be half of a character, which no file can hold
        try:
            json.dumps(keys, ensure_ascii=False).encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise ManifestError(f"{where}: holds half of a character (\\ud800 to \\udfff)") from error
    if not isinstance(keys, dict):
        raise ManifestError(f'{where}: not a JSON object such as {{"audio": "talk.wav"}}')
    return keys


def _parse(line: bytes, where: str, number: int, folder: Path) -> ManifestLine:
    keys = parse_object(line, where)
    audio = keys.get("audio", keys.get("audio_filepath"))
    if not isinstance(audio, str) or not audio:
        raise ManifestError(f'{where}: there is no "audio" (or "audio_filepath") that names a file')
    text = keys.get("text")
    if text is not None and not isinstance(text, str):
        raise ManifestError(f'{where}: "text" must be a string')
    return ManifestLine(
        audio=_inside(audio, where, folder),
        start=_seconds(keys, ("start", "offset"), where) or 0.0,
        duration=_seconds(keys, ("duration",), where),
        text=text,
        keys=keys,
        number=number,
    )


def _inside(audio: str, where: str, folder: Path) -> Path:
    """The path below `folder`; one that leaves it is refused, since a list may come from anywhere."""
    base = os.path.abspath(folder)
    whole = os.path.normpath(os.path.join(base, audio))
    if "\0" in audio or os.path.commonpath([base, whole]) != base or whole == base:
        raise ManifestError(
            f"{where}: {shown(audio)} lies outside of the manifest's folder; put the manifest above its recordings"
        )
    return folder / os.path.relpath(whole, base)


def _seconds(keys: dict[str, Any], names: tuple[str, ...], where: str) -> float | None:
    """The first of these keys that is there, checked: seconds from 0, above 0 for a duration."""
    name = next((name for name in names if keys.get(name) is not None), None)
    if name is None:
        return None
    value = keys[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ManifestError(f'{where}: "{name}" must be a number of seconds, not {json.dumps(value)[:40]}')
    if not 0 <= value <= LONGEST_SECONDS or (name == "duration" and value == 0):
        raise ManifestError(f'{where}: "{name}" cannot be {str(value)[:40]} seconds')
    return float(value)
