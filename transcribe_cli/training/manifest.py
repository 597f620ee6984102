"""Training utterances as values, and our JSON-lines manifest that lists them.

A line: {"audio": path, "start": seconds, "duration": seconds, "text": …} and optionally "speaker", "source", "id";
NeMo's "audio_filepath" and "offset" are accepted. Paths are relative to the manifest's folder.
"""

import glob
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputNotFound, ManifestError
from ..outputs import write_atomically


@dataclass(frozen=True, slots=True)
class Utterance:
    """One stretch of transcribed speech. `duration_seconds` None means to the end of the file."""

    audio: Path
    text: str
    start_seconds: float = 0.0
    duration_seconds: float | None = None
    speaker: str = ""
    source: str = ""
    id: str = ""

    @property
    def name(self) -> str:
        """What messages call it: the file and where in it."""
        return self.id or f"{self.audio}@{self.start_seconds:g}"


def read(path: Path) -> list[Utterance]:
    """All utterances of a JSONL manifest. Raises InputNotFound, or ManifestError naming the line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputNotFound(f"{path}: the manifest cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: the manifest is not UTF-8 text") from error
    return [parse(line, path, i + 1) for i, line in enumerate(text.split("\n")) if line.strip()]


def parse(line: str, path: Path, number: int) -> Utterance:
    """One manifest line → Utterance. Raises ManifestError naming manifest, line and key."""
    where = f"{path}:{number}"
    try:
        data = json.loads(line)
        audio = data.get("audio", data.get("audio_filepath"))
        duration = data.get("duration")
        utterance = Utterance(
            path.parent / audio,
            "" if data["text"] is None else str(data["text"]),
            float(data.get("start", data.get("offset", 0.0))),
            None if duration is None else float(duration),
            *("" if data.get(key) is None else str(data[key]) for key in ("speaker", "source", "id")),
        )
    except KeyError as error:
        raise ManifestError(f"{where}: the line lacks {error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ManifestError(f"{where}: not a manifest line, which needs audio and text ({error})") from error
    if utterance.start_seconds < 0 or (utterance.duration_seconds is not None and utterance.duration_seconds <= 0):
        raise ManifestError(f"{where}: start must be at least 0 and duration above 0")
    return utterance


def write(utterances: Iterable[Utterance], path: Path) -> None:
    """Writes a manifest, paths made relative to it where they lie below its folder."""
    folder = path.parent.resolve()
    lines = []
    for one in utterances:
        audio = one.audio.resolve()
        name = audio.relative_to(folder) if audio.is_relative_to(folder) else audio
        row: dict[str, object] = {"audio": str(name), "start": one.start_seconds}
        if one.duration_seconds is not None:
            row["duration"] = one.duration_seconds
        row["text"] = one.text
        row.update({k: v for k, v in (("speaker", one.speaker), ("source", one.source), ("id", one.id)) if v})
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    write_atomically(path, "".join(lines))


def find(pattern: str) -> list[Path]:
    """Manifests that a path or glob pattern names, sorted. Raises InputNotFound when there is none."""
    paths = [Path(p) for p in sorted(glob.glob(pattern))]
    if not paths:
        raise InputNotFound(f"{pattern}: no such manifest")
    return paths


def chunks(utterances: list[Utterance], size: int) -> Iterator[list[Utterance]]:
    """The utterances in order, `size` at a time."""
    for at in range(0, len(utterances), size):
        yield utterances[at : at + size]
