"""Recordings → mono samples: open anything, resample, put it on the 16-bit grid, block by block.

`stream` is the way in; `excerpts` reads many spans of one recording; `from_array` takes samples in memory; `probe` and
`channels` ask a header. `inputs` finds recordings, `manifest` reads lists of them.
"""

from .options import AudioOptions
from .source import AudioInfo
from .stream import channels, excerpts, from_array, probe, stream

__all__ = ["AudioInfo", "AudioOptions", "channels", "excerpts", "from_array", "probe", "stream"]
