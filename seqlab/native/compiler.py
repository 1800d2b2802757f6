"""Compiles the C++ sources once per machine and keeps the library in the user's cache folder."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from platformdirs import user_cache_dir
from torch import Tensor

from seqlab.native.store import stored

UNITS = ("cells.cpp", "gains.cpp", "lookup.cpp", "products.cpp", "softmax.cpp")
PORTABLE = ("chains.cpp", "draws.cpp", "sparse_rows.cpp", "steps.cpp", "word_pairs.cpp")
"""Sources that need no special processor."""
WIDE = ("attention_rows.cpp", "cross_entropy.cpp", "few_rows.cpp", "transformer.cpp")
"""Sources that need none, but use longer vectors if the processor has them."""
FLAGS = ("-std=c++20", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
SWITCH = "SEQLAB_NATIVE"
"""Environment variable; 0 turns compiled code off."""


class Native(NamedTuple):
    """The compiled library, or the reason why there is none.

    Args:
        library: The library; None if there is none.
        reason: Why there is none.
        tiles: Whether the processor has the tile registers of AMX and lets it use them.
    """

    library: ctypes.CDLL | None
    reason: str = ""
    tiles: bool = False


POINTER, NUMBER, FLAG = ctypes.c_void_p, ctypes.c_int64, ctypes.c_bool
"""Kinds of arguments; a tensor is passed as a pointer."""


def call(
    name: str, kinds: Sequence[Any], *given: Tensor | float | ctypes.Array[Any], library: ctypes.CDLL | None = None
) -> int:
    """Calls a function of the compiled code, of ``native`` if no library is given; returns the int that it gives."""
    function = getattr(native().library if library is None else library, name)
    function.argtypes = kinds
    return function(*(one.data_ptr() if isinstance(one, Tensor) else one for one in given))


def rows_of_float(*tensors: Tensor) -> bool:
    """Whether compiled code is available and can read these matrices: float32, on a CPU, each row contiguous."""
    return native().library is not None and all(
        one.dtype == torch.float32 and one.device.type == "cpu" and one.stride(1) == 1 for one in tensors
    )


def contiguous_floats(*tensors: Tensor) -> bool:
    """Whether these are float32, on a CPU, and contiguous."""
    return all(one.dtype == torch.float32 and one.device.type == "cpu" and one.is_contiguous() for one in tensors)


def threads_for(numbers: int, each: int) -> int:
    """Number of threads for so many numbers, if each thread should have at least ``each``."""
    return max(1, min(torch.get_num_threads(), numbers // each))


@cache
def native() -> Native:
    """The compiled code for this processor, built on the first call."""
    if os.environ.get(SWITCH) != "0" and torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return Native(None, "no processor with AVX2 under Linux")
    found = _loaded(UNITS)
    if found.library is not None:
        found.library.has_tiles.restype = ctypes.c_bool
        return found._replace(tiles=found.library.has_tiles())
    return found


@cache
def portable() -> Native:
    """The compiled code that needs no special processor, built on the first call."""
    return _loaded(PORTABLE)


@cache
def wide() -> Native:
    """The compiled code with vectors as long as the processor has them, built on the first call."""
    return _loaded(WIDE)


@cache
def lanes() -> int:
    """Floats that the code of ``wide`` computes at once; 1 without compiled code."""
    library = wide().library
    return 1 if library is None else int(library.lanes())


def obstacle() -> str | None:
    """Why nothing is compiled here; None if it is."""
    found = _tools()
    return found if isinstance(found, str) else None


def _tools() -> tuple[str, Path] | str:
    """The compiler and the OpenMP library, or why nothing is compiled here."""
    if os.environ.get(SWITCH) == "0":
        return f"{SWITCH} is 0"
    if platform.system() != "Linux":
        return "no Linux"
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CXX") or "c++", "g++"))), None)
    if compiler is None:
        return "no C++ compiler"
    openmp = _openmp()
    return "torch runs its threads without libgomp" if openmp is None else (compiler, openmp)


def _loaded(units: Sequence[str]) -> Native:
    tools = _tools()
    if isinstance(tools, str):
        return Native(None, tools)
    try:
        return Native(ctypes.CDLL(str(_built(*tools, units))))
    except subprocess.CalledProcessError as error:
        said = [line for line in error.stderr.splitlines() if "error" in line] or [str(error)]
        return _none(f"{tools[0]} failed: {said[0]}")
    except (OSError, AttributeError, subprocess.TimeoutExpired) as error:
        return _none(str(error))


def _none(reason: str) -> Native:
    """Warns once that there is no compiled code, and why."""
    print(f"seqlab: torch does, more slowly, what compiled code would: {reason}", file=sys.stderr, flush=True)
    return Native(None, reason)


def _openmp() -> Path | None:
    """The OpenMP library that torch uses, so that both share its threads."""
    loaded = {Path(line.split()[-1]) for line in Path("/proc/self/maps").read_text().splitlines() if "libgomp" in line}
    return min(loaded, key=lambda path: ("torch" not in str(path), path), default=None)


def _built(compiler: str, openmp: Path, units: Sequence[str]) -> Path:
    """The library for this machine, compiled if it is not in the cache."""
    folder = Path(__file__).parent
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    flags = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "")
    identity = hashlib.sha256("\0".join((version, flags, str(openmp), *FLAGS)).encode())
    for source in (*(folder / name for name in units), *sorted(folder.glob("*.h"))):
        identity.update(source.read_bytes())

    def build(scratch: Path) -> Path:
        print(f"seqlab: compiling {', '.join(units)} for this machine, once", file=sys.stderr, flush=True)
        objects, linked = [str(scratch / f"{name}.o") for name in units], scratch / "native.so"
        with ThreadPoolExecutor() as workers:
            compile_one = partial(_run, compiler, *FLAGS, "-fopenmp", "-fPIC", "-c")
            sources = [str(folder / name) for name in units]
            list(workers.map(compile_one, sources, ["-o"] * len(units), objects))
        _run(compiler, "-shared", *objects, str(openmp), f"-Wl,-rpath,{openmp.parent}", "-o", str(linked))
        return linked

    return stored(Path(user_cache_dir("seqlab")) / "native", identity.hexdigest()[:32], build)


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
