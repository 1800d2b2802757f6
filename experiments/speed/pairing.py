"""Times two things in turn, so that a machine whose speed drifts slows both, and quotes their ratios."""

import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import seqlab  # noqa: F401

import torch


def now(device: str) -> float:
    """Seconds on a clock, when all that was asked of the device is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def machine(device: str = "cpu") -> str:
    """What the figures were taken on."""
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{(names or [platform.processor()])[0]}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def compare(name: str, ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> str:
    """One row of a table: seconds of both, and the ratio ours / theirs of each round.

    The order alternates, so that what the first run of a pair leaves behind falls on both alike.

    Args:
        name: Of the row.
        ours: Runs once and returns seconds for a step.
        theirs: The same, for what it is compared with.
        rounds: Pairs to run, after one that is not counted.

    Returns:
        Milliseconds as medians; the ratio as median with lowest and highest.
    """
    ours(), theirs()
    pairs = []
    for number in range(rounds):
        if number % 2:
            mine = ours()
            pairs.append((mine, theirs()))
        else:
            other = theirs()
            pairs.append((ours(), other))
    ratios = sorted(mine / other for mine, other in pairs)
    medians = [statistics.median(column) * 1e3 for column in zip(*pairs, strict=True)]
    spread = f"{statistics.median(ratios):9.3f}  [{ratios[0]:.3f} .. {ratios[-1]:.3f}]"
    return f"{name:<34}{medians[0]:8.2f} ms{medians[1]:9.2f} ms{spread}"
