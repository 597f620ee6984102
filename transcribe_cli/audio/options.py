"""What a user may say about reading a recording, and the two small languages in it: `--channel` and `--raw`."""

import re
from dataclasses import dataclass

from ..errors import OptionError
from ..options import check, option

LOWEST_RATE, HIGHEST_RATE = 4_000, 192_000  # Hz
MOST_CHANNELS = 64

# name → (bytes a sample, numpy type or G.711 law)
ENCODINGS: dict[str, tuple[int, str]] = {
    "s8": (1, "i1"),
    "u8": (1, "u1"),
    "s16le": (2, "<i2"),
    "s16be": (2, ">i2"),
    "s24le": (3, "<i3"),
    "s24be": (3, ">i3"),
    "s32le": (4, "<i4"),
    "s32be": (4, ">i4"),
    "f32le": (4, "<f4"),
    "f32be": (4, ">f4"),
    "f64le": (8, "<f8"),
    "f64be": (8, ">f8"),
    "alaw": (1, "alaw"),
    "mulaw": (1, "mulaw"),
}


@dataclass(frozen=True, slots=True)
class RawFormat:
    """Headerless PCM: encoding (a key of ENCODINGS), samples a second, interleaved channels."""

    encoding: str
    sample_rate: int = 16_000
    channels: int = 1

    @property
    def frame_bytes(self) -> int:
        return ENCODINGS[self.encoding][0] * self.channels


def parse_raw(text: str) -> RawFormat:
    """ "s16le:16000:1" → RawFormat; rate and channels may be left out. Raises OptionError."""
    name, *numbers = text.strip().lower().split(":")
    name = name + "le" if name + "le" in ENCODINGS else name
    if name not in ENCODINGS:
        raise OptionError(f"--raw cannot be {text!r}: choose ENCODING:RATE:CHANNELS with one of {', '.join(ENCODINGS)}")
    if len(numbers) > 2 or not all(re.fullmatch(r"[0-9]{1,9}", number) for number in numbers):
        raise OptionError(f"--raw cannot be {text!r}: write ENCODING:RATE:CHANNELS, as in s16le:16000:1")
    rate, channels = [*map(int, numbers), *(16_000, 1)[len(numbers) :]]
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise OptionError(f"--raw cannot be {text!r}: the rate must be {LOWEST_RATE} to {HIGHEST_RATE} Hz")
    if not 1 <= channels <= MOST_CHANNELS:
        raise OptionError(f"--raw cannot be {text!r}: there may be 1 to {MOST_CHANNELS} channels")
    return RawFormat(name, rate, channels)


@dataclass(frozen=True, slots=True)
class AudioOptions:
    """How a recording is read."""

    start: float = option(0.0, "begin this many seconds into the recording", minimum=0.0, maximum=1e7)
    duration: float | None = option(None, "read at most this many seconds", minimum=0.001, maximum=1e7)
    channel: str = option(
        "mix",
        "mix (mean of all), left, right, a number counting from 0, or split (each channel on its own)",
        metavar="mix|left|right|N|split",
    )
    raw: str | None = option(
        None, "the input is headerless PCM: ENCODING:RATE:CHANNELS, as in s16le:16000:1", metavar="FORMAT"
    )
    denoise: bool = option(False, "remove steady background noise by spectral gating before recognition")

    def __post_init__(self) -> None:
        check(self)
        if not re.fullmatch(r"mix|left|right|split|[0-9]{1,2}", self.channel):
            raise OptionError(
                f"--channel cannot be {self.channel!r}: choose mix, left, right, split or a number from 0"
            )
        if self.raw is not None:
            parse_raw(self.raw)

    @property
    def raw_format(self) -> RawFormat | None:
        return None if self.raw is None else parse_raw(self.raw)
