"""A recording and a text of it → when each word was said, which words were not, and what was said besides.

audio.stream → emission.rows → alignment.forced (in a moving band, memory flat) → words as they were written
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from . import audio, emission
from .alignment.forced import AlignedWord, ExtraSpeech, ForcedOptions, align_text
from .alignment.loss import TextLoss
from .alignment.script import Script, as_written, characters
from .alignment.segments import SegmentOptions, group
from .alignment.target import lay_out
from .audio.options import AudioOptions
from .bundle.card import Card
from .bundle.session import Network
from .emission.windows import WindowOptions
from .errors import AudioError, InputError, OptionError
from .options import check, option
from .transcript import Segment, Transcript, Word

Sound = str | Path | BinaryIO
Rows = npt.NDArray[np.float32]

_BRIDGE = 1  # words that happen to fit between two that were not said do not part them


@dataclass(frozen=True, slots=True)
class TextOptions:
    """When a text and a recording are said to differ."""

    missing_words: int = option(
        3, "words in a row without support that are told as not said", minimum=1, panel="Alignment"
    )
    extra_seconds: float = option(
        0.4, "speech beside the text that is told lasts at least this long", minimum=0.0, panel="Alignment"
    )
    max_letter_rate: float = option(
        35.0,
        "letters a second of audio above which a text is refused as too long; fast speech has 20",
        minimum=1.0,
        panel="Alignment",
    )
    by: str = option("pause", "where segments end", choices=("pause", "line"), panel="Output")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class Passage:
    """Words first…last of the text, counted from 0, that were not said; they would stand at `start_seconds`."""

    first: int
    last: int
    start_seconds: float
    end_seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class Score:
    """−log P(text | audio), summed over the alignments; +∞ where the text cannot be said in the audio."""

    nats: float
    n_characters: int  # as the model spells the text, word boundaries included

    @property
    def nats_per_character(self) -> float:
        return self.nats / max(self.n_characters, 1)


@dataclass(frozen=True, slots=True)
class Alignment:
    """All that is known of a text against a recording. transcript: the text as written, timed."""

    transcript: Transcript
    words: tuple[AlignedWord, ...]  # one a written word
    missing: tuple[Passage, ...]
    extra: tuple[ExtraSpeech, ...]
    score: Score | None


@dataclass(frozen=True, slots=True)
class Settings:
    """All options of an alignment; one frozen value a room."""

    audio: AudioOptions = AudioOptions()
    windows: WindowOptions = WindowOptions()
    forced: ForcedOptions = ForcedOptions()
    text: TextOptions = TextOptions()
    segments: SegmentOptions = SegmentOptions()
    score: bool = False


def align(sound: Sound, name: str, script: Script, network: Network, settings: Settings | None = None) -> Alignment:
    """Aligns a script to a recording; memory grows with the text, not with the audio.

    Raises:
        InputError: the text is far too long for the audio.
        AudioError: the recording cannot be read, or holds no speech.
    """
    settings = settings or Settings()
    card = network.card
    if settings.audio.channel == "split":
        raise OptionError("a text belongs to one channel: give --channel a number, left, right or mix")
    if isinstance(sound, (str, Path)) and Path(sound).is_file():  # a pipe can be read only once
        _refuse_too_long(script, _seconds(sound, settings.audio), name, settings.text)
    frame = card.output.frame_seconds
    samples = audio.stream(sound, card.sample_rate, settings.audio)
    counted = _Counted(emission.rows(samples, network, settings.windows), card, settings.audio.start)
    loss = _Loss(script, card, settings.forced) if settings.score else None
    told = align_text(
        counted,
        script.words,
        card.alphabet,
        frame,
        settings.forced,
        card.confidence_temperature,
        None if loss is None else loss.push,
    )
    words: list[AlignedWord] = []
    extra: list[ExtraSpeech] = []
    for one in as_written(told, script):
        if isinstance(one, AlignedWord):
            words.append(one)
        elif one.end_seconds - one.start_seconds >= settings.text.extra_seconds:
            extra.append(one)
    seconds = counted.n_rows * frame
    if not counted.speech:
        raise AudioError(f"{name}: no speech is heard in its {seconds:.1f} s, so the text cannot be found in it")
    _refuse_too_long(script, seconds, name, settings.text)
    transcript = Transcript(tuple(_segments(words, script, settings)), seconds, model=card.id, language=card.language)
    return Alignment(
        transcript,
        tuple(words),
        tuple(passages(words, settings.text.missing_words)),
        tuple(extra),
        None if loss is None else Score(loss.nats, loss.n_labels),
    )


def passages(words: Sequence[AlignedWord], shortest: int) -> Iterator[Passage]:
    """Runs of at least `shortest` words that were not said; a single one that fits by chance does not end a run."""
    run: list[int] = []
    for k in [*(i for i, one in enumerate(words) if not one.supported), None]:
        if k is not None and (not run or k - run[-1] <= 1 + _BRIDGE):
            run.append(k)
            continue
        if len(run) >= shortest:
            part = words[run[0] : run[-1] + 1]
            text = " ".join(one.word.text for one in part)
            times = part[0].word.start_seconds, part[-1].word.end_seconds
            yield Passage(part[0].index, part[-1].index, *times, text)
        run = [] if k is None else [k]


def to_dict(alignment: Alignment, settings: Settings) -> dict[str, Any]:
    """What JSON says beside the transcript."""
    unsaid = [one for one in alignment.words if not one.supported]
    entry: dict[str, Any] = {
        "words": len(alignment.words),
        "unsupported_words": len(unsaid),
        "not_said": [
            {"first_word": p.first, "last_word": p.last, "start": round(p.start_seconds, 3)}
            | {"end": round(p.end_seconds, 3), "text": p.text}
            for p in alignment.missing
        ],
        "not_in_text": [
            {"start": round(e.start_seconds, 3), "end": round(e.end_seconds, 3), "heard": e.text}
            for e in alignment.extra
        ],
    }
    if alignment.score is not None:
        known = np.isfinite(alignment.score.nats)
        entry["score"] = {
            "nats": round(alignment.score.nats, 4) if known else None,
            "nats_per_character": round(alignment.score.nats_per_character, 6) if known else None,
            "characters": alignment.score.n_characters,
        }
    entry["thresholds"] = {
        "minimum_confidence": settings.forced.minimum_confidence,
        "missing_words": settings.text.missing_words,
        "extra_letters": settings.forced.extra_letters,
        "extra_seconds": settings.text.extra_seconds,
    }
    return entry


class _Counted:
    """Blocks of rows with their times; remembers how many there were and whether a letter was the best in any."""

    def __init__(self, rows: Iterable[Rows], card: Card, origin_seconds: float) -> None:
        self._rows, self._card, self._origin = rows, card, origin_seconds
        self.n_rows, self.speech = 0, False

    def __iter__(self) -> Iterator[tuple[Rows, float]]:
        alphabet = self._card.alphabet
        for block in map(self._card.letters, self._rows):
            if not self.speech and len(block):
                heard = np.unique(block.argmax(axis=1))
                self.speech = any(i not in (alphabet.blank, alphabet.boundary_id) for i in heard.tolist())
            yield block, self._origin + self.n_rows * self._card.output.frame_seconds
            self.n_rows += len(block)


class _Loss:
    """The loss of a script, fed with what the aligner decides."""

    def __init__(self, script: Script, card: Card, options: ForcedOptions) -> None:
        target = lay_out(script.words, card.alphabet, options)
        said = target.columns != card.alphabet.blank
        self._place = np.append(np.cumsum(said) - 1, -1)  # place −1 is the appended −1
        self._loss = TextLoss(target.columns[said], card.alphabet.blank)

    def push(self, places: npt.NDArray[np.intp], log_probs: npt.NDArray[np.floating]) -> None:
        self._loss.push(self._place[places], log_probs)

    @property
    def nats(self) -> float:
        return self._loss.nats

    @property
    def n_labels(self) -> int:
        return self._loss.n_labels


def _segments(words: Sequence[AlignedWord], script: Script, settings: Settings) -> list[Segment]:
    """Written words grouped at pauses, or as the lines of the text; times never run backwards."""
    shown = [
        replace(one.word, characters=characters(one.word.text, one.units), supported=one.supported) for one in words
    ]
    if settings.text.by == "pause":
        return list(group(shown, settings.segments))
    lines: list[list[Word]] = []
    last = None
    for word, one in zip(shown, words, strict=True):
        if script.lines[one.index] != last:
            lines.append([])
            last = script.lines[one.index]
        lines[-1].append(word)
    return [Segment(line[0].start_seconds, line[-1].end_seconds, tuple(line)) for line in lines]


def _seconds(sound: Sound, options: AudioOptions) -> float | None:
    """What will be read, as far as the header tells."""
    known = audio.probe(sound, options).duration_seconds
    left = None if known is None else max(known - options.start, 0.0)
    return left if options.duration is None or left is None else min(left, options.duration)


def _refuse_too_long(script: Script, seconds: float | None, name: str, options: TextOptions) -> None:
    if seconds is not None and script.n_letters > options.max_letter_rate * max(seconds, 0.5):
        raise InputError(
            f"{name}: lasts {seconds:.1f} s, which cannot hold the text's {len(script.shown)} words "
            f"({script.n_letters} letters): give the part that is said, or raise --max-letter-rate"
        )
