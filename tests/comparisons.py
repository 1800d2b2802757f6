"""Short runs of comparisons, and what they reached."""

import csv
from pathlib import Path

FAST = ("--watch", "none", "--trainer.limit_train_batches", "6", "--trainer.log_every_n_steps", "2")
"""Options of ``fit`` for runs of a second."""
MEASURED = ("train_perplexity", "val_perplexity", "test_perplexity")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(folder: Path, model: str = "") -> list[list[float]]:
    """What each run reached, or each of one model."""
    runs = [row for row in rows(folder / "runs.csv") if row["run"].startswith(model)]
    return [[float(row[key] or -1) for key in MEASURED] for row in runs]
