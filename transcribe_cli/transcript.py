"""What a recogniser says about a recording: words, segments, the transcript. Values only; times in seconds."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it was said; `confidence` in 0…1; times count from the start of the recording.

    characters: its characters with times of their own, where they were asked for. supported: False for a word of a
    given text that the audio does not hold.
    """

    text: str
    start_seconds: float
    end_seconds: float
    confidence: float
    characters: tuple["Word", ...] = ()
    supported: bool = True


@dataclass(frozen=True, slots=True)
class Alternative:
    """One entry of an n-best list. All scores are natural logarithms.

    acoustic: log P(frames | text) as the search summed it; language: weighted language-model and word-bonus part,
    hotwords included; total: what the search ranked by, their sum.
    """

    text: str
    acoustic: float
    language: float
    total: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech between pauses. `channel` is None for a mono or mixed recording, else counts from 0."""

    start_seconds: float
    end_seconds: float
    words: tuple[Word, ...]
    channel: int | None = None
    alternatives: tuple[Alternative, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """Mean of the words' confidences; 1.0 where there is no word to doubt."""
        return sum(word.confidence for word in self.words) / len(self.words) if self.words else 1.0


@dataclass(frozen=True, slots=True)
class Transcript:
    """All segments of one recording, in order of time."""

    segments: tuple[Segment, ...]
    duration_seconds: float  # of the audio that was read, after --start/--duration
    model: str = ""  # "name version"
    language_model: str | None = None
    language: str = ""
    options: dict[str, object] = field(default_factory=dict)  # as typed, for the record
    processing_seconds: float | None = None

    @property
    def text(self) -> str:
        """The words, one line a segment joined by single spaces."""
        return " ".join(segment.text for segment in self.segments if segment.words)

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for segment in self.segments for word in segment.words)
