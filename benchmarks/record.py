"""What stands beside figures for the record: command, commit, the machine in general words; and where they go."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def place(path: Path, name: str, heading: str, text: str) -> None:
    """Puts text between the marks of `name` in a Markdown file, or under a heading at its end; - prints it."""
    if str(path) == "-":
        print(text)
        return
    marks = f"<!-- {name}: made by benchmarks/{name}.py -->", f"<!-- end of {name} -->"
    whole = path.read_text() if path.is_file() else ""
    block = f"{marks[0]}\n\n{text.rstrip()}\n\n{marks[1]}"
    if marks[0] in whole and marks[1] in whole:
        before, rest = whole.split(marks[0], 1)
        whole = before + block + rest.split(marks[1], 1)[1]
    else:
        whole = whole.rstrip("\n") + f"\n\n## {heading}\n\n{block}\n"
    path.write_text(whole)
    print(f"written: {path}")


def command(name: str) -> str:
    """What was typed, with paths shortened to what anyone could type."""
    words = [Path(word).name if os.path.isabs(word) else word for word in sys.argv[1:]]
    words = [f"DATA/{Path(word).name}" if word.endswith(".jsonl") else word for word in words]
    return shlex.join(["python", f"benchmarks/{name}.py", *words])


def commit() -> str:
    """The commit; `-dirty` where the working tree is not it."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def machine(cores: int) -> str:
    """The processor in general words."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return f"{cores} cores"
    flags = set(text.split("flags", 1)[-1].split("\n", 1)[0].split())
    maker = "AMD" if "AuthenticAMD" in text else "Intel" if "GenuineIntel" in text else "x86-64"
    names = (("avx2", "AVX2"), ("avx512f", "AVX-512"), ("avx512_vnni", "VNNI"), ("avx_vnni", "VNNI"))
    can = [name for flag, name in names if flag in flags] or ["no AVX2"]
    return f"{cores} cores of an {maker} processor ({', '.join(can)}{'' if 'VNNI' in can else ', no VNNI'})"
