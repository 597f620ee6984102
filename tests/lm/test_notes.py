"""A user's texts become sentences whatever they were written with."""

import zipfile
from pathlib import Path

import pytest

from transcribe_cli.errors import InputError, InputNotFound
from transcribe_cli.lm.notes import find_notes, paragraphs

MARKDOWN = """# Meeting of the *Kestrel* team

We [agreed](https://example.org/x) on the
**second** prototype, see `notes`.

- [x] ask Mira
- buy bolts

```python
print("not prose")
```

| part | price |
|------|-------|
| bolt | two   |
"""

SUBTITLES = """WEBVTT

1
00:00:01.000 --> 00:00:03.500
<v Ann>The glider has

2
00:00:03.500 --> 00:00:05.000
{\\an8}landed.
"""


def write_docx(path: Path, xml: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", xml)


def document(body: str) -> str:
    return f'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{body}</w:body></w:document>'


def test_markdown_gives_its_prose_without_markup_links_and_code(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(MARKDOWN)
    text = " ".join(" ".join(paragraphs(tmp_path / "a.md")).split())
    assert "Meeting of the Kestrel team We agreed on the second prototype, see notes." in text
    assert "ask Mira buy bolts" in text
    assert "print" not in text
    assert "example.org" not in text
    assert not set("*`#[](") & set(text)


def test_subtitles_give_sentences_across_cues_without_times(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_text(SUBTITLES)
    assert list(paragraphs(tmp_path / "a.vtt")) == ["The glider has landed."]


def test_wrapped_lines_are_one_paragraph_and_a_blank_line_ends_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "A line that is long enough to have been wrapped by its\nwriter.\n\nNext one.\nShort.\n"
    )
    assert list(paragraphs(tmp_path / "a.txt")) == [
        "A line that is long enough to have been wrapped by its writer.",
        "Next one.",
        "Short.",
    ]


def test_word_document_gives_its_paragraphs(tmp_path: Path) -> None:
    runs = "<w:p><w:r><w:t>The </w:t></w:r><w:r><w:t>kestrel</w:t></w:r></w:p><w:p><w:r><w:t>flew.</w:t></w:r></w:p>"
    write_docx(tmp_path / "a.docx", document(runs))
    assert list(paragraphs(tmp_path / "a.docx")) == ["The kestrel", "flew."]


def test_word_document_with_entities_is_refused(tmp_path: Path) -> None:
    write_docx(tmp_path / "a.docx", '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + document("<w:p/>"))
    with pytest.raises(InputError, match="entities"):
        list(paragraphs(tmp_path / "a.docx"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"plain text"])
def test_what_only_is_called_docx_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.docx").write_bytes(content)
    with pytest.raises(InputError, match="not a Word document"):
        list(paragraphs(tmp_path / "a.docx"))


def test_text_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("ok\nna\xefve\n".encode("latin-1"))
    with pytest.raises(InputError, match="line 2 is not UTF-8"):
        list(paragraphs(tmp_path / "a.txt"))


def test_folders_are_searched_and_other_files_left(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.txt", "a.md", "deep/c.srt", "picture.png"):
        (tmp_path / name).write_text("x")
    assert [path.name for path in find_notes([tmp_path])] == ["a.md", "b.txt", "c.srt"]


def test_missing_and_empty_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="no such file"):
        find_notes([tmp_path / "none"])
    with pytest.raises(InputError, match="no texts in"):
        find_notes([tmp_path])


def test_items_below_items_are_no_code(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("- Agenda\n    - The Kestrel glider lands\n\nProse.\n\n    code = 1\n")
    text = " ".join(paragraphs(tmp_path / "a.md"))
    assert "The Kestrel glider lands" in text
    assert "code" not in text


def test_what_stands_outside_of_cues_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_text(
        "WEBVTT - a title\n\nSTYLE\n::cue { color: red }\n\nNOTE\na secret\n\nintro-one\n"
        "00:01.000 --> 00:03.500\n&gt;&gt; R&amp;D met.\n"
    )
    assert list(paragraphs(tmp_path / "a.vtt")) == [">> R&D met."]
