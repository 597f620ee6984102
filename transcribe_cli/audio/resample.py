"""Any sample rate to any other, in blocks, by soxr; cut anywhere, the joined output is the whole's bit for bit."""

import numpy as np
import soxr
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Resampler:
    """push((n,) float32) → (m,) float32 at the new rate; flush() → the rest. Equal rates pass unchanged."""

    def __init__(self, rate_in: int, rate_out: int) -> None:
        # HQ: stop band −100 dB or better, below the 16-bit grid that follows
        self._stream = (
            None if rate_in == rate_out else soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality="HQ")
        )

    def push(self, block: Floats) -> Floats:
        if self._stream is None:
            return block
        out: Floats = self._stream.resample_chunk(np.ascontiguousarray(block))
        return out

    def flush(self) -> Floats:
        if self._stream is None:
            return np.zeros(0, np.float32)
        out: Floats = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        return out
