"""The temperature that makes confidences honest, written into a model's card."""

import json
from pathlib import Path

from ..bundle.card import parse
from ..errors import OptionError
from ..outputs import write_atomically


def mend_card(folder: Path, factor: float) -> float:
    """Multiplies the card's confidence temperature by a factor that an evaluation found; returns the new one.

    Only that key changes. Raises OptionError where there is no card.json to write into, OutputError where it cannot be
    written.
    """
    path = folder / "card.json"
    if not path.is_file():
        raise OptionError(f"--mend-card needs a model that is a folder: there is no {path}")
    text = path.read_text(encoding="utf-8")
    temperature = round(parse(text, str(path)).confidence_temperature * factor, 4)
    changed = json.loads(text) | {"confidence_temperature": temperature}
    write_atomically(path, json.dumps(changed, ensure_ascii=False, indent=1) + "\n")
    return temperature
