"""The scan of this project against torch's own layers, and against the equations one step at a time.

    python experiments/speed/backends.py [--cells rnn gru lstm] [--hidden 256 512 1024] [--ids 28 10000]
                                         [--precision fp32|bf16] [--steps 10] [--rounds 7] [--against torch reference]
                                         [--batch 32] [--device cpu|cuda]
    python experiments/speed/backends.py --cells lstm_peephole lstm_layer_norm --against lstm

A training step (forward, cross-entropy, backward, clipping, SGD) of a one-hot language model with one layer on
--batch x 35 ids. Ratios above 1 are in favour of the scan; GFLOP/s count the products of the recurrence and, where the
input is dense, of the projection. What is compared with may also be a cell, run by the scan like the others.
"""

import argparse
from collections.abc import Callable

from pairing import compare, machine, now
from seqlab.cells import CELLS
from seqlab.nn.language_network import LanguageOptions
from seqlab.runs.allocator import keep_freed_memory

import torch
import torch.nn.functional as F
from torch import nn

STEPS, CLASSES = 35, 28


def stopwatch(
    cell: str, hidden: int, ids: int, backend: str, low: bool, steps: int, batch: int, device: str
) -> Callable[[], float]:
    torch.manual_seed(0)
    network = LanguageOptions(cell, hidden, embedding_size=None, dropout=0.0, backend=backend).build(ids)
    network.output = nn.Linear(hidden, CLASSES)
    network.to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    inputs, targets = (torch.randint(most, (batch, STEPS)).to(device) for most in (ids, CLASSES))

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=low):
            loss = F.cross_entropy(network(inputs)[0].float().flatten(0, 1), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    def run() -> float:
        started = now(device)
        for _ in range(steps):
            step()
        return (now(device) - started) / steps

    return run


def gigaflops(cell: str, hidden: int, batch: int) -> float:
    """Of the recurrent products of one training step: forward, backward and weight gradient."""
    gates = len(CELLS[cell].gates)
    return 3 * 2 * batch * STEPS * hidden * gates * hidden / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=["rnn", "gru", "lstm"])
    parser.add_argument("--hidden", nargs="+", type=int, default=[256, 512, 1024])
    parser.add_argument("--ids", nargs="+", type=int, default=[28, 10_000])
    parser.add_argument("--against", nargs="+", default=["torch", "reference"])
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    keep_freed_memory()
    print(machine(options.device), options.precision, "batch", options.batch)
    low, steps, batch, device = options.precision == "bf16", options.steps, options.batch, options.device
    print(f"{'a step of':<34}{'other':>11}{'scan':>12}{'ratio':>9}  [lowest .. highest]")
    for cell in options.cells:
        for ids in options.ids:
            for hidden in options.hidden:
                for other in options.against:
                    ours = stopwatch(cell, hidden, ids, "scan", low, steps, batch, device)
                    kind, backend = (other, "scan") if other in CELLS else (cell, other)
                    theirs = stopwatch(kind, hidden, ids, backend, low, steps, batch, device)
                    row = compare(f"{cell} {hidden}, {ids} ids, {other}", theirs, ours, options.rounds)
                    seconds = ours()
                    flops = gigaflops(cell, hidden, batch)
                    print(f"{row}{batch * STEPS / seconds:11,.0f} ids/s{flops / seconds:8.0f} GFLOP/s", flush=True)


if __name__ == "__main__":
    main()
