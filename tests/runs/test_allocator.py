import platform
import subprocess
import sys

import pytest

CODE = """
import resource, torch
from seqlab.runs.allocator import keep_freed_memory
keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    buffers = [torch.empty(millions * 1_000_000).fill_(1.0) for millions in (1, 3, 5, 9, 2)]  # 4 to 36 MB
for _ in range(20):
    step()
before = faults()
for _ in range(20):
    step()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library, which is left as it is")
def test_what_is_freed_is_not_faulted_in_anew() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 500


HOLES = """
import ctypes
from seqlab.runs.allocator import give_back, keep_freed_memory, resident
keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
base, size = resident(), 1 << 20
blocks = [libc.malloc(size) for _ in range(100)]
for block in blocks:
    ctypes.memset(block, 1, size)
for block in blocks[:-1]:  # the last one holds the heap where it is
    libc.free(block)
kept = resident() - base
give_back()
print(kept, resident() - base)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library, which is left as it is")
def test_what_is_freed_is_kept_until_it_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, text=True, check=True, timeout=60)
    kept, left = map(int, done.stdout.split())
    assert kept > 95_000_000
    assert left < 10_000_000
