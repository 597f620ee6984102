"""What a process of the program's own tells the C library."""

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys
from transcribe_cli import memory

if {small}:
    memory.hold_small()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
# freed once, a block of this size would by glibc's own rule come from the heap ever after, and stay there
size = 8 << 20


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])


libc.free(libc.malloc(size))
blocks = [libc.malloc(size) for _ in range(4)]
for block in blocks:
    ctypes.memset(block, 1, size)
keep = libc.malloc(size)  # behind them, so that a heap could not shrink
ctypes.memset(keep, 1, size)
full = resident()
for block in blocks:
    libc.free(block)
print(round((full - resident()) * 4096 / size))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")
@pytest.mark.parametrize(("small", "given_back"), [(True, 4), (False, 0)])
def test_large_blocks_are_given_back_at_once(small, given_back):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(small=small)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == given_back
