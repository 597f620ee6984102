"""Result files and folders: which names they get, and how they are written so that no half one is ever seen."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import BinaryIO

from .errors import OptionError, OutputError, TranscribeError


def names(inputs: Sequence[PurePath], extension: str) -> list[str]:
    """Result names for inputs' paths below their roots: `talks/a.wav` → `talks/a.srt`.

    Inputs that would share a name (`a.wav` beside `a.mp3`) keep their own extension in it: `a.wav.srt`, `a.mp3.srt`. So
    the names depend on the whole list: make them before a list is split or shortened.
    """
    stems = Counter(str(path.with_suffix("")) for path in inputs)
    return [f"{path if stems[str(path.with_suffix(''))] > 1 else path.with_suffix('')}.{extension}" for path in inputs]


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes bytes, or text as UTF-8, under a temporary name beside `path`, flushes them to the disk and renames.

    Raises OutputError, with the reason, and leaves nothing behind, when that cannot be done.
    """
    with atomically(path) as file:
        file.write(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)


def check_target(path: Path, overwrite: bool, inputs: Sequence[Path] = ()) -> None:
    """Refuses, before any work, a file that cannot be written or that would take something away.

    Makes its folder. Raises OptionError (it is there and not to be overwritten, a folder, or one of the inputs),
    OutputError (the system refuses).
    """
    if str(path) == "-":  # elsewhere it means standard output; nobody wants a file of that name
        raise OptionError("- names no file: leave the option out for standard output")
    if os.path.isdir(path):
        raise OptionError(f"{path} is a folder: give the name of a file in it")
    if os.path.isfile(path) and not overwrite:
        raise OptionError(f"{path} exists already: add --overwrite, or choose another name")
    if any(_same(path, one) for one in inputs):
        raise OptionError(f"{path} is read and would be overwritten: choose another name")
    try:
        folder = _behind(path).parent
        with contextlib.suppress(FileExistsError):  # a file stands where a folder should: said below
            folder.mkdir(parents=True, exist_ok=True)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with contextlib.suppress(FileNotFoundError):  # what is said of it here is said before any work
            os.lstat(path)
        beside = path.exists() and not path.is_file()  # a device, a pipe: nothing is written beside it
        if not os.access(path if beside else folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _same(a: Path, b: Path) -> bool:
    try:
        return a.is_file() and a.samefile(b)
    except (OSError, ValueError):  # ValueError: a null byte in a name
        return False


@contextlib.contextmanager
def atomically(path: Path) -> Iterator[BinaryIO]:
    """A binary file that becomes `path`, whole and on the disk, when the block ends; after an error nothing is left.

    Folders are made. A file that is replaced passes its permissions on; a link stays one, and what it names is
    written. Devices and pipes are written into as they are.
    Raises OutputError, with the reason, where the system refuses; other errors of the block are passed on.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # /dev/stdout, a named pipe
            with path.open("wb") as device:
                yield device
            return
        target = _behind(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        file, temporary = _temporary(target)
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.chmod(temporary, _permissions(target))
                os.replace(temporary, target)  # before the file is closed: its lock must hold until the name is free
        except BaseException:
            with contextlib.suppress(OSError):  # the folder itself may be gone
                os.unlink(temporary)
            raise
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _behind(path: Path) -> Path:
    """The file that a link names, which need not be there yet; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _temporary(path: Path) -> tuple[BinaryIO, str]:
    """An empty file beside `path` that no other process writes into, and its name.

    The name is always the same, so that what a killed process left is used up by the next one instead of lying about; a
    lock tells such a file from one that a living process is writing. Only then, or where there are no locks or the name
    is too long, it is a random one.
    """
    name = str(path.with_name(f".{path.name}.part"))
    with contextlib.suppress(ImportError, OSError):
        import fcntl  # not on Windows

        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # whoever held the lock may have renamed the file meanwhile: then it is a result, not ours to write into
            if os.stat(name).st_ino == os.fstat(descriptor).st_ino:
                os.ftruncate(descriptor, 0)
                return os.fdopen(descriptor, "wb"), name
        except OSError:
            pass
        os.close(descriptor)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    return os.fdopen(descriptor, "wb"), name


def _permissions(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return 0o666 & ~umask()


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder that takes `folder`'s place, whole, when the block ends; ended early, nothing has changed.

    Raises OutputError, with the reason, where the system refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = folder.resolve()  # a link stays one, and "." has a name
        work = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        new, old = work / "new", work / "old"
        try:
            new.mkdir()
            yield new
            new.chmod(0o777 & ~umask())
            if place.exists():
                os.replace(place, old)
            os.replace(new, place)
        finally:
            if old.exists() and not place.exists():  # a signal, too, may come between the two
                os.replace(old, place)
            shutil.rmtree(work, ignore_errors=True)
    except TranscribeError:
        raise
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error


def umask() -> int:
    """The permissions that this process takes from new files; temporary names are made without them."""
    value = os.umask(0)
    os.umask(value)
    return value
