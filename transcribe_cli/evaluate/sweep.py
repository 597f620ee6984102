"""Decoding settings tried one after the other over a labelled set: error and speed of each.

The network runs once; every setting decodes the same rows. What is chosen this way must be reported on another set.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .. import decoding
from ..audio.manifest import ManifestLine
from ..decoding.options import DecodingOptions
from ..errors import OptionError, TranscribeError
from ..lm.model import LanguageModel
from ..pipeline import Recogniser
from .edits import Counts, count_all, total
from .measure import rows, sounds
from .normalise import normaliser

MOST_POINTS = 1000
_WEIGHTS = ("lm_weight", "word_bonus", "temperature", "unknown_penalty", "hotword_boost")
_NUMBERS: dict[str, type[int] | type[float]] = {
    "beam_width": int, **dict.fromkeys(("token_min_logp", "beam_prune_logp", *_WEIGHTS), float),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """One combination of settings: its word errors and how long decoding took on one core."""

    settings: dict[str, float]
    words: Counts
    decoding_seconds: float
    audio_seconds: float


def parse(texts: Iterable[str]) -> list[dict[str, float]]:
    """ "beam_width:16,64" and the like → every combination. Raises OptionError for an unknown setting or value."""
    axes = []
    for text in texts:
        name, _, values = text.partition(":")
        name = name.replace("-", "_")
        if name not in _NUMBERS:
            raise OptionError(
                f"--sweep cannot vary {name!r}: choose from {', '.join(_NUMBERS)}, as in beam_width:16,64"
            )
        try:
            axes.append([(name, _NUMBERS[name](value)) for value in values.split(",")])
        except ValueError as error:
            raise OptionError(f"--sweep {text}: a value is not a number") from error
    found = [dict(combination) for combination in itertools.product(*axes)] if axes else []
    if len(found) > MOST_POINTS:
        raise OptionError(f"--sweep asks for {len(found)} combinations; try at most {MOST_POINTS}")
    for settings in found:
        DecodingOptions(**dict[str, Any](settings))  # refuses what is out of bounds before anything runs
    return found


def sweep(
    lines: Sequence[ManifestLine],
    recogniser: Recogniser,
    grid: Sequence[dict[str, float]],
    normaliser_name: str = "basic",
    finished: Callable[[], None] | None = None,
) -> list[Point]:
    """Error and speed of every combination, in the grid's order; lines that cannot be read are left out.

    finished: called when a combination is done.
    """
    normalise, settings = normaliser(normaliser_name), recogniser.settings
    references, stretches, seconds = [], [], 0.0
    for line, sound in sounds(lines, recogniser):
        if not isinstance(sound, TranscribeError):
            references.append(normalise(line.text or "").split())
            stretches.append([one.log_probs for one in recogniser.stretches(iter([rows(sound, recogniser)]))])
            seconds += len(sound) / settings.card.sample_rate
    language_model = None if settings.lm_path is None else LanguageModel.load(settings.lm_path, settings.rescorer_path)
    points = []
    for values in grid:
        chosen: dict[str, Any] = dict(values)
        with_chosen = replace(settings.decoding, **chosen)
        decoder = decoding.build(settings.card.alphabet, language_model, with_chosen, settings.sounding)
        begun = time.perf_counter()
        texts = [" ".join(decoder.decode(one)[0].text for one in own) for own in stretches]
        spent = time.perf_counter() - begun
        hypotheses = [normalise(text).split() for text in texts]
        words = total(count_all(list(zip(references, hypotheses, strict=True))))
        points.append(Point(values, words, spent, seconds))
        if finished is not None:
            finished()
    return points


def as_json(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Points as plain values with their rates."""
    return [
        {
            "settings": point.settings,
            "words": asdict(point.words) | {"errors": point.words.errors, "rate": point.words.rate},
            "decoding_times_real_time": point.audio_seconds / max(point.decoding_seconds, 1e-9),
        }
        for point in points
    ]
