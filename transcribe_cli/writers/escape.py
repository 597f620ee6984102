"""Texts made harmless for the format they go into: nothing said in a recording may become markup or a formula."""

import re

# U+2060 WORD JOINER is invisible and has no width; put after the first sign of a tag, it keeps parsers from seeing one.
JOINER = "\u2060"


def one_line(text: str) -> str:
    """Text with every run of white space and control characters as one space, and none at the ends."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", " ", text).split())


def label(channel: int | None) -> str:
    """What stands before the words of a channel in formats without a field for it: "[0] ", or nothing."""
    return "" if channel is None else f"[{channel}] "


def cell(text: str) -> str:
    """Text for a table cell. A spreadsheet would run what starts like a formula, so an apostrophe goes before it.

    Source: OWASP, "CSV Injection".
    """
    text = one_line(text)
    return "'" + text if text[:1] in tuple("=+-@＝＋－＠") else text


def srt(text: str) -> str:
    """SubRip has no escapes, but players read HTML-like tags, {\\an8} and arrows: a word joiner breaks each."""
    text = one_line(text).replace("-->", f"--{JOINER}>")
    return re.sub(r"([<{])(?=\S)", rf"\1{JOINER}", text)


def vtt(text: str) -> str:
    """WebVTT's character references, the only markup left in a text."""
    return one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def ass(text: str) -> str:
    """SubStation has no escapes that all players know: braces and backslash become their full-width look-alikes."""
    return one_line(text).replace("{", "｛").replace("}", "｝").replace("\\", "＼")


def lrc(text: str) -> str:
    """Lyrics take [00:00.00] and <00:00.00> for times: a word joiner breaks both."""
    return re.sub(r"([\[<])(?=\d)", rf"\1{JOINER}", one_line(text))
