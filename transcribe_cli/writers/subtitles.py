"""Subtitles: SubRip, WebVTT, Advanced SubStation Alpha, and lyrics. Cues come from `cues`; here they are written."""

from ..transcript import Transcript
from . import escape
from .cues import SubtitleOptions, cues


def srt(transcript: Transcript, options: SubtitleOptions, name: str) -> str:
    """SubRip: numbered cues, `00:00:01,000 --> 00:00:02,000`; the format has no standard but what players read."""
    blocks = []
    for number, cue in enumerate(cues(transcript, options), 1):
        lines = [escape.srt(line) for line in cue.lines]
        lines[0] = escape.label(cue.channel) + lines[0]
        times = f"{clock(cue.start_seconds, ',')} --> {clock(cue.end_seconds, ',')}"
        blocks.append("\n".join([str(number), times, *lines]) + "\n")
    return "\n".join(blocks)


def vtt(transcript: Transcript, options: SubtitleOptions, name: str) -> str:
    """WebVTT; a channel becomes a voice (`<v channel 0>`). Source: W3C, WebVTT, Candidate Recommendation 2019."""
    blocks = ["WEBVTT\n"]
    for cue in cues(transcript, options):
        lines = [escape.vtt(line) for line in cue.lines]
        if cue.channel is not None:
            lines = [f"<v channel {cue.channel}>{lines[0]}", *lines[1:]]
        times = f"{clock(cue.start_seconds, '.')} --> {clock(cue.end_seconds, '.')}"
        blocks.append("\n".join([times, *lines]) + "\n")
    return "\n".join(blocks)


ASS_HEADER = """\
[Script Info]
ScriptType: v4.00+
WrapStyle: 2
ScaledBorderAndShadow: yes
PlayResX: 1920
PlayResY: 1080

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,64,&H00FFFFFF,&H000000FF,&H00000000,&H80000000,0,0,0,0,100,100,0,0,1,3,1,2,60,60,50,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def ass(transcript: Transcript, options: SubtitleOptions, name: str) -> str:
    """Advanced SubStation Alpha; a channel becomes the line's Name; times have hundredths. Source: its manual."""
    events = []
    for cue in cues(transcript, options):
        start, end = (clock(seconds, ".", hundredths=True) for seconds in (cue.start_seconds, cue.end_seconds))
        who = "" if cue.channel is None else f"channel {cue.channel}"
        text = r"\N".join(map(escape.ass, cue.lines))
        events.append(f"Dialogue: 0,{start},{end},Default,{who},0,0,0,,{text}\n")
    return ASS_HEADER + "".join(events)


def lrc(transcript: Transcript, options: SubtitleOptions, name: str) -> str:
    """Lyrics: `[mm:ss.hh]` and the text, an empty line where a pause begins.

    Channels are labelled `0: `: players take any brackets at a line's beginning for a tag and drop them.
    """
    lines, shown = [], cues(transcript, options)
    for k, cue in enumerate(shown):
        label = "" if cue.channel is None else f"{cue.channel}: "
        lines.append(f"[{_minutes(cue.start_seconds)}]{label}{escape.lrc(cue.text)}\n")
        if k + 1 == len(shown) or shown[k + 1].start_seconds - cue.end_seconds >= 1.0:
            lines.append(f"[{_minutes(cue.end_seconds)}]\n")
    return "".join(lines)


def clock(seconds: float, point: str, hundredths: bool = False) -> str:
    """Seconds → `hh:mm:ss` with thousandths after `point`; SubStation has hundredths and one digit for the hour."""
    ticks = int(seconds * 1000 + 0.5) // (10 if hundredths else 1)
    ticks, fraction = divmod(ticks, 100 if hundredths else 1000)
    minutes, second = divmod(ticks, 60)
    hour, minute = divmod(minutes, 60)
    digits = f"{hour}:{minute:02}:{second:02}" if hundredths else f"{hour:02}:{minute:02}:{second:02}"
    return f"{digits}{point}{fraction:0{2 if hundredths else 3}}"


def _minutes(seconds: float) -> str:
    ticks = int(seconds * 1000 + 0.5) // 10
    minutes, hundredths = divmod(ticks, 6000)
    return f"{minutes:02}:{hundredths // 100:02}.{hundredths % 100:02}"
