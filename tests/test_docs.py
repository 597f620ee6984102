"""The documentation is true: its console blocks print what they show, and it names every option and format."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))
import blocks  # noqa: E402

from transcribe_cli.cli.batch_options import BatchOptions  # noqa: E402
from transcribe_cli.cli.output_options import OutputOptions  # noqa: E402
from transcribe_cli.pipeline import Options  # noqa: E402
from transcribe_cli.writers import FORMATS, SubtitleOptions  # noqa: E402

PAGES = [
    path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if "```console" in path.read_text()
]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_every_console_block_prints_what_it_shows(path):
    with blocks.workplace() as folder:
        for match in blocks.BLOCK.finditer(path.read_text()):
            for command, expected in blocks.commands(match[1]):
                got = blocks.run(command, folder)
                assert blocks.matches(expected, got), f"$ {command}\n--- documented\n{expected}--- printed\n{got}"


def test_readme_names_every_format():
    for name in FORMATS:
        assert f"`{name}`" in README


def test_readme_names_every_option_of_transcribing():
    rooms = [field.default.__class__ for field in dataclasses.fields(Options)]
    for room in [*rooms, BatchOptions, OutputOptions, SubtitleOptions]:
        for field in dataclasses.fields(room):
            if field.metadata:
                assert f"--{field.name.replace('_', '-')}" in README, f"README does not name --{field.name}"


def test_help_is_quick_because_it_loads_nothing_heavy():
    heavy = "numpy", "onnxruntime", "rich", "kenlm", "soundfile"
    code = "import sys; from transcribe_cli.cli import run; run(['--help']); "
    code += f"print([m for m in {heavy} if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "[]"
