"""Figures as PNG files: creation, style, writing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqlab.errors import UserError, reason_of
from seqlab.files import whole_file

__all__ = ["Axes", "Figure", "new_figure", "new_grid", "new_panels", "new_stack", "save_figure", "save_figures"]

DOTS_PER_INCH = 150


def new_figure(width: float = 6.4, height: float = 4.0) -> tuple[Figure, Axes]:
    """An empty figure of this size in inches, with one pair of axes; it has no window and needs no closing."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def new_panels(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """An empty figure with panels side by side, each of this size in inches."""
    figure = Figure(figsize=(count * width, height), layout="constrained")
    return figure, [figure.add_subplot(1, count, place + 1) for place in range(count)]


def new_stack(width: float, heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """An empty figure of this width in inches, with panels of these heights below each other and a shared x axis."""
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=[*heights])
    return figure, [*panels]


def new_grid(count: int, columns: int, side: float, title: str) -> tuple[Figure, list[Axes]]:
    """An empty figure with a grid of square panels without axes, each of this size in inches."""
    rows = -(-count // columns)
    figure = Figure(figsize=(side * columns, 1.15 * side * rows + 0.4), layout="constrained")
    figure.suptitle(title, fontsize="medium")
    panels = [figure.add_subplot(rows, columns, place + 1) for place in range(count)]
    for axes in panels:
        axes.axis("off")
    return figure, panels


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure as a PNG file and creates its folder if needed.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            figure.savefig(file, format="png", dpi=DOTS_PER_INCH)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {reason_of(error)}; name a file in a folder that can be written"
        ) from None


def save_figures(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Writes figures under their file names with ``save_figure``; returns the files."""
    for name, figure in figures.items():
        save_figure(figure, folder / name)
    return [folder / name for name in figures]
