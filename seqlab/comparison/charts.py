"""Figures of a comparison: learning curves with bands over seeds, and what was reached at which cost."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqlab.comparison.bootstrap import bootstrap_means
from seqlab.comparison.curves import Curve, against_time, read_curves
from seqlab.comparison.table import Row
from seqlab.figures import Axes, Figure, new_figure, save_figure

CURVE = "val/perplexity"
LINES = 10
"""Rows that are told apart by colour and named."""
POINTS = 200
"""Of a mean curve against time."""

Band = tuple[Curve, Curve, Curve]


def draw_figures(rows: Sequence[Row], logs: Path, output: Path) -> list[Path]:
    """Draws the finished runs; returns the files, none where nothing was validated.

    Args:
        rows: Of the table.
        logs: Folder of the runs.
        output: Of the figures.

    Raises:
        UserError: A file cannot be written.
    """
    curves = {row.label: [read_curves(logs / record.name) for record in row.finished] for row in rows}
    steps = {label: [one[CURVE] for one in runs if CURVE in one] for label, runs in curves.items()}
    times = {
        label: [against_time(one[CURVE], one["train/seconds"]) for one in runs if CURVE in one]
        for label, runs in curves.items()
    }
    if not any(steps.values()):
        return []
    figures = {
        "curves-step.png": draw_curves(steps, "optimizer step", over_steps),
        "curves-time.png": draw_curves(times, "seconds of training", over_times),
        "best-time.png": draw_best(rows, "seconds", "seconds of training"),
        "best-parameters.png": draw_best(rows, "parameters", "parameters"),
    }
    for name, figure in figures.items():
        save_figure(figure, output / name)
    return [output / name for name in figures]


def draw_curves(curves: Mapping[str, Sequence[Curve]], unit: str, mean_of: Callable[[Sequence[Curve]], Band]) -> Figure:
    """Draws validation perplexity: each run thin, the mean of each name's runs and its 95% interval."""
    figure, axes = new_figure()
    for number, (label, runs) in enumerate(curves.items()):
        for run in runs:
            axes.plot(*run, color=_colour(number), linewidth=0.6, alpha=0.5 if len(runs) > 1 else 1)
        if not runs:
            continue
        mean, low, high = mean_of(runs)
        axes.plot(*mean, color=_colour(number), label=label, marker="." if len(mean.steps) < 3 else None)
        axes.fill_between(mean.steps, low.values, high.values, color=_colour(number), alpha=0.2, linewidth=0)
    axes.set(xlabel=unit, ylabel="validation perplexity", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.set_title(
        "Validation perplexity" + ", mean and 95% interval over seeds" * any(len(r) > 1 for r in curves.values())
    )
    _legend(axes, len(curves))
    return figure


def over_steps(runs: Sequence[Curve]) -> Band:
    """Mean and interval at the steps that all runs have."""
    common = set.intersection(*(set(run.steps.tolist()) for run in runs))
    steps = np.array(sorted(common))
    return _band(steps, np.stack([run.values[np.isin(run.steps, steps)] for run in runs]))


def over_times(runs: Sequence[Curve]) -> Band:
    """Mean and interval over the times that all runs reach, between whose points the curves are straight."""
    begin, end = max(run.steps[0] for run in runs), min(run.steps[-1] for run in runs)
    times = np.linspace(begin, end, POINTS) if end > begin else np.array([end])
    return _band(times, np.stack([np.interp(times, *run) for run in runs]))


def _band(places: NDArray[np.float64], values: NDArray[np.float64]) -> Band:
    if len(values) == 1:
        return (Curve(places, values[0]),) * 3
    mean, low, high = bootstrap_means(values)
    return Curve(places, mean), Curve(places, low), Curve(places, high)


def draw_best(rows: Sequence[Row], key: str, unit: str) -> Figure:
    """Draws the best validation perplexity of each row against what it cost, with 95% intervals."""
    figure, axes = new_figure()
    shown = [row for row in rows if key in row.results and "val_perplexity" in row.results]
    for number, row in enumerate(shown):
        cost, best = row.results[key], row.results["val_perplexity"]
        bars = None if best.low is None or best.high is None else [[best.value - best.low], [best.high - best.value]]
        axes.errorbar(cost.value, best.value, yerr=bars, fmt="o", capsize=3, color=_colour(number), label=row.label)
    axes.set(xlabel=unit, ylabel="best validation perplexity", title=f"Best validation perplexity against {unit}")
    _legend(axes, len(shown))
    return figure


def _colour(number: int) -> str:
    return f"C{number % 10}"


def _legend(axes: Axes, lines: int) -> None:
    if lines <= LINES:
        axes.legend(fontsize="small")
