"""Paired tests: the difference of two rows on the same held-out items, and how often chance alone makes it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqlab.bootstrap import interval, over_items
from seqlab.comparison.items import number_of, same_items
from seqlab.comparison.rows import ResampledOf, Row, items_of
from seqlab.comparison.table import csv_of, markdown_of
from seqlab.metrics import Columns, Measure, Resampled


@dataclass(frozen=True)
class Pair:
    """One row against another.

    Args:
        row: Label of the row.
        against: Label of the other row; empty if there is none.
        name: Name of the measure.
        measure: The measure; None if no run of the row has finished.
        difference: The row's measure of the test part minus the other's; None if the rows cannot be compared.
        low: Lower end of its 95% interval.
        high: Upper end of its 95% interval.
        p: How often chance alone makes as large a difference, in either direction.
        items: Number of held-out items, the same for both rows.
        reason: Why they cannot be compared; empty if they can.
    """

    row: str
    against: str
    name: str
    measure: Measure | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    items: int | None = None
    reason: str = ""


def pair_rows(rows: Sequence[Row], logs: Path, resampled: ResampledOf) -> list[Pair]:
    """Every row against the best of its task and corpus by the main measure of the test part, and against the bar.

    Intervals and p come from a paired bootstrap over items (Efron & Tibshirani 1993, chapters 13 and 16; Koehn 2004,
    W04-3250): each of 2,000 resamples draws the same items for both rows, and a row's value is the mean over its runs.
    The best row is chosen among the rows with known items.

    Args:
        rows: Rows of the table.
        logs: Folder of the runs.
        resampled: Measures over items.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.finished:
            groups.setdefault((row.task, row.corpus), []).append(row)
    pairs = [pair for group in groups.values() if len(group) > 1 for pair in _pairs_of(group, logs, resampled)]
    if not pairs:
        return []
    alone = "no other row has its task and corpus"
    lone = [group[0] for group in groups.values() if len(group) == 1]
    pairs += [Pair(row.label, "", row.main or "", _measure(row), reason=alone) for row in lone]
    unfinished = [row for row in rows if not row.finished]
    return pairs + [Pair(row.label, "", "", None, reason="none of its runs has finished") for row in unfinished]


@dataclass(frozen=True, eq=False)
class _Tested:
    """A row with its measure on its items and on resampled items; both are not finite if unknown."""

    row: Row
    runs: Sequence[Columns] | str
    value: float = math.nan
    resamples: NDArray[np.float64] = field(default_factory=lambda: np.array([math.nan]))


def _pairs_of(rows: Sequence[Row], logs: Path, resampled: ResampledOf) -> list[Pair]:
    """The pairs of the rows of one task and corpus."""
    name, measure = rows[0].main, _measure(rows[0])
    over = None if name is None else resampled(rows[0].task, name)
    if name is None or measure is None or over is None:
        reason = f"{measure.title if measure else 'its measure'} does not follow from single items"
        return [Pair(row.label, "", name or "", measure, reason=reason) for row in rows]
    tested = _tested([(row, items_of(row, logs)) for row in rows], over)
    finite = [one for one in tested if math.isfinite(one.value)]
    best_first = sorted(finite, key=lambda one: one.value, reverse=measure.better == "higher")
    others = [*best_first[:1], *(one for one in tested if one.row.bar and one not in best_first[:1])]
    pairs = []
    for one in tested:
        if not others:
            pairs.append(Pair(one.row.label, "", name, measure, reason=_missing(one)))
        pairs += [_pair(one, other, name, measure) for other in others if other is not one]
    return pairs


def _measure(row: Row) -> Measure | None:
    return None if row.main is None else row.measures[row.main]


def _tested(rows: Sequence[tuple[Row, list[Columns] | str]], resampled: Resampled) -> list[_Tested]:
    """The rows with their measure; rows with the same number of items share the resamples."""
    found = [_Tested(row, runs) for row, runs in rows]
    sizes: dict[int, dict[int, list[Columns]]] = {}
    for place, (_, runs) in enumerate(rows):
        if not isinstance(runs, str):
            sizes.setdefault(number_of(runs[0]), {})[place] = runs
    for items, kept in sizes.items():
        values, resamples = over_items([*kept.values()], items, resampled)
        for place, value, own in zip(kept, values, resamples, strict=True):
            found[place] = replace(found[place], value=float(value), resamples=own)
    return found


def _missing(one: _Tested) -> str:
    """Why a row has no value; empty if it has one."""
    if isinstance(one.runs, str):
        return one.runs
    return "" if np.isfinite([one.value, *one.resamples]).all() else "its measure is no number on some resampled items"


def _pair(one: _Tested, other: _Tested, name: str, measure: Measure) -> Pair:
    pair = Pair(one.row.label, other.row.label, name, measure)
    if reason := _missing(one):
        return replace(pair, reason=reason)
    if reason := _missing(other):
        return replace(pair, reason=f"of {other.row.label}, {reason}")
    items, others = one.runs[0], other.runs[0]
    assert not isinstance(items, str)
    assert not isinstance(others, str)
    if not same_items(items, others):
        return replace(pair, reason=f"{number_of(items):,} items are not the same as the other's {number_of(others):,}")
    difference, resamples = one.value - other.value, one.resamples - other.resamples
    low, high = interval(resamples)
    return replace(
        pair,
        difference=difference,
        low=low,
        high=high,
        p=chance_of(difference, resamples),
        items=number_of(items),
    )


def chance_of(difference: float, resamples: NDArray[np.float64]) -> float:
    """How often chance alone makes as large a difference, in either direction (Berg-Kirkpatrick et al. 2012, D12-1091).

    Resamples scatter around the observed difference as they would around 0 if there were none:

        p = (1 + #{|resampled - difference| >= |difference|}) / (1 + resamples)

    Args:
        difference: The observed difference.
        resamples: The difference on resampled items, ``(resamples,)``.
    """
    as_large = np.abs(resamples - difference) >= abs(difference)
    return float((1 + np.count_nonzero(as_large)) / (1 + len(resamples)))


def pairs_as_markdown(pairs: Sequence[Pair]) -> str:
    """The pairs as a Markdown table."""
    missing = any(pair.reason for pair in pairs)
    lines = [["row", "against", "measure", "difference", "p", "items", *(["not compared because"] if missing else [])]]
    for pair in pairs:
        title = "" if pair.measure is None else f"test {pair.measure.title}"
        numbers = ["", "", ""] if pair.p is None else [_shown(pair), f"{pair.p:.4f}", f"{pair.items:,}"]
        lines.append([pair.row, pair.against, title, *numbers, *([pair.reason] if missing else [])])
    return markdown_of(lines)


def _shown(pair: Pair) -> str:
    """``+0.21 [+0.10 .. +0.32]``."""
    assert pair.measure is not None
    ends = [pair.difference or 0.0, pair.low or 0.0, pair.high or 0.0]
    value, low, high = ("+" * (end > 0) + pair.measure.shown(end) for end in ends)
    return f"{value} [{low} .. {high}]"


def pairs_as_csv(pairs: Sequence[Pair]) -> str:
    """The pairs as CSV."""
    head = ["row", "against", "measure", "difference", "low", "high", "p", "items", "reason"]
    lines: list[Sequence[object]] = [head]
    for pair in pairs:
        numbers = [pair.difference, pair.low, pair.high, pair.p, pair.items]
        words = ["" if number is None else number for number in numbers]
        lines.append([pair.row, pair.against, pair.name, *words, pair.reason])
    return csv_of(lines)
