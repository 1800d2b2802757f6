"""The mean loss of a linear model over two of its weights."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CELLS = 61
"""Values of each weight."""
MOST_ROWS = 1000
"""Rows that the loss is a mean of, evenly spread over all."""
AROUND = 1.25
"""How much farther the surface reaches than what it must show."""


class Plane(NamedTuple):
    """Two weights, and how they are shown.

    Args:
        places: Places of the two among weights and bias.
        labels: What they are called.
        scales: Units that one of each stands for.
        offsets: What a weight of zero is in units.
    """

    places: tuple[int, int]
    labels: tuple[str, str]
    scales: tuple[float, float]
    offsets: tuple[float, float]

    def of(self, weights: Floats) -> Floats:
        """The two ``(..., 2)`` of weights and bias ``(..., features + 1)``, as they are shown."""
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
    """The surface around the optimum, so large that it shows the path of training.

    Args:
        features: ``(rows, features)`` in standard scores.
        targets: ``(rows,)`` in standard scores; of two values 0 and 1.
        two: Whether there are two values, and the loss is the cross-entropy and not the squared error.
        best: Weights at the optimum and behind them the bias ``(features + 1,)``.
        plane: The two weights.
        path: Values of both over training ``(steps, 2)``; empty if nobody knows them.
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
