"""Trains on one, two and four processes with the same global batch, and compares what they log and end with.

    python -m tests.same_numbers [--processes 1 2 4] [--case lstm seq2seq]

Their sums differ in order alone, so that losses and weights must be equal within the tolerance of float32 sums. No
dropout: every process draws its own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqlab.runs.checkpoint import read_checkpoint

TESTS = Path(__file__).parent
STORY = TESTS / "fixtures" / "story.txt"
PAIRS = TESTS.parent / "seqlab" / "data" / "samples" / "english_french.tsv"
COMMON = (
    *("--model.hidden_size", "16", "--model.dropout", "0", "--optimizer", "sgd", "--optimizer.lr", "0.5"),
    *("--trainer.accelerator", "cpu", "--trainer.max_epochs", "2", "--trainer.log_every_n_steps", "1"),
    *("--watch", "none", "--run", "run"),
)
CASES: dict[str, tuple[str, ...]] = {
    "lstm": (
        *("--model", "lstm", "--data", "text", "--data.path", str(STORY)),
        *("--data.batch_size", "8", "--data.num_steps", "8", "--data.eval_streams", "4"),
    ),
    "transformer": (
        *("--model", "transformer", "--model.memory", "16", "--data", "text", "--data.path", str(STORY)),
        *("--data.batch_size", "8", "--data.num_steps", "8", "--data.eval_streams", "4"),
    ),
    "seq2seq": (
        *("--model", "seq2seq", "--model.embedding_size", "16", "--data", "parallel", "--data.path", str(PAIRS)),
        *("--data.batch_size", "32", "--data.min_freq", "1", "--data.val_fraction", "0.1"),
    ),
    "forecasting": (
        *("--model", "gru", "--model.distribution", "quantiles"),
        *("--data", "sine", "--data.history", "9", "--data.horizon", "4", "--data.batch_size", "16"),
    ),
    "regression": ("--model", "mlp", "--data", "points", "--data.batch_size", "36", "--optimizer.lr", "0.01"),
}
CASES["seq2seq, accumulated"] = (*CASES["seq2seq"], "--trainer.accumulate_grad_batches", "3")
LOSSES = ("train/loss", "val/loss")
TOLERANCE = 5e-6


class Numbers(NamedTuple):
    """What a run logged, name -> value of each entry, and its last checkpoint."""

    logged: dict[str, list[float]]
    checkpoint: dict[str, Any]


class Difference(NamedTuple):
    """The largest difference of the losses, relative to their size, and the largest of the weights, absolute."""

    losses: float
    weights: float


def trained(case: str, processes: int, folder: Path) -> Numbers:
    """Trains a case on so many processes, in an empty folder."""
    several = ("--trainer.devices", str(processes), "--trainer.strategy", "ddp") if processes > 1 else ()
    words = [sys.executable, "-m", "seqlab.fit", *COMMON, *CASES[case], *several]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True, timeout=600)
    board = EventAccumulator(str(folder / "lightning_logs" / "run"), size_guidance={"scalars": 0})
    board.Reload()
    logged = {tag: [event.value for event in board.Scalars(tag)] for tag in LOSSES}
    return Numbers(logged, read_checkpoint(folder / "lightning_logs" / "run" / "checkpoints" / "last.ckpt"))


def difference(one: Numbers, other: Numbers) -> Difference:
    """How far two runs of the same number of steps are from each other."""
    assert one.checkpoint["global_step"] == other.checkpoint["global_step"]
    pairs = [pair for tag in LOSSES for pair in zip(one.logged[tag], other.logged[tag], strict=True)]
    weights = [numbers.checkpoint["state_dict"] for numbers in (one, other)]
    assert weights[0].keys() == weights[1].keys()
    return Difference(
        max(abs(left - right) / abs(left) for left, right in pairs),
        max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0]),
    )


def differences(case: str, processes: Sequence[int], folder: Path) -> dict[int, Difference]:
    """How far each run is from the one on the first number of processes."""
    numbers = {}
    for count in processes:
        (folder / str(count)).mkdir()
        numbers[count] = trained(case, count, folder / str(count))
    first = numbers[processes[0]]
    return {count: difference(first, numbers[count]) for count in processes[1:]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--case", nargs="+", default=[*CASES], choices=[*CASES], metavar="CASE")
    options = parser.parse_args()
    failed = 0
    for case in options.case:
        with tempfile.TemporaryDirectory() as folder:
            found = differences(case, options.processes, Path(folder))
        for count, (losses, weights) in found.items():
            words = f"losses within {losses:.1e} (relative), weights within {weights:.1e}"
            print(f"{case:<20} {options.processes[0]} and {count} processes: {words}", flush=True)
            failed += max(losses, weights) > TOLERANCE
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
