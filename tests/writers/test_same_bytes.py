"""Every format is the same from a transcript as from its JSON."""

import pytest

from transcribe_cli import writers
from transcribe_cli.transcript import Segment, Transcript, Word
from transcribe_cli.writers import json

# thirds of seconds and confidences whose rounded mean is not their mean rounded
LETTERS = (Word("n", 2.0 / 3, 0.7777777, 0.12346), Word("o", 0.7777777, 0.9999999, 0.12341))
WORDS = (
    Word("yes", 1.0 / 3, 2.0 / 3, 0.12346),
    Word("no", 2.0 / 3, 0.9999999, 0.12341, LETTERS),
    Word("so", 1.0004999, 1.0015001, 0.12341),
)
TALK = Transcript((Segment(1.0 / 3, 1.0015001, WORDS, 0),), 2.00049, "en 1")


@pytest.mark.parametrize("format", writers.FORMATS)
def test_a_format_has_the_same_bytes_from_the_json_as_from_the_run(format):
    again = json.read(writers.render(TALK, "json"))
    assert writers.render(again, format) == writers.render(TALK, format)
    lines = writers.stream(format, channels=True)
    if lines is not None:
        assert lines.header + "".join(map(lines.segment, TALK.segments)) == writers.render(again, format)
