"""Arrows point down: a room imports only rooms above it in this list, and heavy libraries stay in their rooms."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "transcribe_cli"

# from the ground up; rooms on one line do not know each other
FLOORS = [
    ["errors"],
    ["options", "outputs", "shard", "lines", "memory", "noise"],
    ["transcript", "alphabet"],
    ["audio", "features", "ctc"],
    ["lm"],
    ["bundle"],
    ["emission", "decoding", "spellings"],
    ["alignment"],
    ["reader", "align", "punctuation", "figures"],
    ["pipeline"],
    ["batch", "journal"],
    ["engine", "cluster"],
    ["api", "writers", "evaluate", "config", "adapt", "inspection", "doctor"],
    ["training"],
    ["cli"],
    ["__main__", "__init__"],
]
LEVEL = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# library → rooms that may import it at all
ONLY_IN = {
    "torch": {"training"},
    "onnxruntime": {"bundle", "cli", "training"},
    "kenlm": {"lm", "decoding"},
    "soundfile": {"audio", "training", "evaluate", "cli"},
    "soxr": {"audio", "training"},
    "typer": {"cli"},
    "rich": {"cli", "evaluate"},
    "text_to_num": {"figures"},
}
# may be imported when a module is loaded; everything else waits until it is needed
BASE = {"numpy", "typer", "kenlm", "soundfile", "soxr"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, bool]]:
    """(dotted name, whether it runs when the module is loaded); names in the package begin with transcribe_cli."""
    tree = ast.parse(path.read_text())
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        for inner in ast.walk(node)
    }
    here = ["transcribe_cli", *path.relative_to(PACKAGE).with_suffix("").parts]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) not in lazy) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: -node.level] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{name}.{alias.name}" for alias in node.names] if name == "transcribe_cli" else [name]
            found += [(one, id(node) not in lazy) for one in names]
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_below_it(path):
    room = room_of(path)
    assert room in LEVEL, f"{room} has no floor: give it one in FLOORS"
    for name, _ in imports(path):
        if name.startswith("transcribe_cli."):
            other = name.split(".")[1]
            if other == "__version__" or other == room:
                continue
            assert LEVEL[other] < LEVEL[room], f"{path.name} imports {name}, which is not below {room}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_stay_in_their_rooms_and_wait_until_needed(path):
    import sys

    room = room_of(path)
    for name, at_load in imports(path):
        library = name.split(".")[0]
        if library in sys.stdlib_module_names or library == "transcribe_cli":
            continue
        assert room in ONLY_IN.get(library, {room}), f"{library} is imported in {room}"
        lazy_command = room == "cli" and library == "rich"  # commands load when called; help is watched by test_docs
        if at_load and room != "training" and not lazy_command:
            assert library in BASE, (
                f"{path.name} imports {library} when loaded: move it into the function that needs it"
            )
