"""The decoding weights that suit a language model: every combination tried on the same log-probabilities.

In go labelled recordings and a grid, out come word errors for each point of the grid. The network runs once; its rows
are saved (and read again next time), and worker processes decode them. α = 0 is a value like any other.
"""

import hashlib
import itertools
import json
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import decoding
from ..alphabet import Alphabet
from ..audio.manifest import ManifestLine
from ..bundle.card import LanguageModelEntry
from ..bundle.store import Bundle, sha256
from ..decoding.options import TUNED, DecodingOptions
from ..errors import InputError, MissingExtra, OptionError, OutputError, TranscribeError
from ..lm.model import LanguageModel
from ..options import check, option
from ..outputs import atomically, write_atomically
from ..pipeline import Recogniser, tuned
from .edits import Counts, count, total
from .measure import line_id, rows, sounds
from .normalise import normaliser

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """The grid: each option is a list of numbers."""

    lm_weights: str = option("0,0.2,0.4,0.6,0.8,1.0,1.2", "language-model weights α to try", metavar="N,N,…")
    word_bonuses: str = option("0,1,2,3", "word bonuses β to try", metavar="N,N,…")
    temperatures: str = option("1,2", "values of --temperature to try", metavar="N,N,…")
    beam_widths: str = option("100", "beam widths to try", metavar="N,N,…")
    token_min_logps: str = option("-5", "values of --token-min-logp to try", metavar="N,N,…")
    beam_prune_logps: str = option("-10", "values of --beam-prune-logp to try", metavar="N,N,…")
    unknown_penalties: str = option("10", "penalties of unknown words to try", metavar="N,N,…")
    rescorer_weights: str = option(
        "0.6", "weights of n-grams and neural model together to try, where the model has one", metavar="N,N,…"
    )

    def __post_init__(self) -> None:
        check(self)
        grid(self)


@dataclass(frozen=True, slots=True)
class Weights:
    """One point of the grid."""

    lm_weight: float
    word_bonus: float
    temperature: float
    beam_width: int
    token_min_logp: float
    beam_prune_logp: float
    unknown_penalty: float
    rescorer_weight: float


@dataclass(frozen=True, slots=True)
class Point:
    """What a point of the grid gives: word errors by source, seconds of one core's decoding, seconds of audio."""

    weights: Weights
    counts: dict[str, Counts]
    seconds: float
    audio_seconds: float

    @property
    def words(self) -> Counts:
        """Word errors of all sources together."""
        return total(self.counts.values())


@dataclass(frozen=True, slots=True)
class Rows:
    """Log-probabilities of utterances, with their texts: what is saved between runs."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    sources: tuple[str, ...]
    log_probs: tuple[Array, ...]
    frame_seconds: float
    origin: str = ""  # what network and which lines they are of


def grid(options: TuneOptions) -> list[Weights]:
    """Every combination. Raises OptionError where a list holds something else than numbers, or nothing."""
    lists = []
    for field in fields(options):
        name, text = field.name, getattr(options, field.name)
        try:
            values = [float(value) for value in text.replace(",", " ").split()]
        except ValueError:
            values = []
        if not values or not all(np.isfinite(values)):
            raise OptionError(f"--{name.replace('_', '-')} cannot be {text!r}: give numbers, such as 0,0.5,1")
        lists.append(values)
    points = [
        Weights(alpha, beta, temperature, int(beam), *others)
        for alpha, beta, temperature, beam, *others in itertools.product(*lists)
    ]
    for point in points:
        _decoding(point)  # refuses what the decoder would refuse
    return points


def standard(entry: LanguageModelEntry) -> Weights:
    """A card's point, with the decoder's own defaults beside it."""
    own = tuned(DecodingOptions(), entry)
    return Weights(*own.weights, own.softening, own.width, *own.limits, own.unknown_penalty, own.judged_weight)


def _decoding(point: Weights) -> DecodingOptions:
    return DecodingOptions(**asdict(point))


def origin(bundle: Bundle, lines: Sequence[ManifestLine]) -> str:
    """What rows depend on, as a short text: the network's file, and the lines."""
    digest = hashlib.sha256(sha256(bundle.graph_path).encode())
    for line in lines:
        digest.update(json.dumps([str(line.audio), line.start, line.duration, line.text]).encode())
    return digest.hexdigest()[:16]


def compute_rows(
    lines: Sequence[ManifestLine], recogniser: Recogniser, failed: Callable[[str, str], None] = lambda id, why: None
) -> Rows:
    """The network's rows for every line with a text. failed: told of lines that cannot be read.

    Raises InputError where none can.
    """
    ids, texts, sources, found = [], [], [], []
    for line, sound in sounds([line for line in lines if line.text], recogniser):
        if isinstance(sound, TranscribeError):
            failed(line_id(line), str(sound))
            continue
        ids.append(line_id(line))
        texts.append(line.text or "")
        sources.append(str(line.keys.get("source", "all")))
        found.append(rows(sound, recogniser).astype(np.float16))  # half precision moves no word (see the tests)
    if not found:
        raise InputError("no line of the manifest has both sound and text, so there is nothing to tune on")
    seconds = recogniser.bundle.card.output.frame_seconds
    return Rows(tuple(ids), tuple(texts), tuple(sources), tuple(found), seconds, origin(recogniser.bundle, lines))


def save(rows: Rows, path: Path) -> None:
    """Writes rows to an .npz file. Raises OutputError."""
    meta = {
        "ids": rows.ids,
        "texts": rows.texts,
        "sources": rows.sources,
        "frame_seconds": rows.frame_seconds,
        "origin": rows.origin,
    }
    lengths = [len(one) for one in rows.log_probs]
    with atomically(path) as file:
        np.savez(file, meta=np.array(json.dumps(meta)), lengths=lengths, log_probs=np.concatenate(rows.log_probs))


def load(path: Path) -> Rows:
    """Reads what `save` wrote. Raises InputError where it is something else."""
    try:
        with np.load(path, allow_pickle=False) as data:
            meta = json.loads(str(data["meta"]))
            pieces = np.split(data["log_probs"], np.cumsum(data["lengths"])[:-1])
        return Rows(
            tuple(meta["ids"]),
            tuple(meta["texts"]),
            tuple(meta["sources"]),
            tuple(pieces),
            float(meta["frame_seconds"]),
            str(meta.get("origin", "")),
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: not saved log-probabilities ({error}); delete it to compute them anew") from error


@dataclass(frozen=True, slots=True)
class _Work:
    rows: Rows
    alphabet: Alphabet
    language_model: LanguageModel | None
    normaliser_name: str
    sounding: decoding.Sounding | None


_work: _Work | None = None  # one a worker process, set by its initialiser


def _start(
    rows_path: Path, alphabet: Alphabet, lm_path: Path | None, normaliser_name: str,
    sounding: decoding.Sounding | None, rescorer: Path | None,
) -> None:  # fmt: skip
    global _work
    language_model = None if lm_path is None else LanguageModel.load(lm_path, rescorer)
    _work = _Work(load(rows_path), alphabet, language_model, normaliser_name, sounding)


def _try(weights: Weights) -> Point:
    assert _work is not None
    return _measure(_work, weights)


def _measure(work: _Work, weights: Weights) -> Point:
    decoder = decoding.build(work.alphabet, work.language_model, _decoding(weights), work.sounding)
    same = normaliser(work.normaliser_name)
    counts: dict[str, list[Counts]] = {}
    started = time.process_time()
    said = [decoder.decode(one.astype(np.float32))[0].text for one in work.rows.log_probs]
    seconds = time.process_time() - started
    for source, text, hypothesis in zip(work.rows.sources, work.rows.texts, said, strict=True):
        counts.setdefault(source, []).append(count(same(text).split(), same(hypothesis).split()))
    audio_seconds = sum(map(len, work.rows.log_probs)) * work.rows.frame_seconds
    return Point(weights, {source: total(each) for source, each in counts.items()}, seconds, audio_seconds)


def sweep(
    rows_path: Path,
    alphabet: Alphabet,
    lm_path: Path | None,
    points: Sequence[Weights],
    jobs: int = 1,
    normaliser_name: str = "basic",
    done: Callable[[Point], None] = lambda point: None,
    sounding: decoding.Sounding | None = None,
    rescorer: Path | None = None,
) -> list[Point]:
    """Word errors at every point of the grid, in the grid's order; done is told of each as it is ready.

    lm_path: None to search without a language model.
    sounding: the sounds behind the letters in the rows, where the network hears them.
    rescorer: of a neural language model that has a say beside the n-grams.

    Raises InputError for saved rows that cannot be read, LanguageModelError for a model that cannot be used.
    """
    rows = load(rows_path)
    language_model = None if lm_path is None else LanguageModel.load(lm_path, rescorer)
    if language_model is not None:
        language_model.check_fits(alphabet)
    columns = len(alphabet) + (0 if sounding is None else len(sounding.alphabet))
    if any(one.ndim != 2 or one.shape[1] != columns for one in rows.log_probs):
        raise InputError(f"{rows_path}: saved by a model with another alphabet; delete it to compute them anew")
    found = []
    if jobs <= 1:
        work = _Work(rows, alphabet, language_model, normaliser_name, sounding)
        for weights in points:
            found.append(_measure(work, weights))
            done(found[-1])
        return found
    # spawn: a forked child would inherit the network's threads in an unknown state
    spawn = multiprocessing.get_context("spawn")
    settings = (rows_path, alphabet, lm_path, normaliser_name, sounding, rescorer)
    with ProcessPoolExecutor(jobs, spawn, initializer=_start, initargs=settings) as pool:
        for point in pool.map(_try, points):
            found.append(point)
            done(point)
    return found


def best(points: Sequence[Point]) -> Point:
    """The point with the fewest word errors; of equals the narrowest beam, then the smallest weights."""

    def rank(point: Point) -> tuple[float, ...]:
        w = point.weights
        return (point.words.errors, w.beam_width, w.temperature, w.lm_weight, abs(w.word_bonus))

    return min(points, key=rank)


def write_card(folder: Path, weights: Weights) -> None:
    """Writes a point's weights into the card of a model's folder; nothing else of it changes.

    Raises OptionError where the folder's card names no language model, OutputError where it cannot be written.
    """
    path = folder / "card.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"{path}: no card to write into ({error})") from error
    if not card.get("language_model"):
        raise OptionError(f"{path}: names no language model, so it has no weights to set")
    entry = card["language_model"]
    entry |= {name: getattr(weights, name) for name in TUNED if name != "rescorer_weight" or entry.get("rescorer")}
    write_atomically(path, json.dumps(card, ensure_ascii=False, indent=1) + "\n")


def plot(points: Sequence[Point], path: Path) -> None:
    """Draws word error rate over α and β as a heat map, for the best beam and pruning. Raises MissingExtra."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("drawing the heat map", "matplotlib", "plot") from error
    top = best(points).weights
    same = [p for p in points if replace(p.weights, lm_weight=top.lm_weight, word_bonus=top.word_bonus) == top]
    alphas = sorted({p.weights.lm_weight for p in same})
    betas = sorted({p.weights.word_bonus for p in same})
    rates = np.full((len(betas), len(alphas)), np.nan)
    for point in same:
        place = betas.index(point.weights.word_bonus), alphas.index(point.weights.lm_weight)
        rates[place] = 100 * point.words.rate
    figure = Figure(figsize=(1.2 + 0.8 * len(alphas), 1.4 + 0.6 * len(betas)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(rates, origin="lower", aspect="auto", cmap="viridis_r")
    axes.set_xticks(range(len(alphas)), [f"{value:g}" for value in alphas])
    axes.set_yticks(range(len(betas)), [f"{value:g}" for value in betas])
    axes.set_xlabel("language-model weight α")
    axes.set_ylabel("word bonus β")
    middle = np.nanmean([np.nanmin(rates), np.nanmax(rates)])
    for (row, column), rate in np.ndenumerate(rates):
        axes.text(column, row, f"{rate:.1f}", ha="center", va="center", color="white" if rate < middle else "black")
    figure.colorbar(image, label="word errors, %")
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot be written ({error})") from error
