"""Where models lie and how one is found: by name in the known folders, or by the path of a folder or `.onnx` file.

A bundle is a folder with `card.json`, the graph and, if there is one, the language model. A lone `.onnx` whose
metadata carries the card under the key "card" is a bundle too.
"""

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError, ModelNotFound
from .card import Card, parse

DEFAULT = "en"
GRAPH = "model.onnx"  # what a card that names none is of


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model that was found and whose card was read. Nothing heavy is loaded yet."""

    card: Card
    folder: Path
    graph_path: Path

    @property
    def language_model_path(self) -> Path | None:
        entry = self.card.language_model
        return None if entry is None else self.folder / entry.file

    @property
    def rescorer_path(self) -> Path | None:
        entry = self.card.language_model
        return None if entry is None or entry.rescorer is None else self.folder / entry.rescorer

    @property
    def lexicon_path(self) -> Path | None:
        return None if self.card.lexicon is None else self.folder / self.card.lexicon

    @property
    def spellings_path(self) -> Path | None:
        return None if self.card.spellings is None else self.folder / self.card.spellings


def roots() -> list[Path]:
    """Folders searched for models by name, in order: $TRANSCRIBE_MODELS, the user's data directory, the package."""
    found = [Path(part) for part in os.environ.get("TRANSCRIBE_MODELS", "").split(os.pathsep) if part]
    if data := os.environ.get("XDG_DATA_HOME"):
        found.append(Path(data) / "transcribe" / "models")
    else:
        with contextlib.suppress(RuntimeError):  # a user without a home has no models there
            found.append(Path.home() / ".local" / "share" / "transcribe" / "models")
    package = Path(__file__).resolve().parent.parent
    # an installed wheel carries the models inside the package, a checkout beside it
    found += [package / "models", package.parent / "models"]
    return found


def names() -> Iterator[tuple[str, Path]]:
    """(name, folder) of every model in the known folders; an earlier folder's model hides its namesakes.

    A folder that cannot be looked at has none.
    """
    seen = set()
    for root in roots():
        try:
            inside = sorted(root.iterdir())
        except OSError:
            continue
        # a folder that is a model itself is found too, under its own name
        for folder in (root, *inside):
            if os.path.exists(folder / "card.json") and folder.name not in seen:
                seen.add(folder.name)
                yield folder.name, folder


def find(name: str = DEFAULT) -> Bundle:
    """Finds a model by name or path and reads its card.

    A bare name is that of a folder here where the folder is a model, or no model is known by it. The default is none:
    a folder called "en" that happens to lie here says nothing of speech recognition.

    Raises:
        ModelNotFound: no such model; the message lists what there is.
        ModelError: the card is missing or broken, or a file that it names is not there.
    """
    path = Path(name)
    if path.suffix == ".onnx":
        if not _is_there(path, stat.S_ISREG):
            raise ModelNotFound(f"{name}: no such file")
        return _lone_graph(path)
    if os.sep in name:
        if not _is_there(path, stat.S_ISDIR):
            raise ModelNotFound(f"{name}: no such folder")
        return _folder(path)
    if name != DEFAULT and os.path.isfile(path / "card.json"):
        return _folder(path)
    known = dict(names())
    if name in known:
        return _folder(known[name])
    if name != DEFAULT and os.path.isdir(path):
        return _folder(path)
    raise ModelNotFound(f"no model named {name!r}; there is {', '.join(sorted(known)) or 'none'} (transcribe models)")


def _is_there(path: Path, kind: Callable[[int], bool]) -> bool:
    """Whether there is a file, or a folder, of that name. Raises ModelError where one may not look."""
    try:
        return kind(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise ModelError(
            f"{path}: cannot be looked at ({getattr(error, 'strerror', None) or error}); see `transcribe models`"
        ) from error


def verify(bundle: Bundle) -> dict[str, bool]:
    """File name → whether its sha256 equals the card's, for every checksum in the card."""
    return {name: sha256(bundle.folder / name) == expected for name, expected in bundle.card.checksums.items()}


def _folder(folder: Path) -> Bundle:
    card_path = folder / "card.json"
    try:
        text = card_path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ModelError(f"{folder}: no card.json in this folder, so nothing says how to feed the model") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{card_path}: cannot be read ({error})") from error
    card = parse(text, str(card_path))
    bundle = Bundle(card, folder, folder / card.graph)
    for path in (bundle.graph_path, *_beside(bundle)):
        if path is not None and not os.path.isfile(path):
            raise ModelError(f"{card_path}: names {path.name}, which is not in the folder")
    return bundle


def _lone_graph(path: Path) -> Bundle:
    from .session import read_metadata

    beside = path.parent / "card.json"
    graph = _graph_of(beside) if os.path.exists(beside) else None
    if graph == path.name:  # the folder's card knows of the language model and the lexicon, too
        return _folder(path.parent)
    text = read_metadata(path).get("card")
    if text is None:
        other = "" if graph is None else f" of this graph: it is of {graph}"
        raise ModelError(f"{path}: no card in its metadata and no card.json beside it{other}")
    card = parse(text, str(path))
    bundle = Bundle(card, path.parent, path)
    for part in _beside(bundle):
        if part is not None and not os.path.isfile(part):
            raise ModelError(f"{path}: its card names {part.name}, which is not beside it (try the bundle's folder)")
    return bundle


def _graph_of(card_path: Path) -> str:
    """The graph that a card is of; of a card that cannot be read the usual one, since reading it says what is wrong."""
    try:
        return str(json.loads(card_path.read_bytes()).get("graph", GRAPH))
    except (OSError, ValueError, AttributeError, RecursionError):
        return GRAPH


def files(bundle: Bundle) -> list[Path]:
    """The files that make up a bundle: all in its folder, or a lone graph with its language model."""
    if os.path.isfile(bundle.folder / "card.json") and bundle.graph_path == bundle.folder / bundle.card.graph:
        return sorted(path for path in bundle.folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return [bundle.graph_path, *(path for path in _beside(bundle) if path is not None)]


def _beside(bundle: Bundle) -> tuple[Path | None, ...]:
    """What a card may name beside the graph."""
    return bundle.language_model_path, bundle.rescorer_path, bundle.lexicon_path, bundle.spellings_path


def read_card(bundle: Bundle) -> dict[str, Any]:
    """The card's JSON object as it was written, from the folder or the graph's metadata."""
    beside = bundle.folder / "card.json"
    if os.path.isfile(beside) and bundle.graph_path == bundle.folder / bundle.card.graph:
        text = beside.read_text(encoding="utf-8")
    else:
        from .session import read_metadata

        text = read_metadata(bundle.graph_path).get("card", "{}")
    card: dict[str, Any] = json.loads(text)
    return card


def sha256(path: Path) -> str:
    """Hexadecimal; "" where the file cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
