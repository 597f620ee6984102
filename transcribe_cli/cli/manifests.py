"""Manifests as input: one transcript a line, in the manifest's order, with that line's own keys kept."""

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import batch
from ..audio import excerpts, stream
from ..audio.manifest import ManifestLine, read_manifest
from ..errors import OptionError, TranscribeError
from ..outputs import check_target
from ..pipeline import Options, Recogniser
from ..transcript import Transcript
from ..writers.json import manifest_line
from .batch_options import BatchOptions
from .output_options import OutputOptions
from .progress import Progress
from .report import save

LONGEST_HELD_SECONDS = 60.0  # of a line's sound in memory, where a few lines for each thread lie ready


@dataclass(frozen=True, slots=True)
class Item:
    """A manifest line with its sound, or with the error that reading it gave; None: it is read as it is transcribed."""

    line: ManifestLine
    sound: NDArray[np.float32] | TranscribeError | None


def transcribe_manifests(
    paths: Sequence[Path], options: Options, output: OutputOptions, batch_options: BatchOptions
) -> int:
    """Transcribes every line of the manifests; returns the exit code."""
    formats = output.formats
    if len(formats) != 1 or formats[0] not in ("txt", "jsonl"):
        raise OptionError("a manifest's results are lines: use --format jsonl or txt")
    if output.output_dir is not None:
        raise OptionError("a manifest's results are lines of one file: use -o FILE in place of --output-dir")
    if options.audio.start or options.audio.duration is not None:
        raise OptionError("a manifest's lines say their own start and duration: leave out --start and --duration")
    if output.include or output.exclude:
        raise OptionError("a manifest lists what is wanted: leave out --include and --exclude")
    if options.audio.channel == "split":
        raise OptionError("a manifest's lines have one transcript each: choose one channel in place of `split`")
    if batch_options.engine != "local" or batch_options.retry_failed:
        raise OptionError("a manifest is done by this machine and has no journal: split it with --shard")
    if output.output is not None:
        check_target(output.output, output.overwrite or output.skip_existing, paths)
    if output.is_there:
        return 0
    lines = [line for path in paths for line in read_manifest(path) if _mine(line, path, batch_options)]
    failed, written, saved = 0, [], True
    total = sum(line.duration or 0.0 for line in lines)
    with (
        Recogniser(options, output.jobs) as recogniser,
        Progress(len(lines), total or None, not output.quiet) as progress,
    ):
        for outcome in transcripts(lines, recogniser, progress):
            line, transcript = outcome.item.line, outcome.transcript
            if transcript is None:
                failed += 1
                print(f"transcribe: line {line.number}: {' '.join(str(outcome.error).split())}", file=sys.stderr)
            text = _jsonl(line, transcript, outcome.error) if formats[0] == "jsonl" else _txt(transcript)
            if output.output is None:
                sys.stdout.write(text)
                sys.stdout.flush()
            else:
                written.append(text)
        if output.output is not None:
            saved = save(output.output, "".join(written))
    if failed:
        print(f"transcribe: {failed} of {len(lines)} lines failed", file=sys.stderr)
    return 1 if failed or not saved else 0


def _mine(line: ManifestLine, manifest: Path, batch_options: BatchOptions) -> bool:
    """Whether this machine's share holds the line, judged by the recording's name in the manifest and the span."""
    name = f"{line.audio.relative_to(manifest.parent).as_posix()} {line.start!r} {line.duration!r}"
    return batch_options.share is None or batch_options.share.holds(name)


def transcripts(
    lines: Sequence[ManifestLine], recogniser: Recogniser, progress: Progress | None = None
) -> Iterator[batch.Outcome[Item]]:
    """Outcomes of all lines, in order; times in a transcript count from the line's own start."""

    def work(item: Item) -> Transcript:
        if isinstance(item.sound, TranscribeError):
            raise item.sound
        heard = progress.heard if progress else None
        try:
            if item.sound is None:
                span = replace(recogniser.options.audio, start=item.line.start, duration=item.line.duration)
                rate = recogniser.bundle.card.sample_rate
                return recogniser.transcribe_blocks(stream(item.line.audio, rate, span), heard)
            return recogniser.transcribe(item.sound, heard)
        finally:
            if progress:
                progress.finished()

    yield from batch.run(_items(lines, recogniser), work, recogniser.network.threads)


def _is_held(line: ManifestLine) -> bool:
    return line.duration is not None and line.duration <= LONGEST_HELD_SECONDS


def _items(lines: Sequence[ManifestLine], recogniser: Recogniser) -> Iterator[Item]:
    """Lines with their sound, where it is short; neighbours that share a recording share one opening of it."""
    rate, options = recogniser.bundle.card.sample_rate, recogniser.options.audio
    for (path, held), group in itertools.groupby(lines, key=lambda line: (line.audio, _is_held(line))):
        together = list(group)
        if not held:
            yield from (Item(line, None) for line in together)
            continue
        spans = [(line.start, line.duration) for line in together]
        done = 0
        try:
            for line, blocks in zip(together, excerpts(path, spans, rate, options), strict=True):
                try:
                    yield Item(line, np.concatenate(list(blocks)))
                except TranscribeError as error:  # this span only
                    yield Item(line, error)
                done += 1
        except TranscribeError as error:
            for line in together[done:]:
                yield Item(line, error)


def _jsonl(line: ManifestLine, transcript: Transcript | None, error: TranscribeError | None) -> str:
    if transcript is not None:
        return manifest_line(transcript, line.keys)
    return json.dumps(line.keys | {"error": str(error)}, ensure_ascii=False) + "\n"


def _txt(transcript: Transcript | None) -> str:
    return ("" if transcript is None else transcript.text) + "\n"
