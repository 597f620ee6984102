"""Result files: which names they get, and how they are written so that no half file is ever seen."""

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

from .errors import OutputError


def names(inputs: Sequence[PurePath], extension: str) -> list[str]:
    """Result names for inputs' paths below their roots: `talks/a.wav` → `talks/a.srt`.

    Inputs that would share a name (`a.wav` beside `a.mp3`) keep their own extension in it: `a.wav.srt`, `a.mp3.srt`. So
    the names depend on the whole list: make them before a list is split or shortened.
    """
    stems = Counter(str(path.with_suffix("")) for path in inputs)
    return [f"{path if stems[str(path.with_suffix(''))] > 1 else path.with_suffix('')}.{extension}" for path in inputs]


def write_atomically(path: Path, text: str) -> None:
    """Writes UTF-8 text under a temporary name beside `path`, flushes it to the disk and renames it.

    Raises OutputError, with the reason, and leaves nothing behind, when that cannot be done.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="", errors="surrogateescape") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~umask())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def umask() -> int:
    """The permissions that this process takes from new files; temporary names are made without them."""
    value = os.umask(0)
    os.umask(value)
    return value
