"""A whole language model from a recipe: many sources → one pruned, mixed, binary model with its card.

In goes a TOML recipe (`configs/lm.toml` shows every key) and the folder with its texts; out come `lm.bin` and
`lm.json`. Every source is normalised once and cleaned of lines that overlap the transcripts it will be tested on; each
component gets a model of its own; their weights are those that suit the tuning texts; the mixture is pruned by entropy,
with the contexts' true frequencies, until its file fits.
"""

import json
import os
import time
import tomllib
import types
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ..errors import InputNotFound, LanguageModelError, ManifestError, OptionError, OutputError
from ..outputs import atomically, write_atomically
from . import binary, counts, prune, smoothing
from .files import characters
from .interpolate import expectation_maximisation, mix
from .ngrams import BOS, EOS, UNK, NGramModel, encode, score
from .packed import read_lines
from .text import normalise

BLOCK_LINES = 50  # lines that are held out together, so that neighbours do not give each other away
OVERLAP_WORDS = 8

Say = Callable[[str], None]
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Source:
    """One text file with what its licence asks to be told; or the transcripts of a manifest, of one source of it."""

    file: str
    licence: str
    origin: str
    source: str = ""  # of a manifest's lines

    @property
    def is_manifest(self) -> bool:
        return self.file.endswith(".jsonl")

    @property
    def name(self) -> str:
        return f"{self.file.removesuffix('.jsonl')}-{self.source}" if self.source else self.file


@dataclass(frozen=True, slots=True)
class Component:
    """Sources that share one model, with the weight that suits the tuning texts, or a fixed one.

    A word is known whose occurrences, each counted as one part in its component's `min_count`, make one together.
    """

    name: str
    sources: tuple[Source, ...]
    weight: float | None = None
    min_count: int | None = None  # where the recipe's would let in the misprints of a much larger text


@dataclass(frozen=True, slots=True)
class TuneSet:
    """A text that the weights are tuned on: transcripts of a manifest, or held-out lines of sources."""

    name: str
    weight: float
    manifest: str = ""
    source: str = ""
    held_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """The recipe's keys; see `configs/lm.toml`."""

    name: str
    components: tuple[Component, ...]
    tune: tuple[TuneSet, ...]
    unit: str = "word"
    order: int = 3
    prune: tuple[int, ...] = (0, 0, 1)
    min_count: int = 3
    max_words: int | None = None  # of those seen often enough, the most frequent
    max_bytes: int = 30_000_000
    bits: int = 8
    exclude: tuple[str, ...] = ()
    held_out: int = 100

    def __post_init__(self) -> None:
        if self.unit not in ("word", "char"):
            raise OptionError(f"unit cannot be {self.unit!r}: take word or char")
        if not 1 <= self.order <= 6:
            raise OptionError(f"order cannot be {self.order}: take 1 to 6")
        if self.max_words is not None and self.max_words < 1:
            raise OptionError(f"max_words cannot be {self.max_words}: take 1 or more")
        if self.bits and not 2 <= self.bits <= 25:
            raise OptionError(f"bits cannot be {self.bits}: take 2 to 25, or 0 to keep all")
        if self.held_out < 3:  # two of so many blocks are held out
            raise OptionError(f"held_out cannot be {self.held_out}: take 3 or more")
        if min(self.prune, default=0) < 0 or list(self.prune) != sorted(self.prune):
            raise OptionError(f"prune cannot be {list(self.prune)}: thresholds must be 0 or more and must not fall")
        sources = {source.name for component in self.components for source in component.sources}
        for part in self.tune:
            if not part.weight > 0:
                raise OptionError(f"the weight of {part.name} cannot be {part.weight}: it must be above 0")
            if not (part.manifest or part.held_out):
                raise OptionError(f"{part.name} has nothing to tune on: give manifest or held_out")
            if unknown := set(part.held_out) - sources:
                raise OptionError(f"{part.name} holds out {', '.join(sorted(unknown))}: no component has that source")
        fixed = [component.weight for component in self.components if component.weight is not None]
        if not all(0 < weight < 1 for weight in fixed) or sum(fixed) >= 1 or len(fixed) == len(self.components):
            raise OptionError("fixed weights of components must lie between 0 and 1 and leave something to the others")

    def least(self, component: Component) -> int:
        """How often a word must be seen, at least once, that no other component has."""
        return max(1, self.min_count if component.min_count is None else component.min_count)

    def units(self, lines: Iterable[str]) -> Iterable[str]:
        """Sentences as the model counts them."""
        return map(characters, lines) if self.unit == "char" else lines


def load(path: Path) -> Recipe:
    """Reads a recipe. Raises OptionError, naming the key, where it makes no sense."""
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputNotFound(f"{path}: no such file") from error
    except (OSError, ValueError, RecursionError) as error:
        raise OptionError(f"{path}: not TOML ({error})") from error
    try:
        components = tuple(_component(path, part) for part in _tables(path, data, "component"))
        tune = tuple(_made(path, TuneSet, part) for part in _tables(path, data, "tune"))
        plain = {key: value for key, value in data.items() if key not in ("component", "tune")}
        return _made(path, Recipe, plain | {"components": components, "tune": tune})
    except KeyError as error:
        raise OptionError(f"{path}: the recipe lacks {error}") from error
    except TypeError as error:
        # a dataclass names the key in quotes at the end of its message
        kind = "unknown key" if "unexpected" in str(error) else "the recipe lacks"
        raise OptionError(f"{path}: {kind} {str(error).rpartition('argument')[2].lstrip('s: ')}") from error


def _component(path: Path, table: dict[str, Any]) -> Component:
    sources = [_made(path, Source, source) for source in _tables(path, table, "sources")]
    return _made(path, Component, table | {"sources": sources})


def _tables(path: Path, table: dict[str, Any], key: str) -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = table[key]
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise OptionError(f"{path}: {key} must be a list of tables")
    return tables


def _made(path: Path, kind: type[Made], table: dict[str, Any]) -> Made:
    hints = get_type_hints(kind)
    for key, value in table.items():
        if key in hints and not _fits(value, hints[key]):
            raise OptionError(f"{path}: {key} cannot be {value!r}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if get_origin(hint) is tuple:
        return isinstance(value, (list, tuple)) and all(_fits(one, get_args(hint)[0]) for one in value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, hint) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Texts:
    """A source's normalised lines: to learn from, to tune weights on, to report perplexities on."""

    train: list[str]
    tune: list[str]
    report: list[str]


def build(recipe: Recipe, data: Path, output: Path, say: Say = lambda _: None) -> dict[str, Any]:
    """Builds the model into `output` and returns its card. `say` is told what happens, a line at a time."""
    started = time.perf_counter()
    work = output / "work"
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror})") from error
    texts, dropped = prepare(recipe, data, work, say)
    mixture, frequencies, weights, vocabulary = mixture_of(recipe, data, texts, say)
    price = prune.costs(mixture, frequencies)
    model, n_bytes = fit(mixture, price, work / "lm.bin", recipe.max_bytes, recipe.bits, say)
    card = describe(recipe, texts, dropped, weights, vocabulary, model, n_bytes)
    card["seconds"] = round(time.perf_counter() - started)
    os.replace(work / "lm.bin", output / "lm.bin")  # what was built before stays until both are there
    write_atomically(output / "lm.json", json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    return card


def describe(
    recipe: Recipe,
    texts: dict[str, Texts],
    dropped: int,
    weights: NDArray[np.float64],
    vocabulary: int,
    model: NGramModel,
    n_bytes: int,
) -> dict[str, Any]:
    """The model's card: what it is made of, under which licences, how, and how well it predicts held-out text."""
    kinds = "characters" if recipe.unit == "char" else "words"
    least = " or ".join(map(str, sorted(set(map(recipe.least, recipe.components)))))
    return {
        "name": recipe.name,
        "unit": recipe.unit,
        "order": model.order,
        "ngrams": list(model.sizes),
        "bytes": n_bytes,
        "estimation": "interpolated modified Kneser-Ney, one model a component, mixed linearly",
        "pruning": f"count thresholds {list(recipe.prune)} a component, then by relative entropy to the file's size",
        "quantisation_bits": recipe.bits,
        "vocabulary": f"{vocabulary} {kinds} seen {least} times or more",
        "weights": {c.name: round(float(w), 4) for c, w in zip(recipe.components, weights, strict=True)},
        "corpora": [
            {"component": component.name, "words": _count_words(texts[source.name].train), **_fields(source)}
            for component in recipe.components
            for source in component.sources
        ],
        "overlap": {"compared_with": list(recipe.exclude), "words_in_a_row": OVERLAP_WORDS, "lines_dropped": dropped},
        "held_out": report(model, texts, recipe),
    }


def _fields(source: Source) -> dict[str, str]:
    return {"file": source.name, "licence": source.licence, "origin": source.origin}


def _count_words(lines: Iterable[str]) -> int:
    return sum(line.count(" ") + 1 for line in lines)


def prepare(recipe: Recipe, data: Path, work: Path, say: Say) -> tuple[dict[str, Texts], int]:
    """Normalises every source (once), drops lines that overlap the excluded transcripts, and holds lines out."""
    tested = {line for name in recipe.exclude for line in transcripts(data / name, "")}
    forbidden = overlap_hashes(tested)
    texts, dropped = {}, 0
    for source in (source for component in recipe.components for source in component.sources):
        if source.is_manifest:
            everything = list(transcripts(data / source.file, source.source))
            lines = untested(everything, tested)
            n_overlapping = len(everything) - len(lines)
            dropped += n_overlapping
            texts[source.name] = Texts(lines, [], [])  # spoken by few, so no line of them would be held out in truth
            say(f"{source.name}: {len(lines)} lines, {n_overlapping} dropped for overlap")
            continue
        lines = _normalised(find_text(data, source.file), work / f"{source.file}.txt")
        overlapping = overlaps(lines, forbidden)
        dropped += len(overlapping)
        lines = [line for i, line in enumerate(lines) if i not in overlapping]
        texts[source.file] = split(lines, recipe.held_out)
        say(f"{source.file}: {len(lines)} lines, {len(overlapping)} dropped for overlap")
    return texts, dropped


def _normalised(source: Path, kept: Path) -> list[str]:
    """A text's normalised lines; `kept` spares the next run the work as long as it bears its source's time."""
    changed = source.stat().st_mtime_ns
    if not kept.exists() or kept.stat().st_mtime_ns != changed:
        with atomically(kept) as file:
            for line in read_lines(source):
                words = normalise(line.decode("utf-8", "replace").strip())
                if words:
                    file.write(f"{words}\n".encode())
        os.utime(kept, ns=(changed, changed))
    return kept.read_text(encoding="utf-8").split("\n")[:-1]


def untested(sentences: Sequence[str], tested: Iterable[str]) -> list[str]:
    """The sentences that are not tested ones: for texts so alike that eight words in a row do not tell.

    A sentence is left out where a tested one is part of it, it is part of a tested one, or both share eight words in a
    row; of sentences of up to two words only equal ones are, else every line that says "four" would go.
    """
    tested = {" ".join(line.split()) for line in tested}
    overlapping = overlaps(sentences, overlap_hashes(tested))
    longer = [f" {line} " for line in tested if line.count(" ") > 1]
    kept = []
    for i, sentence in enumerate(" ".join(sentence.split()) for sentence in sentences):
        inside = sentence.count(" ") > 1 and any(f" {sentence} " in line for line in longer)
        around = any(line in f" {sentence} " for line in longer)
        if i not in overlapping and sentence not in tested and not inside and not around:
            kept.append(sentence)
    return kept


def find_text(data: Path, name: str) -> Path:
    """A source's file, plain or compressed. Raises InputNotFound."""
    for path in sorted((data / "text").glob(f"{name}.txt*")):
        return path
    raise InputNotFound(f"{data / 'text' / name}.txt: no such file, plain or compressed")


def transcripts(manifest: Path, source: str) -> Iterator[str]:
    """The texts of a manifest's lines (of one source). Raises ManifestError, naming the line, where it has none."""
    for number, line in enumerate(read_lines(manifest), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            if not source or entry.get("source") == source:
                yield str(entry["text"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"{manifest}: line {number} is no JSON object with a text") from error


def split(lines: Sequence[str], period: int) -> Texts:
    """Holds out two blocks of lines in each `period` blocks, one to tune on and one to report on."""
    parts: tuple[list[str], list[str], list[str]] = ([], [], [])
    for block, start in enumerate(range(0, len(lines), BLOCK_LINES)):
        part = {period // 4: 1, 3 * period // 4: 2}.get(block % period, 0)
        parts[part].extend(lines[start : start + BLOCK_LINES])
    return Texts(*parts)


def overlap_hashes(lines: Iterable[str]) -> NDArray[np.uint64]:
    """Hashes of all stretches of `OVERLAP_WORDS` words of each line, sorted."""
    parts = [_stretches(line.split()) for line in lines]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)


def overlaps(lines: Sequence[str], forbidden: NDArray[np.uint64], block: int = 100_000) -> set[int]:
    """Indices of lines that take part in a stretch of words, across line ends too, that is among the forbidden."""
    found: set[int] = set()
    for start in range(0, len(lines), block):
        # a stretch may cross into the next block: it is looked at from this one
        part = [line.split() for line in lines[start : start + block + OVERLAP_WORDS]]
        line_of = np.repeat(np.arange(start, start + len(part)), [len(words) for words in part])
        hashes = _stretches([word for words in part for word in words])
        for at in np.flatnonzero(np.isin(hashes, forbidden)):
            found.update(line_of[at : at + OVERLAP_WORDS].tolist())
    return found


def _stretches(words: Sequence[str]) -> NDArray[np.uint64]:
    """A 64-bit hash of each `OVERLAP_WORDS` words in a row; equal stretches have equal hashes within one process."""
    hashes = np.fromiter((hash(word) for word in words), dtype=np.int64, count=len(words)).view(np.uint64)
    n = len(words) - OVERLAP_WORDS + 1
    if n < 1:
        return np.empty(0, dtype=np.uint64)
    total = np.zeros(n, dtype=np.uint64)
    for i in range(OVERLAP_WORDS):
        total = total * np.uint64(0x9E3779B97F4A7C15) + hashes[i : i + n]
    return total


def mixture_of(
    recipe: Recipe, data: Path, texts: dict[str, Texts], say: Say
) -> tuple[NGramModel, list[NDArray[np.float64]], NDArray[np.float64], int]:
    """The unpruned mixture, its contexts' frequencies in the weighted text, the weights, the number of words."""
    total: defaultdict[str, Fraction] = defaultdict(Fraction)
    for component in recipe.components:
        occurrences: Counter[str] = Counter()
        for source in component.sources:
            for line in recipe.units(texts[source.name].train):
                occurrences.update(line.split())
        for word, n in occurrences.items():
            total[word] += Fraction(n, recipe.least(component))
    often = sorted((word for word, n in total.items() if n >= 1), key=lambda word: (-total[word], word))
    vocabulary = frozenset(often[: recipe.max_words])
    say(f"vocabulary: {len(vocabulary)} of {len(total)} words")
    models, shares = [], []
    for component in recipe.components:
        lines = (line for source in component.sources for line in texts[source.name].train)
        counted = counts.count(recipe.units(lines), recipe.order)
        wanted = np.array([word in vocabulary for word in counted.words])
        estimate = smoothing.estimate(counted, recipe.prune, wanted)
        models.append(estimate.model)
        shares.append(estimate.shares)
        say(f"{component.name}: {counted.n_tokens} words, n-grams {models[-1].sizes}")
        del counted, estimate
    weights = np.array([component.weight or 0.0 for component in recipe.components])
    free = weights == 0
    weights[free] = (1 - weights.sum()) * tune_weights(
        recipe, data, texts, [model for model, is_free in zip(models, free, strict=True) if is_free]
    )
    say("weights: " + ", ".join(f"{c.name} {w:.3f}" for c, w in zip(recipe.components, weights, strict=True)))
    mixture = mix(models, weights)
    say(f"mixture: n-grams {mixture.sizes}")
    return mixture, prune.mixed_shares(mixture, models, shares, weights), weights, len(vocabulary)


def tune_weights(
    recipe: Recipe, data: Path, texts: dict[str, Texts], models: Sequence[NGramModel]
) -> NDArray[np.float64]:
    """Weights of the components under which all tuning texts together, weighted, are most probable."""
    joined = len(set().union(*(model.words for model in models)))
    columns, importance = [], []
    for part in recipe.tune:
        lines = list(transcripts(data / part.manifest, part.source)) if part.manifest else []
        lines += [line for name in part.held_out for line in texts[name].tune]
        lines = list(recipe.units(lines))
        scores, known = [], np.zeros(0, dtype=bool)
        for model in models:
            tokens = encode(lines, model.words)
            known = (known if len(known) else np.zeros(len(tokens), dtype=bool)) | (tokens > UNK) & (tokens != BOS)
            scores.append(score(model, tokens) - np.where(tokens == UNK, np.log10(joined - len(model.words) + 1), 0))
        if not (known & (tokens != EOS)).any():
            raise LanguageModelError(f"the text of {part.name} has no word that the models know")
        columns.append(np.stack(scores)[:, known])
        importance.append(np.full(known.sum(), part.weight / known.sum()))
    return expectation_maximisation(np.concatenate(columns, axis=1), np.concatenate(importance))


def fit(
    model: NGramModel, price: prune.Costs, path: Path, max_bytes: int, bits: int, say: Say
) -> tuple[NGramModel, int]:
    """Prunes a model by entropy until its binary file is at most so long, and writes it there.

    price: what `prune.costs` says of the model's n-grams.
    """
    # a word costs its hash, its record and its letters; then come the quantiser's tables
    fixed = 36 * model.sizes[0] + (4 << bits if bits else 0) * (2 * model.order - 3)
    bytes_a_gram = 4.6
    fitting: tuple[int, NGramModel] | None = None
    for _ in range(8):
        wanted = model.sizes[0] + max(0, int(0.99 * (max_bytes - fixed) / bytes_a_gram))
        small = prune.prune_to(model, wanted, price)
        binary.write(small, path, bits)
        n_bytes = path.stat().st_size
        say(f"{path.name}: n-grams {small.sizes}, {n_bytes} bytes")
        if n_bytes <= max_bytes:
            if n_bytes > 0.95 * max_bytes or small.sizes == model.sizes:
                return small, n_bytes
            if fitting is None or n_bytes > fitting[0]:
                fitting = n_bytes, small
        bytes_a_gram = max(0.5, (n_bytes - fixed) / max(1, sum(small.sizes[1:])))
    if fitting is None:
        path.unlink()
        raise OptionError(f"{max_bytes} bytes are too few for {model.sizes[0]} words: raise max_bytes, lower max_words")
    binary.write(fitting[1], path, bits)
    return fitting[1], fitting[0]


def report(model: NGramModel, texts: dict[str, Texts], recipe: Recipe) -> dict[str, dict[str, float]]:
    """Perplexity (unknown words left out) and share of unknown words on every source's held-out lines.

    "Words" are characters where the model is of those.
    """
    return {name: measure(model, list(recipe.units(text.report))) for name, text in texts.items() if text.report}


def measure(model: NGramModel, sentences: Sequence[str]) -> dict[str, float]:
    """Perplexity over known words and sentence ends, words, and the percentage of unknown words."""
    tokens = encode(sentences, model.words)
    words = tokens != BOS
    known = words & (tokens != UNK)
    log10 = score(model, tokens)[known].mean()
    n_words = int(words.sum()) - len(sentences)
    unknown = int((tokens == UNK).sum())
    return {
        "perplexity": round(float(10**-log10), 1),
        "words": n_words,
        "unknown_percent": round(100 * unknown / n_words, 2),
    }
