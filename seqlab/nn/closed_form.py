"""Linear and logistic regression at their optimum: least squares in closed form, and Newton's method."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.nn.regressors import Regressor
from seqlab.options import Options, option

SEPARABLE_L2 = 1e-3
"""The penalty for separable data, where the weights would grow without end without a penalty."""
STEPS = 100
"""Most steps of Newton's method."""
ENOUGH = 1e-12
"""A gradient counts as zero if every component is smaller."""
FLAT = 1e-8
"""If the curvature of the mean loss is smaller (features of unit size), the weights grow without end."""


def least_squares(features: Tensor, targets: Tensor, l2: float = 0.0) -> Tensor:
    """The weights of the least mean of (w x + b - y)^2 and ``l2`` times the sum of w^2.

    If several weights reach it, the result has the smallest norm. It comes from a singular value decomposition of the
    features, which loses half as many digits as the normal equations.

    Args:
        features: ``(rows, features)``.
        targets: ``(rows,)``.
        l2: At least 0.

    Returns:
        The weights, then the bias: ``(features + 1,)`` float64.
    """
    rows, size = features.shape
    inputs, wanted = _with_bias(features), targets.double().cpu()
    if l2:
        inputs = torch.cat([inputs, (l2 * rows) ** 0.5 * torch.eye(size, size + 1, dtype=torch.float64)])
        wanted = torch.cat([wanted, wanted.new_zeros(size)])
    return torch.linalg.lstsq(inputs, wanted.unsqueeze(1), driver="gelsd").solution[:, 0]


class Newton(NamedTuple):
    """Result of Newton's method.

    Args:
        weights: The weights, then the bias: ``(features + 1,)`` float64.
        steps: Steps taken.
        finite: Whether the loss has a minimum; if so, these weights are it.
    """

    weights: Tensor
    steps: int
    finite: bool


def newton(features: Tensor, targets: Tensor, l2: float = 0.0) -> Newton:
    """The weights of the least mean cross-entropy and ``l2`` times the sum of w^2, by Newton's method.

    With z = w x + b and p = 1 / (1 + exp(-z)) a step is w <- w - H^-1 g, which is least squares with new row weights
    (IRLS); the step is halved until the loss falls:

        g = mean of (p - y) x + 2 l2 w,     H = mean of p (1 - p) x x' + 2 l2

    Without a penalty, steps go along singular vectors of the features, so that linearly dependent features do no harm.
    There is then no minimum if a plane separates the two values.

    Args:
        features: ``(rows, features)``.
        targets: 0 or 1 ``(rows,)``.
        l2: At least 0.
    """
    inputs, wanted = _with_bias(features), targets.double().cpu()
    rows, size = inputs.shape
    into = torch.eye(size, dtype=torch.float64)
    penalty = torch.full((size,), 2 * l2, dtype=torch.float64)
    penalty[-1] = 0.0
    if not l2:
        left, values, right = torch.linalg.svd(inputs, full_matrices=False)
        kept = values > values[0] * max(inputs.shape) * torch.finfo(torch.float64).eps
        inputs, into = rows**0.5 * left[:, kept], rows**0.5 * right[kept].t() / values[kept]
        penalty = penalty[:1].expand(inputs.shape[1])

    def loss(at: Tensor) -> float:
        cross_entropy = F.binary_cross_entropy_with_logits(inputs @ at, wanted)
        return float(cross_entropy + (penalty * at.square()).sum() / 2)

    weights = torch.zeros(inputs.shape[1], dtype=torch.float64)
    for step in range(STEPS):
        logits = inputs @ weights
        parted = bool(((2 * wanted - 1) * logits > 0).all())
        if parted and not l2:
            return Newton(into @ weights, step, False)
        share = logits.sigmoid()
        slope = inputs.t() @ (share - wanted) / rows + penalty * weights
        curvature = inputs.t() @ (inputs * (share * (1 - share)).unsqueeze(1)) / rows + penalty.diag()
        flat = float(torch.linalg.eigvalsh(curvature)[0]) < FLAT
        if (flat and not l2) or float(slope.abs().max()) < ENOUGH:
            return Newton(into @ weights, step, not flat or bool(l2))
        change, before = torch.linalg.solve(curvature, slope), loss(weights)
        length = 1.0
        while loss(weights - length * change) > before and length > ENOUGH:
            length /= 2
        if length <= ENOUGH:
            break  # rounding hides any smaller loss
        weights = weights - length * change
    return Newton(into @ weights, step, True)


class Fitted(NamedTuple):
    """Weights at the optimum, then the bias ``(features + 1,)`` float64, and the penalty that was used."""

    weights: Tensor
    l2: float


def optimum(features: Tensor, targets: Tensor, two: bool, l2: float | None = None) -> Fitted:
    """Linear regression of numbers, or logistic regression of two values, at its optimum.

    Args:
        features: ``(rows, features)``.
        targets: ``(rows,)``; 0 and 1 if there are two values.
        two: Whether there are two values.
        l2: Penalty; if not given, none, or ``SEPARABLE_L2`` if a plane separates the two values.
    """
    if not two:
        return Fitted(least_squares(features, targets, l2 or 0.0), l2 or 0.0)
    found = newton(features, targets, l2 or 0.0)
    if found.finite or l2 is not None:
        return Fitted(found.weights, l2 or 0.0)
    return Fitted(newton(features, targets, SEPARABLE_L2).weights, SEPARABLE_L2)


def _with_bias(features: Tensor) -> Tensor:
    """Features in float64 on the CPU, then a column of ones."""
    return F.pad(features.double().cpu(), (0, 1), value=1.0)


@dataclass(frozen=True)
class ClosedFormOptions(Options):
    """Options of ``ClosedForm``."""

    by_gradients: ClassVar[bool] = False
    seconds_an_item: ClassVar[float] = 1e-5

    l2: float | None = option(
        None,
        "Weight of the L2 penalty added to the mean loss, in standard scores; if not given, 0, or 0.001 if a plane "
        "separates the two values.",
        least=0,
    )

    def build(self, features: int) -> "ClosedForm":
        return ClosedForm(features, self)


class ClosedForm(Regressor):
    """``LinearRegressor`` at its optimum.

    Args:
        features: Features of a row.
        options: Options of the network.
    """

    def __init__(self, features: int, options: ClosedFormOptions) -> None:
        super().__init__()
        self.l2 = options.l2
        self.register_buffer("weights", torch.zeros(features + 1))
        self.register_buffer("penalty", torch.zeros(()))
        self.weights: Tensor
        self.penalty: Tensor
        self.nothing = nn.Parameter(torch.empty(0))  # the Trainer needs a parameter; this model trains none

    def count(self, features: Tensor, targets: Tensor, two: bool) -> None:
        """Fits the weights to all rows and drops an earlier fit; the arguments are those of ``optimum``."""
        found = optimum(features, targets, two, self.l2)
        self.weights, self.penalty = found.weights.to(self.weights), self.penalty.new_tensor(found.l2)

    def forward(self, features: Tensor) -> Tensor:
        return features @ self.weights[:-1] + self.weights[-1] + self.nothing.sum()

    def line(self) -> Tensor:
        return self.weights
