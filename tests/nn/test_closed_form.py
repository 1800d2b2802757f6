import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.nn.closed_form import SEPARABLE_L2, ClosedFormOptions, least_squares, newton, optimum
from seqlab.nn.hidden_layers import HiddenOptions, hidden_layers
from seqlab.nn.regressors import LinearRegressorOptions, MLPRegressorOptions


def points(rows: int = 80, features: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, features, generator=generator, dtype=torch.float64)
    return x, x.sum(1) + torch.randn(rows, generator=generator, dtype=torch.float64)


def with_ones(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)


@pytest.mark.parametrize("shape", [(80, 3), (5, 9)], ids=["one optimum", "many"])
def test_least_squares_are_those_of_numpy(shape: tuple[int, int]) -> None:
    x, y = points(*shape)
    wanted = np.linalg.lstsq(with_ones(x).numpy(), y.numpy(), rcond=None)[0]
    assert least_squares(x, y).numpy() == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_least_squares_of_features_that_follow_from_each_other() -> None:
    x, y = points(40, 1)
    found = least_squares(torch.cat([x, 2 * x, torch.zeros_like(x)], 1), y)
    alone = least_squares(x, y)
    assert found[0] + 2 * found[1] == pytest.approx(float(alone[0]))
    assert found[2] == pytest.approx(0, abs=1e-12)


def slope(x: Tensor, y: Tensor, weights: Tensor, l2: float, two: bool) -> Tensor:
    weights = weights.clone().requires_grad_()
    said = with_ones(x) @ weights
    cost = F.binary_cross_entropy_with_logits(said, y) if two else (said - y).square().mean()
    (found,) = torch.autograd.grad(cost + l2 * weights[:-1].square().sum(), weights)
    return found


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("two", [False, True], ids=["numbers", "two"])
def test_the_gradient_is_zero_at_the_optimum(two: bool, l2: float) -> None:
    x, y = points()
    wanted = (y > 0).double() if two else y
    found = optimum(x, wanted, two, l2)
    assert found.l2 == l2
    assert slope(x, wanted, found.weights, l2, two).abs().max() < 1e-10
    assert slope(x, wanted, found.weights + 0.1, l2, two).abs().max() > 1e-3


def test_newton_takes_few_steps_and_bears_features_that_follow_from_each_other() -> None:
    x, y = points()
    two = (y > 0).double()
    found, twice = newton(x, two), newton(torch.cat([x, x], 1), two)
    assert found.finite
    assert twice.finite
    assert found.steps < 12
    assert twice.weights[:3] + twice.weights[3:6] == pytest.approx(found.weights[:3].tolist())


@pytest.mark.parametrize("ties", [[], [0.0, 1.0]], ids=["parted", "parted but for a tie"])
def test_values_that_a_plane_parts_get_a_penalty(ties: list[float]) -> None:
    x = torch.cat([torch.linspace(-1, 1, 20), torch.zeros(len(ties))]).unsqueeze(1)
    y = torch.cat([(x[:20, 0] > 0).float(), torch.tensor(ties)])
    assert not newton(x, y).finite
    found = optimum(x, y, True)
    assert found.l2 == SEPARABLE_L2
    assert slope(x.double(), y.double(), found.weights, SEPARABLE_L2, True).abs().max() < 1e-10
    assert optimum(x, y, True, 0.1).l2 == 0.1
    assert bool(torch.isfinite(optimum(x, y, True, 0.0).weights).all())


def test_newton_comes_to_values_that_are_rare() -> None:
    x = torch.arange(3000.0).unsqueeze(1) / 1000
    y = torch.zeros(3000)
    y[[1000, 2500]] = 1.0
    found = newton(x, y)
    assert found.finite
    assert slope(x.double(), y.double(), found.weights, 0.0, True).abs().max() < 1e-10


def test_the_network_is_what_was_counted() -> None:
    x, y = points()
    network = ClosedFormOptions(l2=0.1).build(3)
    network.count(x, y, False)
    best = least_squares(x, y, 0.1)
    assert network(x.float()).tolist() == pytest.approx((with_ones(x) @ best).tolist(), rel=1e-5, abs=1e-5)
    assert network.line().tolist() == pytest.approx(best.tolist())
    assert float(network.penalty) == pytest.approx(0.1)


def test_a_linear_network_begins_at_zero() -> None:
    network = LinearRegressorOptions().build(2)
    assert network.line().tolist() == [0, 0, 0]
    network.output.weight.data = torch.tensor([[2.0, -3.0]])
    network.output.bias.data = torch.tensor([4.0])
    assert network(torch.tensor([[1.0, 2.0], [0.0, 0.0]])).tolist() == [0, 4]
    assert network.line().tolist() == [2, -3, 4]


def test_hidden_layers() -> None:
    layers, size = hidden_layers(3, HiddenOptions(hidden_size=[5, 4], activation="tanh", dropout=0.5))
    assert [type(layer).__name__ for layer in layers] == ["Linear", "Tanh", "Dropout"] * 2
    assert (size, layers(torch.ones(2, 3)).shape) == (4, (2, 4))
    assert len(hidden_layers(3, HiddenOptions(num_layers=3))[0]) == 9
    for skip in (True, False):
        network = MLPRegressorOptions(hidden_size=4, skip=skip).build(3)
        assert network(torch.ones(2, 3)).shape == (2,)
        assert network.line() is None
        assert (network.skip is not None) == skip
