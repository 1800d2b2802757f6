"""Figures of forecasts with true values, and of errors by step ahead."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from seqlab.figures import Figure, new_figure, new_panels, save_figure
from seqlab.views.boards import ValidationView, add_picture

SHOWN = 4
"""Number of windows to draw."""
MOST_COLUMNS = 4
"""Most columns in one figure."""
LONGEST_PAST = 3
"""Most drawn history, in multiples of the horizon; at least ``LEAST_PAST`` steps are drawn."""
LEAST_PAST = 30


class Forecasts(Protocol):
    """A model that forecasts series."""

    def evaluate(self, data: Any, split: Any, items: bool) -> Any: ...

    def shown(self, data: Any, split: Any, count: int) -> Any: ...


class Continued(Protocol):
    """A series with a forecast."""

    @property
    def name(self) -> str: ...

    @property
    def times(self) -> Sequence[Any]: ...

    @property
    def values(self) -> NDArray[np.float64]: ...

    @property
    def ahead(self) -> Sequence[Any]: ...


class ForecastView(ValidationView):
    """Draws a few forecasts and the error by step ahead."""

    def show(self, writers: Sequence[SummaryWriter], data: Any, pl_module: pl.LightningModule, step: int) -> None:
        model = cast(Forecasts, pl_module)
        with data.undivided():
            report = model.evaluate(data, "val", False)
            history, said, came = (part.numpy()[:, :, 0] for part in model.shown(data, "val", SHOWN))
        for writer in writers:
            add_picture(writer, "forecasts", draw_windows(history, said, came), step)
            figure = draw_by_step(report.by_step)
            add_picture(writer, "error by step ahead", figure, step)


def draw_windows(history: NDArray[Any], said: NDArray[Any], came: NDArray[Any]) -> Figure:
    """Draws windows of one column side by side.

    Args:
        history: ``(windows, history)``.
        said: ``(windows, horizon)``.
        came: ``(windows, horizon)``.
    """
    figure, panels = new_panels(len(said), 3.2, 3.0)
    past = min(history.shape[1], max(LEAST_PAST, LONGEST_PAST * said.shape[1]))
    steps = np.arange(1, said.shape[1] + 1)
    marker = "." if said.shape[1] == 1 else None
    for axes, before, forecast, true in zip(panels, history, said, came, strict=True):
        axes.plot(np.arange(1 - past, 1), before[-past:], color="0.6", label="history")
        axes.plot(steps, true, marker=marker, label="came")
        axes.plot(steps, forecast, marker=marker, label="forecast")
        axes.set(xlabel="steps ahead")
    panels[0].set(ylabel="standard scores")
    panels[0].legend()
    return figure


def draw_by_step(errors: Any) -> Figure:
    """Draws the mean squared error of each step ahead, a line for each strategy."""
    figure, axes = new_figure()
    for name, values in errors.items():
        axes.plot(np.arange(1, len(values) + 1), values, marker="." if len(values) == 1 else None, label=name)
    axes.set(xlabel="steps ahead", ylabel="mean squared error", title="How errors grow", ylim=(0, None))
    axes.legend()
    return figure


def draw_leads(
    said: NDArray[np.float64], came: NDArray[np.float64], leads: Sequence[int], errors: Any, path: Path
) -> None:
    """Draws the forecasts of each step from some steps before it, and the errors by step ahead, as a PNG file.

    Args:
        said: Forecasts of windows that follow each other step by step ``(windows, steps)``.
        came: True values, like ``said``.
        leads: Steps ahead to draw.
        errors: Mean squared error of each step ahead ``(steps,)``, by strategy.
        path: Path of the file.

    Raises:
        UserError: The file cannot be written.
    """
    figure, (values, growth) = new_panels(2, 6.4, 4.0)
    every = np.concatenate([came[:, 0], came[-1, 1:]])
    values.plot(np.arange(len(every)), every, color="0.8", label="came")
    for lead in leads:
        values.plot(np.arange(len(said)) + lead - 1, said[:, lead - 1], label=f"{lead} ahead")
    values.set(xlabel="step of the part")
    for name, of_steps in errors.items():
        growth.plot(np.arange(1, len(of_steps) + 1), of_steps, marker="." if len(of_steps) == 1 else None, label=name)
    growth.set(xlabel="steps ahead", ylabel="mean squared error", ylim=(0, None))
    for axes in (values, growth):
        axes.legend()
    save_figure(figure, path)


Said = tuple[NDArray[np.float64], tuple[NDArray[np.float64], NDArray[np.float64]] | None]
"""A forecast ``(steps, columns)``, and the ends of its 80% interval in the same shape, or None."""


def draw_forecasts(inputs: Sequence[Continued], said: Sequence[Said], columns: Sequence[str], path: Path) -> None:
    """Draws histories and their forecasts, in units, as a PNG file: a panel for each column of each series.

    Args:
        inputs: The series.
        said: Forecast of each series.
        columns: Names of the columns.
        path: Path of the file.

    Raises:
        UserError: The file cannot be written.
    """
    pairs = [(row, column) for row in range(len(inputs)) for column in range(len(columns))][:MOST_COLUMNS]
    figure, panels = new_panels(len(pairs), 6.4 if len(pairs) == 1 else 4.2, 3.4)
    for axes, (row, column) in zip(panels, pairs, strict=True):
        one, (forecast, ends) = inputs[row], said[row]
        past = min(len(one.times), max(LEAST_PAST, LONGEST_PAST * len(forecast)))
        axes.plot(one.times[-past:], one.values[-past:, column], color="0.6", label="history")
        joined = np.concatenate([one.values[-1:, column], forecast[:, column]])
        axes.plot([one.times[-1], *one.ahead], joined, label="forecast")
        if ends is not None:
            low, high = (np.concatenate([one.values[-1:, column], end[:, column]]) for end in ends)
            axes.fill_between([one.times[-1], *one.ahead], low, high, alpha=0.25, linewidth=0, label="80% interval")
        axes.set(title=" ".join(word for word in (one.name, columns[column]) if word))
        axes.tick_params(axis="x", rotation=30)
    panels[0].legend()
    save_figure(figure, path)
