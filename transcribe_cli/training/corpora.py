"""Speech corpora in the layouts people have → utterances.

LibriSpeech and LibriTTS folders, Common Voice's TSV, TED-LIUM's STM, LJSpeech's metadata.csv, folders of audio files
with a text file each, and our JSONL manifests (NeMo's names too). `read` looks at what lies there and chooses.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import soundfile

from ..errors import InputNotFound, ManifestError
from . import manifest
from .manifest import Utterance

AUDIO = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".sph", ".WAV", ".FLAC", ".MP3")


def read(path: Path) -> list[Utterance]:
    """All utterances of a corpus. Raises InputNotFound, or ManifestError when its layout is none of those known."""
    if not path.exists():
        raise InputNotFound(f"{path}: no such corpus")
    if path.is_file():
        readers = {".jsonl": manifest.read, ".json": manifest.read, ".tsv": common_voice, ".stm": stm, ".csv": ljspeech}
        if path.suffix not in readers:
            raise ManifestError(f"{path}: no known list of utterances; give a .jsonl, .tsv, .stm or metadata.csv file")
        return readers[path.suffix](path)
    if (path / "metadata.csv").exists():
        return ljspeech(path / "metadata.csv")
    for found in (librispeech(path), libritts(path), beside(path), [u for p in stms(path) for u in stm(p)]):
        if found:
            return found
    raise ManifestError(
        f"{path}: no transcripts found; known are *.trans.txt, *.normalized.txt, *.stm and a .txt a WAV"
    )


def seconds(utterance: Utterance) -> float:
    """An utterance's duration, from its recording where nothing else says it. Raises ManifestError."""
    if utterance.duration_seconds is not None:
        return utterance.duration_seconds
    try:
        return float(soundfile.info(str(utterance.audio)).duration) - utterance.start_seconds
    except (OSError, RuntimeError) as error:
        raise ManifestError(f"{utterance.audio}: cannot be read ({error})") from error


def librispeech(folder: Path) -> list[Utterance]:
    """…/SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt with lines "ID TEXT", audio beside it."""
    found = []
    for path in sorted(folder.rglob("*.trans.txt")):
        for line in _lines(path):
            name, *text = line.split(maxsplit=1)
            found.append(
                Utterance(_audio(path.parent / name), "".join(text).strip(), speaker=name.split("-")[0], id=name)
            )
    return found


def libritts(folder: Path) -> list[Utterance]:
    """…/ID.normalized.txt beside ID.wav."""
    found = []
    for path in sorted(folder.rglob("*.normalized.txt")):
        name = path.name.removesuffix(".normalized.txt")
        text = " ".join(_lines(path))
        found.append(Utterance(_audio(path.parent / name), text, speaker=name.split("_")[0], id=name))
    return found


def beside(folder: Path) -> list[Utterance]:
    """NAME.txt beside NAME.wav (or .flac, .ogg, …): the least that a folder of recordings can have."""
    found = []
    for path in sorted(folder.rglob("*.txt")):
        audio = next((path.with_suffix(end) for end in AUDIO if path.with_suffix(end).exists()), None)
        if audio is not None:
            found.append(Utterance(audio, " ".join(_lines(path)), speaker=path.parent.name, id=path.stem))
    return found


def common_voice(path: Path) -> list[Utterance]:
    """train.tsv and the like, with columns path and sentence; audio in clips/ beside it."""
    found = []
    rows = csv.DictReader(_lines(path), delimiter="\t", quoting=csv.QUOTE_NONE)
    if not {"path", "sentence"} <= set(rows.fieldnames or ()):
        raise ManifestError(f"{path}: a Common Voice list needs the columns path and sentence")
    for i, row in enumerate(rows, 2):
        if not row["path"] or row["sentence"] is None:
            raise ManifestError(f"{path}:{i}: the line has no path or no sentence")
        audio = path.parent / "clips" / row["path"]
        speaker = (row.get("client_id") or "")[:16]
        found.append(Utterance(audio, row["sentence"], speaker=speaker, id=Path(row["path"]).stem))
    return found


def stms(folder: Path) -> list[Path]:
    """STM files below a folder."""
    return sorted(folder.rglob("*.stm"))


def stm(path: Path) -> list[Utterance]:
    """Lines "FILE CHANNEL SPEAKER START END <LABELS> TEXT"; audio beside it or in ../sph, as TED-LIUM has it."""
    found = []
    for i, line in enumerate(_lines(path)):
        if line.startswith(";;") or "ignore_time_segment_in_scoring" in line:
            continue
        parts = line.split(maxsplit=6)
        try:
            start, end = float(parts[3]), float(parts[4])
        except (IndexError, ValueError) as error:
            raise ManifestError(f"{path}:{i + 1}: not an STM line") from error
        text = parts[6] if len(parts) > 6 and parts[5].startswith("<") else " ".join(parts[5:])
        name, text = parts[0], _unmarked(text)
        audio = next(
            (a for a in (_audio(path.parent / name), _audio(path.parent.parent / "sph" / name)) if a.exists()),
            path.parent / f"{name}.sph",
        )
        found.append(Utterance(audio, text, start, end - start, parts[2], "", f"{name}-{start:g}"))
    return found


def ljspeech(path: Path) -> list[Utterance]:
    """metadata.csv with lines "ID|TEXT|NORMALISED TEXT"; audio in wavs/ beside it."""
    lines = []
    for i, line in enumerate(_lines(path)):
        name, *texts = (part.strip() for part in line.split("|"))
        if not texts:
            raise ManifestError(f"{path}:{i + 1}: an LJSpeech line is ID|TEXT or ID|TEXT|NORMALISED TEXT")
        lines.append((name, texts[0], texts[1] if len(texts) > 1 else ""))
    # a third column that shares no word with the second is no text but a speaker or a style
    normalised = any(set(text.lower().split()) & set(other.lower().split()) for _, text, other in lines)
    found = []
    for name, text, other in lines:
        stem = name.removesuffix(Path(name).suffix) if Path(name).suffix.lower() in AUDIO else name
        folder = path.parent / "wavs" if (path.parent / "wavs").is_dir() else path.parent
        speaker = "" if normalised else other
        found.append(Utterance(_audio(folder / stem), (other if normalised else "") or text, speaker=speaker, id=stem))
    return found


def _unmarked(text: str) -> str:
    """An STM text without what TED-LIUM writes beside words: clitics set apart ("it 's"), readings, breaths."""
    text = re.sub(r"\(\d+\)|\{[^{}]*\}|<sil>", " ", text)
    return " ".join(re.sub(r"(?<=\w) '(?=(?:s|m|re|ve|ll|d|t)\b)", "'", text).split())


def _lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8 text") from error
    yield from (line for line in text.split("\n") if line.strip())  # str.splitlines knows signs that are no line ends


def _audio(stem: Path) -> Path:
    """The audio file of that name with whatever ending it has; .wav where there is none, to be reported as missing."""
    return next((p for end in AUDIO if (p := Path(f"{stem}{end}")).exists()), Path(f"{stem}.wav"))
