"""Memory of a training step by the number of time steps.

    python experiments/speed/memory.py [--cells gru lstm] [--hidden 256] [--every 50]

Forward and backward of one recurrent layer on 32 rows of dense inputs of 64. Each figure is the growth of the peak of a
fresh process above what it held before; the last column is the slope between the shortest and the longest sequence, in
floats for each time step, row and unit.
"""

import argparse
import multiprocessing
import resource

from pairing import machine
from seqlab.recurrence.stack import Recurrent

import torch

BATCH, INPUTS = 32, 64
TIMES = (200, 400, 800, 1600)


def grown(cell: str, hidden: int, backend: str, every: int | None, steps: int) -> float:
    """Megabytes of one training step."""
    torch.manual_seed(0)
    network = Recurrent(cell, INPUTS, hidden, backend=backend, recompute_every=every)
    network(torch.randn(BATCH, 2, INPUTS))[0].sum().backward()
    inputs = torch.randn(BATCH, steps, INPUTS)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    network(inputs)[0].sum().backward()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=["rnn", "gru", "lstm"])
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--every", type=int, default=50)
    options = parser.parse_args()
    print(machine())
    print(f"{'MB of':<32}" + "".join(f"{steps:>8}" for steps in TIMES) + "   floats per step, row and unit")
    context = multiprocessing.get_context("spawn")
    for cell in options.cells:
        for backend, every in (("torch", None), ("reference", None), ("scan", None), ("scan", options.every)):
            figures = []
            for steps in TIMES:
                with context.Pool(1) as pool:
                    figures.append(pool.apply(grown, (cell, options.hidden, backend, every, steps)))
            slope = (figures[-1] - figures[0]) * 1e6 / 4 / (TIMES[-1] - TIMES[0]) / BATCH / options.hidden
            name = f"{cell}, {backend}" + (f", recomputed every {every}" if every else "")
            print(f"{name:<32}" + "".join(f"{figure:>8.1f}" for figure in figures) + f"{slope:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
