"""Recordings → mono samples: open anything, resample, put it on the 16-bit grid, block by block.

`stream` is the way in; `excerpts` reads many spans of one recording; `from_array` takes samples in memory; `probe` and
`channels` ask a header. `inputs` finds recordings, `manifest` reads lists of them.
"""

from typing import TYPE_CHECKING

from .options import AudioOptions

if TYPE_CHECKING:
    from .info import AudioInfo
    from .reading import channels, excerpts, from_array, probe, stream

__all__ = ["AudioInfo", "AudioOptions", "channels", "excerpts", "from_array", "probe", "stream"]


def __getattr__(name: str) -> object:
    # numpy, soundfile and soxr are loaded with the first recording: asking for help must not pay for them
    if name == "AudioInfo":
        from .info import AudioInfo

        return AudioInfo
    if name in __all__:
        from . import reading

        return getattr(reading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
