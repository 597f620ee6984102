"""Tables, a row a segment: tab-separated as Whisper has it, comma-separated, Audacity's labels."""

import csv as _csv
import io

from ..transcript import Segment
from .escape import cell, label, one_line
from .lines import Lines


def tsv(name: str, channels: bool) -> Lines:
    """Whisper's columns start, end (milliseconds) and text; `channel` follows where channels are kept apart."""

    def segment(segment: Segment) -> str:
        if not segment.words:
            return ""
        row = [milliseconds(segment.start_seconds), milliseconds(segment.end_seconds), cell(segment.text)]
        return "\t".join(map(str, row + [segment.channel] * channels)) + "\n"

    return Lines("\t".join(["start", "end", "text"] + ["channel"] * channels) + "\n", segment)


def csv(name: str, channels: bool) -> Lines:
    """Columns start, end (seconds), confidence (0…1), [channel], text; quotes and line ends as RFC 4180 has them."""

    def row(values: list[object]) -> str:
        out = io.StringIO()
        _csv.writer(out).writerow(values)
        return out.getvalue()

    def segment(segment: Segment) -> str:
        if not segment.words:
            return ""
        times = [f"{segment.start_seconds:.3f}", f"{segment.end_seconds:.3f}", f"{segment.confidence:.4f}"]
        return row([*times, *[segment.channel] * channels, cell(segment.text)])

    return Lines(row(["start", "end", "confidence", *["channel"] * channels, "text"]), segment)


def audacity(name: str, channels: bool) -> Lines:
    """Audacity's label track: start, end (seconds) and label, tab-separated, no header."""

    def segment(segment: Segment) -> str:
        if not segment.words:
            return ""
        text = label(segment.channel) + one_line(segment.text)
        return f"{segment.start_seconds:.6f}\t{segment.end_seconds:.6f}\t{text}\n"

    return Lines("", segment)


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
