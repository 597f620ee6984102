"""A model run over a labelled set: what it recognised, with and without language model, and facts beside each text.

What comes in are manifest lines with texts, what goes out Systems ready for a report. The network's rows are computed
once an utterance; every system reads the same ones.
"""

import base64
import io
import resource
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from .. import audio, decoding, emission, features
from ..alignment.words import align_words
from ..alphabet import Alphabet
from ..audio.degrade import Degradation, degrade, opus_level
from ..audio.denoise import denoise
from ..audio.inputs import find_inputs
from ..audio.manifest import ManifestLine, by_recording, is_manifest, read_manifest
from ..ctc.forward_backward import loss
from ..decoding.hypothesis import softened
from ..emission.pauses import Emissions
from ..errors import CTCError, InputError, ManifestError, TranscribeError
from ..lm.model import LanguageModel
from ..pipeline import Recogniser
from ..reader import Reader, ReaderSettings
from ..transcript import Word
from .entries import grouping_keys, spoken_at
from .normalise import basic
from .report import Facts, System
from .score import Pair, score

Array = NDArray[np.float32]

SPEED_SECONDS = 60.0  # of audio that the speed is measured on, one utterance at a time and nothing beside it
MOST_LATTICE = 5_000_000  # rows × characters that a loss is computed for: 80 MB; a minute of speech needs half of it
ROW_TOLERANCE = 0.01  # rows of a quantised network sum to one this closely


# (rows, text, loss of the letters in nats) → what a system ranks the text by, where that can be told
Worth = Callable[[Array, str, float], float | None]


@dataclass(frozen=True, slots=True)
class Measurement:
    """The systems, the first being what was asked for; speed as the report shows it; lines that could not be read."""

    systems: tuple[System, ...]
    speed: dict[str, Any]
    failures: tuple[tuple[str, str], ...]  # (id, why)


@dataclass(slots=True)
class _Gathered:
    """What one system said so far."""

    name: str
    reader: Reader
    worth: Worth
    pairs: list[Pair] = field(default_factory=list)
    facts: dict[str, Facts] = field(default_factory=dict)


def labelled(path: Path) -> list[ManifestLine]:
    """Lines with texts: those of a manifest, or the recordings of a folder that have a .txt of the same name beside.

    Raises InputError where there is none.
    """
    if is_manifest(path):
        lines = [line for line in read_manifest(path) if line.text is not None]
    elif path.is_dir():
        lines = []
        named: set[str] = set()
        for one in find_inputs([str(path)]):
            text = one.path.with_suffix(".txt")
            if text.is_file():
                # named as --hyp names a folder's texts, unless two recordings share one
                name = str(one.relative.with_suffix(""))
                keys = {"id": str(one.relative) if name in named else name}
                named.add(name)
                lines.append(ManifestLine(one.path, 0.0, None, _read(text), keys, len(lines) + 1))
    else:
        raise InputError(f"{path}: neither a manifest (.jsonl) nor a folder; texts are scored with --ref and --hyp")
    if not lines:
        raise InputError(f"{path}: nothing to evaluate: no line has a text, no recording a .txt beside it")
    seen: set[str] = set()
    for line in lines:
        if (id := line_id(line)) in seen:
            raise ManifestError(f"{path}:{line.number}: the utterance {id!r} is there twice; give each an id")
        seen.add(id)
    return lines


def line_id(line: ManifestLine) -> str:
    """`id` where the line has one, else its recording and start."""
    own = line.keys.get("id")
    recording = line.keys.get("audio", line.keys.get("audio_filepath", line.audio))
    return spoken_at(str(recording), line.start) if own in (None, "") else str(own)


def measure(
    lines: Sequence[ManifestLine],
    recogniser: Recogniser,
    normaliser: str = "basic",
    how: Degradation | None = None,
    seed: int = 0,
    finished: Callable[[float], None] | None = None,
) -> Measurement:
    """Recognises every line and gathers what is known of it.

    recogniser: made without worker processes. how, seed: what is done to the sound first. finished: called with an
    utterance's seconds when it is done.
    """
    gathered = _systems(recogniser)
    speed = _speed(lines, recogniser, gathered[0].reader)
    failures: list[tuple[str, str]] = []
    waiting: deque[tuple[ManifestLine, Array, Future[Array]]] = deque()
    with ThreadPoolExecutor(recogniser.network.threads, thread_name_prefix="evaluate") as pool:

        def take() -> None:
            line, sound, future = waiting.popleft()
            for system in gathered:
                _gather(system, line, sound, future.result(), recogniser)
            if finished is not None:
                finished(len(sound) / recogniser.bundle.card.sample_rate)

        for line, sound in sounds(lines, recogniser, spoiled_later=how is not None):
            if isinstance(sound, TranscribeError):
                failures.append((line_id(line), str(sound)))
                continue
            if how is not None:
                sound = degrade(sound, recogniser.bundle.card.sample_rate, how, seed, line_id(line))
                if recogniser.options.audio.denoise:
                    sound = denoise(sound, recogniser.bundle.card.sample_rate)
            waiting.append((line, sound, pool.submit(rows, sound, recogniser)))
            while len(waiting) > 2 * recogniser.network.threads or (waiting and waiting[0][2].done()):
                take()
        while waiting:
            take()
    if not gathered[0].pairs:
        raise InputError(f"nothing could be evaluated: {failures[0][1]}")
    speed["peak_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    vocabulary = _vocabulary(recogniser)
    systems = tuple(System(s.name, score(s.pairs, normaliser), s.facts, vocabulary) for s in gathered)
    return Measurement(systems, speed, tuple(failures))


def sounds(
    lines: Sequence[ManifestLine], recogniser: Recogniser, spoiled_later: bool = False
) -> Iterator[tuple[ManifestLine, Array | TranscribeError]]:
    """Every line with its samples or why there are none; a recording shared by many lines is opened once.

    spoiled_later: noise is yet to be added, so it cannot be removed here.
    """
    rate, options = recogniser.bundle.card.sample_rate, recogniser.options.audio
    if spoiled_later:
        options = replace(options, denoise=False)
    for path, own in by_recording(list(lines)):
        done = 0
        try:
            spans = [(line.start, line.duration) for line in own]
            for line, blocks in zip(own, audio.excerpts(path, spans, rate, options), strict=True):
                try:
                    yield line, np.concatenate([np.zeros(0, np.float32), *blocks])
                except TranscribeError as error:
                    yield line, error
                done += 1
        except TranscribeError as error:
            for line in own[done:]:
                yield line, error


def rows(sound: Array, recogniser: Recogniser) -> Array:
    """(rows, columns) natural log-probabilities of one utterance."""
    found = emission.rows(iter([sound]), recogniser.network, recogniser.options.windows)
    return np.concatenate([np.zeros((0, recogniser.bundle.card.columns), np.float32), *found])


def listenable(lines: Sequence[ManifestLine], ids: Collection[str], recogniser: Recogniser) -> dict[str, str]:
    """Data URIs of utterances' sound as Opus at 24 kbit/s, by id; what cannot be read is left out."""
    rate, found = recogniser.bundle.card.sample_rate, {}
    for line, sound in sounds([line for line in lines if line_id(line) in ids], recogniser):
        if not isinstance(sound, TranscribeError):
            file = io.BytesIO()
            soundfile.write(file, sound, rate, format="OGG", subtype="OPUS", compression_level=opus_level(24.0))
            found[line_id(line)] = "data:audio/ogg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
    return found


def signal_to_noise(sound: Array, rate: int) -> float | None:
    """Decibels from the quiet tenth of the 20 ms frames to the loud tenth; None without sound or without any quiet.

    A rough measure: it needs pauses, and takes what is said softly for noise.
    """
    n = rate // 50
    frames = sound[: len(sound) // n * n].reshape(-1, n)
    if len(frames) < 10:
        return None
    power = np.sort(np.mean(frames.astype(np.float64) ** 2, axis=1))
    tenth = max(1, len(power) // 10)
    quiet, loud = float(power[:tenth].mean()), float(power[-tenth:].mean())
    # below the 16-bit grid's own noise there is digital silence, which says nothing of the recording
    return 10 * float(np.log10(max(loud - quiet, 1e-12) / max(quiet, 1e-10))) if loud > 1e-10 else None


def _systems(recogniser: Recogniser) -> list[_Gathered]:
    """What was asked for and, beside it, greedy decoding."""
    settings, model = recogniser.settings, recogniser.bundle.card.id
    assert isinstance(recogniser.reader, Reader)
    asked = recogniser.reader
    if settings.decoding.decoder == "greedy":
        return [_Gathered(f"{model}, greedy", asked, _ranks_by(asked, settings))]
    language = recogniser.language_model_id
    own = f"{model} + {language}" if language else f"{model}, beam, no language model"
    greedy = replace(settings.decoding, decoder="greedy", hotword=(), hotwords_file=None, nbest=1)
    beside = replace(settings, decoding=greedy)
    reader = Reader(beside)
    return [
        _Gathered(own, asked, _ranks_by(asked, settings)),
        _Gathered(f"{model}, greedy", reader, _ranks_by(reader, beside)),
    ]


def _ranks_by(reader: Reader, settings: ReaderSettings) -> Worth:
    """What a reader's decoder ranks texts by.

    A search by itself is asked what language model, word bonus and hotwords add: frames that leave it no choice but the
    text are decoded, so there is no second reckoning that could differ.
    """
    if isinstance(reader.decoder, decoding.BothSearch | decoding.Respelling):
        by_both = reader.decoder
        return lambda found, text, lost: by_both.total(found, text)
    if settings.decoding.decoder == "greedy":
        return lambda found, text, lost: -lost
    alphabet, temperature = settings.card.alphabet, settings.decoding.softening
    language_model = None if settings.lm_path is None else LanguageModel.load(settings.lm_path)
    alone = decoding.build(alphabet, language_model, replace(settings.decoding, decoder="python", nbest=1))

    def worth(found: Array, text: str, lost: float) -> float | None:
        letters = settings.card.letters(found)
        searched = softened(letters, temperature)
        again = lost if searched is letters else _loss(searched, text, alphabet)
        language = alone.decode(spelled(text, alphabet))[0].language if text else 0.0
        return None if again is None else language - again

    return worth


def spelled(text: str, alphabet: Alphabet) -> Array:
    """Rows that are sure of one text: each label on a row of its own, with a blank after it."""
    labels = alphabet.encode(text)
    found = np.full((2 * len(labels), len(alphabet)), -100.0, np.float32)
    found[np.arange(0, len(found), 2), labels] = 0.0
    found[1::2, alphabet.blank] = 0.0
    return found


def _gather(system: _Gathered, line: ManifestLine, sound: Array, found: Array, recogniser: Recogniser) -> None:
    words: list[Word] = []
    for stretch in recogniser.stretches(iter([found])):
        words += [word for segment in system.reader.read(stretch) for word in segment.words]
    hypothesis, card = " ".join(word.text for word in words), recogniser.bundle.card
    seconds = len(sound) / card.sample_rate
    id, keys = line_id(line), grouping_keys(line.keys, ("text", "audio"))
    system.pairs.append(Pair(id, line.text or "", hypothesis, seconds, keys))
    reference = basic(line.text or "")  # case and punctuation are nothing a network could be asked for
    letters = card.letters(found)
    spoken = _loss(letters, reference, card.alphabet)
    heard = _loss(letters, hypothesis, card.alphabet)
    totals: list[float | None] = [None, None]
    if spoken is not None and heard is not None and reference != hypothesis:
        totals = [system.worth(found, reference, spoken), system.worth(found, hypothesis, heard)]
    system.facts[id] = Facts(
        tuple(word.confidence for word in words),
        signal_to_noise(sound, card.sample_rate),
        spoken,
        heard,
        *totals,
    )


def _loss(found: Array, text: str, alphabet: Alphabet) -> float | None:
    """−log P(text | rows); None where the alphabet cannot spell the text or the rows are too few or too many."""
    if not alphabet.spells(text) or len(found) * len(text) > MOST_LATTICE:
        return None
    try:
        value = loss(found, alphabet.encode(text), alphabet.blank, ROW_TOLERANCE) if len(found) else None
    except CTCError:
        return None
    return value if value is not None and np.isfinite(value) else None


def _speed(lines: Sequence[ManifestLine], recogniser: Recogniser, reader: Reader) -> dict[str, Any]:
    """Times of the stages over the first minute of the set, after a warm-up with its first utterance.

    Features and word times are part of two steps; they are done once more by themselves and taken off.
    """
    rate = recogniser.bundle.card.sample_rate
    spent = dict.fromkeys(("audio", "features", "network", "decoding", "word times"), 0.0)
    seconds, warm = 0.0, False
    clock = time.perf_counter()
    for _, sound in sounds(lines, recogniser):
        if isinstance(sound, TranscribeError):
            clock = time.perf_counter()
            continue
        if not warm:
            for stretch in recogniser.stretches(iter([rows(sound, recogniser)])):
                reader.read(stretch)
            warm, clock = True, time.perf_counter()
            if len(lines) > 1:
                continue
        loaded = time.perf_counter()
        found = rows(sound, recogniser)
        emitted = time.perf_counter()
        stretches = list(recogniser.stretches(iter([found])))
        texts = [" ".join(w.text for s in reader.read(stretch) for w in s.words) for stretch in stretches]
        read = time.perf_counter()
        extractor = features.Extractor(recogniser.bundle.card.features)
        extractor.push(sound)
        extractor.flush()
        extracted = time.perf_counter()
        for stretch, text in zip(stretches, texts, strict=True):
            if text:
                _times(stretch, text, recogniser)
        timed = time.perf_counter() - extracted
        feature = min(extracted - read, emitted - loaded)
        timed = min(timed, read - emitted)
        spent["audio"] += loaded - clock
        spent["features"] += feature
        spent["network"] += emitted - loaded - feature
        spent["decoding"] += read - emitted - timed
        spent["word times"] += timed
        seconds += len(sound) / rate
        clock = time.perf_counter()
        if seconds >= SPEED_SECONDS:
            break
    total = max(sum(spent.values()), 1e-9)
    return {
        "audio_seconds": seconds,
        "seconds": total,
        "times_real_time": seconds / total,
        "shares": {stage: duration / total for stage, duration in spent.items()},
        "device": recogniser.network.device,
        "threads": recogniser.network.threads,
    }


def _times(stretch: Emissions, text: str, recogniser: Recogniser) -> None:
    card = recogniser.bundle.card
    frame = card.output.frame_seconds
    align_words(card.letters(stretch.log_probs), text, card.alphabet, frame, temperature=card.confidence_temperature)


def _vocabulary(recogniser: Recogniser) -> Set[str] | None:
    if recogniser.settings.lm_path is None:
        return None
    model = LanguageModel.load(recogniser.settings.lm_path)
    return model.words if model.unit == "word" and model.words else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise InputError(f"{path}: the text cannot be read") from error
