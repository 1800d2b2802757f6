"""What a step under `python -m seqlab.fit` costs above a bare PyTorch loop.

    python experiments/speed/trainer_overhead.py [--steps 150] [--rounds 9]

Both train the GRU of `fit --model gru` (hidden 256) on the same characters (32 x 35, state carried) with the same Adam
and clipping; one through the Trainer with all that `fit` does by default (logging, gradient norms, watching, progress,
signals), the other in a loop of eight lines. The second row is about watching alone: three epochs and their validations
with `--watch light`, the default, against `--watch none`.
"""

import argparse
import logging
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from pairing import compare, machine
from seqlab.cli.build import make_data, make_model
from seqlab.cli.plan import plan
from seqlab.cli.settings import Settings, read_settings
from seqlab.cli.trainer import make_trainer
from seqlab.data.data_module import DataModule
from seqlab.models.model import Model
from seqlab.runs.allocator import keep_freed_memory

import lightning.pytorch as pl
import torch
import torch.nn.functional as F

WARM = 10


class Stopwatch(pl.Callback):
    """Seconds from the end of the first ``WARM`` steps to the end of the last, or of the validation after it."""

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == WARM:
            self.started = time.perf_counter()
        self.ended = time.perf_counter()

    def on_validation_end(self, *_: Any) -> None:
        self.ended = time.perf_counter()


def parts(*words: str) -> tuple[Settings, DataModule, Model]:
    """What ``fit --model gru`` makes."""
    settings = read_settings(plan(["--model", "gru", *words]))
    data = make_data(settings)
    return settings, data, make_model(settings, data, {})[0]


def fit(*words: str, **options: object) -> float:
    """Seconds of a step."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = {"default_root_dir": folder, "enable_progress_bar": False, **options}
        settings, data, model = parts(*words, *(f"--trainer.{key}={value}" for key, value in trainer.items()))
        watch = Stopwatch()
        trained = make_trainer(settings, data, model, Path(folder) / "run", {"callbacks": watch})
        trained.fit(model, data)
    return (watch.ended - watch.started) / (trained.global_step - WARM)


def under_trainer(steps: int) -> float:
    return fit(max_steps=steps + WARM, max_epochs=-1, limit_val_batches=0)


def watching(how: str) -> float:
    return fit("--watch", how, max_epochs=3)


def bare(steps: int) -> float:
    settings, data, model = parts()
    network, batches = model.network, data.train_dataloader().batches
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.of("optimizer")["lr"], fused=True)
    started = 0.0
    for step in range(steps + WARM):
        if step == WARM:
            started = time.perf_counter()
        inputs, targets, _, continues = batches.batch(step // len(batches), step % len(batches))
        logits, state = network(inputs, carried if continues else None)  # noqa: F821
        carried = tuple(part.detach() for part in state)  # noqa: F841
        optimizer.zero_grad()
        F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return (time.perf_counter() - started) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    keep_freed_memory()
    print(machine(), f"{os.cpu_count()} cores", sep=", ")
    print(f"{'a step of':<34}{'fit':>11}{'bare':>12}{'ratio':>9}  [lowest .. highest]")
    row = compare("gru 256, 32 x 35", lambda: under_trainer(options.steps), lambda: bare(options.steps), options.rounds)
    print(row)
    print(f"{'a step and its share of validation':<34}{'light':>11}{'none':>12}{'ratio':>9}  [lowest .. highest]")
    print(compare("gru 256, 32 x 35", lambda: watching("light"), lambda: watching("none"), options.rounds))


if __name__ == "__main__":
    main()
