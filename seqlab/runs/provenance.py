"""Properties of the machine that affect the last digits of a run."""

import torch

from seqlab.native.compiler import native, obstacle

DENORMAL = 1e-39


def flush_denormals() -> None:
    """Flushes denormal numbers to zero, in float32 those below 1.2e-38.

    Processors take a hundred times as long for each denormal number, and the first, nearly vanishing gradients of
    attention are full of them. A thread inherits this setting from the thread that starts it, so it must come before
    the first computation on several threads.
    """
    torch.set_flush_denormal(True)


def arithmetic() -> dict[str, str | int]:
    """torch's version, its threads, its treatment of denormal numbers, and what computes scans and attention.

    Every run keeps them.
    """
    compiled, reason = native(), obstacle()
    tiles = " with tiles" if compiled.tiles else ""
    scan = f"compiled{tiles}" if compiled.library is not None else f"torch operators ({compiled.reason})"
    flushed = not bool(torch.tensor(DENORMAL) * 1)
    return {
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "denormals": "flushed" if flushed else "kept",
        "scan": scan,
        "attention": "compiled" if reason is None else f"torch operators ({reason})",
    }
