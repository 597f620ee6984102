"""Manifest lines: both families of names, paths that stay inside, errors that name the line."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transcribe_cli import audio
from transcribe_cli.audio.manifest import by_recording, is_manifest, read_manifest
from transcribe_cli.errors import InputError, InputNotFound, ManifestError

SAMPLES = Path(__file__).parents[2] / "samples"


def manifest(tmp_path: Path, *lines: object) -> Path:
    path = tmp_path / "m.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_our_names_and_nemos_are_read_and_other_keys_are_kept(tmp_path: Path) -> None:
    ours = {"audio": "a/b.wav", "start": 1, "duration": 2.5, "text": "hello", "speaker": 7}
    nemo = {"audio_filepath": "c.wav", "offset": 0.5, "duration": 1.0, "text": "there", "lang": "en"}
    first, second, third = read_manifest(manifest(tmp_path, ours, "", nemo, {"audio": "d.wav"}))
    assert (first.audio, first.start, first.duration, first.text) == (tmp_path / "a/b.wav", 1.0, 2.5, "hello")
    assert first.keys == ours
    assert (second.audio, second.start, second.duration, second.number) == (tmp_path / "c.wav", 0.5, 1.0, 3)
    assert (third.start, third.duration, third.text) == (0.0, None, None)


def test_paths_are_relative_to_the_manifest_or_to_a_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = manifest(tmp_path, {"audio": "./a//b.wav"}, {"audio": str(tmp_path / "x" / "c.wav")})
    assert [line.audio for line in read_manifest(path)] == [tmp_path / "a/b.wav", tmp_path / "x/c.wav"]
    assert read_manifest(manifest(tmp_path, {"audio": "b.wav"}), root="/data")[0].audio == Path("/data/b.wav")
    monkeypatch.chdir(tmp_path)
    assert read_manifest("m.jsonl")[0].audio == Path("b.wav")


@pytest.mark.parametrize("audio", ["../x.wav", "/etc/passwd", "a/../../x.wav", ".", "", "a\0.wav", "//x", "a/.."])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, audio: str) -> None:
    with pytest.raises(ManifestError, match=r"m\.jsonl:1: "):
        read_manifest(manifest(tmp_path, {"audio": audio}))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ("3", "not a JSON object"),
        ({}, 'no "audio"'),
        ({"audio": 3}, 'no "audio"'),
        ({"audio": "a.wav", "start": "1"}, '"start" must be a number'),
        ({"audio": "a.wav", "offset": -1}, '"offset" cannot be'),
        ({"audio": "a.wav", "duration": 0}, '"duration" cannot be'),
        ({"audio": "a.wav", "duration": True}, "must be a number"),
        ('{"audio": "a.wav", "duration": NaN}', "cannot be nan"),
        ('{"audio": "a.wav", "start": Infinity}', "cannot be inf"),
        ({"audio": "a.wav", "start": 1e300}, "cannot be"),
        ({"audio": "a.wav", "text": ["a"]}, '"text" must be'),
        ("[" * 100_000, "not a JSON object"),
        ('{"audio": "a.wav", "text": "smile \\ud83d"}', "half of a character"),
        ('{"audio": "a.wav", "start": ' + "9" * 5000 + "}", ""),
        ('{"audio": "a.wav", "start": ' + "9" * 400 + "}", "cannot be"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_broken_line_is_named(tmp_path: Path, line: object, said: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read_manifest(manifest(tmp_path, {"audio": "ok.wav"}, line))
    assert str(caught.value).startswith(f"{tmp_path / 'm.jsonl'}:2: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_bytes_that_are_not_text_and_endless_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"audio": "a.wav"}\n{"audio": "\xff.wav"}\n')
    with pytest.raises(ManifestError, match=r"m\.jsonl:2: not UTF-8"):
        read_manifest(path)
    path.write_bytes(b'{"audio": "' + b"a" * (1 << 20) + b'"}')
    with pytest.raises(ManifestError, match="longer than 1 MB"):
        read_manifest(path)
    path.write_bytes(b'\xef\xbb\xbf{"audio": "a.wav"}\r\n')
    assert read_manifest(path)[0].audio == tmp_path / "a.wav"
    path.write_bytes(b'{"audio": "a.wav", "text": "smile \\ud83d\\ude00"}')
    assert read_manifest(path)[0].text == "smile \U0001f600"


def test_an_empty_or_missing_manifest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="is empty"):
        read_manifest(manifest(tmp_path, "", "  "))
    with pytest.raises(InputNotFound, match="no such manifest"):
        read_manifest(tmp_path / "nothing.jsonl")
    with pytest.raises(InputError, match="cannot be read"):
        read_manifest(tmp_path)


ANYTHING = (
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8) | st.lists(st.none(), max_size=1)
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(["audio", "start", "duration", "text", "offset"]), ANYTHING, max_size=4))
def test_any_object_gives_a_sane_line_or_a_manifest_error(tmp_path_factory: pytest.TempPathFactory, keys: dict) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        (line,) = read_manifest(manifest(folder, keys))
    except ManifestError:
        return
    assert 0 <= line.start <= 1e7
    assert line.duration is None or 0 < line.duration <= 1e7
    assert folder in line.audio.parents


def test_lines_of_one_recording_are_gathered_and_read_in_one_go() -> None:
    lines = read_manifest(SAMPLES / "manifest.jsonl")
    groups = by_recording(lines)
    assert sum(len(group) for _, group in groups) == len(lines) > len(groups)
    path, group = next(entry for entry in groups if entry[0].name == "palestine.flac")
    assert len(group) == 4
    seconds = [
        sum(map(len, blocks)) / 16000 for blocks in audio.excerpts(path, [(g.start, g.duration) for g in group], 16000)
    ]
    assert seconds == pytest.approx([line.duration for line in group], abs=1e-3)


def test_every_sample_has_its_text_and_its_line() -> None:
    texts: dict[str, list[str]] = {}
    for line in read_manifest(SAMPLES / "manifest.jsonl"):
        texts.setdefault(line.audio.stem, []).append(line.text or "")
    recordings = {p.stem for p in SAMPLES.iterdir() if p.suffix in (".flac", ".wav", ".opus")}
    assert set(texts) == recordings == {p.stem for p in SAMPLES.glob("*.txt")}
    for name, parts in texts.items():
        assert (SAMPLES / f"{name}.txt").read_text() == " ".join(parts) + "\n"


def test_a_manifest_is_known_by_its_name() -> None:
    assert is_manifest("a/b.JSONL")
    assert not is_manifest("a.json")
