import json
import re
from dataclasses import fields
from pathlib import Path

from transcribe_cli import writers
from transcribe_cli.transcript import Alternative, Segment, Transcript, Word

TEXT = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()


def test_every_format_has_its_row():
    rows = re.findall(r"^\| `(\w+)` \| `\.([\w.]+)` \|", TEXT, re.MULTILINE)
    assert rows == [(name, format.extension) for name, format in writers.FORMATS.items()]


def test_every_limit_of_subtitles_has_its_row_and_default():
    for field in (one for one in fields(writers.SubtitleOptions) if one.metadata):
        assert f"| `--{field.name.replace('_', '-')}` | {field.default:g} |" in TEXT


def test_the_json_shown_has_every_key_and_no_other():
    shown = json.loads(re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)[1])
    word = Word("hello", 0.5, 0.85, 0.9)
    segment = Segment(0.5, 1.25, (word,), 0, (Alternative("hello", -3.5, -1.25, -4.75),))
    written = json.loads(writers.render(Transcript((segment,), 5.0), "json"))
    assert list(shown) == list(written)
    assert list(shown["segments"][0]) == list(written["segments"][0])
    assert shown["segments"][0]["words"][0].keys() == written["segments"][0]["words"][0].keys()
    assert shown["segments"][0]["alternatives"][0].keys() == written["segments"][0]["alternatives"][0].keys()
