"""A disk that is full: every system call that needs room is refused, from the n-th on, for every n there is."""

import contextlib
import errno
import io
import os
import shutil
import sys
from pathlib import Path
from unittest import mock

import toy_model

from transcribe_cli import journal
from transcribe_cli.cli import run

BATCH = ["in", "--output-dir", "out", "--format", "txt,json", "--no-timing"]


class Room:
    """Counts what needs room, and refuses it from the `refused`-th on (only that one with `once`)."""

    def __init__(self, refused: int | None, once: bool = False) -> None:
        self.refused, self.once, self.n = refused, once, 0

    def take(self) -> None:
        self.n += 1
        if self.refused is not None and (self.n == self.refused or (self.n > self.refused and not self.once)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class System:
    """`os` as the modules that write see it."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def __getattr__(self, name):
        real = getattr(os, name)
        if name in ("write", "fsync", "mkdir"):
            return self._counted(real)
        if name == "open":
            return lambda path, flags, *more: self._counted(real, bool(flags & os.O_CREAT))(path, flags, *more)
        if name == "fdopen":
            return lambda *arguments: _File(real(*arguments), self._room)
        return real

    def _counted(self, real, needs_room=True):
        def call(*arguments):
            if needs_room:
                self._room.take()
            return real(*arguments)

        return call


class _File:
    """A file whose writes need room."""

    def __init__(self, file, room: Room) -> None:
        self._file, self._room = file, room

    def write(self, data: bytes) -> int:
        self._room.take()
        return self._file.write(data)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


def batch(room: Room) -> tuple[int, str]:
    """(exit code, standard error) of the batch, with that much room."""
    out, err = io.StringIO(), io.StringIO()
    system = System(room)
    with (
        mock.patch("transcribe_cli.outputs.os", system),
        mock.patch("transcribe_cli.journal.os", system),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run(BATCH)
    assert out.getvalue() == ""
    return code, err.getvalue()


def results(folder: Path) -> dict[str, bytes]:
    """Everything in the output folder but the journal."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(journal.NAME)]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def every_write(folder: Path, n_files: int, modes: tuple[bool, ...] = (False, True), step: int = 1) -> tuple[int, int]:
    """(calls refused one by one, runs that ended in another way than they should). The folder is the current one."""
    for k in range(n_files):
        toy_model.speak(folder / "in" / f"{k}.wav", ("bad cab", "fed", "a cage")[k % 3])
    out = folder / "out"
    room = Room(None)
    assert batch(room)[0] == 0
    wanted, n_calls, wrong = results(out), room.n, 0
    for once in modes:
        for refused in range(1, n_calls + 1, step):
            shutil.rmtree(out)
            code, err = batch(Room(refused, once))
            problems = []
            if any(not line.startswith(("transcribe: ", "  ")) for line in err.splitlines()) or (code and not err):
                problems.append(f"said {err!r}")
            left = results(out) if out.exists() else {}
            # a journal that cannot be kept up to its end is a warning: all results are there
            if code not in (1, 2) and (code != 0 or left != wanted):
                problems.append(f"exit code {code} with {len(left)} results")
            if any(wanted.get(name) != content for name, content in left.items()):
                problems.append(f"left {sorted(left)}")
            again, err = batch(Room(None))
            if again != 0 or results(out) != wanted:
                problems.append(f"with room again: exit code {again}, {err!r}")
            if problems:
                wrong += 1
                print(f"call {refused} of {n_calls}, {'once' if once else 'for good'}: {problems}", file=sys.stderr)
    return n_calls, wrong
