"""The table of a comparison: a row for each combination, means over its seeds."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seqlab.comparison.bootstrap import Mean, bootstrap_mean
from seqlab.comparison.grid import Cell
from seqlab.comparison.records import Record


class Column(NamedTuple):
    """How a result is shown: its title and its form."""

    title: str
    form: str


COLUMNS = {
    "parameters": Column("parameters", "{:,.0f}"),
    "tokens_per_second": Column("tokens/s", "{:,.0f}"),
    "seconds": Column("time, s", "{:,.1f}"),
    "train_perplexity": Column("train perplexity", "{:.3f}"),
    "val_perplexity": Column("best validation perplexity", "{:.3f}"),
    "test_perplexity": Column("test perplexity", "{:.3f}"),
    "val_bleu": Column("best validation BLEU", "{:.2f}"),
}


@dataclass(frozen=True)
class Row:
    """One combination.

    Args:
        varied: What varies and its value here.
        label: The same in few words.
        seeds: Of its runs.
        records: Of its runs, in the order of their seeds.
        results: Mean over the runs that finished, by name; see ``measure_run``.
        failures: Why runs failed, by seed.
    """

    varied: Mapping[str, str]
    label: str
    seeds: Sequence[int]
    records: Sequence[Record]
    results: Mapping[str, Mean]
    failures: Mapping[int, str]

    @property
    def finished(self) -> list[Record]:
        """Records of the runs that have results."""
        return [record for record in self.records if record.result is not None]


def rows_of(runs: Sequence[tuple[Cell, Record]]) -> list[Row]:
    """The rows of a table, in the order of their first runs."""
    groups: dict[tuple[tuple[str, str], ...], list[tuple[Cell, Record]]] = {}
    for cell, record in runs:
        groups.setdefault(tuple(cell.varied.items()), []).append((cell, record))
    return [_row(group) for group in groups.values()]


def _row(group: Sequence[tuple[Cell, Record]]) -> Row:
    results = [record.result for _, record in group if record.result is not None]
    means = {
        key: bootstrap_mean([one[key] for one in results if key in one]) for key in {k for r in results for k in r}
    }
    cell = group[0][0]
    return Row(
        cell.varied,
        cell.label,
        [each.seed for each, _ in group],
        [record for _, record in group],
        means,
        {each.seed: record.reason for each, record in group if record.reason},
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """The table for people: ``mean [low .. high]``, and why runs failed."""
    keys = [key for key in COLUMNS if any(key in row.results for row in rows)]
    failing = any(row.failures for row in rows)
    head = [*rows[0].varied, "seeds", *(COLUMNS[key].title for key in keys), *(["failed"] if failing else [])]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        done = f"{len(row.finished)} of {len(row.seeds)}" if row.failures else str(len(row.seeds))
        shown = [_shown(COLUMNS[key].form, row.results.get(key)) for key in keys]
        failed = "; ".join(f"seed {seed}: {reason}" for seed, reason in row.failures.items())
        lines.append([*row.varied.values(), done, *shown, *([failed] if failing else [])])
    return "\n".join(f"| {' | '.join(_escaped(word) for word in line)} |" for line in lines)


def _escaped(word: str) -> str:
    return word.replace("|", "\\|")


def _shown(form: str, mean: Mean | None) -> str:
    if mean is None:
        return ""
    value, *ends = (None if number is None else form.format(number) for number in mean)
    return f"{value} [{ends[0]} .. {ends[1]}]" if len({value, *ends} - {None}) > 1 else str(value)


def as_csv(rows: Sequence[Row]) -> str:
    """The table for programs: of each result its mean and the ends of its interval."""
    keys = [key for key in COLUMNS if any(key in row.results for row in rows)]
    ends: dict[str, Callable[[Mean], float | None]] = {
        "": lambda mean: mean.value,
        "_low": lambda mean: mean.low,
        "_high": lambda mean: mean.high,
    }
    head = [*rows[0].varied, "seeds", "finished", *(f"{key}{end}" for key in keys for end in ends), "failed"]
    lines: list[Sequence[object]] = [head]
    for row in rows:
        means = [row.results.get(key) for key in keys]
        numbers = ["" if mean is None else part(mean) for mean in means for part in ends.values()]
        failed = "; ".join(f"seed {seed}: {reason}" for seed, reason in row.failures.items())
        lines.append([*row.varied.values(), len(row.seeds), len(row.finished), *numbers, failed])
    return _csv(lines)


def runs_as_csv(runs: Sequence[tuple[Cell, Record]]) -> str:
    """Every run with its results."""
    keys = [key for key in ("steps", *COLUMNS) if any(key in (record.result or {}) for _, record in runs)]
    lines: list[Sequence[object]] = [["run", *runs[0][0].varied, "seed", *keys, "failed"]]
    for cell, record in runs:
        numbers = [(record.result or {}).get(key, "") for key in keys]
        lines.append([cell.name, *cell.varied.values(), cell.seed, *numbers, record.reason])
    return _csv(lines)


def _csv(lines: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
