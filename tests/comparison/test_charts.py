from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from seqlab.comparison.charts import draw_best, draw_curves, draw_figures, over_steps, over_times
from seqlab.comparison.curves import Curve
from seqlab.comparison.rows import rows_of
from seqlab.metrics import Measure

Made = Callable[..., Any]
ERROR = Measure("error", "{:.3f}", "lower")
ACCURACY = Measure("accuracy", "{:.2%}", "higher")


def curve(*values: float) -> Curve:
    return Curve(np.arange(len(values), dtype=float), np.array(values))


@pytest.mark.parametrize(
    ("measure", "values", "scale"),
    [(ERROR, (4.0, 2.0), "log"), (ERROR, (4.0, 0.0), "linear"), (ACCURACY, (0.5, 0.75), "linear")],
)
def test_the_axis_of_a_measure(measure: Measure, values: tuple[float, ...], scale: str) -> None:
    (axes,) = draw_curves({"gru": [curve(*values)]}, "optimizer step", over_steps, measure).axes
    assert axes.get_yscale() == scale
    assert axes.get_ylabel() == f"validation {measure.title}"
    assert axes.get_title() == f"Validation {measure.title}"


def test_a_band_of_several_runs() -> None:
    (axes,) = draw_curves({"gru": [curve(1, 3), curve(3, 5)]}, "step", over_steps, ERROR).axes
    assert axes.get_title() == "Validation error, mean and 95% interval over runs"
    assert [line.get_ydata().tolist() for line in axes.lines] == [[1, 3], [3, 5], [2, 4]]


def test_a_mean_at_the_steps_of_all_runs() -> None:
    short, long = curve(1, 3), curve(3, 5, 9)
    mean, low, high = over_steps([short, long])
    assert (mean.steps.tolist(), mean.values.tolist()) == ([0, 1], [2, 4])
    assert (low.values.tolist(), high.values.tolist()) == ([1, 3], [3, 5])
    mean, _, _ = over_times([short, long])
    assert (mean.steps[-1], mean.values[-1]) == (1, 4)


def test_what_was_reached_at_which_cost(made: Made, tmp_path: Path) -> None:
    runs = [made("a", seed, result={"val_accuracy": seed / 4}) for seed in (1, 2)]
    rows = rows_of([*runs, made("b", result={"val_accuracy": 1.0}), made("c")], tmp_path, lambda task, measure: None)
    (axes,) = draw_best(rows, "seconds", "seconds of training", "accuracy", ACCURACY).axes
    assert [box[0].get_ydata().tolist() for box in axes.containers] == [[0.375], [1.0]]
    assert axes.get_ylabel() == "best validation accuracy"
    assert axes.get_title() == "Best validation accuracy against seconds of training"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def logged(folder: Path, tag: str) -> None:
    with SummaryWriter(str(folder)) as board:
        for step in range(3):
            board.add_scalar(tag, 1 + step, step)
            board.add_scalar("train/seconds", 2 * step, step)


def test_figures_of_each_task(made: Made, tmp_path: Path) -> None:
    runs = [made("gru", task="language"), made("cnn")]
    logged(tmp_path / runs[0][1].name, "val/perplexity")
    logged(tmp_path / runs[1][1].name, "val/accuracy")
    names = ("curves-step", "curves-time", "best-time", "best-parameters")
    rows = rows_of(runs, tmp_path, lambda task, measure: None)
    files = draw_figures(rows, tmp_path, tmp_path / "out")
    assert [file.name for file in files] == [
        f"{name}-{task}.png" for task in ("language", "classification") for name in names
    ]
    assert all(file.is_file() for file in files)
    assert [file.name for file in draw_figures(rows[:1], tmp_path, tmp_path / "one")] == [
        f"{name}.png" for name in names
    ]


def test_nothing_was_validated(made: Made, tmp_path: Path) -> None:
    runs = [made("gru", task="language"), made("cnn", reason="no")]
    logged(tmp_path / runs[0][1].name, "train/loss")
    assert draw_figures(rows_of(runs, tmp_path, lambda task, measure: None), tmp_path, tmp_path) == []
