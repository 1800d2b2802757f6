"""The mean loss of a linear model over two of its weights."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CELLS = 61
"""Number of grid values for each weight."""
MOST_ROWS = 1000
"""Most rows in the mean loss, evenly spread over all rows."""
AROUND = 1.25
"""Margin factor of the surface around its path."""


class Plane(NamedTuple):
    """Two weights and their display in units.

    Args:
        places: Indices of the two among weights and bias.
        labels: Names of the two.
        scales: Units per unit of each weight.
        offsets: Value of a zero weight, in units.
    """

    places: tuple[int, int]
    labels: tuple[str, str]
    scales: tuple[float, float]
    offsets: tuple[float, float]

    def of(self, weights: Floats) -> Floats:
        """The two weights ``(..., 2)`` in units, from weights and bias ``(..., features + 1)``."""
        return self.shown(weights[..., [*self.places]])

    def shown(self, two: Floats) -> Floats:
        """The two weights ``(..., 2)`` in units."""
        found: Floats = two * np.array(self.scales) + np.array(self.offsets)
        return found


class Surface(NamedTuple):
    """The mean loss over two weights; the others are at the optimum.

    Args:
        labels: Labels of the weights.
        across: Values of the first in units ``(cells,)``.
        up: Values of the second in units ``(cells,)``.
        loss: ``(cells up, cells across)``.
        best: Both at the optimum, in units ``(2,)``.
        path: Both over training, in units ``(steps, 2)``.
    """

    labels: tuple[str, str]
    across: Floats
    up: Floats
    loss: Floats
    best: Floats
    path: Floats


def loss_surface(features: Floats, targets: Floats, two: bool, best: Floats, plane: Plane, path: Floats) -> Surface:
    """The surface around the optimum, large enough for the path of training.

    Args:
        features: ``(rows, features)`` in standard scores.
        targets: ``(rows,)`` in standard scores; 0 and 1 for two values.
        two: Whether there are two values, with cross-entropy as loss instead of squared error.
        best: Weights at the optimum, then the bias ``(features + 1,)``.
        plane: The two weights.
        path: Values of both over training ``(steps, 2)``; empty if unknown.
    """
    chosen = np.linspace(0, len(targets) - 1, min(len(targets), MOST_ROWS)).astype(np.int64)
    inputs = np.concatenate([features[chosen], np.ones((len(chosen), 1))], 1)
    middle = best[[*plane.places]]
    shown = np.concatenate([path.reshape(-1, 2), np.zeros((1, 2))])
    reach = AROUND * np.maximum(np.abs(shown - middle).max(), 1e-6) * np.ones(2)
    values = [np.linspace(at - far, at + far, CELLS) for at, far in zip(middle, reach, strict=True)]
    two_inputs = inputs[:, [*plane.places]]
    rest = inputs @ best - two_inputs @ middle
    loss = np.empty((CELLS, CELLS))
    for row, height in enumerate(values[1]):
        said = rest + np.outer(values[0], two_inputs[:, 0]) + height * two_inputs[:, 1]
        costs = np.logaddexp(0, said) - targets[chosen] * said if two else np.square(said - targets[chosen])
        loss[row] = costs.mean(1)
    across, up = plane.shown(np.stack(values, 1)).T
    return Surface(plane.labels, across, up, loss, plane.shown(middle), plane.shown(path.reshape(-1, 2)))
