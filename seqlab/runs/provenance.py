"""What decides the last digits of a run besides its options."""

import torch

from seqlab.native.compiler import native


def arithmetic() -> dict[str, str | int]:
    """The version of torch, its threads, and who runs the recurrences of ``scan``; kept with every run."""
    compiled = native()
    tiles = " with tiles" if compiled.tiles else ""
    scan = f"compiled{tiles}" if compiled.library is not None else f"torch operators ({compiled.reason})"
    return {"torch": str(torch.__version__), "threads": torch.get_num_threads(), "scan": scan}
