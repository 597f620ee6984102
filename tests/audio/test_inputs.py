"""What was typed → recordings."""

import io
import os
import sys
from pathlib import Path

import pytest

from transcribe_cli.audio.inputs import Input, find_inputs
from transcribe_cli.errors import InputError, InputNotFound


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder "talks" with folders, hidden files and odd names in it; the current directory is above it."""
    for name in ("b.wav", "a.MP3", "notes.txt", "deep/c.flac", "deep/d.webm", ".hidden/e.wav", ".f.wav", "take[1].wav"):
        path = tmp_path / "talks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*arguments: str, **options: list[str]) -> list[str]:
    return [entry.name for entry in find_inputs(arguments, **options)]


def test_a_directory_is_searched_to_its_bottom_in_a_stable_order(tree: Path) -> None:
    found = find_inputs(["talks"])
    assert [e.name for e in found] == [
        "talks/a.MP3", "talks/b.wav", "talks/deep/c.flac", "talks/deep/d.webm", "talks/take[1].wav",
    ]  # fmt: skip
    assert {e.root for e in found} == {Path("talks")}
    assert [str(e.relative) for e in found][2] == "deep/c.flac"


def test_an_include_without_an_ending_means_the_recordings_among_the_matches(tree: Path) -> None:
    assert all(not name.endswith(".txt") for name in names("talks", include=["*"]))
    assert names("talks", include=["*"]) == names("talks")


def test_include_replaces_the_known_endings_and_exclude_takes_away(tree: Path) -> None:
    assert names("talks", include=["*.txt", "deep/*.flac"]) == ["talks/deep/c.flac", "talks/notes.txt"]
    assert names("talks", exclude=["deep", "take*"]) == ["talks/a.MP3", "talks/b.wav"]
    assert names("talks", exclude=["deep/*"]) == ["talks/a.MP3", "talks/b.wav", "talks/take[1].wav"]
    assert names("talks/notes.txt", exclude=["*.txt"]) == ["talks/notes.txt"]  # what is named is meant


def test_globs_work_without_a_shell_and_a_file_may_look_like_one(tree: Path) -> None:
    assert names("talks/*.wav") == ["talks/b.wav", "talks/take[1].wav"]
    assert names("talks/**/*.flac") == ["talks/deep/c.flac"]
    assert names("talks/take[1].wav") == ["talks/take[1].wav"]
    assert names("talks/d*") == ["talks/deep/c.flac", "talks/deep/d.webm"]
    assert names("talks/**", exclude=["take*"]) == [
        "talks/a.MP3", "talks/b.wav", "talks/deep/c.flac", "talks/deep/d.webm",
    ]  # fmt: skip


def test_every_recording_comes_once_in_the_order_typed(tree: Path) -> None:
    assert names("talks/b.wav", "talks", "talks/*.wav")[:2] == ["talks/b.wav", "talks/a.MP3"]
    assert len(names("talks/b.wav", "talks", "talks/*.wav")) == 5


def test_a_missing_file_is_left_to_fail_alone(tree: Path) -> None:
    assert find_inputs(["nothing.wav", "-"]) == [Input(Path("nothing.wav"), "nothing.wav"), Input(Path("-"), "-")]


def test_lists_hold_any_argument_a_line_or_between_nulls(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "list.txt").write_bytes(b"talks/b.wav\r\n\ntalks/deep\n  spaced name.wav\n")
    assert names("@list.txt") == ["talks/b.wav", "talks/deep/c.flac", "talks/deep/d.webm", "  spaced name.wav"]
    (tree / "list0").write_bytes(b"two\nlines.wav\0caf\xe9.wav\0")
    assert [os.fsencode(e.path) for e in find_inputs(["@list0"])] == [b"two\nlines.wav", b"caf\xe9.wav"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one.wav\n")))
    assert names("@-") == ["one.wav"]
    (tree / "list.txt").write_bytes("talks/b.wav\r\n".encode("utf-8-sig"))
    assert names("@list.txt") == ["talks/b.wav"]
    (tree / "list.txt").write_bytes("talks/b.wav\r\n".encode("utf-16"))
    with pytest.raises(InputError, match="save the list as UTF-8"):
        names("@list.txt")


def test_names_of_any_bytes_are_found_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    for name in (b"\xff.wav", b"two\nlines.wav", "é.wav".encode(), b"a b.wav"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    found = [os.fsencode(e.path.name) for e in find_inputs([str(tmp_path)])]
    assert found == [b"a b.wav", b"two\nlines.wav", "é.wav".encode(), b"\xff.wav"]


def test_pipes_and_sockets_in_a_directory_are_no_recordings(tree: Path) -> None:
    os.mkfifo(tree / "talks" / "deep" / "pipe.wav")
    os.symlink("../b.wav", tree / "talks" / "deep" / "link.wav")
    assert names("talks/deep") == ["talks/deep/c.flac", "talks/deep/d.webm", "talks/deep/link.wav"]


def test_links_that_lead_nowhere_are_left_to_fail_like_missing_files(tree: Path) -> None:
    os.symlink("nowhere", tree / "talks" / "deep" / "dangling.wav")
    os.symlink("round.wav", tree / "talks" / "deep" / "round.wav")
    os.symlink("nowhere", tree / "talks" / "deep" / "dangling.txt")
    assert names("talks/deep") == [f"talks/deep/{name}" for name in ("c.flac", "d.webm", "dangling.wav", "round.wav")]


def test_linked_folders_are_searched_once_and_what_needs_no_link_keeps_its_name(tree: Path) -> None:
    (tree / "far" / "in").mkdir(parents=True)
    (tree / "far" / "in" / "g.wav").touch()
    os.symlink("../far", tree / "talks" / "a link")
    os.symlink("../far/in", tree / "talks" / "same")
    os.symlink("deep", tree / "talks" / "another")
    os.symlink("../talks", tree / "far" / "back")
    os.symlink("deep", tree / "talks" / ".hidden link")
    assert names("talks") == [
        "talks/a link/in/g.wav", "talks/a.MP3", "talks/b.wav", "talks/deep/c.flac", "talks/deep/d.webm",
        "talks/take[1].wav",
    ]  # fmt: skip
    assert names("talks", exclude=["a link"])[2:4] == ["talks/deep/c.flac", "talks/deep/d.webm"]
    assert "talks/same/g.wav" in names("talks", exclude=["a link"])
    (found,) = find_inputs(["talks"], include=["g.wav"])
    assert str(found.relative) == "a link/in/g.wav"


def test_nothing_found_is_one_line_that_says_what_to_try(tree: Path) -> None:
    (tree / "empty").mkdir()
    (tree / "empty.txt").write_text("\n\n")
    with pytest.raises(InputError, match=r"^empty: no recording in it .*--include and --exclude$"):
        find_inputs(["empty"])
    with pytest.raises(InputError, match=r"name matches \*\.xyz"):
        find_inputs(["talks"], include=["*.xyz"])
    with pytest.raises(InputNotFound, match=r"^nope\*: matches no file"):
        find_inputs(["nope*"])
    with pytest.raises(InputNotFound, match=r"^@nope: no such list; .* \./@nope$"):
        find_inputs(["@nope"])
    with pytest.raises(InputError, match="the list is empty"):
        find_inputs(["@empty.txt"])
    with pytest.raises(InputError, match="cannot be read"):
        find_inputs(["@talks"])
    with pytest.raises(InputError, match="empty name"):
        find_inputs([""])
