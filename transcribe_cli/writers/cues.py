"""Subtitle cues: which words stand together on the screen, on which lines, from when to when.

What comes in is a Transcript, what goes out cues in order of time that do not overlap and end before the audio does.
Words that a given text has and the audio lacks are not among them.

The words of a channel are cut into cues by dynamic programming over all cuts: a cue costs a little for being there,
more for ending in the middle of a phrase, for a long pause inside it, for standing too short or being read too fast.
Recognised text often has no punctuation, so a pause and the words themselves ("and", "which" open a clause; "the",
"of" never end one) say where a phrase ends; where there is punctuation, it counts first.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import OptionError
from ..options import check, option
from ..transcript import Transcript, Word
from .escape import one_line

# a clause or phrase starts with these
_OPENERS = """
and but or nor so yet because although though while whereas unless until since when whenever where wherever if that
which who whom whose what why how as after before than then to for with from by in on at into about
"""
# these belong to the next word and never end a line in good subtitles
_CLINGERS = """
a an the of to in on at by for from with and but or nor so if as that which who my your his her its our their this these
those i you he she we they it is are was were be been am has have had do does did will would can could shall should may
might must not no very mr mrs ms dr st
"""
OPENERS, CLINGERS = frozenset(_OPENERS.split()), frozenset(_CLINGERS.split())
SENTENCE_END = (".", "!", "?", "…", '."', '!"', '?"', ".'", "。", "！", "？")
CLAUSE_END = (",", ";", ":", "–", "—", ',"', "，", "、", "；", "：")


@dataclass(frozen=True, slots=True)
class SubtitleOptions:
    """Limits of subtitles; the defaults are what broadcasters ask for."""

    max_lines: int = option(2, "lines of a subtitle", minimum=1, maximum=10, panel="Subtitles")
    max_line_length: int = option(42, "characters of a subtitle's line", minimum=5, maximum=1000, panel="Subtitles")
    min_cue_seconds: float = option(
        1.0, "a subtitle stands at least this long, speech permitting", minimum=0, maximum=60, panel="Subtitles"
    )
    max_cue_seconds: float = option(
        7.0, "a subtitle stands at most this long", minimum=0.1, maximum=600, panel="Subtitles"
    )
    max_cue_rate: float = option(
        20.0, "characters a second that can be read, speech permitting", minimum=1, maximum=1000, panel="Subtitles"
    )
    cue_pause: float = option(
        1.5, "seconds of silence that always end a subtitle", minimum=0, maximum=600, panel="Subtitles"
    )
    segments_end_cues: bool = False  # where segments mean something, as lines of a text do; no limit, so without a flag

    def __post_init__(self) -> None:
        check(self)
        if self.min_cue_seconds > self.max_cue_seconds:
            raise OptionError(
                f"--min-cue-seconds {self.min_cue_seconds} is more than --max-cue-seconds {self.max_cue_seconds}"
            )


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines of text on the screen from start to end."""

    start_seconds: float
    end_seconds: float
    lines: tuple[str, ...]
    channel: int | None = None

    @property
    def text(self) -> str:
        return " ".join(self.lines)


def cues(transcript: Transcript, options: SubtitleOptions) -> list[Cue]:
    """All cues of a transcript, in order of time; times are whole milliseconds.

    Where two channels speak at once, a cue ends when the other channel's begins.
    """
    # a recording that was read from its middle on ends later than it is long
    total = max([transcript.duration_seconds, *(segment.end_seconds for segment in transcript.segments)])
    transcript = audible(transcript)
    found: list[Cue] = []
    for channel in dict.fromkeys(segment.channel for segment in transcript.segments):
        words: list[Word] = []
        breaks: set[int] = set()  # indices of the words that end a segment
        for segment in transcript.segments:
            if segment.channel == channel:
                words += _fit(segment.words, options.max_line_length)
                breaks.add(len(words) - 1)
        groups = _cut(words, breaks, options)
        for k, (i, j) in enumerate(groups):
            after = words[groups[k + 1][0]].start_seconds if k + 1 < len(groups) else math.inf
            start = max(words[i].start_seconds, 0.0)
            texts = [word.text for word in words[i : j + 1]]
            end = min(max(words[j].end_seconds, start), after)
            # stay for those who read slowly, but not into the next cue
            wanted = max(options.min_cue_seconds, len(" ".join(texts)) / options.max_cue_rate, end - start)
            end = min(start + min(wanted, options.max_cue_seconds), max(after, end))
            found.append(Cue(start, end, balance(texts, options), channel))
    found.sort(key=lambda cue: (cue.start_seconds, cue.end_seconds))
    return _settle(found, total, options)


def audible(transcript: Transcript) -> Transcript:
    """A transcript without the words of a given text that the audio lacks and that have no length: they have no time at
    which they could be shown. Segments begin and end with the words that are left."""
    segments = []
    for segment in transcript.segments:
        words = tuple(word for word in segment.words if word.supported or word.end_seconds > word.start_seconds)
        if words == segment.words:
            segments.append(segment)
        elif words:
            times = words[0].start_seconds, words[-1].end_seconds
            segments.append(replace(segment, start_seconds=times[0], end_seconds=times[1], words=words))
    return replace(transcript, segments=tuple(segments))


def _fit(words: Sequence[Word], longest: int) -> list[Word]:
    """Words without those that have no sign to show; one longer than a line is cut into pieces that share its time."""
    out = []
    for word in words:
        text = one_line(word.text)
        pieces = [text[k : k + longest] for k in range(0, len(text), longest)]
        span = (word.end_seconds - word.start_seconds) / max(len(pieces), 1)
        for k, piece in enumerate(pieces):
            start = word.start_seconds + k * span
            out.append(Word(piece, start, start + span, word.confidence))
    return out


def break_cost(words: Sequence[Word], i: int, ends_segment: bool = False) -> float:
    """How wrong it is to break after word i (0 at the end of a sentence or at a pause, 2 after an article)."""
    if i + 1 >= len(words):
        return 0.0
    text, after = words[i].text.lower(), words[i + 1].text.lower()
    if text.endswith(SENTENCE_END):
        return 0.0
    pause = max(words[i + 1].start_seconds - words[i].end_seconds, 0.0)
    cost = 0.2 if text.endswith(CLAUSE_END) else 2.0 if text in CLINGERS else 0.6 if after in OPENERS else 1.0
    # a pause of 0.5 s is as good as a full stop, whatever the words
    return cost * max(0.0, 1.0 - pause / 0.5) * (0.3 if ends_segment else 1.0)


def _cut(words: Sequence[Word], breaks: set[int], options: SubtitleOptions) -> list[tuple[int, int]]:
    """(first, last) word of every cue: the cheapest way through all cuts."""
    n = len(words)
    best = [0.0] + [math.inf] * n  # cost of the best cues for the first k words
    came = [0] * (n + 1)
    costs = [break_cost(words, i, i in breaks) for i in range(n)]
    for j in range(n):  # last word of the cue
        after = words[j + 1].start_seconds if j + 1 < n else math.inf
        inside, length = 0.0, -1
        for i in range(j, -1, -1):  # first word
            length += len(words[i].text) + 1
            if i < j:
                pause = words[i + 1].start_seconds - words[i].end_seconds
                too_long = words[j].end_seconds - words[i].start_seconds > options.max_cue_seconds
                parted = pause >= options.cue_pause or (options.segments_end_cues and i in breaks)
                if too_long or parted or not _fits(words[i : j + 1], length, options):
                    break
                inside += max(0.0, pause - 0.4) * 3 + (0.6 if words[i].text.endswith(SENTENCE_END) else 0.0)
            spoken = words[j].end_seconds - words[i].start_seconds
            room = min(after - words[i].start_seconds, options.max_cue_seconds)  # until something else must stand
            shown = max(min(room, max(spoken, length / options.max_cue_rate)), 0.001)
            short = max(0.0, options.min_cue_seconds - room)
            fast = max(0.0, length / shown / options.max_cue_rate - 1.0)
            cost = best[i] + 1.0 + 2.0 * costs[j] + inside + 3.0 * short + 4.0 * fast
            if cost < best[j + 1]:
                best[j + 1], came[j + 1] = cost, i
    groups, end = [], n
    while end:
        groups.append((came[end], end - 1))
        end = came[end]
    return groups[::-1]


def _fits(words: Sequence[Word], length: int, options: SubtitleOptions) -> bool:
    """Whether the words fit on the lines; filling each line before the next needs the fewest lines."""
    if length <= options.max_line_length:
        return True
    if length > options.max_lines * (options.max_line_length + 1) - 1:
        return False
    n_lines, used = 1, -1
    for word in words:
        if used + 1 + len(word.text) > options.max_line_length:
            n_lines, used = n_lines + 1, -1
        used += 1 + len(word.text)
    return n_lines <= options.max_lines


def balance(texts: Sequence[str], options: SubtitleOptions) -> tuple[str, ...]:
    """Words → the fewest lines that hold them, of like length, broken where a phrase ends rather than after "the"."""
    if not texts:
        return ()
    n, limit = len(texts), options.max_line_length
    still = [Word(text, 0.0, 0.0, 1.0) for text in texts]
    for n_lines in range(1, n + 1):
        ideal = len(" ".join(texts)) / n_lines
        best: list[list[tuple[float, int]]] = [[(math.inf, 0)] * (n + 1) for _ in range(n_lines + 1)]
        best[0][0] = (0.0, 0)
        for line in range(1, n_lines + 1):
            for j in range(1, n + 1):
                length = -1
                for i in range(j - 1, -1, -1):
                    length += 1 + len(texts[i])
                    if length > limit:
                        break
                    # one phrase-breaking step (1.0) is worth a line 0.35 of the ideal off
                    cost = best[line - 1][i][0] + 8.0 * ((length - ideal) / ideal) ** 2 + break_cost(still, j - 1)
                    if cost < best[line][j][0]:
                        best[line][j] = (cost, i)
        if best[n_lines][n][0] < math.inf:
            out, end = [], n
            for line in range(n_lines, 0, -1):
                start = best[line][end][1]
                out.append(" ".join(texts[start:end]))
                end = start
            return tuple(out[::-1])
    return tuple(texts)  # a word longer than a line: callers cut those before


def _settle(found: Sequence[Cue], total: float, options: SubtitleOptions) -> list[Cue]:
    """Cues in order → the same without overlap, inside 0…total, in whole milliseconds, each at least one long.

    A cue too short for reading because the audio ends may begin early instead, in the silence before it.
    """
    limit = max(round(total * 1000), len(found))
    shortest = round(options.min_cue_seconds * 1000)
    starts = [min(round(cue.start_seconds * 1000), limit) for cue in found]
    ends = [min(round(cue.end_seconds * 1000), limit) for cue in found]
    for k in range(1, len(found)):
        # two channels that begin together: the later waits until the earlier was there for a moment
        moment = min(ends[k - 1], starts[k - 1] + shortest // 2)
        starts[k] = max(starts[k], moment, starts[k - 1] + 1)
        ends[k - 1] = min(ends[k - 1], starts[k])
        ends[k] = max(ends[k], starts[k])
    ceiling = limit
    for k in range(len(found) - 1, -1, -1):
        floor = max(ends[k - 1], 0) if k else 0
        ends[k] = min(max(ends[k], starts[k] + 1), ceiling)
        if ends[k] == limit and ends[k] - starts[k] < shortest:
            starts[k] = max(min(starts[k], limit - shortest), min(floor, ends[k] - 1))
        starts[k] = max(min(starts[k], ends[k] - 1), 0)
        ceiling = starts[k]
    return [
        Cue(start / 1000, end / 1000, cue.lines, cue.channel)
        for start, end, cue in zip(starts, ends, found, strict=True)
        if cue.lines
    ]
