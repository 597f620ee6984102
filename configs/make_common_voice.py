"""Manifests of real speech by many volunteers: clips of Common Voice (CC0) and spoken orders in public repositories.

    git clone each of SOURCES to CLONES/OWNER/NAME; then, with OUT = build/common_voice:
    python configs/make_common_voice.py list --clones CLONES --out OUT
    have a recogniser hear OUT/unlabelled.jsonl and write OUT/heard.jsonl: the same lines with its text as `hyp` and
    its mean log-probability a token as `hyp_logp` (Moonshine tiny was the one)
    python configs/make_common_voice.py keep --out OUT

`list` writes read.jsonl (clips whose sentences came with them), dev.jsonl (one release's, its speakers nowhere else)
and unlabelled.jsonl (clips without sentences, or with such as do not say how they are read). `keep` writes
taught.jsonl: what the teacher was sure of hearing.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import soundfile

from transcribe_cli.lm.text import normalise

VALID = "asr/data/cv-valid-dev"
SOURCES = {  # repository: its clips; the list of their sentences; what is done with them
    "korliu/whisper": ("dataset/clips/*.mp3", "dataset/validated.tsv", "read"),
    "leeyide96/transcription-generator": (f"{VALID}/cv-valid-dev/*.mp3", f"{VALID}.csv", "read"),
    "shubhra-cv/17": ("*/en/validated_clips/*.mp3", "*/en/validated.tsv", "read"),
    "shubhra-cv/18": ("*/en/validated_clips/*.mp3", "*/en/validated.tsv", "read"),
    "shubhra-cv/19": ("*/en/validated_clips/*.mp3", "*/en/validated.tsv", "dev"),
    "fsta-fo/voice-age-prediction": ("mp3_files/*.mp3", "", "unlabelled"),
    "Picovoice/speech-to-intent-benchmark": ("data/speech/clean/*.wav", "", "unlabelled"),
}
# the mean log-probability a token above which the teacher has 7 % of dev.jsonl's words wrong, in place of 13 % of all
SURE = -0.25
Row = dict[str, Any]


def sentences(path: Path) -> dict[str, tuple[str, str]]:
    """Clip → (speaker, sentence) of a list in Common Voice's columns, as TSV or CSV."""
    with open(path, encoding="utf-8", newline="") as file:
        tabs = path.suffix == ".tsv"
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if tabs else csv.DictReader(file)
        return {
            Path(row.get("path") or row["filename"]).name: (
                (row.get("client_id") or "")[:16],
                row.get("sentence") or row.get("text") or "",
            )
            for row in rows
        }


def clips(folder: Path, pattern: str, list_pattern: str, kind: str) -> Iterator[tuple[str, Row]]:
    """(which list it goes to, its row) of every clip that can be read."""
    known: dict[str, tuple[str, str]] = {}
    for path in sorted(folder.glob(list_pattern)) if list_pattern else ():
        known |= sentences(path)
    for path in sorted(folder.glob(pattern)):
        try:
            seconds = soundfile.info(path).duration
        except (OSError, RuntimeError) as error:
            print(f"{path}: left out: {error}", file=sys.stderr)
            continue
        speaker, sentence = known.get(path.name, ("", ""))
        text = normalise(sentence) or ""
        row = {"audio": str(path.resolve()), "duration": round(seconds, 3), "text": text, "speaker": speaker}
        source = "picovoice" if folder.parent.name == "Picovoice" else "common-voice"
        yield kind if text else "unlabelled", row | {"source": source, "id": f"{folder.name}-{path.stem}"}


def make_lists(clones: Path, out: Path) -> None:
    found: dict[str, list[Row]] = {"read": [], "dev": [], "unlabelled": []}
    for name, source in SOURCES.items():
        before = sum(map(len, found.values()))
        for kind, row in clips(clones / name, *source):
            found[kind].append(row)
        print(f"{name}: {sum(map(len, found.values())) - before} clips", file=sys.stderr)
    tested = {row["speaker"] for row in found["dev"]} - {""}
    for kind, rows in found.items():
        write(out / f"{kind}.jsonl", [row for row in rows if kind == "dev" or row["speaker"] not in tested])


def keep(out: Path, sure: float) -> None:
    heard = [json.loads(line) for line in (out / "heard.jsonl").read_text(encoding="utf-8").splitlines()]
    kept = []
    for row in heard:
        text = normalise(row["hyp"]) or ""
        # a speaker says 4 to 25 letters a second; a teacher that repeats itself or hears nothing writes others
        if row["hyp_logp"] >= sure and len(text.split()) >= 2 and 4 <= len(text) / row["duration"] <= 25:
            kept.append({key: value for key, value in row.items() if key not in ("hyp", "hyp_logp")} | {"text": text})
    write(out / "taught.jsonl", kept)


def write(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    hours = sum(row["duration"] for row in rows) / 3600
    print(f"{path}: {len(rows)} clips, {hours:.2f} h", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("list", "keep"))
    parser.add_argument("--clones", type=Path, help="folder of the repositories, as OWNER/NAME")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sure", type=float, default=SURE, help="least mean log-probability a token of the teacher")
    arguments = parser.parse_args()
    if arguments.step == "keep":
        keep(arguments.out, arguments.sure)
    elif arguments.clones is None or not arguments.clones.is_dir():
        parser.error("list needs --clones, a folder with the repositories in it")
    else:
        make_lists(arguments.clones, arguments.out)


if __name__ == "__main__":
    main()
