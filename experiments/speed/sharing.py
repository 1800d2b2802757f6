"""A training step of two threads or more, alone and beside a program that keeps one core busy.

    python experiments/speed/sharing.py [--threads 2] [--seconds 5] [--spins 300000 1000]

A GRU of 256 units over 20 tokens of 32 rows, and an output layer over 2,000 ids; each figure is of a process of its
own. ``--spins`` are values of $GOMP_SPINCOUNT: GNU OpenMP takes 300,000 by itself, seqlab asks it for 1,000.
"""

import argparse
import os
import subprocess
import sys
import time

BUSY = "while True: pass"


def steps_per_second(threads: int, seconds: float) -> float:
    from seqlab.recurrence.stack import Recurrent

    import torch
    import torch.nn.functional as F

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network, output = Recurrent("gru", 64, 256), torch.nn.Linear(256, 2000)
    optimizer = torch.optim.Adam([*network.parameters(), *output.parameters()], fused=True)
    inputs, targets = torch.randn(32, 20, 64), torch.randint(2000, (32 * 20,))

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(output(network(inputs)[0]).flatten(0, 1), targets).backward()
        optimizer.step()

    step()
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        step()
        steps += 1
    return steps / (time.perf_counter() - started)


def measured(spins: str, options: argparse.Namespace) -> float:
    own = ["--alone", "--threads", str(options.threads), "--seconds", str(options.seconds)]
    environment = {**os.environ, "GOMP_SPINCOUNT": spins}
    command = [sys.executable, __file__, *own]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--spins", nargs="+", default=["300000", "1000"])
    parser.add_argument("--alone", action="store_true", help="Measure in this process and print steps per second.")
    options = parser.parse_args()
    if options.alone:
        return print(steps_per_second(options.threads, options.seconds))
    print(f"{'steps/s':<12}{'alone':>10}{'shared':>10}{'ratio':>8}")
    for spins in options.spins:
        alone = measured(spins, options)
        busy = subprocess.Popen([sys.executable, "-c", BUSY])
        try:
            shared = measured(spins, options)
        finally:
            busy.kill()
        print(f"{spins:<12}{alone:>10.1f}{shared:>10.1f}{shared / alone:>8.2f}", flush=True)
    return None


if __name__ == "__main__":
    main()
