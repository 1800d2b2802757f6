import math
from collections.abc import Callable

import pytest
import torch

from seqlab.errors import UserError
from seqlab.nn.distributions import DECILES, LEAST_SCALE, Gaussian, Quantiles, Samples
from seqlab.nn.forecaster import TrainedForecasterOptions


def integral(below: Callable[[torch.Tensor], torch.Tensor], truth: float, low: float, high: float) -> float:
    """CRPS by its definition: the integral of (F(x) - [x >= y])^2, on a fine grid in float64."""
    x = torch.linspace(low, high, 400_001, dtype=torch.float64)
    return float(torch.trapezoid((below(x) - (x >= truth).double()).square(), x))


def gaussian(mean: float, scale: float) -> torch.Tensor:
    """Numbers that say so, in float64."""
    raw = math.log(math.expm1(scale - LEAST_SCALE))
    return torch.tensor([mean, raw], dtype=torch.float64)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("mean", "scale", "truth"), [(0.0, 1.0, 0.0), (1.5, 0.4, 0.2), (-2.0, 3.0, 4.0)])
def test_a_gaussian(mean: float, scale: float, truth: float) -> None:
    kind, told, y = Gaussian(), gaussian(mean, scale), torch.tensor(truth, dtype=torch.float64)
    reference = torch.distributions.Normal(torch.tensor(mean, dtype=torch.float64), scale)
    assert float(kind.point(told)) == mean
    assert float(kind.cost(told, y)) == pytest.approx(-float(reference.log_prob(y)), rel=1e-9)
    expected = integral(reference.cdf, truth, mean - 40 * scale, mean + 40 * scale)
    assert float(kind.crps(told, y)) == pytest.approx(expected, abs=2e-4 * scale)
    for level in (0.1, 0.5, 0.9):
        wanted = reference.icdf(torch.tensor(level, dtype=torch.float64))
        assert float(kind.quantile(told, level)) == pytest.approx(float(wanted), rel=1e-9, abs=1e-12)
    drawn = kind.sample(told.expand(200_000, 2), generator())
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.01 * scale)
    assert float(drawn.std()) == pytest.approx(scale, rel=0.01)


def test_the_level_moves_where_a_distribution_lies_and_not_how_wide_it_is() -> None:
    told, level = gaussian(0.5, 2.0), torch.tensor(7.0, dtype=torch.float64)
    mean, scale = Gaussian().mean_and_scale(Gaussian().moved(told, level))
    assert (float(mean), float(scale)) == (7.5, pytest.approx(2.0))
    numbers = torch.tensor([1.0, 2.0, 4.0])
    assert Quantiles([0.1, 0.5, 0.9]).moved(numbers, torch.tensor(7.0)).tolist() == [8, 9, 11]


def test_pinball_loss_by_hand() -> None:
    kind, told = Quantiles([0.1, 0.5, 0.9]), torch.tensor([[1.0, 2.0, 4.0]])
    above, inside = torch.tensor([5.0]), torch.tensor([3.0])
    assert kind.cost(told, above).tolist() == pytest.approx([2 * (0.1 * 4 + 0.5 * 3 + 0.9 * 1) / 3])
    assert kind.cost(told, inside).tolist() == pytest.approx([2 * (0.1 * 2 + 0.5 * 1 + 0.1 * 1) / 3])
    assert kind.point(told).tolist() == [2]


def test_crossing_quantiles_are_ordered_but_trained_each_for_its_own_level() -> None:
    kind, crossing, ordered = Quantiles([0.1, 0.5, 0.9]), torch.tensor([2.0, 4.0, 1.0]), torch.tensor([1.0, 2.0, 4.0])
    truth = torch.tensor(3.0)
    assert kind.crps(crossing, truth) == kind.crps(ordered, truth) == kind.cost(ordered, truth)
    assert kind.cost(crossing, truth) > kind.cost(ordered, truth)
    assert kind.quantile(crossing, 0.1) == 1
    assert kind.point(crossing) == 2


def test_quantiles_pass_through_their_levels_and_draw_by_them() -> None:
    kind, told = Quantiles([0.1, 0.5, 0.9]), torch.tensor([1.0, 3.0, 4.0], dtype=torch.float64)
    expected = {0.1: 1, 0.5: 3, 0.9: 4}
    assert {level: float(kind.quantile(told, level)) for level in expected} == pytest.approx(expected)
    drawn = kind.sample(told.expand(100_000, 3), generator())
    for level in (0.02, 0.1, 0.3, 0.5, 0.9, 0.98):
        below = (drawn < kind.quantile(told, level)).double().mean()
        assert float(below) == pytest.approx(level, abs=0.005)


def test_quantiles_of_a_gaussian_are_that_gaussian_between_and_beyond() -> None:
    told = gaussian(2.0, 3.0)
    deciles = torch.stack([Gaussian().quantile(told, level) for level in DECILES])
    for level in (0.01, 0.15, 0.45, 0.87, 0.999):
        wanted = float(Gaussian().quantile(told, level))
        assert float(Quantiles(DECILES).quantile(deciles, level)) == pytest.approx(wanted, rel=1e-9)


def test_of_a_gaussians_own_deciles_the_score_is_9_percent_more() -> None:
    told = gaussian(0.0, 1.0)
    deciles = torch.stack([Gaussian().quantile(told, level) for level in DECILES])
    truths = torch.randn(400_000, generator=generator(), dtype=torch.float64)
    ratio = Quantiles(DECILES).crps(deciles, truths).mean() / Gaussian().crps(told, truths).mean()
    assert float(ratio) == pytest.approx(1.094, abs=0.005)


def test_samples_by_hand() -> None:
    kind, told, truth = Samples(3), torch.tensor([[4.0, 1.0, 2.0]]), torch.tensor([3.0])
    assert kind.crps(told, truth).tolist() == pytest.approx([(1 + 2 + 1) / 3 - (3 + 2 + 1) / 3 / 2])
    assert kind.quantile(told, 0.5).tolist() == [2]
    assert kind.quantile(told, 0.75).tolist() == [3]
    assert kind.point(told).tolist() == pytest.approx([7 / 3])


def test_the_score_of_few_samples_is_that_of_what_they_were_drawn_from() -> None:
    told = gaussian(0.0, 1.0)
    drawn = torch.randn(200_000, 5, generator=generator(), dtype=torch.float64)
    truth = torch.tensor(0.7, dtype=torch.float64)
    assert float(Samples(5).crps(drawn, truth).mean()) == pytest.approx(float(Gaussian().crps(told, truth)), abs=0.005)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"distribution": "quantiles", "quantiles": [0.5, 0.1, 0.9]},
            r"quantiles \[0.5, 0.1, 0.9\] must ascend and include",
        ),
        ({"distribution": "quantiles", "quantiles": [0.1, 0.9]}, r"quantiles \[0.1, 0.9\] must ascend and include"),
        ({"distribution": "quantiles", "quantiles": [0.0, 0.1, 0.5, 0.9]}, "quantiles .* must be"),
        ({"quantiles": [0.1, 0.5, 0.9]}, "quantiles .* need --model.distribution quantiles; give that too"),
        ({"distribution": "gaussian", "loss": "mae"}, "loss mae does not apply to --model.distribution gaussian"),
        ({"distribution": "normal"}, "unknown distribution 'normal'"),
    ],
)
def test_refusals(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        TrainedForecasterOptions(**options)  # type: ignore[arg-type]
