"""The table of a comparison: a row for each combination, means over its runs."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from seqlab.bootstrap import Mean
from seqlab.comparison.grid import Cell
from seqlab.comparison.records import Record
from seqlab.comparison.rows import Row
from seqlab.metrics import LOSS, Measure

VAST = 1e9
"""Numbers from this size on are shown as powers of ten."""


class Column(NamedTuple):
    """Title and format of a result."""

    title: str
    form: str


COSTS = {
    "parameters": Column("parameters", "{:,.0f}"),
    "tokens_per_second": Column("tokens/s", "{:,.0f}"),
    "items_per_second": Column("items/s", "{:,.0f}"),
    "seconds": Column("time, s", "{:,.1f}"),
}
PARTS = {"train": "train {}", "val": "best validation {}", "test": "test {}"}
"""Parts of the data, and the name of a measure of each."""


def columns_of(measures: Mapping[str, Measure]) -> dict[str, Column]:
    """The columns of a run's results, by name."""
    reached = {
        f"{part}_{name}": Column(title.format(one.title), one.form)
        for name, one in measures.items()
        for part, title in PARTS.items()
    }
    return {**COSTS, **reached}


def _columns(results: Iterable[tuple[Mapping[str, Measure], Iterable[str]]]) -> dict[str, Column]:
    """The non-empty columns of several tasks, from the measures and the names of the results of each."""
    found = list(results)
    columns = {key: column for measures, _ in found for key, column in columns_of(measures).items()}
    held = {key for _, keys in found for key in keys}
    return {key: column for key, column in columns.items() if key in held}


def _axes(varied: Iterable[Mapping[str, str]]) -> list[str]:
    """All varied options, the experiment and the model first."""
    axes = dict.fromkeys(key for one in varied for key in one)
    return sorted(axes, key=lambda key: ["experiment", "model"].index(key) if key in ("experiment", "model") else 2)


def as_markdown(rows: Sequence[Row]) -> str:
    """The table as Markdown: ``mean [low .. high]``, and the reasons of failed runs."""
    axes = _axes(row.varied for row in rows)
    columns = _columns((row.measures, row.results) for row in rows)
    folding, failing = any(row.folds for row in rows), any(row.failures for row in rows)
    titles = [column.title for column in columns.values()]
    lines = [[*axes, "seeds", *(["folds"] if folding else []), *titles, *(["failed"] if failing else [])]]
    for row in rows:
        done = f"{len(row.finished)} of {len(row.cells)}" if row.failures else str(len(row.seeds))
        forms = columns_of(row.measures)
        held = forms.keys() & row.results.keys()
        shown = [shown_mean(forms[key].form, row.results[key]) if key in held else "" for key in columns]
        folds = [str(row.folds or "")] if folding else []
        failed = ["; ".join(f"{run}: {reason}" for run, reason in row.failures.items())] if failing else []
        lines.append([*(row.varied.get(axis, "") for axis in axes), done, *folds, *shown, *failed])
    return markdown_of(lines)


def markdown_of(lines: Sequence[Sequence[str]]) -> str:
    """Lines as a Markdown table; the first line has the titles."""
    ruled = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join(f"| {' | '.join(word.replace('|', chr(92) + '|') for word in line)} |" for line in ruled)


def shown_mean(form: str, mean: Mean) -> str:
    """``4.2 [4.1 .. 4.3]``, or the mean alone if the interval adds nothing."""
    value, *ends = (None if number is None else _in_form(form, number) for number in mean)
    return f"{value} [{ends[0]} .. {ends[1]}]" if len({value, *ends} - {None}) > 1 else str(value)


def _in_form(form: str, number: float) -> str:
    """A number in its format; as a power of ten if it would have too many digits."""
    return form.format(number) if abs(number) < VAST or math.isinf(number) else f"{number:.3g}"


def as_csv(rows: Sequence[Row]) -> str:
    """The table as CSV: the mean of each result and the ends of its interval."""
    axes = _axes(row.varied for row in rows)
    keys = [*_columns((row.measures, row.results) for row in rows), *_loss(row.results for row in rows)]
    ends: dict[str, Callable[[Mean], float | None]] = {
        "": lambda mean: mean.value,
        "_low": lambda mean: mean.low,
        "_high": lambda mean: mean.high,
    }
    lines: list[Sequence[object]] = [
        [*axes, "task", "seeds", "folds", "finished", *(f"{key}{end}" for key in keys for end in ends), "failed"]
    ]
    for row in rows:
        means = [row.results.get(key) for key in keys]
        numbers = ["" if mean is None else part(mean) for mean in means for part in ends.values()]
        failed = "; ".join(f"{run}: {reason}" for run, reason in row.failures.items())
        counts = [len(row.seeds), row.folds or "", len(row.finished)]
        lines.append([*(row.varied.get(axis, "") for axis in axes), row.task, *counts, *numbers, failed])
    return csv_of(lines)


def runs_as_csv(runs: Sequence[tuple[Cell, Record]]) -> str:
    """Every run with its results."""
    axes = _axes(cell.varied for cell, _ in runs)
    results = [(record.measures, record.result or {}) for _, record in runs]
    keys = ["steps", *_columns(results), *_loss(result for _, result in results)]
    lines: list[Sequence[object]] = [["run", *axes, "task", "fold", "seed", *keys, "failed"]]
    for cell, record in runs:
        numbers = [(record.result or {}).get(key, "") for key in keys]
        own = [*(cell.varied.get(axis, "") for axis in axes), record.task, "" if cell.fold is None else cell.fold]
        lines.append([cell.name, *own, cell.seed, *numbers, record.reason])
    return csv_of(lines)


def _loss(results: Iterable[Iterable[str]]) -> list[str]:
    return [f"val_{LOSS}"] if any(f"val_{LOSS}" in keys for keys in results) else []


def csv_of(lines: Sequence[Sequence[object]]) -> str:
    """Lines as comma-separated values."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
