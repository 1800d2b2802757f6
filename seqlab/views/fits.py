"""Figures of a regression: the fit with its points, and the loss surface with the path of training."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from seqlab.analysis.loss_surface import Surface
from seqlab.figures import Axes, new_figure, new_panels, save_figure
from seqlab.views.boards import ValidationView, add_picture

Floats = NDArray[np.float64]

MOST_POINTS = 1000
"""Most points to draw, evenly spread over all points."""
LONGEST_PATH = 400
"""Most steps in a path; a longer path drops every other step."""
CELLS = 101
"""Number of feature values in the curve of a fit."""
LEVELS = 16
"""Contour lines of the surface."""
WIDTH, HEIGHT = 5.2, 4.2


class Shown(NamedTuple):
    """Points of a part and a model's predictions, in units.

    Args:
        features: ``(rows, features)``.
        targets: ``(rows,)``; 0 and 1 for two values.
        columns: Names of the features.
        target: Name of the target.
        classes: The two values of the target; None for numbers.
        part: Name of the part: training, validation, test.
        say: Features ``(rows, features)`` -> predictions ``(rows,)``; for two values the probability of the second.
    """

    features: Floats
    targets: Floats
    columns: Sequence[str]
    target: str
    classes: Sequence[str] | None
    part: str
    say: Callable[[Floats], Floats]


class Fits(Protocol):
    """A model of points."""

    network: Any

    def shown(self, data: Any, split: Any) -> Shown: ...

    def surface(self, data: Any, path: Floats) -> Surface | None: ...

    def on_plane(self) -> Tensor | None: ...


class FitView(ValidationView):
    """Draws the fit, and for a linear model its loss surface with the path of training."""

    def __init__(self, pictures: bool) -> None:
        super().__init__(pictures)
        self.path: list[list[float]] = []
        self.every, self.seen = 1, 0

    def state_dict(self) -> dict[str, Any]:
        return {"path": self.path, "every": self.every, "seen": self.seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.path, self.every, self.seen = ([*state_dict["path"]], state_dict["every"], state_dict["seen"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.path:
            self._note(pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._note(pl_module)

    def _note(self, pl_module: pl.LightningModule) -> None:
        if self.seen % self.every == 0:
            two = cast(Fits, pl_module).on_plane()
            if two is not None:
                self.path.append(two.tolist())
        self.seen += 1
        if len(self.path) > LONGEST_PATH:
            self.path, self.every = self.path[::2], 2 * self.every

    def show(self, writers: Sequence[SummaryWriter], data: Any, pl_module: pl.LightningModule, step: int) -> None:
        model = cast(Fits, pl_module)
        last = model.on_plane()
        path = [*self.path, *([] if last is None else [last.tolist()])]
        surface = model.surface(data, np.array(path, np.float64).reshape(-1, 2))
        shown = model.shown(data, "val")
        for writer in writers:
            figure, axes = new_figure(WIDTH, HEIGHT)
            draw_fit(axes, shown)
            add_picture(writer, "fit", figure, step)
            if surface is not None:
                figure, axes = new_figure(WIDTH, HEIGHT)
                draw_surface(axes, surface)
                add_picture(writer, "loss surface", figure, step)


def draw_both(shown: Shown, surface: Surface | None, path: Path) -> None:
    """Draws the fit, and next to it the loss surface if there is one, as a PNG file.

    Raises:
        UserError: The file cannot be written.
    """
    figure, panels = new_panels(1 if surface is None else 2, WIDTH, HEIGHT)
    draw_fit(panels[0], shown)
    if surface is not None:
        draw_surface(panels[1], surface)
    save_figure(figure, path)


def draw_fit(axes: Axes, shown: Shown) -> None:
    """Draws points and a fit: a line or curve for one feature, a plane for two, predictions against truth for more.

    For a target of two values it draws the probability of the second value for one feature, the decision line for two
    features, and histograms of the probability for more.
    """
    rows = np.linspace(0, len(shown.targets) - 1, min(len(shown.targets), MOST_POINTS)).astype(np.int64)
    some = shown._replace(features=shown.features[rows], targets=shown.targets[rows])
    draw = {1: _draw_curve, 2: _draw_plane}.get(len(shown.columns), _draw_against)
    draw(axes, some)


def _draw_curve(axes: Axes, shown: Shown) -> None:
    values = shown.features[:, 0]
    margin = 0.05 * (np.ptp(values) or 1.0)
    grid = np.linspace(values.min() - margin, values.max() + margin, CELLS)
    axes.plot(values, shown.targets, ".", markersize=4, alpha=0.6, label=shown.part)
    axes.plot(grid, shown.say(grid[:, None]), color="C1", label="fit")
    axes.set(xlabel=shown.columns[0], ylabel=_said(shown))
    if shown.classes is not None:
        axes.set_yticks([0, 0.5, 1])
    axes.legend()


def _draw_plane(axes: Axes, shown: Shown) -> None:
    lows, highs = shown.features.min(0), shown.features.max(0)
    margins = 0.05 * np.where(highs > lows, highs - lows, 1.0)
    across, up = (np.linspace(*ends, CELLS) for ends in zip(lows - margins, highs + margins, strict=True))
    grid = np.stack(np.meshgrid(across, up), -1)
    said = shown.say(grid.reshape(-1, 2)).reshape(CELLS, CELLS)
    one, other = shown.features.T
    if shown.classes is None:
        ends = min(said.min(), shown.targets.min()), max(said.max(), shown.targets.max())
        levels = np.linspace(*ends, LEVELS) if ends[1] > ends[0] else np.linspace(ends[0] - 1, ends[0] + 1, LEVELS)
        colours = axes.contourf(across, up, said, levels, cmap="viridis", alpha=0.7)
        look: dict[str, Any] = {"cmap": "viridis", "vmin": levels[0], "vmax": levels[-1], "edgecolors": "white"}
        axes.scatter(one, other, c=shown.targets, s=14, linewidths=0.4, **look)
        axes.set_title(f"fit (plane) and {shown.part} (points)")
    else:
        colours = axes.contourf(across, up, said, np.linspace(0, 1, 11), cmap="coolwarm", alpha=0.4)
        if said.min() < 0.5 < said.max():
            axes.contour(across, up, said, [0.5], colors="black", linewidths=1.2)
        for value, name in enumerate(shown.classes):
            chosen = shown.targets == value
            axes.plot(one[chosen], other[chosen], ".", markersize=5, color=("C0", "C3")[value], label=name)
        axes.legend()
        axes.set_title(f"decision line and {shown.part}")
    axes.figure.colorbar(colours, ax=axes, label=_said(shown))
    axes.set(xlabel=shown.columns[0], ylabel=shown.columns[1])


def _draw_against(axes: Axes, shown: Shown) -> None:
    said = shown.say(shown.features)
    if shown.classes is None:
        ends = [min(said.min(), shown.targets.min()), max(said.max(), shown.targets.max())]
        axes.plot(ends, ends, color="0.6", linewidth=1)
        axes.plot(shown.targets, said, ".", markersize=4, alpha=0.6)
        axes.set(xlabel=f"{shown.target}, {shown.part}", ylabel=f"{shown.target}, predicted")
        return
    for value, name in enumerate(shown.classes):
        axes.hist(said[shown.targets == value], 20, range=(0.0, 1.0), alpha=0.6, color=("C0", "C3")[value], label=name)
    axes.set(xlabel=_said(shown), ylabel=f"rows, {shown.part}")
    axes.legend()


def _said(shown: Shown) -> str:
    return shown.target if shown.classes is None else f"probability of {shown.classes[1]}"


def draw_surface(axes: Axes, surface: Surface) -> None:
    """Draws the loss over two weights as contours, denser near the optimum, and the path of training."""
    low, high = surface.loss.min(), surface.loss.max()
    levels = low + (high - low) * np.linspace(0, 1, LEVELS) ** 2
    colours = axes.contourf(surface.across, surface.up, surface.loss, levels, cmap="viridis")
    axes.contour(surface.across, surface.up, surface.loss, levels, colors="white", linewidths=0.4, alpha=0.6)
    if len(surface.path) > 1:
        axes.plot(*surface.path.T, color="C1", linewidth=1.4, marker=".", markersize=4, label="training")
    axes.plot(*surface.best, "*", color="white", markeredgecolor="black", markersize=13, label="closed form")
    if len(surface.path):
        axes.plot(*surface.path[-1], "o", color="C3", markersize=5, label="reached")
    axes.set(xlabel=surface.labels[0], ylabel=surface.labels[1], title="mean training loss")
    axes.locator_params(axis="x", nbins=6)
    axes.figure.colorbar(colours, ax=axes)
    axes.legend()
