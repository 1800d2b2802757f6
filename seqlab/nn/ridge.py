"""Ridge regression on windows in closed form."""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from seqlab.nn.calibrated import Calibrated, CalibratedOptions
from seqlab.nn.forecaster import ForecasterOptions, Sizes
from seqlab.options import option

PENALTIES = [10.0**power for power in range(-6, 2)]
"""Candidate penalties if none is given."""


class Window(NamedTuple):
    """Training windows.

    Args:
        history: ``(batch, history, columns)``.
        known: ``(batch, history + horizon, features)``.
        targets: ``(batch, horizon, columns)``.
    """

    history: Tensor
    known: Tensor
    targets: Tensor


@dataclass(frozen=True)
class RidgeOptions(CalibratedOptions, ForecasterOptions):
    """Options of ``Ridge``."""

    by_gradients: ClassVar[bool] = False
    seconds_an_item: ClassVar[float] = 1e-3

    subtract: Literal["none", "last"] = option(
        "last", "What to subtract from a window and add back to its forecast: none, or its last value (NLinear)."
    )
    l2: float | None = option(
        None,
        "Weight of the L2 penalty added to the mean squared error; chosen by cross-validation over blocks of time if "
        "not given.",
        least=0,
    )

    def build(self, sizes: Sizes) -> "Ridge":
        return Ridge(sizes, self)


class Weights(NamedTuple):
    """The fitted weights: of the window ``(inputs, horizon * outputs)``, and of each step's features ``(horizon,
    features, outputs)``."""

    window: Tensor
    ahead: Tensor


class Moments:
    """Sums of products over windows, from which the least-squares solution follows.

    For step k with the window x, the step's features z_k and the targets y_k the normal equations are

        [G + l2 P   S_k] [w_k]   [B_k]      G = sum x x',  S_k = sum x z_k',  D_k = sum z_k z_k',
        [S_k'  D_k + l2] [v_k] = [Z_k]      B_k = sum x y_k',  Z_k = sum z_k y_k'

    with P the identity except for the bias. With one Cholesky factor of G for all steps, v_k solves
    (D_k + l2 - S_k' G^-1 S_k) v_k = Z_k - S_k' G^-1 B_k, and w_k = G^-1 (B_k - S_k v_k).

    Args:
        inputs: Size of x.
        sizes: Sizes of the window and of the forecast.
        outputs: Size of y_k.
        device: Device of the sums, which are float64.
    """

    def __init__(self, inputs: int, sizes: Sizes, outputs: int, device: torch.device) -> None:
        steps, features = sizes.horizon, sizes.features
        shapes = (inputs, inputs), (inputs, steps, features), (steps, features, features)
        self.g, self.s, self.d = (torch.zeros(shape, dtype=torch.float64, device=device) for shape in shapes)
        self.b = torch.zeros(inputs, steps, outputs, dtype=torch.float64, device=device)
        self.z = torch.zeros(steps, features, outputs, dtype=torch.float64, device=device)
        self.y, self.count = torch.zeros((), dtype=torch.float64, device=device), 0

    def add(self, x: Tensor, z: Tensor, y: Tensor) -> None:
        """Counts rows: x ``(rows, inputs)``, z ``(rows, steps, features)`` and y ``(rows, steps, outputs)``."""
        x, z, y = x.double(), z.double(), y.double()
        self.g += x.t() @ x
        self.b += (x.t() @ y.flatten(1)).view_as(self.b)
        if z.shape[2]:
            self.s += (x.t() @ z.flatten(1)).view_as(self.s)
            self.d += torch.einsum("nhk,nhl->hkl", z, z)
            self.z += torch.einsum("nhk,nho->hko", z, y)
        self.y += y.square().sum()
        self.count += len(x)

    def plus(self, other: "Moments", sign: int = 1) -> "Moments":
        """The sums plus those of the other one, or minus them."""
        both = copy(self)
        for name in ("g", "s", "d", "b", "z", "y"):
            setattr(both, name, getattr(self, name) + sign * getattr(other, name))
        both.count = self.count + sign * other.count
        return both

    def solved(self, l2: float, bias: bool) -> Weights:
        """The weights that minimize mean squared error plus ``l2`` times their squares; the bias (last input) is free.

        A direction that the windows never use gets a weight near 0.
        """
        penalty = torch.full_like(self.g[0], max(l2 * self.count, 1e-9 * float(self.g.diagonal().mean()), 1e-12))
        if bias:
            penalty[-1] = 0.0
        factor = torch.linalg.cholesky(self.g + penalty.diag())
        features = self.d.shape[1]
        of_b = torch.cholesky_solve(self.b.flatten(1), factor).view_as(self.b)  # (inputs, steps, outputs)
        if not features:
            return Weights(of_b.flatten(1), self.z)
        of_s = torch.cholesky_solve(self.s.flatten(1), factor).view_as(self.s)  # (inputs, steps, features)
        own = self.d + penalty[0] * torch.eye(features, dtype=self.d.dtype, device=self.d.device)
        left = own - torch.einsum("ihk,ihl->hkl", self.s, of_s)
        v = torch.linalg.solve(left, self.z - torch.einsum("ihk,iho->hko", self.s, of_b))
        return Weights((of_b - torch.einsum("ihk,hko->iho", of_s, v)).flatten(1), v)

    def error(self, weights: Weights) -> float:
        """The squared error of weights, summed over the counted windows."""
        w, v = weights.window.view_as(self.b), weights.ahead
        own = (w.flatten(1) * (self.g @ w.flatten(1) - 2 * self.b.flatten(1))).sum()
        both = 2 * torch.einsum("iho,ihk,hko->", w, self.s, v) if v.numel() else 0.0
        other = (v * (self.d @ v - 2 * self.z)).sum()
        return float(self.y + own + both + other)


class Ridge(Calibrated):
    """Ridge regression on windows: ``LinearForecaster`` at its optimum, with a penalty.

    Args:
        sizes: Sizes of the window and of the forecast.
        options: Options of the network.
    """

    def __init__(self, sizes: Sizes, options: RidgeOptions) -> None:
        super().__init__(sizes, options, options.said())
        self.l2 = options.l2
        inputs, said = sizes.history * self.width + (not self.levels), sizes.horizon * self.outputs
        self.register_buffer("weight", torch.zeros(inputs, said))
        self.register_buffer("weight_ahead", torch.zeros(sizes.horizon, sizes.features, self.outputs))
        self.register_buffer("penalty", torch.zeros(()))
        self.weight: Tensor
        self.weight_ahead: Tensor
        self.penalty: Tensor
        self.nothing = nn.Parameter(torch.empty(0))  # the Trainer needs a parameter; this model trains none

    def count(self, blocks: Sequence[Iterable[Window]]) -> None:
        """Fits the weights to all windows; an earlier fit is dropped.

        Args:
            blocks: Windows in order of time. If no penalty is given, cross-validation chooses it: each block tests
                the weights fitted to the other blocks.
        """
        moments = [one for one in map(self._moments, blocks) if one.count]
        every = reduce(Moments.plus, moments)
        bias = not self.levels
        if (l2 := self.l2) is None and len(moments) > 1:
            others = [every.plus(one, -1) for one in moments]
            errors = {
                l2: sum(one.error(rest.solved(l2, bias)) for one, rest in zip(moments, others, strict=True))
                for l2 in PENALTIES
            }
            l2 = min(errors, key=lambda one: errors[one])
        l2 = PENALTIES[0] if l2 is None else l2
        found = every.solved(l2, bias)
        self.weight, self.weight_ahead = found.window.to(self.weight), found.ahead.to(self.weight_ahead)
        self.penalty.fill_(l2)

    def body(self, rows: Tensor) -> Tensor:
        return self._inputs(rows) @ self.weight + self.nothing.sum()

    def of_ahead(self, ahead: Tensor) -> Tensor | None:
        return torch.einsum("bhk,hko->bho", ahead, self.weight_ahead) if ahead.shape[2] else None

    def _inputs(self, rows: Tensor) -> Tensor:
        window = rows.flatten(1)
        return window if self.levels else torch.cat([window, torch.ones_like(window[:, :1])], 1)

    def _moments(self, windows: Iterable[Window]) -> Moments:
        moments = Moments(self.weight.shape[0], self.sizes, self.outputs, self.weight.device)
        for history, known, targets in windows:
            level, steps = self.level(history), history.shape[1]
            before, ahead = known[:, :steps], known[:, steps:]
            wanted = targets - level
            if self.shared:
                wanted = wanted.transpose(1, 2).flatten(0, 1).unsqueeze(-1)
                ahead = ahead.repeat_interleave(self.sizes.columns, 0)
            moments.add(self._inputs(self.rows(history - level, before)), ahead, wanted)
        return moments
