"""The rows of a comparison: the joint results of each combination's runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqlab.bootstrap import Mean, bootstrap_mean, mean_over_items
from seqlab.comparison.grid import Cell
from seqlab.comparison.items import in_order, number_of, read_items, same_items, together
from seqlab.comparison.records import Record
from seqlab.metrics import Columns, Measure, Resampled

ResampledOf = Callable[[str, str], Resampled | None]
"""Function: task and measure -> the measure over resampled items; None if it does not follow from items."""


@dataclass(frozen=True)
class Row:
    """One combination.

    Args:
        cells: Its runs, in the order of their seeds and folds.
        records: Records of these runs.
        results: Means over the finished runs, by name, see ``Measured``; with folds, a measure of the test part is
            computed over the items of all folds.
    """

    cells: Sequence[Cell]
    records: Sequence[Record]
    results: Mapping[str, Mean]

    @property
    def varied(self) -> Mapping[str, str]:
        """The varied options and their values in this row."""
        return self.cells[0].varied

    @property
    def label(self) -> str:
        """The varied options in few words."""
        return self.cells[0].label

    @property
    def bar(self) -> bool:
        """Whether this row is a baseline."""
        return self.cells[0].bar

    @property
    def seeds(self) -> list[int]:
        """Seeds of its runs, each once."""
        return list(dict.fromkeys(cell.seed for cell in self.cells))

    @property
    def folds(self) -> int | None:
        """Number of folds; None without folds."""
        folds = {cell.fold for cell in self.cells}
        return None if None in folds else len(folds)

    @property
    def failures(self) -> dict[str, str]:
        """Reasons of failures, by ``seed 1`` or ``fold 3, seed 1``."""
        runs = zip(self.cells, self.records, strict=True)
        return {cell.place: record.reason for cell, record in runs if record.reason}

    @property
    def finished(self) -> list[Record]:
        """Records of the runs that have results."""
        return [record for record in self.records if record.result is not None]

    @property
    def task(self) -> str:
        """Task of its runs; empty if no run has finished."""
        return self.finished[0].task if self.finished else ""

    @property
    def corpus(self) -> str:
        """Training corpus of its runs; empty if no run has finished."""
        return self.finished[0].corpus if self.finished else ""

    @property
    def measures(self) -> Mapping[str, Measure]:
        """Measures of the task, by name, the main one first; empty if no run has finished."""
        return self.finished[0].measures if self.finished else {}

    @property
    def main(self) -> str | None:
        """Name of the main measure."""
        return next(iter(self.measures), None)


def rows_of(runs: Sequence[tuple[Cell, Record]], logs: Path, resampled: ResampledOf) -> list[Row]:
    """The rows of a table, in the order of their first runs.

    Args:
        runs: All runs with their results.
        logs: Folder of the runs.
        resampled: Measures over items.
    """
    groups: dict[tuple[tuple[str, str], ...], list[tuple[Cell, Record]]] = {}
    for cell, record in runs:
        groups.setdefault(tuple(cell.varied.items()), []).append((cell, record))
    return [_row(group, logs, resampled) for group in groups.values()]


def _row(group: Sequence[tuple[Cell, Record]], logs: Path, resampled: ResampledOf) -> Row:
    results = [record.result for _, record in group if record.result is not None]
    keys = {key for result in results for key in result}
    means = {key: bootstrap_mean([one[key] for one in results if key in one]) for key in keys}
    row = Row([cell for cell, _ in group], [record for _, record in group], means)
    return row if row.folds is None else Row(row.cells, row.records, {**means, **_pooled(row, logs, resampled)})


def _pooled(row: Row, logs: Path, resampled: ResampledOf) -> dict[str, Mean]:
    """Measures over the items of all folds together; None if a run has no items."""
    runs = _runs_of(row, logs)
    if isinstance(runs, str):
        return {}
    measures = {f"test_{name}": resampled(row.task, name) for name in row.measures}
    known = {key: measure for key, measure in measures.items() if measure is not None and key in row.results}
    if _alike(runs):
        return {key: mean_over_items(runs, number_of(runs[0]), measure) for key, measure in known.items()}
    return {
        key: bootstrap_mean([float(measure(run, np.ones((1, number_of(run))))[0]) for run in runs])
        for key, measure in known.items()
    }


def items_of(row: Row, logs: Path) -> list[Columns] | str:
    """Results of a row for each test item, with all folds together.

    Args:
        row: Row of the table.
        logs: Folder of the runs.

    Returns:
        Columns of each seed, for the same items in the same order; or the reason why not, as part of a sentence.
    """
    runs = _runs_of(row, logs)
    return runs if isinstance(runs, str) or _alike(runs) else "its runs were tested on different items"


def _runs_of(row: Row, logs: Path) -> list[Columns] | str:
    """The columns of each seed, or the reason why there are none."""
    if not row.finished:
        return "none of its runs has finished"
    if row.folds is not None and len(row.finished) < len(row.cells):
        return "one of its folds is missing"
    if not all(record.items for record in row.finished):
        return "what it reached on each item was not kept"
    seeds: dict[int, list[Columns]] = {}
    for cell, record in zip(row.cells, row.records, strict=True):
        if record.result is None:
            continue
        try:
            seeds.setdefault(cell.seed, []).append(read_items(logs / record.name / record.items))
        except OSError:
            return "what it reached on each item is gone"
    runs = [in_order(together(folds)) for folds in seeds.values()]
    return runs if all(map(number_of, runs)) else "its test part is empty"


def _alike(runs: Sequence[Columns]) -> bool:
    return all(same_items(runs[0], other) for other in runs)
