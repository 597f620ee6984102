"""Transcripts for the writers' tests: made by hand, and any transcript that hypothesis can think of."""

from hypothesis import strategies as st

from transcribe_cli.transcript import Alternative, Segment, Transcript, Word


def words(text: str, start: float, step: float = 0.4, gap: float = 0.05, confidence: float = 0.9) -> tuple[Word, ...]:
    """Words of equal length, one every `step` seconds."""
    return tuple(
        Word(word, round(start + k * step, 3), round(start + (k + 1) * step - gap, 3), confidence)
        for k, word in enumerate(text.split())
    )


def transcript(*segments: tuple[float, str], duration: float = 60.0) -> Transcript:
    """Segments from (start, text); each ends with its last word."""
    made = [(start, words(text, start)) for start, text in segments]
    return Transcript(
        tuple(Segment(start, own[-1].end_seconds if own else start, own) for start, own in made), duration, "en 1"
    )


SHORT = Transcript(
    (
        Segment(
            0.5, 2.05, words("hello there old friend", 0.5), None, (Alternative("hello there", -3.5, -1.25, -4.75),)
        ),
        Segment(3.0, 3.75, words("how's things", 3.0)),
    ),
    5.0,
    "en 1.0",
    "books",
    "en",
    {"beam_width": 64},
    0.25,
)
TWO_CHANNELS = Transcript(
    (
        Segment(0.5, 2.05, words("hello who is there", 0.5), 0),
        Segment(1.5, 3.05, words("it is only me", 1.5), 1),
        Segment(4.0, 4.75, words("come in", 4.0), 0),
    ),
    6.0,
)


@st.composite
def any_transcript(draw: st.DrawFn, texts: st.SearchStrategy[str] | None = None, channels: bool = True) -> Transcript:
    """Words in order of time within a channel, of any length and with any pauses; times are whole milliseconds."""
    texts = st.text("abcdefghijklmnopqrstuvwxyz',.?", min_size=1, max_size=14) if texts is None else texts
    segments: list[Segment] = []
    latest = 0
    for channel in draw(st.sampled_from([[None], [0], [0, 1]])) if channels else [None]:
        here = draw(st.integers(0, 4000))
        for _ in range(draw(st.integers(0, 4))):
            own = []
            for text in draw(st.lists(texts, min_size=1, max_size=12)):
                start = here + draw(st.integers(0, 900))
                here = start + draw(st.integers(1, 1200))
                own.append(Word(text, start / 1000, here / 1000, 0.5))
            segments.append(Segment(own[0].start_seconds, own[-1].end_seconds, tuple(own), channel))
            latest = max(latest, here)
            here += draw(st.integers(0, 4000))
    segments.sort(key=lambda segment: segment.start_seconds)
    return Transcript(tuple(segments), (latest + draw(st.integers(0, 2000))) / 1000)
