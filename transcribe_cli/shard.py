"""Splitting a list among machines that do not talk to each other: each takes what its number says.

The share of an entry follows from its own name and nothing else. So every machine splits alike whatever it sees of the
rest of the list: a recording that appears while the machines are starting is done once, not twice or never, which
numbering a sorted list would not promise. The price is that shares are equal only on average.
"""

import hashlib
import re
from dataclasses import dataclass

from .errors import OptionError


@dataclass(frozen=True, slots=True)
class Shard:
    """Share `number` (from 1) of `of`."""

    number: int
    of: int

    def holds(self, name: str) -> bool:
        """Whether the entry of that name belongs to this share."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse(text: str) -> Shard:
    """ "3/10" → the third of ten shares. Raises OptionError."""
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip(), re.ASCII)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise OptionError(f"--shard cannot be {text!r}: write 1/10 to 10/10 for the shares of ten machines")
    return Shard(int(found[1]), int(found[2]))
