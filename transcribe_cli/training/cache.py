"""Features or frozen encoder output on disk, so that a run pays for them once: float16 shards and an index.

A shard is `NAME.npy`, (all frames, dimension) float16, and `NAME.jsonl`, one line an utterance with its place. Both
are written under another name and renamed, the index last, so a shard that has an index is whole: a fill that was
killed goes on where it stopped, any number of workers share the folder, and a reader may look while it grows. A shard
counts as long as its utterances are the manifest's; where ids or texts have changed since, it is made again.
`cache.json` holds the options that made it; other options are refused. Augmentation enters a cache only as a named
variant.
"""

import dataclasses
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
import torch

from ..errors import OptionError, OutputError, TrainingError, TranscribeError
from ..features import FeatureRecipe, finish, frames
from ..outputs import atomically, write_atomically
from . import encoder as encoders
from . import manifest, wordless
from .augment import augment, noisy
from .manifest import Utterance
from .network import facts, pretrained
from .options import DataSet, RunOptions, kind_of

RATE = 16000
BATCH_SECONDS = 40.0  # speech encoded at once: enough to keep a core busy, little enough to stay in its caches


@dataclass(frozen=True, slots=True)
class Entry:
    """One cached utterance: its text and where its frames lie."""

    shard: Path
    offset: int
    frames: int
    text: str
    seconds: float
    speaker: str
    source: str
    id: str
    variant: str

    @property
    def key(self) -> str:
        """What tells it from all others, in a few bytes."""
        where = self.shard.stem if self.shard.suffix == ".npy" else self.shard  # a shard's name is its own
        return f"{where}:{self.offset}"


def holds_hidden(options: RunOptions) -> bool:
    """Whether a cache for this network holds what frozen blocks put out; else it holds features."""
    shape = options.network
    trained = shape.encoder_rate and not shape.frozen_blocks
    return shape.encoder in encoders.FACTS and not trained and not shape.mixture


def merged_in_cache(options: RunOptions) -> bool:
    """Whether the frames of the cache are merged ones already, or are so by the blocks above it."""
    shape = options.network
    return shape.merge > 1 and (shape.merge_before < shape.frozen_blocks or not shape.frozen_blocks)


def held(options: RunOptions) -> str:
    """What the cached frames are, in words."""
    shape = options.network
    if not holds_hidden(options):
        return "none: log-mel"
    name = shape.encoder
    if merged_in_cache(options):
        name += f", {shape.merge} frames merged" + (f" before block {shape.merge_before}" if shape.merge_before else "")
    if shape.frozen_blocks:
        return f"{name}, after block {shape.frozen_blocks}"  # blocks above change nothing below
    return f"{name}, {shape.encoder_layers} layers" if shape.encoder_layers else name


def fingerprint(options: RunOptions) -> dict[str, Any]:
    """What a cached frame depends on, beside the recordings."""
    augmentation = json.loads(json.dumps(dataclasses.asdict(options.augment)))

    def active(key: str) -> bool:
        """Kinds that are off leave no trace."""
        kind = key.split("_")[0]
        return bool(augmentation[key]) and bool(augmentation.get(kind, True))

    noise = {"noise_db": options.data.noise_db} if options.data.noise_db else {}
    return {
        "format": 1,
        "encoder": held(options),
        "max_seconds": options.data.max_seconds,
        "shard": options.data.shard,
        "seed": options.data.seed,
        "augment": {key: value for key, value in augmentation.items() if active(key)},
        **noise,
    }


def check_fingerprint(folder: Path, options: RunOptions) -> None:
    """Writes the cache's options, or compares them. Raises TrainingError naming what differs."""
    path, wanted = folder / "cache.json", fingerprint(options)
    if not path.exists():
        write_atomically(path, json.dumps(wanted, indent=1))
        return
    found = json.loads(path.read_text())
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    if differing:
        raise TrainingError(
            f"{folder} was made with another {differing[0]} ({found.get(differing[0])!r}): "
            "name another data.cache, or delete it"
        )


def recipe_of(options: RunOptions) -> FeatureRecipe:
    """The features that a run's encoder reads. Raises OptionError where noise is to be turned down in plain samples."""
    name, noise_db = options.network.encoder, options.data.noise_db
    if name == "conv" or encoders.FACTS[name].input == "mel":
        return FeatureRecipe(noise_db=noise_db)
    if noise_db:
        raise OptionError(f"data.noise_db is for encoders that read mel features; {name} reads samples: leave it out")
    return FeatureRecipe.from_dict({"kind": "waveform"})


class Reader:
    """Utterances → (n,) float32 samples at 16 kHz mono; keeps the last file, since its utterances come together."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._samples: npt.NDArray[np.float32] = np.zeros(0, np.float32)

    def __call__(self, utterance: Utterance) -> npt.NDArray[np.float32]:
        """Raises TrainingError naming the utterance when its audio is missing, damaged or too short."""
        if utterance.audio != self._path:
            try:
                samples, rate = soundfile.read(utterance.audio, dtype="float32", always_2d=True)
            except (OSError, RuntimeError) as error:
                raise TrainingError(f"{utterance.audio}: cannot be read ({error})") from error
            mono = samples.mean(axis=1)
            self._samples = mono if rate == RATE else np.asarray(soxr.resample(mono, rate, RATE), np.float32)
            self._path = utterance.audio
        return cut(self._samples, utterance)


def cut(samples: npt.NDArray[np.float32], utterance: Utterance) -> npt.NDArray[np.float32]:
    """An utterance's samples out of its file's. Raises TrainingError when they end too early or are no numbers."""
    start = round(utterance.start_seconds * RATE)
    length = utterance.duration_seconds
    part = samples[start : None if length is None else start + round(length * RATE)]
    # Opus files end some samples early; more than a tenth of a second missing is a wrong manifest
    if len(part) < 400 or (length is not None and len(part) < (length - 0.1) * RATE):
        raise TrainingError(f"{utterance.name}: its audio ends before its {length} s do")
    if not np.isfinite(part).all():
        raise TrainingError(f"{utterance.name}: its audio holds samples that are not numbers")
    return part


def shard_names(sets: tuple[DataSet, ...], size: int) -> Iterator[tuple[str, str, list[Utterance]]]:
    """All (shard name, variant, utterances) of some sets, as the manifests stand now."""
    for one in sets:
        for path in manifest.find(one.manifest):
            utterances = manifest.read(path)
            for variant in one.variants:
                for i, chunk in enumerate(manifest.chunks(utterances, size)):
                    yield f"{_tag(path)}-{i:04d}-{variant}", variant, chunk


def refuse_twins(sets: tuple[DataSet, ...]) -> None:
    """Raises TrainingError where two manifests would give their shards the same names."""
    tags: dict[str, Path] = {}
    for path in sorted({path.resolve() for one in sets for path in manifest.find(one.manifest)}):
        other = tags.setdefault(_tag(path), path)
        if other != path:
            raise TrainingError(f"{other} and {path} would share their names in the cache: rename a file or its folder")


def _tag(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def index(path: Path, variant: str, utterances: list[Utterance]) -> list[dict[str, Any]] | None:
    """A shard's lines; None where there are none, or they are not of these utterances as the manifest has them now."""
    if not path.exists():
        return None
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    # without the folder in an utterance's name: the recordings may have been moved
    wanted = iter((Path(utterance.name).name, told(utterance, variant)) for utterance in utterances)
    # some may have been left out; `in` goes on where the last one was found
    return rows if all((Path(row["id"]).name, row["text"]) in wanted for row in rows) else None


def fill(options: RunOptions, folder: Path, worker: tuple[int, int] = (0, 1)) -> Iterator[str]:
    """Caches every shard that is missing, worker i of n taking every n-th; yields a line of progress a shard.

    Raises TrainingError on options that do not fit the folder, OutputError when the disk is full.
    """
    check_fingerprint(folder, options)
    refuse_twins(options.data.dev + options.data.train)
    shape = options.network
    recipe, network = recipe_of(options), None
    if holds_hidden(options):
        network = pretrained(shape, shape.frozen_blocks)
    elif recipe.kind == "waveform":
        raise TrainingError(
            f"{shape.encoder} reads samples, and only log-mel features or what frozen blocks put out can be cached: "
            "set network.frozen_blocks, or leave data.cache empty"
        )
    me, of = worker
    work = sorted(shard_names(options.data.dev + options.data.train, options.data.shard), key=lambda w: _order(w[0]))
    for i, (name, variant, utterances) in enumerate(work):
        if i % of != me or index(folder / f"{name}.jsonl", variant, utterances) is not None:
            continue
        n, seconds, dropped = _fill_shard(folder, name, variant, utterances, options, network, recipe)
        yield f"{name}: {n} utterances, {seconds / 60:.1f} min" + (f"; left out {dropped[0]}" if dropped else "")


def _order(name: str) -> int:
    """Spreads the sets evenly over time, so that a run may start early on a bit of everything; dev sets come first."""
    return -1 if name.startswith("data-dev") or "-dev-" in name else zlib.crc32(name.encode())


def _fill_shard(
    folder: Path,
    name: str,
    variant: str,
    utterances: list[Utterance],
    options: RunOptions,
    network: encoders.Encoder | None,
    recipe: FeatureRecipe,
) -> tuple[int, float, list[str]]:
    reader, dropped = Reader(), []
    sounds: list[tuple[Utterance, npt.NDArray[np.float32]]] = []
    for utterance in utterances:
        try:
            sounds.append((utterance, reader(utterance)))
        except TranscribeError as error:
            dropped.append(str(error))
    voices = [samples for _, samples in sounds]
    prepared = []
    for utterance, samples in sounds:
        changed, done = vary(samples, utterance, variant, options, voices)
        if len(changed) / RATE > options.data.max_seconds:
            dropped.append(f"{utterance.name}: {len(changed) / RATE:.1f} s are too long")
            continue
        raw = changed[None] if recipe.kind == "waveform" else finish(frames(changed, recipe), recipe)
        prepared.append((utterance, np.ascontiguousarray(raw, np.float32), len(changed) / RATE, done))
    inputs = [x for _, x, _, _ in prepared]
    if network is None:
        arrays, size = [x.astype(np.float16) for x in inputs], recipe.dimension
    else:
        arrays = encode(inputs, network, recipe, bool(options.network.frozen_blocks))
        size = facts(options.network).dimension
    rows, at = [], 0
    for (utterance, _, seconds, done), h in zip(prepared, arrays, strict=True):
        text = told(utterance, variant)
        row: dict[str, Any] = {"offset": at, "frames": len(h), "text": text, "seconds": round(seconds, 4)}
        row |= {"speaker": utterance.speaker, "source": utterance.source, "id": utterance.name}
        rows.append(row | {"variant": variant, "augmented": {k: round(v, 3) for k, v in done.items()}})
        at += len(h)
    array = np.concatenate(arrays) if arrays else np.zeros((0, size), np.float16)
    try:
        with atomically(folder / f"{name}.npy") as file:
            np.save(file, array)
        write_atomically(folder / f"{name}.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    except OutputError as error:
        raise OutputError(f"{error}; free some space and start again") from error
    return len(rows), sum(row["seconds"] for row in rows), dropped


def told(utterance: Utterance, variant: str) -> str:
    """What is to be written of a variant: the utterance's text, or nothing where the variant holds no speech."""
    return "" if kind_of(variant) == "wordless" else utterance.text


def vary(
    samples: npt.NDArray[np.float32],
    utterance: Utterance,
    variant: str,
    options: RunOptions,
    voices: Sequence[npt.NDArray[np.float32]],
    salt: int = 0,
) -> tuple[npt.NDArray[np.float32], dict[str, float]]:
    """The named variant of an utterance; it depends on seed, salt, variant, and the utterance's file and place."""
    key = f"{variant}/{utterance.audio.name}/{utterance.start_seconds}".encode()
    rng = np.random.default_rng([options.data.seed, zlib.crc32(key)] + ([salt] if salt else []))
    kind = kind_of(variant)
    if kind == "wordless":
        return wordless.sound(len(samples), RATE, options.augment, rng)
    if kind == "clean" or (kind == "either" and rng.random() < 0.5):
        return samples, {}
    plan = noisy(options.augment) if kind == "noisy" else options.augment
    return augment(samples, RATE, plan, rng, voices)


@torch.inference_mode()
def encode(
    inputs: list[npt.NDArray[np.float32]], network: encoders.Encoder, recipe: FeatureRecipe, inner: bool = False
) -> list[npt.NDArray[np.float16]]:
    """Model inputs ((frames, bands) each, or (1, samples)) → (frames, dimension) float16 each, batched by length.

    inner: the last block's output as another block reads it, not normalised.
    """
    waveform = recipe.kind == "waveform"
    sizes = [x.shape[1] if waveform else len(x) for x in inputs]
    limit = int(BATCH_SECONDS * (RATE if waveform else 100))
    order = sorted(range(len(inputs)), key=lambda i: sizes[i])
    out: list[npt.NDArray[np.float16]] = [np.zeros((0, 0), np.float16)] * len(inputs)
    at = 0
    while at < len(order):
        stop = at + 1
        while stop < len(order) and sizes[order[stop]] * (stop - at + 1) <= limit:
            stop += 1
        batch = order[at:stop]
        longest = sizes[batch[-1]]
        padded = np.zeros((len(batch), longest) if waveform else (len(batch), 80, longest), np.float32)
        for row, i in enumerate(batch):
            padded[row, ..., : sizes[i]] = inputs[i][0] if waveform else inputs[i].T
        outputs, lengths = network.layers(torch.from_numpy(padded), torch.tensor([sizes[i] for i in batch]))
        hidden = outputs[-1] if inner else network.norm(outputs[-1])
        for row, i in enumerate(batch):
            out[i] = hidden[row, : int(lengths[row])].numpy().astype(np.float16)
        at = stop
    return out


def cached(folder: Path, sets: tuple[DataSet, ...], size: int) -> list[str]:
    """Names of the sets' shards that are whole by now."""
    return [
        name
        for name, variant, chunk in shard_names(sets, size)
        if index(folder / f"{name}.jsonl", variant, chunk) is not None
    ]


def read(
    folder: Path, sets: tuple[DataSet, ...], size: int, only: set[str] | None = None
) -> tuple[list[list[Entry]], int]:
    """Entries of every set that are cached by now (and in `only`), a list a set, and how many shards are left out."""
    found: list[list[Entry]] = []
    missing = 0
    for one in sets:
        entries: list[Entry] = []
        for name, variant, chunk in shard_names((one,), size):
            rows = None if only is not None and name not in only else index(folder / f"{name}.jsonl", variant, chunk)
            if rows is None:
                missing += 1
                continue
            for row in rows:
                entries.append(
                    Entry(
                        folder / f"{name}.npy", row["offset"], row["frames"], row["text"], row["seconds"],
                        row["speaker"], row["source"], row["id"], row["variant"],
                    )
                )  # fmt: skip
        found.append(entries)
    return found, missing


class Frames:
    """Entry → its (frames, dimension) float16, by memory maps that stay open."""

    def __init__(self) -> None:
        self._maps: dict[Path, npt.NDArray[np.float16]] = {}

    def __call__(self, entry: Entry) -> npt.NDArray[np.float16]:
        if entry.shard not in self._maps:
            try:
                self._maps[entry.shard] = np.load(entry.shard, mmap_mode="r")
            except (OSError, ValueError) as error:
                raise TrainingError(
                    f"{entry.shard} is damaged ({error}): delete it and its .jsonl, then prepare again"
                ) from error
        return self._maps[entry.shard][entry.offset : entry.offset + entry.frames]
