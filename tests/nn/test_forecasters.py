import pytest
import torch

from seqlab.cells import CELLS
from seqlab.decoding.rollout import Strategy, distribution_of, roll_out
from seqlab.errors import UserError
from seqlab.nn.distributions import LEAST_SCALE, Gaussian
from seqlab.nn.forecaster import Forecaster, Sizes
from seqlab.nn.recurrent_forecaster import RecurrentForecasterOptions
from seqlab.nn.ridge import Ridge, RidgeOptions, Window
from seqlab.nn.seasonal import SeasonalOptions
from seqlab.nn.window_forecaster import LinearForecasterOptions, MLPForecasterOptions

SIZES = Sizes(history=6, horizon=3, columns=2, features=2, season=4)
KINDS = {
    "linear": LinearForecasterOptions(),
    "joint": LinearForecasterOptions(channels="joint", subtract="last"),
    "mlp": MLPForecasterOptions(hidden_size=[5, 4], subtract="last"),
    "gru": RecurrentForecasterOptions(cell="gru", hidden_size=4, subtract="last"),
    "segments": RecurrentForecasterOptions(cell="lstm", hidden_size=4, segment_size=2, embedding_size=3),
    "ridge": RidgeOptions(),
    "gaussian": LinearForecasterOptions(distribution="gaussian", subtract="last"),
    "quantiles": MLPForecasterOptions(distribution="quantiles", channels="joint", hidden_size=5),
    "gru quantiles": RecurrentForecasterOptions(cell="gru", hidden_size=4, distribution="quantiles"),
    "ridge quantiles": RidgeOptions(distribution="quantiles"),
}


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(name: str, sizes: Sizes = SIZES) -> Forecaster:
    torch.manual_seed(0)
    network = KINDS[name].build(sizes).double().eval()
    for number, tensor in enumerate([*network.parameters(), *network.buffers()]):
        if tensor.ndim and tensor.numel() and not tensor.any():
            tensor.data.copy_(drawn(*tensor.shape, seed=number))
    return network


@pytest.mark.parametrize("name", KINDS)
def test_a_batch_of_one_says_what_a_larger_one_says(name: str) -> None:
    network, history, known = made(name), drawn(5, 6, 2), drawn(5, 9, 2)
    said = network(history, known)
    assert said.shape == (5, 3, 2)
    torch.testing.assert_close(network(history[1:2], known[1:2]), said[1:2])


@pytest.mark.parametrize("name", KINDS)
def test_a_step_knows_nothing_of_later_ones(name: str) -> None:
    network, history, known = made(name), drawn(1, 6, 2), drawn(1, 9, 2)
    other = known.clone()
    other[:, 7:] += 1
    before, after = network(history, known), network(history, other)
    torch.testing.assert_close(before[:, :1], after[:, :1])
    assert not torch.allclose(before[:, 1:], after[:, 1:])


@pytest.mark.parametrize("name", ["joint", "mlp", "gru", "ridge", "gaussian", "ridge quantiles"])
def test_a_forecast_moves_with_the_level_of_its_window(name: str) -> None:
    network, history, known = made(name), drawn(2, 6, 2), drawn(2, 9, 2)
    torch.testing.assert_close(network(history + 7, known), network(history, known) + 7)


def test_linear_by_hand() -> None:
    network = LinearForecasterOptions().build(Sizes(history=3, horizon=2, columns=1))
    network.output.weight.data = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]])
    network.output.bias.data = torch.tensor([0.5, 0.0])
    said = network(torch.tensor([[[1.0], [10.0], [100.0]]]), torch.zeros(1, 5, 0))
    assert said.flatten().tolist() == [321.5, 100.0]


def test_seasonal_by_hand() -> None:
    history = torch.arange(1.0, 7).view(1, 6, 1)
    sizes = Sizes(history=6, horizon=5, columns=1, season=3)
    assert SeasonalOptions().build(sizes)(history, torch.zeros(1, 11, 0)).flatten().tolist() == [4, 5, 6, 4, 5]
    naive = SeasonalOptions(season=1).build(sizes)
    assert naive(history, torch.zeros(1, 11, 0)).flatten().tolist() == [6] * 5
    with pytest.raises(UserError, match="the season of 7 steps is longer than the history of 6; give --data.history 7"):
        SeasonalOptions(season=7).build(sizes)


def test_segments_divide_the_history() -> None:
    with pytest.raises(UserError, match="segment_size 4 does not divide the history of 6 steps"):
        RecurrentForecasterOptions(segment_size=4).build(SIZES)


@pytest.mark.parametrize("cell", CELLS)
def test_a_carried_state_equals_one_long_pass(cell: str) -> None:
    torch.manual_seed(0)
    network = RecurrentForecasterOptions(cell=cell, hidden_size=4, num_layers=2, subtract="last").build(SIZES).double()
    history, known, ahead = drawn(2, 6, 2), drawn(2, 6, 2), drawn(2, 3, 2)
    values = drawn(2, 4, 2, seed=1)
    memory = network.read(history, known)
    for step in range(4):
        memory = network.read(values[:, step : step + 1], known[:, step : step + 1], memory)
    level = history[:, -1:]
    rows = network.rows(torch.cat([history, values], 1) - level, torch.cat([known, known[:, :4]], 1))
    outputs, _ = network.recurrent(rows)
    torch.testing.assert_close(
        network.tell(memory, ahead), network.finished(network.output(outputs[:, -1]), ahead, level)
    )


def windows(sizes: Sizes, count: int = 40) -> Window:
    steps = sizes.history + sizes.horizon
    values = drawn(count, steps, sizes.columns, seed=3)
    return Window(values[:, : sizes.history], drawn(count, steps, sizes.features, seed=4), values[:, sizes.history :])


@pytest.mark.parametrize("subtract", ["none", "last"])
@pytest.mark.parametrize("channels", ["shared", "joint"])
@pytest.mark.parametrize("features", [0, 2])
def test_ridge_solves_the_normal_equations(subtract: str, channels: str, features: int) -> None:
    sizes, l2 = SIZES._replace(features=features), 0.3
    network = RidgeOptions(subtract=subtract, channels=channels, l2=l2).build(sizes).double()  # type: ignore[arg-type]
    every = windows(sizes)
    network.count([[Window(*(part[:15] for part in every))], [Window(*(part[15:] for part in every))]])
    level = every.history[:, -1:] if subtract == "last" else torch.zeros_like(every.history[:, -1:])
    history, targets = every.history - level, every.targets - level
    said = network(every.history, every.known) - level
    for step in range(3):
        ahead = every.known[:, 6 + step]
        for column in range(2) if channels == "joint" else (None,):
            before = torch.cat([history, every.known[:, :6]], 2).flatten(1)
            x, y, found = before, targets[:, step, column or 0], said[:, step, column or 0]
            if column is None:
                parts = [torch.cat([history[:, :, c : c + 1], every.known[:, :6]], 2).flatten(1) for c in (0, 1)]
                x, ahead = torch.cat(parts), torch.cat([ahead, ahead])
                y, found = targets[:, step].t().flatten(), said[:, step].t().flatten()
            x = torch.cat([x, ahead, torch.ones(len(x), 1)], 1) if subtract == "none" else torch.cat([x, ahead], 1)
            penalty = torch.full((x.shape[1],), l2 * len(x), dtype=torch.float64)
            if subtract == "none":
                penalty[-1] = 0
            weights = torch.linalg.solve(x.t() @ x + penalty.diag(), x.t() @ y)
            torch.testing.assert_close(found, x @ weights, rtol=1e-6, atol=1e-6)


def test_the_error_of_moments_is_that_of_the_windows() -> None:
    network = RidgeOptions(l2=0.1).build(SIZES).double()
    assert isinstance(network, Ridge)
    every = windows(SIZES)
    moments = network._moments([every])
    network.count([[every]])
    squared = (network(every.history, every.known) - every.targets).square().sum().detach()
    assert moments.error(moments.solved(0.1, False)) == pytest.approx(float(squared), rel=1e-6)


def test_the_penalty_is_chosen_on_what_was_held_out() -> None:
    sizes = Sizes(history=20, horizon=1, columns=1)
    network = RidgeOptions().build(sizes).double()
    every = windows(sizes, 60)
    network.count([[Window(*(part[:30] for part in every))], [Window(*(part[30:] for part in every))]])
    assert float(network.penalty) >= 0.1, "noise alone is best forecast by small weights"


@pytest.mark.parametrize("subtract", ["none", "last"])
def test_ar_2_is_found(subtract: str) -> None:
    noise, values = drawn(100_000).tolist(), [0.0, 0.0]
    for each in noise:
        values.append(0.6 * values[-1] - 0.3 * values[-2] + each)
    rows = torch.tensor(values).unfold(0, 3, 1).unsqueeze(-1)
    network = RidgeOptions(subtract=subtract).build(Sizes(history=2, horizon=1, columns=1))  # type: ignore[arg-type]
    every = Window(rows[:, :2], torch.zeros(len(rows), 3, 0), rows[:, 2:])
    network.count([[Window(*(part[:80_000] for part in every))], [Window(*(part[80_000:] for part in every))]])
    if subtract == "none":
        assert network.weight[:2, 0].tolist() == pytest.approx([-0.3, 0.6], abs=1e-2)


@pytest.mark.parametrize("name", KINDS)
def test_recursive_is_a_loop_by_hand(name: str) -> None:
    network, history, known = made(name), drawn(2, 6, 2), drawn(2, 6 + 5, 2)
    said = roll_out(network, history, known, 5, "recursive")
    values = history
    for step in range(5):
        ahead = known[:, 6 + step : 6 + step + 3]
        ahead = torch.cat([ahead, ahead[:, -1:].expand(-1, 3 - ahead.shape[1], -1)], 1)
        if name.startswith("gru"):
            memory = network.read(history, known[:, :6])
            if step:
                memory = network.read(values[:, 6:], known[:, 6 : 6 + step], memory)
            first = network.say(memory, ahead)[:, :1]
        else:
            first = network(values[:, -6:], torch.cat([known[:, step : 6 + step], ahead], 1))[:, :1]
        values = torch.cat([values, first], 1)
    torch.testing.assert_close(said, values[:, 6:])


@pytest.mark.parametrize("name", KINDS)
def test_strategies_agree_where_they_must(name: str) -> None:
    network, history, known, truth = made(name), drawn(2, 6, 2), drawn(2, 6 + 7, 2), drawn(2, 7, 2, seed=5)
    direct = roll_out(network, history, known[:, :9], 3, "direct")
    torch.testing.assert_close(direct, network(history, known[:, :9]))
    torch.testing.assert_close(roll_out(network, history, known, 7, "direct_recursive")[:, :3], direct)
    torch.testing.assert_close(roll_out(network, history, known[:, :8], 2, "direct"), direct[:, :2])
    steps = roll_out(network, history, known, 7, "one_step", truth)
    torch.testing.assert_close(steps[:, 0], direct[:, 0])
    if not name.startswith("gru"):
        later = torch.cat([history, truth], 1)[:, 4:10]
        torch.testing.assert_close(steps[:, 4], network(later, known[:, 4:])[:, 0])
    with pytest.raises(UserError, match="direct forecasts reach the 3 steps that the model was trained for, not 7"):
        roll_out(network, history, known, 7, "direct")


def test_numbers_of_a_value_go_to_their_column_and_step() -> None:
    for channels in ("shared", "joint"):
        options = LinearForecasterOptions(distribution="gaussian", channels=channels)  # type: ignore[arg-type]
        network = options.build(Sizes(history=4, horizon=3, columns=2)).double()
        numbers = 6 if channels == "shared" else 12
        network.output.bias.data = torch.arange(numbers, dtype=torch.float64)
        network.output.weight.data[0, 0] = 100.0  # the mean of the first step, by the oldest value
        history = torch.zeros(1, 4, 2, dtype=torch.float64)
        history[0, 0, 0] = 1.0
        told = network.told(history, torch.zeros(1, 7, 0, dtype=torch.float64))[0]
        expected = torch.arange(12.0).view(3, 2, 2) if channels == "joint" else torch.empty(3, 2, 2)
        if channels == "shared":
            expected[:, 0] = expected[:, 1] = torch.arange(6.0).view(3, 2)
        expected[0, 0, 0] += 100
        assert torch.equal(told, expected.double()), channels


def test_quantiles_from_errors_by_hand() -> None:
    """Of 10 errors the interval of 80% ends at the 9th smallest absolute one, that of 20% at the 3rd."""
    network = SeasonalOptions(season=1, distribution="quantiles").build(Sizes(history=2, horizon=2, columns=1))
    first = torch.tensor([0.5, -1, 2, -3, 4, -5, 6, -7, 8, -9])
    network.calibrate(torch.stack([first, 10 * first], 1).unsqueeze(-1))
    told = network.told(torch.full((1, 2, 1), 100.0), torch.zeros(1, 4, 0))
    assert told[0, 0, 0].tolist() == [92, 94, 96, 98, 100, 102, 104, 106, 108]
    assert told[0, 1, 0].tolist() == [20, 40, 60, 80, 100, 120, 140, 160, 180]
    network.calibrate(torch.tensor([1.0, -2.0]).view(2, 1, 1).expand(2, 2, 1))
    assert network.told(torch.zeros(1, 2, 1), torch.zeros(1, 4, 0))[0, 0, 0, -1] == 2


def autoregression(scale: float, weight: float) -> Forecaster:
    """x_t = weight x_(t-1) + normal noise of this scale, one step at once."""
    network = LinearForecasterOptions(distribution="gaussian").build(Sizes(history=1, horizon=1, columns=1)).double()
    network.output.weight.data.copy_(torch.tensor([[weight], [0.0]]))
    raw = torch.tensor(scale - LEAST_SCALE).expm1().log()
    network.output.bias.data.copy_(torch.stack([torch.tensor(0.0), raw]))
    return network


def test_futures_spread_as_those_of_an_autoregression() -> None:
    """The variance k steps ahead is scale^2 (1 - weight^(2k)) / (1 - weight^2); one step's is scale^2 throughout."""
    network, history, known = autoregression(0.5, 0.8), torch.full((1, 1, 1), 2.0).double(), torch.zeros(1, 7, 0)
    told = distribution_of(network, history, known, 6, "recursive", paths=50_000)
    assert told is not None
    means, deviations = told.numbers.mean(-1)[0, :, 0], told.numbers.std(-1)[0, :, 0]
    steps = torch.arange(1, 7).double()
    torch.testing.assert_close(means, 2 * 0.8**steps, rtol=0, atol=0.02)
    torch.testing.assert_close(deviations, 0.5 * ((1 - 0.64**steps) / 0.36).sqrt(), rtol=0.02, atol=0)
    truth = torch.full((1, 6, 1), 2.0).double()
    one = distribution_of(network, history, known, 6, "one_step", truth)
    assert one is not None
    mean, scale = Gaussian().mean_and_scale(one.numbers)
    assert mean.flatten().tolist() == pytest.approx([1.6] * 6)
    assert scale.flatten().tolist() == pytest.approx([0.5] * 6, rel=1e-5)


def test_futures_follow_their_seed_and_what_is_said_at_once_needs_none() -> None:
    network, history, known = made("gaussian"), drawn(3, 6, 2), drawn(3, 9, 2)

    def told(strategy: Strategy, steps: int, seed: int) -> torch.Tensor:
        draws = torch.Generator().manual_seed(seed)
        found = distribution_of(network, history, known, steps, strategy, None, 7, draws)
        assert found is not None
        return found.numbers

    for strategy in ("direct", "direct_recursive"):
        assert torch.equal(told(strategy, 3, 0), network.told(history, known)), strategy  # type: ignore[arg-type]
    assert told("recursive", 3, 0).shape == (3, 3, 2, 7)  # which reads its first step again
    for strategy in ("recursive", "direct_recursive"):
        one, again, other = (told(strategy, 5, seed) for seed in (0, 0, 1))  # type: ignore[arg-type]
        assert one.shape == (3, 5, 2, 7)
        assert torch.equal(one, again), strategy
        assert not torch.equal(one, other), strategy
    assert distribution_of(made("linear"), history, known, 3, "direct") is None
