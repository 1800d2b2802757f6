"""Products of float32 by AMX tiles, each number as three in bfloat16, against torch's: time and error.

    python experiments/speed/products.py [--rounds 9]

The products are the gradients of recurrent weights over 32 x 35 steps, and those of an output layer of 14,000 words for
350 of them. Ratios above 1 are in favour of the tiles. Errors are root mean squares against float64, relative to that.
"""

import argparse
import time
from collections.abc import Callable

from pairing import compare, machine
from seqlab.native import products
from seqlab.runs.allocator import keep_freed_memory

import torch
from torch import Tensor

STEPS, WORDS, SIZE = 32 * 35, 14_000, 200
SHAPES = {
    **{f"d weight_hh, {name}": (rows, STEPS, units) for name, rows, units in (
        ("rnn 512", 512, 512), ("gru 256", 768, 256), ("lstm 512", 2048, 512), ("lstm 1024", 4096, 1024)
    )},
    "logits": (350, SIZE, WORDS),
    "d weight, output": (WORDS, 350, SIZE),
}  # fmt: skip
"""Rows, depth, columns."""

Multiply = Callable[[Tensor, Tensor, Tensor], object]


def by_torch(a: Tensor, b: Tensor, out: Tensor) -> None:
    torch.mm(a, b, out=out)


def stopwatch(multiply: Multiply, a: Tensor, b: Tensor) -> Callable[[], float]:
    out = torch.empty(len(a), b.shape[1])

    def run(times: int = 5) -> float:
        started = time.perf_counter()
        for _ in range(times):
            multiply(a, b, out)
        return (time.perf_counter() - started) / times

    return run


def error(multiply: Multiply, a: Tensor, b: Tensor) -> float:
    precise = a.double() @ b.double()
    multiply(a, b, out := torch.empty(precise.shape))
    return float((out - precise).norm() / precise.norm())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    if not products.able(torch.empty(1, 1)):
        raise SystemExit("this processor has no tiles, or no compiler was found")
    keep_freed_memory()
    torch.manual_seed(0)
    print(machine())
    print(f"{'a product of':<34}{'torch':>11}{'tiles':>12}{'ratio':>9}  [lowest .. highest]   errors")
    for name, (rows, depth, columns) in SHAPES.items():
        a, b = torch.randn(depth, rows).t(), torch.randn(depth, columns)
        row = compare(name, stopwatch(by_torch, a, b), stopwatch(products.product, a, b), options.rounds)
        print(f"{row}   {error(by_torch, a, b):.1e} {error(products.product, a, b):.1e}", flush=True)


if __name__ == "__main__":
    main()
