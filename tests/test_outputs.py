"""Result files appear whole or not at all, and nothing else is left beside them."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcribe_cli.errors import OptionError, OutputError
from transcribe_cli.outputs import atomically, check_target, names, write_atomically

PATHS = st.lists(
    st.builds(lambda stem, end: PurePath(f"{stem}.{end}"), st.sampled_from("abc"), st.sampled_from(["wav", "mp3"])),
    unique=True,
)


@given(PATHS)
def test_results_of_different_recordings_never_share_a_name(paths):
    assert len(set(names(paths, "txt"))) == len(paths)


def test_text_and_bytes_are_written_as_they_are(tmp_path):
    write_atomically(tmp_path / "deep" / "a.txt", "é\r\n\udcff")
    write_atomically(tmp_path / "b.bin", b"\0\xff")
    assert (tmp_path / "deep" / "a.txt").read_bytes() == "é\r\n".encode() + b"\xff"
    assert (tmp_path / "b.bin").read_bytes() == b"\0\xff"
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["a.txt", "b.bin"]


def test_new_files_obey_the_umask_and_replaced_ones_keep_their_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", "1")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    (tmp_path / "a").chmod(0o604)
    write_atomically(tmp_path / "a", "2")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o604


def test_an_error_while_writing_leaves_what_was_there(tmp_path):
    write_atomically(tmp_path / "a", "old")

    def interrupted():
        with atomically(tmp_path / "a") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_what_a_killed_process_left_is_used_up_by_the_next(tmp_path):
    code = "import os, pathlib, sys; from transcribe_cli.outputs import atomically\n"
    code += "with atomically(pathlib.Path(sys.argv[1])) as file: file.write(b'x' * 100000); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, tmp_path / "a"])
    assert os.listdir(tmp_path) == [".a.part"]
    write_atomically(tmp_path / "a", "short")
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "short"


def test_two_processes_that_write_one_file_do_not_mix(tmp_path):
    with open(tmp_path / ".a.part", "wb") as other:  # another process is at it
        fcntl.flock(other, fcntl.LOCK_EX)
        write_atomically(tmp_path / "a", "mine")
        assert (tmp_path / "a").read_text() == "mine"
        assert sorted(os.listdir(tmp_path)) == [".a.part", "a"]
        os.replace(other.name, tmp_path / "a")
    assert os.listdir(tmp_path) == ["a"]


def test_a_link_laid_for_the_temporary_name_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("keep")
    os.symlink("precious", tmp_path / ".a.part")
    write_atomically(tmp_path / "a", "text")
    assert (tmp_path / "precious").read_text() == "keep"
    assert (tmp_path / "a").read_text() == "text"


def test_a_dash_is_no_file():
    with pytest.raises(OptionError, match="standard output"):
        check_target(Path("-"), overwrite=True)


def test_a_link_stays_one_and_what_it_names_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to("far/kept.txt")
    for text in ("new", "again"):  # the file that it names is not there at first
        check_target(link, overwrite=True)
        write_atomically(link, text)
        assert link.is_symlink()
        assert (tmp_path / "far" / "kept.txt").read_text() == text
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["far", "kept.txt", "link.txt"]
    with pytest.raises(OptionError, match="exists already"):
        check_target(link, overwrite=False)


def test_a_name_as_long_as_names_may_be_can_be_written(tmp_path):
    write_atomically(tmp_path / ("n" * 255), "text")
    assert os.listdir(tmp_path) == ["n" * 255]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("a/b.txt", "Not a directory|File exists"), ("n" * 300, "too long"), ("folder", "Is a directory")],
)
def test_what_cannot_be_written_is_said_and_nothing_is_left(tmp_path, path, reason):
    (tmp_path / "a").write_text("a file where a folder should be")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=f"cannot be written .*({reason})"):
        write_atomically(tmp_path / path, "text")
    assert sorted(os.listdir(tmp_path)) == ["a", "folder"]


def test_what_cannot_be_written_is_refused_before_any_work(tmp_path):
    for path in (tmp_path / ("n" * 300), tmp_path / ("n" * 300) / "a.txt"):
        with pytest.raises(OutputError, match=r"cannot be written .*too long"):
            check_target(path, overwrite=False)


def test_a_target_that_may_not_be_looked_at_is_refused(tmp_path, monkeypatch):
    real = os.stat

    def shut(path, *rest, **more):
        if "shut" in str(path):
            raise PermissionError(13, "Permission denied")  # root may look at everything
        return real(path, *rest, **more)

    for name in ("stat", "lstat", "mkdir"):
        monkeypatch.setattr(os, name, shut)
    with pytest.raises(OutputError, match=r"shut/a\.txt: cannot be written \(Permission denied\)"):
        check_target(tmp_path / "shut" / "a.txt", overwrite=False)


def test_devices_are_written_into_and_stay_devices(tmp_path):
    write_atomically(Path("/dev/null"), "gone")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OutputError, match="No space left"):
        write_atomically(Path("/dev/full"), "no room")
    assert Path("/dev/full").is_char_device()
