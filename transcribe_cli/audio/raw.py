"""Headerless PCM bytes → (n, channels) float32 in ±1. Source: ITU-T G.711 for A-law and µ-law."""

import numpy as np
from numpy.typing import NDArray

from .options import ENCODINGS, RawFormat

Floats = NDArray[np.float32]


def decode(data: bytes, raw: RawFormat) -> Floats:
    """Whole frames of interleaved samples → (n, channels) float32; integers are divided by their full scale."""
    kind = ENCODINGS[raw.encoding][1]
    if kind in ("alaw", "mulaw"):
        table = _A_LAW if kind == "alaw" else _MU_LAW
        values = table[np.frombuffer(data, np.uint8)]
    elif kind == "u1":
        values = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / np.float32(128)
    elif kind in ("<i3", ">i3"):
        # into the upper three bytes of 32 bits, so that the sign is right
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)[:, :: 1 if kind == "<i3" else -1]
        values = wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    elif kind[-2] == "f":
        with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite and is silenced later
            values = np.frombuffer(data, kind).astype(np.float32)
    else:
        values = np.frombuffer(data, kind).astype(np.float32) / np.float32(2 ** (8 * int(kind[-1]) - 1))
    return values.reshape(-1, raw.channels)


def _a_law() -> Floats:
    """All 256 codes: even bits are inverted; sign, three bits of exponent, four of mantissa."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    size = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0))
    return (np.where(code & 0x80, size, -size) / 32768).astype(np.float32)


def _mu_law() -> Floats:
    """All 256 codes: all bits are inverted; a bias of 132 makes the steps double."""
    code = np.arange(256) ^ 0xFF
    size = ((((code & 15) << 3) + 132) << ((code >> 4) & 7)) - 132
    return (np.where(code & 0x80, -size, size) / 32768).astype(np.float32)


_A_LAW, _MU_LAW = _a_law(), _mu_law()
