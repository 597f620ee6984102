"""docs/decoding.md names every option with its true default, and its example runs."""

import dataclasses
import re
from pathlib import Path

from transcribe_cli.decoding import DecodingOptions

PAGE = (Path(__file__).parent.parent.parent / "docs" / "decoding.md").read_text(encoding="utf-8")


def test_every_option_stands_there_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(--[a-z-]+)` \| (.*?) ?\|", PAGE, re.M))
    for field in dataclasses.fields(DecodingOptions):
        default = "" if field.default in ((), None) else str(field.default)
        told = rows.pop("--" + field.name.replace("_", "-"))
        assert told == default or (default, told) == ("", "the card's"), field.name
    assert not rows


def test_the_example_runs() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
    exec(compile(example, "docs/decoding.md", "exec"), {})
    assert "assert" in example
