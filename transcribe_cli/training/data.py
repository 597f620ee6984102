"""Where the loop's inputs come from: a cache of features or of a frozen encoder's output, or the audio itself.

Both list what there is as entries, name what is ready (a cache may be growing), and give an entry's array on demand.
"""

import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt
import torch

from ..errors import ManifestError, TrainingError
from ..features import FeatureRecipe, finish, frames
from . import cache, corpora, manifest
from .cache import RATE, Entry
from .encoder import Encoder
from .manifest import Utterance
from .network import ConvEncoder, facts
from .options import DataSet, RunOptions

Array = npt.NDArray[np.float32]


class Cached:
    """Features or frozen encoder output from disk.

    features: whether the arrays are features; stored: arrays' frames for each that the recurrent layers read.
    """

    def __init__(self, options: RunOptions) -> None:
        self.features = not cache.holds_hidden(options)
        seconds = facts(options.network).frame_seconds
        self.stored = 1 if cache.merged_in_cache(options) else options.network.merge
        if self.features:
            self.stored = round(seconds / 0.01)
        self.frames_per_second = self.stored / seconds
        self._folder, self._size, self._frames = Path(options.data.cache), options.data.shard, cache.Frames()

    def names(self, sets: tuple[DataSet, ...]) -> list[str]:
        """Shards that are ready."""
        return cache.cached(self._folder, sets, self._size)

    def entries(self, sets: tuple[DataSet, ...], only: set[str]) -> tuple[list[list[Entry]], int]:
        """A list a set, from the shards in `only`, and how many others are not there yet."""
        return cache.read(self._folder, sets, self._size, only)

    def __call__(self, entry: Entry, step: int) -> Array:
        """(frames, bands) features, or (frames, dimension) of the encoder."""
        return self._frames(entry).astype(np.float32)


class _Voices(Sequence[Array]):
    """Other speakers for babble: utterances that are read when one of them is asked for."""

    def __init__(self, utterances: Sequence[Utterance], read: Callable[[Utterance], Array]) -> None:
        self._utterances, self._read = utterances, read

    def __len__(self) -> int:
        return len(self._utterances)

    @overload
    def __getitem__(self, at: int) -> Array: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Array]: ...
    def __getitem__(self, at: int | slice) -> Array | Sequence[Array]:
        if isinstance(at, slice):
            return _Voices(self._utterances[at], self._read)
        try:
            return self._read(self._utterances[at])
        except TrainingError:  # one voice less
            return np.zeros(0, np.float32)


class Live:
    """Features made from the audio each time, with fresh augmentation each time.

    What cannot be used is gathered in `dropped` and left out. Decoded files are kept up to `memory` bytes, as 16-bit
    samples.
    """

    frames_per_second, features, stored = 100.0, True, 1

    def __init__(
        self, options: RunOptions, encoder: Encoder | ConvEncoder, recipe: FeatureRecipe, memory: int = 1 << 30
    ):
        self._options, self._recipe, self._encoder = options, recipe, encoder
        self._files: OrderedDict[Path, npt.NDArray[np.int16]] = OrderedDict()
        self._memory, self._held = memory, 0
        self._utterances: dict[Entry, Utterance] = {}
        self._spoken: list[Utterance] = []  # of the training sets
        self.dropped: dict[str, str] = {}  # utterances that cannot be used, and why

    def names(self, sets: tuple[DataSet, ...]) -> list[str]:
        """Manifests; all of them are ready."""
        return [str(path) for one in sets for path in manifest.find(one.manifest)]

    def entries(self, sets: tuple[DataSet, ...], only: set[str]) -> tuple[list[list[Entry]], int]:
        """A list a set of its utterances in each of its variants."""
        lists = []
        self._spoken = [] if sets == self._options.data.train else self._spoken
        for one in sets:
            entries = []
            for path in manifest.find(one.manifest):
                if str(path) in only:
                    for utterance in manifest.read(path):
                        usable = self._entries(utterance, one.variants)
                        entries += usable
                        if usable and sets == self._options.data.train:
                            self._spoken.append(utterance)
            lists.append(entries)
        return lists, 0

    def _entries(self, utterance: Utterance, variants: tuple[str, ...]) -> list[Entry]:
        try:
            if not utterance.audio.is_file():
                raise ManifestError(f"{utterance.audio}: no such file")
            seconds = corpora.seconds(utterance)
        except ManifestError as error:
            self.dropped[utterance.name] = str(error)
            return []
        if seconds > self._options.data.max_seconds or seconds < 0.05:
            self.dropped[utterance.name] = f"{utterance.name}: {seconds:.2f} s are too long or too short"
            return []
        size = round(seconds * (RATE if self._recipe.kind == "waveform" else 100))
        n_frames = int(self._encoder.out_lengths(torch.tensor([size]))[0])
        offset = round(utterance.start_seconds * RATE)
        out = []
        for variant in variants:
            text = cache.told(utterance, variant)
            entry = Entry(
                Path(f"{utterance.audio}@{variant}"), offset, n_frames, text, seconds, utterance.speaker,
                utterance.source, utterance.name, variant,
            )  # fmt: skip
            self._utterances[entry] = utterance
            out.append(entry)
        return out

    def __call__(self, entry: Entry, step: int) -> Array:
        """(frames, bands) features, or (n,) samples; `step` and the entry decide the augmentation.

        Raises TrainingError when the audio cannot be read.
        """
        utterance = self._utterances[entry]
        samples = self._read(utterance)
        if entry.variant != "clean":
            varied = f"{entry.variant}/{step}"
            samples = cache.vary(
                samples, utterance, entry.variant, self._options, _Voices(self._spoken, self._read),
                salt=zlib.crc32(varied.encode()),
            )[0]  # fmt: skip
        if self._recipe.kind == "waveform":
            return samples
        return np.ascontiguousarray(finish(frames(samples, self._recipe), self._recipe), np.float32)

    def _read(self, utterance: Utterance) -> Array:
        whole = Utterance(utterance.audio, "")
        if utterance.audio not in self._files:
            samples = cache.Reader()(whole)
            kept = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
            self._files[utterance.audio] = kept
            self._held += kept.nbytes
            while self._held > self._memory and len(self._files) > 1:
                self._held -= self._files.popitem(last=False)[1].nbytes
        self._files.move_to_end(utterance.audio)
        return cache.cut(self._files[utterance.audio].astype(np.float32) / np.float32(32767), utterance)


Source = Cached | Live
