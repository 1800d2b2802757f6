"""What decides the last digits of a run besides its options."""

import torch

from seqlab.native.compiler import native

DENORMAL = 1e-39


def flush_denormals() -> None:
    """Has numbers too small to be held in full precision, in float32 those below 1.2e-38, taken for zero.

    Processors take a hundred times as long for each of them, and the first gradients of attention, which nearly vanish,
    are full of them. A thread takes this over from the one that starts it, so that it must come before the first
    computation on several.
    """
    torch.set_flush_denormal(True)


def arithmetic() -> dict[str, str | int]:
    """The version of torch, its threads, what it does with denormal numbers, and who runs the recurrences of ``scan``;
    kept with every run."""
    compiled = native()
    tiles = " with tiles" if compiled.tiles else ""
    scan = f"compiled{tiles}" if compiled.library is not None else f"torch operators ({compiled.reason})"
    flushed = not bool(torch.tensor(DENORMAL) * 1)
    return {
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "denormals": "flushed" if flushed else "kept",
        "scan": scan,
    }
