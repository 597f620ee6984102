"""Checks training utterances before a run does: what can be used, what cannot and why, and figures of the rest."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import soundfile

from ..alphabet import Alphabet
from ..errors import TranscribeError
from .cache import RATE, Reader
from .manifest import Utterance
from .text import TextOptions, normalise
from .units import CHARACTERS


@dataclass(frozen=True, slots=True)
class Limits:
    """What an utterance must keep within; outside of it are mostly wrong transcripts and cuts."""

    min_seconds: float = 0.2
    max_seconds: float = 24.0
    max_letters_a_second: float = 30.0
    min_letters_a_second: float = 1.0  # below that, and longer than 5 s, text is missing
    decode: bool = True  # read the audio too: slow, and finds what is damaged


@dataclass(frozen=True, slots=True)
class Report:
    """Figures of a prepared corpus. dropped: (utterance, reason)."""

    kept: tuple[Utterance, ...]
    seconds: tuple[float, ...]
    dropped: tuple[tuple[str, str], ...]
    resampled: int  # recordings that are not 16 kHz, which training converts

    @property
    def reasons(self) -> dict[str, int]:
        return dict(Counter(reason.split(":")[0] for _, reason in self.dropped).most_common())

    def lines(self) -> list[str]:
        """The report as text."""
        words = Counter(word for one in self.kept for word in one.text.split())
        speakers = {one.speaker for one in self.kept if one.speaker}
        hours = sum(self.seconds) / 3600
        letters = sum(len(one.text) for one in self.kept) / max(sum(self.seconds), 1e-9)
        out = [
            f"utterances     {len(self.kept)} kept, {len(self.dropped)} dropped",
            f"speech         {hours:.2f} h, utterances of {_quantiles(self.seconds)} s",
            f"speakers       {len(speakers) or 'not named'}",
            f"vocabulary     {len(words)} words, {sum(words.values())} in all",
            f"pace           {letters:.1f} letters a second",
        ]
        if self.resampled:
            out.append(f"sample rate    {self.resampled} recordings are not {RATE} Hz and are converted")
        out += [f"dropped        {n} × {reason}" for reason, n in self.reasons.items()]
        return out


def check(
    utterances: Sequence[Utterance],
    text: TextOptions,
    limits: Limits | None = None,
    alphabet: Alphabet | None = CHARACTERS,
    tell: Callable[[int], None] | None = None,
) -> Report:
    """Normalises and checks every utterance; tell is called with how many are done.

    alphabet: what the texts may be written with; None: anything.
    Raises OptionError and MissingExtra where texts cannot be normalised as they should.
    """
    limits = limits or Limits()
    kept, seconds, dropped, reader = [], [], [], Reader()
    texts = [normalise(utterance.text, text) for utterance in utterances]
    rates: dict[str, int] = {}
    for i, utterance in enumerate(utterances):
        try:
            info = soundfile.info(str(utterance.audio))
            rates[str(utterance.audio)] = info.samplerate
            length = utterance.duration_seconds
            if length is None:
                length = info.duration - utterance.start_seconds
            reason = _judge(texts[i], length, limits, alphabet)
            if not reason and limits.decode:
                reader(utterance)
        except TranscribeError as error:
            reason, length = f"damaged audio: {error}", 0.0
        except (OSError, RuntimeError) as error:
            reason, length = f"unreadable audio: {error}", 0.0
        if reason:
            dropped.append((utterance.name, reason))
        else:
            kept.append(replace(utterance, text=texts[i] or "", duration_seconds=round(length, 4)))
            seconds.append(length)
        if tell is not None:
            tell(i + 1)
    resampled = sum(rate != RATE for rate in rates.values())
    return Report(tuple(kept), tuple(seconds), tuple(dropped), resampled)


def _judge(words: str | None, seconds: float, limits: Limits, alphabet: Alphabet | None) -> str:
    """Why an utterance of this normalised text cannot be used, or ""."""
    if not words:
        return "empty or unreadable text"
    if alphabet is not None and (missing := alphabet.missing(words)):
        return f"letters outside the alphabet: {' '.join(missing[:5])}"
    if seconds < limits.min_seconds:
        return f"too short: {seconds:.2f} s"
    if seconds > limits.max_seconds:
        return f"too long: {seconds:.1f} s"
    pace = len(words) / seconds
    if pace > limits.max_letters_a_second:
        return f"more text than audio: {pace:.0f} letters a second"
    if seconds > 5 and pace < limits.min_letters_a_second:
        return f"less text than audio: {pace:.1f} letters a second"
    return ""


def _quantiles(values: Sequence[float]) -> str:
    if not values:
        return "no"
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    return f"{low:.1f} / {middle:.1f} / {high:.1f} (least, median, most)"
