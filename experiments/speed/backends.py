"""The scan of this project against torch's own layers, and against the equations one step at a time.

    python experiments/speed/backends.py [--cells rnn gru lstm] [--hidden 256 512 1024] [--ids 28 10000]
                                         [--precision fp32|bf16] [--steps 10] [--rounds 7] [--against torch reference]
    python experiments/speed/backends.py --cells lstm_peephole lstm_layer_norm --against lstm

A training step (forward, cross-entropy, backward, clipping, SGD) of a one-hot language model with one layer on
32 x 35 ids. Ratios above 1 are in favour of the scan; GFLOP/s count the products of the recurrence and, where the
input is dense, of the projection. What is compared with may also be a cell, run by the scan like the others.
"""

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from pairing import compare, machine
from torch import nn

from seqlab.cells import CELLS
from seqlab.nn.language_network import LanguageOptions
from seqlab.runs.allocator import keep_freed_memory

BATCH, STEPS, CLASSES = 32, 35, 28


def stopwatch(cell: str, hidden: int, ids: int, backend: str, low: bool, steps: int) -> Callable[[], float]:
    torch.manual_seed(0)
    network = LanguageOptions(cell, hidden, embedding_size=None, dropout=0.0, backend=backend).build(ids)
    network.output = nn.Linear(hidden, CLASSES)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    inputs, targets = torch.randint(ids, (BATCH, STEPS)), torch.randint(CLASSES, (BATCH, STEPS))

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            loss = F.cross_entropy(network(inputs)[0].float().flatten(0, 1), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    def run() -> float:
        started = time.perf_counter()
        for _ in range(steps):
            step()
        return (time.perf_counter() - started) / steps

    return run


def gigaflops(cell: str, hidden: int) -> float:
    """Of the recurrent products of one training step: forward, backward and weight gradient."""
    gates = len(CELLS[cell].gates)
    return 3 * 2 * BATCH * STEPS * hidden * gates * hidden / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=["rnn", "gru", "lstm"])
    parser.add_argument("--hidden", nargs="+", type=int, default=[256, 512, 1024])
    parser.add_argument("--ids", nargs="+", type=int, default=[28, 10_000])
    parser.add_argument("--against", nargs="+", default=["torch", "reference"])
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    keep_freed_memory()
    low = options.precision == "bf16"
    print(machine(), options.precision)
    print(f"{'a step of':<34}{'other':>11}{'scan':>12}{'ratio':>9}  [lowest .. highest]")
    for cell in options.cells:
        for ids in options.ids:
            for hidden in options.hidden:
                for other in options.against:
                    ours = stopwatch(cell, hidden, ids, "scan", low, options.steps)
                    kind, backend = (other, "scan") if other in CELLS else (cell, other)
                    theirs = stopwatch(kind, hidden, ids, backend, low, options.steps)
                    row = compare(f"{cell} {hidden}, {ids} ids, {other}", theirs, ours, options.rounds)
                    seconds = ours()
                    print(f"{row}  {gigaflops(cell, hidden) / seconds:6.0f} GFLOP/s", flush=True)


if __name__ == "__main__":
    main()
