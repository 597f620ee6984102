"""A user's own texts → plain sentences, whatever they were written with.

In go files and folders of .txt, .md, .srt, .vtt and .docx, out come paragraphs of plain text: markup, cue numbers and
times taken away. Nothing in a file is executed, and what a .docx unpacks to is bounded.
"""

import html
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from ..errors import InputError, InputNotFound
from .files import lines

ENDINGS = (".txt", ".text", ".md", ".markdown", ".srt", ".vtt", ".docx")
MOST_XML_BYTES = 200_000_000  # of a .docx's unpacked text; a book has 3 million

FENCE = re.compile(r"^\s*(```|~~~)")
CUE_TIME = re.compile(r"^\s*(\d+:)?\d+:\d+[.,]\d+\s*-->")
MARKDOWN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),  # pictures, then links: what is shown, not where it leads
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"<[^>]{1,200}>"), " "),
    (re.compile(r"`([^`]*)`"), r"\1"),
    (re.compile(r"^\s*(#{1,6}|>|[-*+]|\d+[.)])\s+(\[[ xX]\]\s+)?"), ""),
    (re.compile(r"\*\*|__|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)|~~"), ""),
    (re.compile(r"\s*\|\s*"), ". "),  # cells of a table are no neighbours
    (re.compile(r"^\s*[-=*_:. ]{3,}$"), ""),
)


def find_notes(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, folders with all texts in them, in order of name.

    Raises InputNotFound for what is not there, InputError where no text is found.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
        elif path.exists():
            found.append(path)
        else:
            raise InputNotFound(f"{path}: no such file or folder")
    if not found:
        raise InputError(f"no texts in {', '.join(map(str, paths))}: give {', '.join(ENDINGS)} files")
    return found


def paragraphs(path: Path) -> Iterator[str]:
    """One file's text, a line or paragraph at a time. Raises InputError where it cannot be read as its ending says."""
    ending = path.suffix.lower()
    if ending == ".docx":
        yield from _docx(path)
    elif ending in (".md", ".markdown"):
        yield from _markdown(lines([path]))
    elif ending in (".srt", ".vtt"):
        yield from _subtitles(lines([path]))
    else:
        yield from _joined(lines([path]))


def _joined(text: Iterator[str]) -> Iterator[str]:
    """Lines of a paragraph as one, since writers wrap lines; a blank line ends it, and so does a short one."""
    waiting: list[str] = []
    for line in text:
        line = line.strip()
        if line:
            waiting.append(line)
        if waiting and (not line or len(line) < 50):
            yield " ".join(waiting)
            waiting = []
    if waiting:
        yield " ".join(waiting)


def _markdown(text: Iterator[str]) -> Iterator[str]:
    in_code = in_list = False
    plain: list[str] = []
    for line in text:
        is_item = bool(re.match(r"\s*([-*+]|\d+[.)])\s", line))
        in_list = is_item or (in_list and (not line.strip() or line[0] in " \t"))
        if FENCE.match(line):
            in_code = not in_code
            continue
        if in_code or (line.startswith(("    ", "\t")) and not in_list):  # below a list it goes on with an item
            continue
        starts_anew = bool(re.match(r"\s*(#{1,6}|[-*+]|\d+[.)]|\|)\s?", line))
        for pattern, replacement in MARKDOWN:
            line = pattern.sub(replacement, line)
        if starts_anew:
            plain.append("\n")
        plain.append(line)
    yield from _joined(iter(plain))


def _subtitles(text: Iterator[str]) -> Iterator[str]:
    """Cues joined, since sentences run across them."""
    cues: list[str] = []
    timed = False  # within a cue's text; headers, notes, styles and the names of cues stand outside
    for line in text:
        line = line.strip()
        if CUE_TIME.match(line):
            timed = True
        elif not line:
            timed = False
        elif timed:
            cues.append(html.unescape(re.sub(r"<[^>]{1,100}>|\{[^}]{1,100}\}", "", line)))
    if cues:
        yield " ".join(cues)


def _docx(path: Path) -> Iterator[str]:
    word = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("word/document.xml").file_size > MOST_XML_BYTES:
                raise InputError(f"{path}: its text unpacks to more than {MOST_XML_BYTES} bytes")
            with archive.open("word/document.xml") as file:
                data = file.read(MOST_XML_BYTES + 1)
        if b"<!DOCTYPE" in data[:2000] or b"<!ENTITY" in data[:2000]:
            raise InputError(f"{path}: not a Word document (it defines entities)")
        root = ElementTree.fromstring(data)
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, OSError, RuntimeError) as error:
        raise InputError(f"{path}: not a Word document ({error})") from error
    for paragraph in root.iter(f"{word}p"):
        yield "".join(
            node.text or "" if node.tag == f"{word}t" else " "
            for node in paragraph.iter()
            if node.tag in (f"{word}t", f"{word}tab", f"{word}br")
        )
