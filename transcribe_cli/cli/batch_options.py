"""How a batch is split, remembered and taken up again."""

from dataclasses import dataclass

from ..errors import OptionError
from ..options import check, option
from ..shard import Shard, parse


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Which of the recordings are done, where, and what is kept of it."""

    journal: bool = option(
        True, "with --output-dir, keep a journal there: the same command again does only what is missing or changed"
    )
    retry_failed: bool = option(False, "try again what the journal says cannot be read")
    shard: str | None = option(
        None, "do only this share of the recordings, the same split on every machine", metavar="N/OF"
    )
    engine: str = option(
        "local", "who does the work: this machine, or the workers of a Ray cluster", choices=("local", "ray")
    )

    def __post_init__(self) -> None:
        check(self)
        if self.shard is not None:
            parse(self.shard)
        if self.retry_failed and not self.journal:
            raise OptionError("--retry-failed asks the journal, and --no-journal keeps none: leave out one of them")

    @property
    def share(self) -> Shard | None:
        return None if self.shard is None else parse(self.shard)
