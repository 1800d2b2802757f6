"""Kills runs, goes on with them, and compares what they end with to a run that was left alone.

    python -m tests.stress_resume [--kills 20] [--case gru lstm ...] [--seed 0]

A run is a process of its own, killed with SIGKILL: by turns in the middle of the writing of a checkpoint, for certain,
and at a random moment. The next process goes on with ``--ckpt_path last``. In the end every weight and every logged
scalar must be equal to the bit, and no unfinished file may be left.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seqlab.runs.checkpoint import read_checkpoint

TESTS = Path(__file__).parent
FIT = ("-m", "seqlab.fit")
KILLED_WRITING = (str(TESTS / "killed_writing.py"),)
MOMENTS = ("half", "whole")
TEXT = ("--data", "text", "--data.path", str(TESTS / "fixtures" / "story.txt"), "--data.num_steps", "8")
PAIRS = str(TESTS.parent / "seqlab" / "data" / "samples" / "english_french.tsv")
COMMON = (
    *("--trainer.accelerator", "cpu", "--trainer.max_epochs", "6", "--trainer.log_every_n_steps", "3"),
    *("--ckpt_every", "5", "--patience", "null", "--model.hidden_size", "16", "--trainer.enable_progress_bar", "false"),
)
CASES: dict[str, tuple[str, ...]] = {
    "gru": (*TEXT, "--data.batch_size", "4"),
    "lstm": (*TEXT, "--model", "lstm", "--data.batch_size", "4", "--lr_scheduler", "warmupcosinelr"),
    "mgu, random": (*TEXT, "--model", "mgu", "--data.batch_size", "4", "--data.sampling", "random"),
    "gru, accumulated": (*TEXT, "--data.batch_size", "4", "--trainer.accumulate_grad_batches", "3"),
    "gru, validated often": (
        *(*TEXT, "--data.batch_size", "4", "--trainer.val_check_interval", "0.25"),
        *("--lr_scheduler", "reducelronplateau", "--lr_scheduler.patience", "0"),
    ),
    "gru, validated within steps": (
        *(*TEXT, "--data.batch_size", "4", "--trainer.accumulate_grad_batches", "3"),
        *("--trainer.val_check_interval", "40", "--trainer.check_val_every_n_epoch", "null", "--ckpt_every", "7"),
    ),
    "gru, stopped early": (
        *(*TEXT, "--data.batch_size", "4", "--trainer.val_check_interval", "0.25", "--optimizer.lr", "0.5"),
        *("--patience", "1", "--trainer.max_epochs", "60"),
    ),
    "lstm, bf16": (*TEXT, "--model", "lstm", "--data.batch_size", "4", "--trainer.precision", "bf16-mixed"),
    "lstm, two processes": (
        *(*TEXT, "--model", "lstm", "--data.batch_size", "4"),
        *("--trainer.devices", "2", "--trainer.strategy", "ddp"),
    ),
    "transformer, memory": (*TEXT, "--model", "transformer", "--data.batch_size", "4", "--model.memory", "16"),
    "seq2seq": (
        *("--model", "seq2seq", "--model.embedding_size", "16", "--model.bleu_sentences", "0", "--data", "parallel"),
        *("--data.path", PAIRS, "--data.batch_size", "32", "--data.val_fraction", "0.1", "--data.min_freq", "1"),
    ),
}
TIMED = ("tokens_per_second", "train/seconds", "speed/")
RUN = "stressed"


class Outcome(NamedTuple):
    """What became of a run that was killed.

    Args:
        training: Kills that hit a process that was training.
        writing: Kills in the middle of the writing of a checkpoint.
        differing: What is not equal to a run that was left alone.
    """

    training: int
    writing: int
    differing: list[str]


def last(folder: Path) -> Path:
    return folder / "lightning_logs" / RUN / "checkpoints" / "last.ckpt"


def command(folder: Path, program: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """What starts the run, or goes on with it."""
    words = ("--ckpt_path", "last") if last(folder).exists() else arguments
    return [sys.executable, *program, *words, "--run", RUN]


def start(folder: Path, program: Sequence[str], arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    environment, silent = {**os.environ, "OMP_NUM_THREADS": "1"}, subprocess.DEVNULL
    words = command(folder, program, arguments)
    return subprocess.Popen(words, cwd=folder, env=environment, stdout=silent, stderr=silent, start_new_session=True)


def end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def finish(folder: Path, arguments: Sequence[str]) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = command(folder, FIT, arguments)
    subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True, timeout=600)


def run_and_kill(folder: Path, arguments: Sequence[str], kills: int, dice: random.Random) -> tuple[int, int]:
    """Trains to the end in spite of so many kills; returns how many hit a process that was training, and writing."""
    training = writing = 0
    for number in range(kills):
        if number % 2:
            process = start(folder, FIT, arguments)
            wait_for_progress(process, last(folder))
            time.sleep(dice.expovariate(1 / 0.08))
            training += process.poll() is None
        else:
            when = (dice.choice(MOMENTS), str(dice.randint(1, 5)))
            process = start(folder, (*KILLED_WRITING, *when), arguments)
            process.wait(timeout=600)
            writing += process.returncode == -signal.SIGKILL and len(unfinished(folder)) == 1
        end(process)
        if process.returncode == 0:
            break
    finish(folder, arguments)
    return training, writing


def unfinished(folder: Path) -> list[str]:
    return [path.name for path in last(folder).parent.iterdir() if path.name not in ("best.ckpt", "last.ckpt")]


def wait_for_progress(process: subprocess.Popen[bytes], path: Path) -> None:
    """Until the process has written a checkpoint of its own, or has ended."""
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    while process.poll() is None:
        if path.exists() and path.stat().st_mtime_ns != stamp:
            return
        time.sleep(0.002)


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every scalar of a run but those of the clock, as TensorBoard shows them."""
    board = EventAccumulator(str(folder / "lightning_logs" / RUN), size_guidance={"scalars": 0})
    board.Reload()
    tags = [tag for tag in board.Tags()["scalars"] if not any(word in tag for word in TIMED)]
    return {tag: [(event.step, event.value) for event in board.Scalars(tag)] for tag in tags}


def differences(one: Path, other: Path) -> list[str]:
    """What is not equal to the bit between two runs."""
    states = [read_checkpoint(last(folder)) for folder in (one, other)]
    weights = [state["state_dict"] for state in states]
    found = [name for name in weights[0] if not torch.equal(weights[0][name], weights[1][name])]
    if states[0]["global_step"] != states[1]["global_step"]:
        found.append("global_step")
    logged = [curves(folder) for folder in (one, other)]
    tags = sorted(logged[0].keys() | logged[1].keys())
    found += [tag for tag in tags if logged[0].get(tag) != logged[1].get(tag)]
    return found + unfinished(one) + unfinished(other)


def stress(case: str, kills: int, seed: int, folder: Path) -> Outcome:
    """Trains a case twice, killed and left alone."""
    arguments = (*COMMON, *CASES[case])
    whole, cut = folder / "whole", folder / "cut"
    whole.mkdir(parents=True)
    cut.mkdir()
    finish(whole, arguments)
    hits = run_and_kill(cut, arguments, kills, random.Random(f"{case} {seed}"))
    return Outcome(*hits, differences(whole, cut))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--case", nargs="+", default=[*CASES], choices=[*CASES], metavar="CASE")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    failed = 0
    for case in options.case:
        with tempfile.TemporaryDirectory() as folder:
            training, writing, differing = stress(case, options.kills, options.seed, Path(folder))
        failed += bool(differing)
        said = f"differs in {', '.join(differing)}" if differing else "equal to the bit"
        print(f"{case:<20} killed {training} times while training, {writing} while writing: {said}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
