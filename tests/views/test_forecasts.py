from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

import seqlab
from seqlab.figures import Figure
from seqlab.views.forecasts import draw_by_step, draw_forecasts, draw_windows


def test_windows_side_by_side() -> None:
    history, said, came = np.zeros((2, 50)), np.ones((2, 4)), np.full((2, 4), 2.0)
    figure = draw_windows(history, said, came)
    assert len(figure.axes) == 2
    past, true, forecast = figure.axes[0].lines
    assert past.get_xdata()[-1] == 0
    assert true.get_ydata().tolist() == [2] * 4
    assert forecast.get_xdata().tolist() == [1, 2, 3, 4]


def test_errors_by_step() -> None:
    figure = draw_by_step({"direct": np.array([1.0, 2.0]), "recursive": np.array([1.0, 3.0])})
    assert [line.get_label() for line in figure.axes[0].lines] == ["direct", "recursive"]
    assert figure.axes[0].lines[1].get_ydata().tolist() == [1, 3]


class Series(NamedTuple):
    name: str
    times: list[int]
    values: NDArray[np.float64]
    ahead: list[int]


def test_an_interval_is_shaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr("seqlab.views.forecasts.save_figure", lambda figure, path: drawn.append(figure))
    one, value = Series("", [1, 2], np.array([[5.0], [6.0]]), [3, 4]), np.array([[7.0], [8.0]])
    draw_forecasts([one], [(value, (value - 1, value + 2))], ["x"], tmp_path / "f.png")
    draw_forecasts([one], [(value, None)], ["x"], tmp_path / "f.png")
    (shade,) = drawn[0].axes[0].collections
    corners = {tuple(corner) for corner in shade.get_paths()[0].vertices.tolist()}
    assert corners == {(2, 6), (3, 6), (4, 7), (4, 10), (3, 9)}
    assert len(drawn[1].axes[0].collections) == 0


@pytest.mark.parametrize("watch", ["light", "full"])
def test_a_run_shows_its_forecasts(watch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    drawn: list[tuple[str, int]] = []
    monkeypatch.setattr(
        "torch.utils.tensorboard.SummaryWriter.add_figure",
        lambda self, tag, figure, step, close: drawn.append((tag, step)),
    )
    options = {"accelerator": "cpu", "max_epochs": 2, "limit_train_batches": 3, "enable_progress_bar": False}
    seqlab.fit(model="linear", data="sine", trainer=options, watch=watch, bar="none")
    times = [3, 6] if watch == "full" else [6]
    assert drawn == [
        (tag, step) for step in times for tag in ("watch pictures/forecasts", "watch pictures/error by step ahead")
    ]
