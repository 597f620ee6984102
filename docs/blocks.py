"""Documentation that runs: the console blocks of Markdown files, executed in a copy of samples/.

    python docs/blocks.py README.md docs/*.md     # rewrites every block with what its commands print now

A block fenced as ```console holds lines "$ command" and what the command prints (both streams); a line "…" stands for
any lines, and within a line for digits and points alone: what processors round differently. A file's blocks run one
after the other in one folder, so later ones may use what earlier ones made.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)


def commands(block: str) -> list[tuple[str, str]]:
    """(command, expected output) of a console block."""
    found: list[tuple[str, str]] = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:].rstrip("\n"), ""))
        elif found:
            found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def workplace() -> tempfile.TemporaryDirectory[str]:
    """A folder with the samples in it."""
    folder = tempfile.TemporaryDirectory()
    for path in (ROOT / "samples").iterdir():
        shutil.copy(path, folder.name)
    return folder


def run(command: str, folder: str) -> str:
    """What the command prints; runs with this interpreter's scripts first on the path and no settings of the user."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TRANSCRIBE_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "HOME": folder,
        "XDG_CONFIG_HOME": folder,
    }
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return result.stdout


def matches(expected: str, got: str) -> bool:
    """Whether the output is the expected one, "…" standing for any lines, within a line for digits alone."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else re.escape(line).replace("…", "[0-9.…]+")
        for line in expected.splitlines(keepends=True)
    )
    return re.fullmatch(pattern, got) is not None


def rewrite(path: Path) -> None:
    """Puts what the commands print now under each command whose output has no "…" of its own, or is another."""
    with workplace() as folder:

        def fresh(match: re.Match[str]) -> str:
            text = ""
            for command, expected in commands(match[1]):
                got = run(command, folder)
                text += f"$ {command}\n" + (expected if "…" in expected and matches(expected, got) else got)
            return f"```console\n{text}```"

        path.write_text(BLOCK.sub(fresh, path.read_text()))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        rewrite(Path(name))
