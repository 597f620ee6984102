"""Where results go and in which form."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import OptionError
from ..options import check, option
from ..writers import FORMATS, by_file_name


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Destination and form of the results."""

    format: str | None = option(
        None, f"one or several, with commas: {', '.join(FORMATS)}; default: txt, or what -o's name says", short="f"
    )
    output: Path | None = option(None, "write to this file instead of standard output", short="o", metavar="FILE")
    output_dir: Path | None = option(
        None, "write one file a recording into this folder, mirroring the input tree", metavar="DIR"
    )
    skip_existing: bool = option(False, "leave out recordings whose results in every format are there already")
    overwrite: bool = option(False, "replace results that are there already")
    include: tuple[str, ...] = option(
        (), "in folders, take only names that match this glob (may be repeated)", metavar="GLOB"
    )
    exclude: tuple[str, ...] = option(
        (), "in folders, leave out names that match this glob (may be repeated)", metavar="GLOB"
    )
    with_filename: bool = option(False, "put the name and a tab before each text, even for one recording", short="H")
    no_filename: bool = option(False, "never put the name before a text", short="h")
    timing: bool = option(True, "note the processing time in JSON; without it two runs give the same bytes")
    jobs: int = option(
        0, "worker processes for decoding; 0: decode beside the network", minimum=0, maximum=256, short="j"
    )
    quiet: bool = option(False, "no progress bar and no warnings", short="q")
    verbose: bool = option(False, "say on standard error what is loaded and how fast it went", short="v")

    def __post_init__(self) -> None:
        check(self)
        if self.output is not None and self.output_dir is not None:
            raise OptionError("--output is for one file, --output-dir for many: give one of them")
        if self.output is not None and len(self.formats) > 1:
            raise OptionError("--output takes one format: use --output-dir for several")

    @property
    def is_there(self) -> bool:
        """Whether the one file that was asked for exists and shall stay as it is."""
        return self.skip_existing and self.output is not None and self.output.is_file()

    @property
    def formats(self) -> tuple[str, ...]:
        """Names of the formats, each once."""
        if self.format is not None:
            return tuple(dict.fromkeys(name.strip() for name in self.format.split(",") if name.strip())) or ("txt",)
        if self.output is not None:
            return (by_file_name(self.output.name),)
        return ("txt",)
