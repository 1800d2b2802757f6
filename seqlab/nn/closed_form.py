"""Linear and logistic regression at their optimum: least squares in closed form, and Newton's method."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.nn.regressors import Regressor
from seqlab.options import Options, option

SEPARABLE_L2 = 1e-3
"""The penalty where two values can be told apart without an error, so that without one weights grow without end."""
STEPS = 100
"""Of Newton's method, at most."""
ENOUGH = 1e-12
"""A gradient whose every part is smaller is taken for zero."""
FLAT = 1e-8
"""A curvature of the mean loss that is smaller, where features have unit size, means weights that grow without end."""


def least_squares(features: Tensor, targets: Tensor, l2: float = 0.0) -> Tensor:
    """The weights of the least mean of (w x + b - y)^2 and ``l2`` times the sum of w^2.

    Where several have it, those of the smallest norm. It is computed by singular values of the features themselves,
    which lose half as many digits as the normal equations do.

    Args:
        features: ``(rows, features)``.
        targets: ``(rows,)``.
        l2: At least 0.

    Returns:
        Weights and behind them the bias ``(features + 1,)`` float64.
    """
    rows, size = features.shape
    inputs, wanted = _with_bias(features), targets.double().cpu()
    if l2:
        inputs = torch.cat([inputs, (l2 * rows) ** 0.5 * torch.eye(size, size + 1, dtype=torch.float64)])
        wanted = torch.cat([wanted, wanted.new_zeros(size)])
    return torch.linalg.lstsq(inputs, wanted.unsqueeze(1), driver="gelsd").solution[:, 0]


class Newton(NamedTuple):
    """Where Newton's method came to.

    Args:
        weights: And behind them the bias ``(features + 1,)`` float64.
        steps: That it took.
        finite: Whether there is a minimum, which it then has found.
    """

    weights: Tensor
    steps: int
    finite: bool


def newton(features: Tensor, targets: Tensor, l2: float = 0.0) -> Newton:
    """The weights of the least mean cross-entropy and ``l2`` times the sum of w^2, by Newton's method.

    With z = w x + b and p = 1 / (1 + exp(-z)) a step is w <- w - H^-1 g, which is least squares with rows weighed anew
    each time (IRLS); it is halved until the loss falls:

        g = mean of (p - y) x + 2 l2 w,     H = mean of p (1 - p) x x' + 2 l2

    Without a penalty steps are taken along singular vectors of the features, so that features that follow from each
    other do no harm, and there is no minimum where a plane parts the two values.

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
            break  # no smaller loss can be told from this one
        weights = weights - length * change
    return Newton(into @ weights, step, True)


class Fitted(NamedTuple):
    """Weights at the optimum, and behind them the bias ``(features + 1,)`` float64, with the penalty that was taken."""

    weights: Tensor
    l2: float


def optimum(features: Tensor, targets: Tensor, two: bool, l2: float | None = None) -> Fitted:
    """Linear regression of numbers, or logistic regression of two values, at its optimum.

    Args:
        features: ``(rows, features)``.
        targets: ``(rows,)``; of two values 0 and 1.
        two: Whether there are two values.
        l2: Penalty; none, and ``SEPARABLE_L2`` where a plane parts two values, if not given.
    """
    if not two:
        return Fitted(least_squares(features, targets, l2 or 0.0), l2 or 0.0)
    found = newton(features, targets, l2 or 0.0)
    if found.finite or l2 is not None:
        return Fitted(found.weights, l2 or 0.0)
    return Fitted(newton(features, targets, SEPARABLE_L2).weights, SEPARABLE_L2)


def _with_bias(features: Tensor) -> Tensor:
    """Features in float64 on the CPU, and behind them ones."""
    return F.pad(features.double().cpu(), (0, 1), value=1.0)


@dataclass(frozen=True)
class ClosedFormOptions(Options):
    """Options of ``ClosedForm``."""

    by_gradients: ClassVar[bool] = False
    seconds_an_item: ClassVar[float] = 1e-5

    l2: float | None = option(
        None,
        "Weight of the sum of squared weights beside the mean loss, in standard scores; none, and 0.001 where a plane "
        "parts two values, if not given.",
        least=0,
    )

    def build(self, features: int) -> "ClosedForm":
        return ClosedForm(features, self)


class ClosedForm(Regressor):
    """What ``LinearRegressor`` is at its optimum.

    Args:
        features: Of a row.
        options: Of the network.
    """

    def __init__(self, features: int, options: ClosedFormOptions) -> None:
        super().__init__()
        self.l2 = options.l2
        self.register_buffer("weights", torch.zeros(features + 1))
        self.register_buffer("penalty", torch.zeros(()))
        self.weights: Tensor
        self.penalty: Tensor
        self.nothing = nn.Parameter(torch.empty(0))  # a Trainer steps parameters; there are none to learn

    def count(self, features: Tensor, targets: Tensor, two: bool) -> None:
        """Fits the weights to all rows, in place of what was fitted before; arguments as of ``optimum``."""
        found = optimum(features, targets, two, self.l2)
        self.weights, self.penalty = found.weights.to(self.weights), self.penalty.new_tensor(found.l2)

    def forward(self, features: Tensor) -> Tensor:
        return features @ self.weights[:-1] + self.weights[-1] + self.nothing.sum()

    def line(self) -> Tensor:
        return self.weights
