from pathlib import Path

import numpy as np
import pytest

from seqlab.analysis.loss_surface import CELLS, Plane, loss_surface
from seqlab.figures import new_figure
from seqlab.views.fits import LONGEST_PATH, FitView, Shown, draw_both, draw_fit

PLANE = Plane((0, 2), ("slope", "intercept"), (2.0, 3.0), (0.0, 10.0))
NOWHERE = np.empty((0, 2))


@pytest.mark.parametrize("two", [False, True], ids=["numbers", "two"])
def test_the_surface_is_the_loss(two: bool) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 2))
    targets = (features.sum(1) > 0).astype(float) if two else features @ [1.0, -2.0] + 0.5
    best = np.array([1.0, -2.0, 0.5])
    surface = loss_surface(features, targets, two, best, PLANE, NOWHERE)
    assert surface.loss.shape == (CELLS, CELLS)
    row, column = 7, 50
    said = features @ [surface.across[column] / 2, -2.0] + (surface.up[row] - 10) / 3
    costs = np.log1p(np.exp(said)) - targets * said if two else (said - targets) ** 2
    assert surface.loss[row, column] == pytest.approx(costs.mean())
    assert surface.best.tolist() == [2.0, 11.5]
    if not two:
        assert surface.loss[CELLS // 2, CELLS // 2] == pytest.approx(0, abs=1e-12) == surface.loss.min()


def test_the_surface_reaches_as_far_as_the_path() -> None:
    path = np.array([[0.0, 0.0], [9.0, -4.0]])
    surface = loss_surface(np.ones((3, 2)), np.ones(3), False, np.array([1.0, 0.0, 0.0]), PLANE, path)
    assert surface.path.tolist() == [[0, 10], [18, -2]]
    assert surface.across[0] < 0 < 18 < surface.across[-1]
    assert surface.up[0] < -2 < surface.up[-1]


class Still:
    """A model whose two weights do not move."""

    def on_plane(self) -> np.ndarray:
        return np.array([1.0, 2.0])


def test_a_long_path_is_thinned() -> None:
    view = FitView(False)
    for _ in range(3 * LONGEST_PATH):
        view._note(Still())  # type: ignore[arg-type]
    assert LONGEST_PATH / 2 < len(view.path) <= LONGEST_PATH
    assert view.every == 4
    other = FitView(False)
    other.load_state_dict(view.state_dict())
    assert (other.path, other.every, other.seen) == (view.path, 4, 3 * LONGEST_PATH)


@pytest.mark.parametrize("classes", [None, ["no", "yes"]], ids=["numbers", "two"])
@pytest.mark.parametrize("features", [1, 2, 3])
def test_a_figure_of_each_kind(features: int, classes: list[str] | None, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(30, features))
    targets = rows.sum(1) if classes is None else (rows.sum(1) > 0).astype(float)
    names = [f"x{number}" for number in range(features)]

    def say(asked: np.ndarray) -> np.ndarray:
        said: np.ndarray = asked.sum(1) if classes is None else 1 / (1 + np.exp(-asked.sum(1)))
        return said

    shown = Shown(rows, targets, names, "y", classes, "test", say)
    draw_both(shown, None, tmp_path / "fit.png")
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")
    _, axes = new_figure()
    draw_fit(axes, shown)
    label = {1: "x0", 2: "x0", 3: "y, test" if classes is None else "probability of yes"}[features]
    assert axes.get_xlabel() == label
