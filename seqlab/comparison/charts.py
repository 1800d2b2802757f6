"""Figures of a comparison: learning curves with bands over runs, and the best measure against the cost."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqlab.bootstrap import bootstrap_means
from seqlab.comparison.curves import Curve, against_time, read_curves
from seqlab.comparison.rows import Row
from seqlab.figures import Axes, Figure, new_figure, save_figures
from seqlab.metrics import Measure

LINES = 10
"""Most rows with a colour and a name of their own."""
POINTS = 200
"""Points of a mean curve against time."""

Band = tuple[Curve, Curve, Curve]


def draw_figures(rows: Sequence[Row], logs: Path, output: Path) -> list[Path]:
    """Draws the finished runs, each task by its main measure; returns the files, none without validation.

    Args:
        rows: Rows of the table.
        logs: Folder of the runs.
        output: Folder of the figures; their names end with the task if there are several tasks.

    Raises:
        UserError: A file cannot be written.
    """
    tasks: dict[str, list[Row]] = {}
    for row in rows:
        if row.finished:
            tasks.setdefault(row.task, []).append(row)
    figures = {
        f"{name}{f'-{task}' if task and len(tasks) > 1 else ''}.png": figure
        for task, own in tasks.items()
        for name, figure in _figures_of(own, logs).items()
    }
    return save_figures(figures, output)


def _figures_of(rows: Sequence[Row], logs: Path) -> dict[str, Figure]:
    """The figures of one task, by name."""
    if (main := rows[0].main) is None:
        return {}
    measure, tag, seconds = rows[0].measures[main], f"val/{main}", "train/seconds"
    curves = {row.label: [read_curves(logs / record.name) for record in row.finished] for row in rows}
    steps = {label: [one[tag] for one in runs if tag in one] for label, runs in curves.items()}
    times = {
        label: [against_time(one[tag], one[seconds]) for one in runs if {tag, seconds} <= one.keys()]
        for label, runs in curves.items()
    }
    if not any(steps.values()):
        return {}
    return {
        "curves-step": draw_curves(steps, "optimizer step", over_steps, measure),
        "curves-time": draw_curves(times, "seconds of training", over_times, measure),
        "best-time": draw_best(rows, "seconds", "seconds of training", main, measure),
        "best-parameters": draw_best(rows, "parameters", "parameters", main, measure),
    }


def draw_curves(
    curves: Mapping[str, Sequence[Curve]],
    unit: str,
    mean_of: Callable[[Sequence[Curve]], Band],
    measure: Measure,
) -> Figure:
    """Draws a measure of the validation part: a thin line for each run, and the mean of each row with its 95% interval.

    The axis is logarithmic if lower values are better and all values are above 0.
    """
    figure, axes = new_figure()
    for number, (label, runs) in enumerate(curves.items()):
        for run in runs:
            axes.plot(*run, color=_colour(number), linewidth=0.6, alpha=0.5 if len(runs) > 1 else 1)
        if not runs:
            continue
        mean, low, high = mean_of(runs)
        axes.plot(*mean, color=_colour(number), label=label, marker="." if len(mean.steps) < 3 else None)
        axes.fill_between(mean.steps, low.values, high.values, color=_colour(number), alpha=0.2, linewidth=0)
    axes.set(xlabel=unit, ylabel=f"validation {measure.title}")
    if measure.better == "lower" and all((run.values > 0).all() for runs in curves.values() for run in runs):
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    several = any(len(runs) > 1 for runs in curves.values())
    axes.set_title(f"Validation {measure.title}" + ", mean and 95% interval over runs" * several)
    _legend(axes, len(curves))
    return figure


def over_steps(runs: Sequence[Curve]) -> Band:
    """Mean and interval at the steps that all runs share."""
    common = set.intersection(*(set(run.steps.tolist()) for run in runs))
    steps = np.array(sorted(common))
    return _band(steps, np.stack([run.values[np.isin(run.steps, steps)] for run in runs]))


def over_times(runs: Sequence[Curve]) -> Band:
    """Mean and interval over the times that all runs reach, with linear interpolation of the curves."""
    begin, end = max(run.steps[0] for run in runs), min(run.steps[-1] for run in runs)
    times = np.linspace(begin, end, POINTS) if end > begin else np.array([end])
    return _band(times, np.stack([np.interp(times, *run) for run in runs]))


def _band(places: NDArray[np.float64], values: NDArray[np.float64]) -> Band:
    if len(values) == 1:
        return (Curve(places, values[0]),) * 3
    mean, low, high = bootstrap_means(values)
    return Curve(places, mean), Curve(places, low), Curve(places, high)


def draw_best(rows: Sequence[Row], key: str, unit: str, name: str, measure: Measure) -> Figure:
    """Draws the best validated measure of each row against its cost, with 95% intervals.

    Args:
        rows: Rows of one task.
        key: The cost, a name of a result.
        unit: Name of the cost in the figure.
        name: Name of the measure.
        measure: The measure.
    """
    figure, axes = new_figure()
    shown = [row for row in rows if {key, f"val_{name}"} <= row.results.keys()]
    for number, row in enumerate(shown):
        cost, best = row.results[key], row.results[f"val_{name}"]
        bars = None if best.low is None or best.high is None else [[best.value - best.low], [best.high - best.value]]
        axes.errorbar(cost.value, best.value, yerr=bars, fmt="o", capsize=3, color=_colour(number), label=row.label)
    title = f"best validation {measure.title}"
    axes.set(xlabel=unit, ylabel=title, title=f"{title[0].upper()}{title[1:]} against {unit}")
    _legend(axes, len(shown))
    return figure


def _colour(number: int) -> str:
    return f"C{number % 10}"


def _legend(axes: Axes, lines: int) -> None:
    if 0 < lines <= LINES:
        axes.legend(fontsize="small")
