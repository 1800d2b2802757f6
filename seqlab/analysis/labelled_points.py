"""Scatter plots with labels that do not overlap."""

from collections.abc import Sequence
from math import cos, pi, sin
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqlab.analysis.projection import Projection
from seqlab.figures import Axes, Figure, new_figure

LABEL_SIZE = 8
"""Height of letters in points (1/72 inch)."""
DISTANCES = (5, 11, 18, 27, 38, 52, 70, 95, 130)
"""Distances from a point to its label, in 1/72 inch; the nearest free place is used."""
DIRECTIONS = 16
LEADING = 11
"""Distance from which a line connects the label to its point."""
MARGIN = 1.0
"""Free room around a label and a point, in 1/72 inch."""


class Box(NamedTuple):
    """A rectangle, in 1/72 inch."""

    left: float
    low: float
    right: float
    high: float


def draw_points(projection: Projection, labels: Sequence[str], title: str) -> Figure:
    """Draws points with labels, each label as close to its point as possible.

    Args:
        projection: The points, and the names of the axes.
        labels: Label of each point.
        title: Title of the figure.
    """
    figure, axes = new_figure(8.0, 6.0)
    x, y = projection.points.double().numpy().T
    axes.plot(x, y, "o", markersize=4)
    axes.set(xlabel=projection.axes[0], ylabel=projection.axes[1], title=title)
    axes.margins(0.12)
    figure.draw_without_rendering()
    _label(figure, axes, np.stack([x, y], 1), labels)
    return figure


def _label(figure: Figure, axes: Axes, points: NDArray[np.float64], labels: Sequence[str]) -> None:
    to_points = 72 / figure.dpi
    places = axes.transData.transform(points) * to_points
    inside = Box(*(np.array(axes.bbox.extents) * to_points))
    taken = [Box(x - 3, y - 3, x + 3, y + 3) for x, y in places]
    crowded = np.argsort([-_crowd(places, place) for place in range(len(places))], kind="stable")
    for row in crowded:
        written = axes.annotate(labels[row], points[row], fontsize=LABEL_SIZE, annotation_clip=False)
        extent = written.get_window_extent()
        size = extent.width * to_points, extent.height * to_points
        written.remove()
        others = [*taken[:row], *taken[row + 1 :]]
        box, distance = _free(places[row], size, others, inside)
        taken.append(box)
        offset = box.left - places[row][0], box.low - places[row][1]
        axes.annotate(
            labels[row],
            points[row],
            offset,
            textcoords="offset points",
            fontsize=LABEL_SIZE,
            verticalalignment="bottom",
        )
        if distance >= LEADING:
            edge = np.clip(places[row], [box.left, box.low], [box.right, box.high]) - places[row]
            line = {"arrowstyle": "-", "color": "grey", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}
            axes.annotate("", points[row], tuple(edge), textcoords="offset points", arrowprops=line)


def _crowd(places: NDArray[np.float64], row: int) -> int:
    return int((np.abs(places - places[row]).max(1) < 60).sum())


def _free(
    place: NDArray[np.float64], size: tuple[float, float], taken: Sequence[Box], inside: Box
) -> tuple[Box, float]:
    """The place near a point where a label covers the least, and its distance."""
    boxes = np.array([*taken])
    best: tuple[float, Box, float] | None = None
    for distance in DISTANCES:
        for turn in range(DIRECTIONS):
            box = _beside(place, size, distance, 2 * pi * turn / DIRECTIONS)
            cost = _covered(box, boxes) + 10 * _outside(box, inside)
            if best is None or cost < best[0]:
                best = cost, box, distance
        if best is not None and best[0] == 0:
            break
    assert best is not None
    return best[1], best[2]


def _beside(place: NDArray[np.float64], size: tuple[float, float], distance: float, angle: float) -> Box:
    """The rectangle at a distance from a point in a direction."""
    x, y = place[0] + distance * cos(angle), place[1] + distance * sin(angle)
    left, low = x - size[0] * (1 - cos(angle)) / 2, y - size[1] * (1 - sin(angle)) / 2
    return Box(left, low, left + size[0], low + size[1])


def _covered(box: Box, others: NDArray[np.float64]) -> float:
    """Area of overlap of a rectangle and its margin with others ``(others, 4)``."""
    if not len(others):
        return 0.0
    wide = np.minimum(box.right + MARGIN, others[:, 2]) - np.maximum(box.left - MARGIN, others[:, 0])
    high = np.minimum(box.high + MARGIN, others[:, 3]) - np.maximum(box.low - MARGIN, others[:, 1])
    return float((wide.clip(min=0) * high.clip(min=0)).sum())


def _outside(box: Box, inside: Box) -> float:
    """How far a rectangle sticks out of another, in 1/72 inch."""
    beyond = inside.left - box.left, inside.low - box.low, box.right - inside.right, box.high - inside.high
    return sum(max(0.0, one) for one in beyond)
