"""The JSON of a transcript: everything that is known, versioned, and read back.

Whisper's names are kept where they mean the same (`text`, `language`, `segments`, `id`, `start`, `end`, `words`,
`word`, `probability`), so programs that read its JSON read this one. Times are seconds with three decimals.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import InputError
from ..transcript import Alternative, Segment, Transcript, Word
from .cues import SubtitleOptions

LARGEST = 1e9  # seconds, or what a score may be: thirty years
VERSION = 1  # raised when a reader of an older version would be misled


def render(transcript: Transcript, options: SubtitleOptions, name: str) -> str:
    """A transcript as indented JSON."""
    return _escaped(json.dumps(to_dict(transcript, name), ensure_ascii=False, indent=1, allow_nan=False)) + "\n"


def render_line(transcript: Transcript, options: SubtitleOptions, name: str) -> str:
    """A transcript as one line: audio, duration and what `manifest_line` adds."""
    return manifest_line(transcript, {"audio": name, "duration": _time(transcript.duration_seconds)})


def manifest_line(transcript: Transcript, keys: Mapping[str, Any]) -> str:
    """A manifest line's own keys, then `pred_text`, `confidence` and `words`; one line with its end."""
    transcript = kept(transcript)
    words = [_word(word) | _channel(segment) for segment in transcript.segments for word in segment.words]
    mean = sum(word.confidence for word in transcript.words) / len(words) if words else 1.0
    line = dict(keys) | {"pred_text": transcript.text, "confidence": _share(mean), "words": words}
    return _escaped(json.dumps(line, ensure_ascii=False)) + "\n"


def to_dict(transcript: Transcript, name: str) -> dict[str, Any]:
    """A transcript as plain JSON values; docs/formats.md describes every key."""
    transcript = kept(transcript)
    return {
        "format": "transcribe",
        "version": VERSION,
        "audio": name,
        "duration": _time(transcript.duration_seconds),
        "language": transcript.language,
        "model": transcript.model,
        "language_model": transcript.language_model,
        "options": transcript.options,
        "processing_seconds": None if transcript.processing_seconds is None else _time(transcript.processing_seconds),
        "text": transcript.text,
        "segments": [_segment(i, segment) for i, segment in enumerate(transcript.segments)],
    }


def kept(transcript: Transcript) -> Transcript:
    """A transcript with times and probabilities rounded as JSON has them, so that all formats come out of the JSON with
    the same bytes as out of the transcript."""
    segments = tuple(map(kept_segment, transcript.segments))
    return replace(transcript, segments=segments, duration_seconds=_time(transcript.duration_seconds))


def kept_segment(segment: Segment) -> Segment:
    """A segment, rounded as in `kept`."""
    words = tuple(map(_kept_word, segment.words))
    start, end = _time(segment.start_seconds), _time(segment.end_seconds)
    return replace(segment, start_seconds=start, end_seconds=end, words=words)


def _kept_word(word: Word) -> Word:
    characters = tuple(map(_kept_word, word.characters))
    times = _time(word.start_seconds), _time(word.end_seconds)
    return Word(word.text, *times, _share(word.confidence), characters, word.supported)


def read(text: str, where: str = "the transcript") -> Transcript:
    """JSON as `render` wrote it, or as Whisper and faster-whisper write it, → Transcript.

    Segments without words (Whisper's, unless asked) get them by sharing the segment's time over its characters.

    Raises:
        InputError: not JSON, not a transcript, or a newer version; the message starts with `where`.
    """
    try:
        data = _load(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON ({error}); convert reads what --format json wrote") from error
    if not isinstance(data, dict) or not isinstance(data.get("segments"), list):
        raise InputError(f"{where}: no list of segments; convert reads what --format json wrote")
    if data.get("format") == "transcribe" and data.get("version") != VERSION:
        raise InputError(f"{where}: version {data.get('version')!r} of the format; this program reads {VERSION}")
    try:
        segments = tuple(_read_segment(entry) for entry in data["segments"])
        duration = _number(data.get("duration", max((s.end_seconds for s in segments), default=0.0)))
        processing = data.get("processing_seconds")
        options = data.get("options") or {}
        if not isinstance(options, dict):
            raise ValueError("options is not an object")
        return Transcript(
            segments,
            duration,
            model=str(data.get("model") or ""),
            language_model=None if data.get("language_model") is None else str(data["language_model"]),
            language=str(data.get("language") or ""),
            options=options,
            processing_seconds=None if processing is None else _number(processing),
        )
    except KeyError as error:
        raise InputError(f"{where}: a segment or word lacks {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where}: not a transcript: {error}") from error


def recording(text: str, otherwise: str = "audio") -> str:
    """What the recording is called in JSON that `read` accepts."""
    name = _load(text).get("audio")
    return name if isinstance(name, str) and name else otherwise


def _load(text: str) -> Any:
    """JSON as values; NaN and infinities, which some programs write, as None."""

    def finite(number: str) -> float | None:
        value = float(number)
        return value if math.isfinite(value) else None

    return json.loads(text, parse_float=finite, parse_constant=finite)


def _escaped(text: str) -> str:
    """JSON with halves of surrogate pairs (from names that are not UTF-8) as escapes, since no UTF-8 file can hold them
    otherwise; read back they are the same name."""
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def _time(seconds: float) -> float:
    return round(float(seconds), 3)


def _share(probability: float) -> float:
    return round(float(probability), 4)


def _word(word: Word) -> dict[str, Any]:
    times = {"start": _time(word.start_seconds), "end": _time(word.end_seconds)}
    entry: dict[str, Any] = {"word": word.text} | times | {"probability": _share(word.confidence)}
    if not word.supported:
        entry["supported"] = False
    if word.characters:
        entry["characters"] = [
            {"character": one.text, "start": _time(one.start_seconds), "end": _time(one.end_seconds)}
            | {"probability": _share(one.confidence)}
            for one in word.characters
        ]
    return entry


def _channel(segment: Segment) -> dict[str, Any]:
    return {} if segment.channel is None else {"channel": segment.channel}


def _segment(i: int, segment: Segment) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": i, "start": _time(segment.start_seconds), "end": _time(segment.end_seconds)}
    entry |= {"text": segment.text, "confidence": _share(segment.confidence)} | _channel(segment)
    entry["words"] = [_word(word) for word in segment.words]
    if segment.alternatives:
        entry["alternatives"] = [
            {"text": one.text}
            | {"acoustic": _finite(one.acoustic), "language": _finite(one.language), "total": _finite(one.total)}
            for one in segment.alternatives
        ]
    return entry


def _finite(score: float) -> float | None:
    """JSON knows no infinity: a score of −∞ becomes null."""
    return round(float(score), 4) if math.isfinite(score) else None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST:
        raise ValueError(f"{value!r} is no time or score")
    return float(value)


def _span(entry: dict[str, Any]) -> tuple[float, float]:
    """Start and end in seconds; some recognisers write times that run backwards, or begin before 0."""
    start = max(_number(entry["start"]), 0.0)
    return start, max(_number(entry["end"]), start)


def _read_segment(entry: dict[str, Any]) -> Segment:
    start, end = _span(entry)
    channel = entry.get("channel")
    if channel is not None and (isinstance(channel, bool) or not isinstance(channel, int) or channel < 0):
        raise ValueError(f"channel {channel!r} is not a whole number")
    if entry.get("words"):
        words = tuple(word for word in map(_read_word, _whole_words(entry["words"])) if word.text)
    else:
        words = spread(_text(entry.get("text")), start, end)
    alternatives = tuple(
        Alternative(str(a["text"]), *(_score(a[key]) for key in ("acoustic", "language", "total")))
        for a in entry.get("alternatives", ())
    )
    return Segment(start, end, words, channel, alternatives)


def _whole_words(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whisper's words begin with a space, and one without belongs to the word before it (" don", "'t")."""
    if not any(_text(entry["word"]).startswith(" ") for entry in entries):
        return entries
    whole: list[dict[str, Any]] = []
    for entry in entries:
        if whole and not _text(entry["word"]).startswith(" "):
            before = whole[-1]
            sure = min(_number(one.get("probability", 1.0)) for one in (before, entry))
            text = _text(before["word"]) + _text(entry["word"])
            whole[-1] = {**before, "word": text, "end": entry["end"], "probability": sure}
        else:
            whole.append(entry)
    return whole


def _read_word(entry: dict[str, Any], name: str = "word") -> Word:
    return Word(
        _text(entry[name]).strip(),
        *_span(entry),
        min(max(_number(entry.get("probability", 1.0)), 0.0), 1.0),
        tuple(_read_word(one, "character") for one in entry.get("characters", ())),
        entry.get("supported", True) is not False,
    )


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _score(value: object) -> float:
    return -math.inf if value is None else _number(value)


def spread(text: str, start_seconds: float, end_seconds: float, confidence: float = 1.0) -> tuple[Word, ...]:
    """Words of a text whose times are not known: a span shared out by their lengths (and a sign between them)."""
    words = text.split()
    total = sum(len(word) + 1 for word in words)
    out, here = [], start_seconds
    for word in words:
        after = min(here + (end_seconds - start_seconds) * (len(word) + 1) / total, end_seconds)
        out.append(Word(word, here, after, confidence))
        here = after
    return tuple(out)
