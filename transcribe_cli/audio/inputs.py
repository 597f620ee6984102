"""What was typed → recordings: files, directories, globs, @lists and "-", in a stable order.

Names are kept as the file system gives them: spaces, newlines and bytes that are not UTF-8 (as surrogates) included.
"""

import fnmatch
import glob
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, InputNotFound
from .media import EXTENSIONS as MEDIA_EXTENSIONS
from .source import shown

log = logging.getLogger("transcribe_cli.audio")

# fmt: off
EXTENSIONS = MEDIA_EXTENSIONS | frozenset((  # what counts as a recording in a directory
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp2", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".sph",
    ".w64", ".wav", ".wave",
))
# fmt: on


@dataclass(frozen=True, slots=True)
class Input:
    """One recording; `name` is what to call it; `root` the directory it was found in, if it was."""

    path: Path
    name: str
    root: Path | None = None

    @property
    def relative(self) -> Path:
        """Where it lies below its root, or its file name: what an output tree mirrors."""
        return self.path.relative_to(self.root) if self.root is not None else Path(self.path.name)


def find_inputs(arguments: Sequence[str], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> list[Input]:
    """Arguments → recordings, in the order typed, each once; directories and globs in the order of their bytes.

    A directory is searched to its bottom for names that end like recordings (EXTENSIONS) and, with `include`, match one
    of those globs; `exclude` takes files and folders away. Globs are held against the name and against the path below
    the directory. Links to folders are followed, and each folder is searched once. Hidden files and folders are passed
    over. `@list.txt` holds one argument a line (or NUL-separated, for names with newlines), as seen from the current
    directory; `@-` reads that list from standard input.
    A named file is taken as it is, even if it is missing: opening it says so, and the others are still done.

    Raises InputError for a directory without recordings or a list that cannot be read, InputNotFound for a glob that
    matches nothing.
    """
    found: dict[str, Input] = {}
    for argument in arguments:
        listed = _listed(argument[1:]) if argument.startswith("@") and len(argument) > 1 else [argument]
        for one in listed:
            for entry in _expand(one, include, exclude):
                found.setdefault(os.fspath(entry.path), entry)
    return list(found.values())


def _expand(argument: str, include: Sequence[str], exclude: Sequence[str]) -> Iterator[Input]:
    if argument == "-":
        yield Input(Path("-"), "-")
    elif not argument:
        raise InputError("an empty name is not a recording")
    elif os.path.isdir(argument):
        yield from _walk(argument, include, exclude)
    elif glob.has_magic(argument) and not os.path.lexists(argument):  # a file may be called "take[1].wav"
        matches = sorted(glob.glob(argument, recursive=True), key=os.fsencode)
        if not matches:
            raise InputNotFound(f"{shown(argument)}: matches no file")
        for match in matches:
            if os.path.isdir(match):
                if not argument.endswith("**"):  # "**" lists every folder's contents itself
                    yield from _walk(match, include, exclude)
            elif not argument.endswith("**") or _wanted(os.path.basename(match), match, include, exclude):
                yield Input(Path(match), match)
    else:
        yield Input(Path(argument), argument)


def _walk(directory: str, include: Sequence[str], exclude: Sequence[str]) -> Iterator[Input]:
    paths: list[str] = []
    seen: set[tuple[int, int]] = set()
    linked: list[str] = []

    def unreadable(error: OSError) -> None:
        log.warning("%s: passed over (%s)", shown(error.filename or directory), error.strerror)

    def walk(top: str) -> None:
        for folder, folders, files in os.walk(top, onerror=unreadable):
            if not _is_new(folder, seen) and top != directory:
                folders.clear()
                continue
            below = os.path.relpath(folder, directory)
            inside = "" if below == "." else below + os.sep
            folders[:] = [f for f in folders if not f.startswith(".") and not _matches(f, inside + f, exclude)]
            linked.extend(whole for f in folders if os.path.islink(whole := os.path.join(folder, f)))
            paths.extend(inside + file for file in files if _wanted(file, inside + file, include, exclude))

    walk(directory)
    # links after everything else, so that a folder that can be come by without one keeps its own name
    while linked:
        linked.sort(key=os.fsencode)
        walk(linked.pop(0))
    # no sockets, no pipes; what cannot be looked at, such as a broken link, says so when it is opened
    paths = [path for path in paths if _may_be_file(os.path.join(directory, path))]
    if not paths:
        wanted = "name matches " + " or ".join(include) if include else "name ends like one (.wav, .flac, .mp3, …)"
        raise InputError(f"{shown(directory)}: no recording in it whose {wanted}; see --include and --exclude")
    for path in sorted(paths, key=os.fsencode):
        whole = os.path.join(directory, path)
        yield Input(Path(whole), whole, Path(directory))


def _is_new(folder: str, seen: set[tuple[int, int]]) -> bool:
    """Whether a folder was not met before, under whatever name: links may lead round in a circle."""
    try:
        found = os.stat(folder)
    except OSError:
        return False  # it has just gone
    identity = found.st_dev, found.st_ino
    new = identity not in seen
    seen.add(identity)
    return new


def _may_be_file(path: str) -> bool:
    return os.path.isfile(path) or not os.path.exists(path)


def _wanted(name: str, below: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    if name.startswith(".") or _matches(name, below, exclude):
        return False
    known = os.path.splitext(name)[1].lower() in EXTENSIONS
    if not include:
        return known
    # a pattern that spells an ending ("*.dat") means what it says; "talk-*" means the recordings among them
    spelt = [pattern for pattern in include if re.fullmatch(r"\.\w+", os.path.splitext(pattern)[1])]
    return _matches(name, below, spelt) or (known and _matches(name, below, include))


def _matches(name: str, below: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, p) or fnmatch.fnmatchcase(below, p) for p in patterns)


def _listed(path: str) -> list[str]:
    """The entries of a list file."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(path, "rb") as file:
                data = file.read()
    except FileNotFoundError as error:
        raise InputNotFound(f"@{shown(path)}: no such list; for a file of that name write ./@{shown(path)}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"@{shown(path)}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"@{shown(path)}: is UTF-16: save the list as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    separated = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    entries = [os.fsdecode(entry) for entry in separated if entry.strip()]
    if not entries:
        raise InputError(f"@{shown(path)}: the list is empty")
    return entries
