"""Runs a tape with compiled code, if its cell has any."""

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from seqlab.cells.cell import Kernel
from seqlab.cells.tape import Gradient, Tape
from seqlab.native.compiler import native

EACH_READS_ALL = 600_000
"""Most recurrent weights for which threads split the batch and each thread reads all weights."""

ALONE = 1_000_000
"""Fewest multiplications of a whole run that justify several threads when they split the batch."""

TOGETHER = 2_000_000
"""Fewest multiplications of a step that justify several threads when they split the units."""

TILE, TILED = 8, 16
"""Rows multiplied at once, with vectors and with tiles."""

SPLIT = 32
"""Fewest rows for float32 products with tiles."""

POINTERS = {
    "weight": 1,
    "vectors": 3,
    "projected": 1,
    "ids": 1,
    "blocks": 1,
    "states": 2,
    "kept": 1,
    "moments": 4,
    "d_blocks": 1,
    "d_kept": 2,
    "incoming": 2,
    "d_states": 2,
}
"""Most tensors of each kind in a run."""


class _Run(ctypes.Structure):
    """``Run`` of recurrence.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("time", "batch", "size", "threads", "parts", "first", "last")),
        *((name, ctypes.c_void_p * count) for name, count in POINTERS.items()),
    )


def runs(kernel: Kernel | None, tape: Tape) -> bool:
    """Whether compiled code can run a tape: on a CPU, float32, with products in float32 or bfloat16."""
    state, library = tape.states[0], native().library
    if kernel is None or library is None or state.dtype != torch.float32 or state.device.type != "cpu":
        return False
    able = tape.low is None or (tape.low == torch.bfloat16 and native().tiles)
    return able and tape.time > 0 and state[0].numel() > 0


def forward(kernel: Kernel, tape: Tape) -> None:
    """Fills the blocks, the states and the kept buffers of a tape."""
    given = tape.blocks.buffer if tape.projected is None else tape.projected
    _call(f"{kernel.name}_forward", kernel, tape, projected=[given], ids=[tape.ids])


def backward(kernel: Kernel, tape: Tape, gradient: Gradient) -> None:
    """Fills the blocks of a gradient and computes the gradient of the first state."""
    _call(
        f"{kernel.name}_backward",
        kernel,
        tape,
        d_blocks=[gradient.blocks.buffer],
        d_kept=[gradient.empty(name, width) for name, width in kernel.given_back],
        incoming=[None if part is None else part.contiguous() for part in gradient.given],
        d_states=gradient.states,
    )


def _call(function: str, kernel: Kernel, tape: Tape, **gradients: Sequence[Tensor | None]) -> None:
    weight = tape.weights["weight_hh"].contiguous()
    batch, parts = tape.states[0].shape[1], _parts(tape)
    threads, by_rows = _division(batch, tape.time, weight, parts)
    run = _Run(tape.time, batch, tape.size, threads, parts, 0, batch)
    norms = [tape.norms[name] for name in kernel.norms]
    buffers: dict[str, Sequence[Tensor | None]] = {
        "weight": [weight],
        "vectors": [tape.weights[name].contiguous() for name in kernel.vectors],
        "blocks": [tape.blocks.buffer],
        "states": tape.states,
        "kept": [tape.kept[name] for name in kernel.kept],
        "moments": [moment for norm in norms for moment in (norm.means, norm.scales)],
        **gradients,
    }
    for field, tensors in buffers.items():
        for place, tensor in enumerate(tensors):
            getattr(run, field)[place] = None if tensor is None else tensor.data_ptr()
    getattr(native().library, function)(ctypes.byref(run), ctypes.c_bool(by_rows))


def _parts(tape: Tape) -> int:
    """Number of bfloat16 numbers into which a factor of a product is split; 0 for no split."""
    if tape.low is not None:
        return 1
    return 3 if native().tiles and tape.states[0].shape[1] >= SPLIT else 0


def _division(batch: int, time: int, weight: Tensor, parts: int) -> tuple[int, bool]:
    """Number of threads, and whether they split the rows of the batch instead of the units."""
    threads = torch.get_num_threads()
    if batch >= threads * (TILED if parts else TILE) and weight.numel() * max(1, parts) <= EACH_READS_ALL:
        return (1 if batch * weight.numel() * time < ALONE else threads), True
    return (1 if batch * weight.numel() < TOGETHER else threads), False
