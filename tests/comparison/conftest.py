from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from seqlab.comparison.grid import Cell
from seqlab.comparison.items import ITEMS, write_items
from seqlab.comparison.records import Record
from seqlab.metrics import Measure, Resampled, ratio

PERPLEXITY = Measure("perplexity", "{:.3f}", "lower")
ACCURACY = Measure("accuracy", "{:.2%}", "higher")
MEASURES = {"language": {"perplexity": PERPLEXITY}, "classification": {"accuracy": ACCURACY}}

Made = Callable[..., tuple[Cell, Record]]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes a run of a comparison that has finished, with what it reached on each item in ``tmp_path/NAME``."""

    def make(
        model: str,
        seed: int = 1,
        *,
        task: str = "classification",
        corpus: str = "story",
        result: Mapping[str, float] | None = None,
        items: Mapping[str, Sequence[Any]] | None = None,
        fold: int | None = None,
        bar: bool = False,
        reason: str = "",
    ) -> tuple[Cell, Record]:
        name = f"{model}-fold={fold}-seed={seed}"
        cell = Cell(name, {"model": model}, seed, [f"--seed={seed}"], fold, bar)
        if reason:
            return cell, Record(name, [], {}, reason=reason)
        if items is not None:
            (tmp_path / name).mkdir()
            write_items(tmp_path / name / ITEMS, items)
        kept = "" if items is None else ITEMS
        reached = {"parameters": 10, "steps": 5, "seconds": 2.0, **(result or {})}
        return cell, Record(name, [], {}, reached, corpus, "", task, MEASURES[task], kept)

    return make


@pytest.fixture
def resampled() -> Callable[[str, str], Resampled | None]:
    """Accuracy as the share of items whose ``correct`` is 1; perplexity does not follow from items."""
    return lambda task, measure: ratio("correct") if measure == "accuracy" else None
