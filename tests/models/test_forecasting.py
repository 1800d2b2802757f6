import csv
import io
import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch.optim import Adam

import seqlab
from seqlab.data.series import SeriesData
from seqlab.data.series_corpora import Sine
from seqlab.errors import UserError
from seqlab.models.forecasting import Forecaster
from seqlab.nn.recurrent_forecaster import RecurrentForecasterOptions
from seqlab.nn.ridge import RidgeOptions
from seqlab.nn.seasonal import SeasonalOptions
from seqlab.nn.window_forecaster import LinearForecasterOptions, MLPForecasterOptions
from seqlab.options import Options

Command = Callable[..., Any]

SMALL: dict[str, Options] = {
    "linear": LinearForecasterOptions(),
    "mlp": MLPForecasterOptions(hidden_size=8),
    "gru": RecurrentForecasterOptions(hidden_size=8),
}


def wave(folder: Path, days: int = 120) -> Path:
    """A file of days with a weekly pattern, in two columns, one of which is known in advance."""
    path = folder / "wave.csv"
    rows = []
    for day in range(days):
        date = np.datetime64("2024-01-01") + day
        rows.append(f"{date},{10 + 3 * math.sin(2 * math.pi * day / 7) + 5 * (day % 5 == 0):.4f},{int(day % 5 == 0)}")
    path.write_text("day,sold,promo\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def data(folder: Path, **options: Any) -> SeriesData:
    given = {"history": 14, "horizon": 3, "columns": "sold", "known": "promo", **options}
    return SeriesData(str(wave(folder)), **given)


def trainer(epochs: int, **options: Any) -> pl.Trainer:
    names = "enable_checkpointing", "enable_progress_bar", "enable_model_summary"
    quiet: dict[str, Any] = {**dict.fromkeys(names, False), "logger": False, "accelerator": "cpu"}
    return pl.Trainer(**{**quiet, "max_epochs": epochs, "num_sanity_val_steps": 0, **options})


def model(series: SeriesData, options: Options, rate: float = 0.01) -> Forecaster:
    torch.manual_seed(0)
    return Forecaster(options, series.codecs, partial(Adam, lr=rate))


@pytest.mark.parametrize("name", SMALL)
def test_a_weekly_pattern_and_what_is_known_are_learned(name: str, tmp_path: Path) -> None:
    series = data(tmp_path, batch_size=8)
    made = model(series, SMALL[name], 0.02)
    trainer(40).fit(made, series)
    assert made.evaluate(series, "test").mse < 0.05


def test_ridge_finds_it_at_once_and_seasonal_does_not(tmp_path: Path) -> None:
    series = data(tmp_path)
    ridge, seasonal = model(series, RidgeOptions()), model(series, SeasonalOptions())
    ridge.count(series)
    seasonal.count(series)
    assert ridge.evaluate(series, "test").mse < 1e-3
    assert seasonal.evaluate(series, "test").mse > 0.3


def test_measures_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("x\n" + "\n".join(map(str, [1, 3, 2, 5, 4, 6, 8, 2, 1, 7])) + "\n", encoding="utf-8")
    series = SeriesData(str(path), history=1, horizon=2, counts=[6, 0, 4])
    made = model(series, SeasonalOptions(season=1))
    report = made.evaluate(series, "test", items=True)
    truth, last = np.array([[8, 2], [2, 1], [1, 7]]), np.array([[6], [8], [2]])
    error = np.abs(truth - last)
    train = np.array([1, 3, 2, 5, 4, 6])
    assert report.count == 3
    assert report.items["mae"] == pytest.approx(error.mean(1) / train.std(), rel=1e-6)
    assert report.items["mse"] == pytest.approx((error**2).mean(1) / train.var(), rel=1e-6)
    assert report.items["smape"] == pytest.approx((2 * error / (truth + last)).mean(1), rel=1e-6)
    assert report.items["mase"] == pytest.approx(error.mean(1) / np.abs(np.diff(train)).mean(), rel=1e-6)
    assert report.items["time"] == ("7", "8", "9")
    assert report.columns["x"].mae == pytest.approx(error.mean(), rel=1e-6)
    assert report.columns["x"].rmse == pytest.approx(math.sqrt((error**2).mean()), rel=1e-6)
    assert report.by_step["direct"] == pytest.approx((error**2).mean(0) / train.var(), rel=1e-6)
    for name, value in report.measures.items():
        assert value == pytest.approx(np.mean(report.items[name]))


def test_validation_and_evaluation_agree(tmp_path: Path) -> None:
    series, fit = data(tmp_path), trainer(2)
    made = model(series, SMALL["gru"])
    fit.fit(made, series)
    report, measured = made.evaluate(series, "val"), fit.callback_metrics
    assert float(measured["val/loss"]) == pytest.approx(report.loss, rel=1e-6)
    for name, value in report.measures.items():
        assert float(measured[f"val/{name}"]) == pytest.approx(value, rel=1e-6)
    (tested,) = trainer(1).test(made, series, verbose=False)
    assert tested["test/mse"] == pytest.approx(made.evaluate(series, "test").mse, rel=1e-6)


DISTRIBUTIONS: dict[str, Options] = {
    "gaussian": LinearForecasterOptions(distribution="gaussian"),
    "quantiles": RecurrentForecasterOptions(hidden_size=8, distribution="quantiles"),
    "calibrated": RidgeOptions(distribution="quantiles"),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_validation_and_evaluation_agree_of_distributions(name: str, tmp_path: Path) -> None:
    series, fit = data(tmp_path), trainer(2)
    made = model(series, DISTRIBUTIONS[name])
    fit.fit(made, series)
    report, measured = made.evaluate(series, "val"), fit.callback_metrics
    assert [*report.measures] == ["mse", "mae", "smape", "mase", "crps"]
    assert float(measured["val/loss"]) == pytest.approx(report.loss, rel=1e-6)
    for measure, value in report.measures.items():
        assert float(measured[f"val/{measure}"]) == pytest.approx(value, rel=1e-6)
    assert report.crps_by_step["direct"].mean() == pytest.approx(report.measures["crps"])
    values = model(series, SMALL["linear"]).evaluate(series, "val", items=True)
    assert "crps" not in values.measures
    assert "coverage" not in values.items
    assert values.crps_by_step == {}


def noise(folder: Path, steps: int = 6000) -> SeriesData:
    """An autoregression x_t = 0.6 x_(t-1) + N(0, 1)."""
    draws, values = np.random.default_rng(0).normal(size=steps), np.zeros(steps)
    for step in range(1, steps):
        values[step] = 0.6 * values[step - 1] + draws[step]
    path = folder / "noise.csv"
    path.write_text("x\n" + "\n".join(map(str, values)) + "\n", encoding="utf-8")
    return SeriesData(str(path), history=2, horizon=1, scaling="none", batch_size=64)


@pytest.mark.parametrize(
    "options",
    [
        LinearForecasterOptions(distribution="gaussian"),
        LinearForecasterOptions(distribution="quantiles"),
        RidgeOptions(distribution="quantiles", subtract="none"),
    ],
    ids=["gaussian", "quantiles", "ridge"],
)
def test_intervals_hold_what_they_say_also_where_they_are_read_again(options: Options, tmp_path: Path) -> None:
    """One step ahead the score of N(m, 1) is 1 / sqrt(pi), of its deciles 9% more; further ahead by the variance."""
    series = noise(tmp_path)
    made = model(series, options)
    trainer(10).fit(made, series)
    report = made.evaluate(series, "test", strategy="all", horizon=3, paths=60)
    deciles = 1.0 if options.plain()["distribution"] == "gaussian" else 1.094
    assert report.crps_by_step["one_step"].mean() == pytest.approx(deciles / math.sqrt(math.pi), rel=0.04)
    variances = np.cumsum(0.36 ** np.arange(3))
    assert report.crps_by_step["recursive"] == pytest.approx(np.sqrt(variances / math.pi), rel=0.05)
    for coverage in report.coverage_by_step.values():
        assert coverage == pytest.approx(0.8, abs=0.035)
    shown = str(report)
    assert [line.split()[0] for line in shown.splitlines() if line.startswith("recursive")] == ["recursive"] * 3


def test_loss_of_distributions(tmp_path: Path) -> None:
    series = data(tmp_path)
    batch = series.train_batches(series.shard()).batch(0, 0)
    gaussian = model(series, LinearForecasterOptions(distribution="gaussian"))  # its weights are zero
    scale = math.log(2) + 1e-3
    expected = (batch.targets / scale).square() / 2 + math.log(scale) + math.log(2 * math.pi) / 2
    assert float(gaussian.loss(batch, "train").total.detach()) == pytest.approx(float(expected.mean((1, 2)).sum()))
    quantiles = model(series, LinearForecasterOptions(distribution="quantiles"))
    pinball = batch.targets.abs().mean((1, 2)).sum()  # 2 |y| times the mean level, 0.5
    assert float(quantiles.loss(batch, "train").total.detach()) == pytest.approx(float(pinball))


def test_origins_are_windows_evenly_spread(tmp_path: Path) -> None:
    series = data(tmp_path)
    made = model(series, DISTRIBUTIONS["gaussian"])
    every, some = made.evaluate(series, "test", items=True), made.evaluate(series, "test", items=True, origins=4)
    rows = [0, 7, 14, 21]
    assert every.count == 22
    assert some.items["item"] == rows
    for name, values in some.items.items():
        wanted = [every.items[name][row] for row in rows]
        assert [*values] == (wanted if name in ("item", "series", "time") else pytest.approx(wanted, rel=1e-5))
    assert [one.time for one in some.origins] == [*some.items["time"]]
    assert some.measures["mse"] == pytest.approx(np.mean([one.measures["mse"] for one in some.origins]))
    lines = str(some).splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("from"))
    assert lines[begin].split() == ["from", "MSE", "MAE", "sMAPE", "MASE", "CRPS", "in", "80%"]
    assert [line.split("  ")[0] for line in lines[begin + 5 :][:3]] == ["mean of 4", "95% from", "95% to"]
    mean, low, high = (float(lines[begin + 5 + row].split()[column]) for row, column in enumerate((3, 2, 2)))
    assert low <= mean <= high
    assert every.origins == ()


def test_a_refit_is_a_fit_on_all_before_its_origin(tmp_path: Path) -> None:
    series = data(tmp_path)
    made = model(series, RidgeOptions(l2=0.1))
    made.count(series)
    kept = {name: value.clone() for name, value in made.state_dict().items()}
    still, anew = (made.evaluate(series, "test", origins=3, refit=refit) for refit in (False, True))
    assert all(torch.equal(kept[name], value) for name, value in made.state_dict().items())
    assert anew.origins[-1].measures["mse"] != still.origins[-1].measures["mse"]
    last = len(series.windows("test")) - 1
    begin = int(series.windows("test").starts[last])
    longer = SeriesData(
        str(tmp_path / "wave.csv"), columns="sold", known="promo", counts=[begin, 0, 120 - begin], codecs=series.codecs
    )
    other = model(longer, RidgeOptions(l2=0.1))
    other.count(longer)
    wanted = other.evaluate(longer, "test", origins=1)
    assert wanted.origins[0].time == anew.origins[-1].time
    for name, value in wanted.origins[0].measures.items():
        assert anew.origins[-1].measures[name] == pytest.approx(value, rel=1e-5)


def test_origins_of_several_series_are_those_of_each(tmp_path: Path) -> None:
    rows = [f"2024-01-{day:02},{name},{day * size}" for name, size in (("a", 1), ("b", 10)) for day in range(1, 31)]
    (tmp_path / "two.csv").write_text("day,shop,sold\n" + "\n".join(rows) + "\n", encoding="utf-8")
    series = SeriesData(str(tmp_path / "two.csv"), id_column="shop", history=3, horizon=2, season=1)
    made = model(series, SeasonalOptions())
    report = made.evaluate(series, "test", origins=2)
    assert [(one.series, one.time[:10]) for one in report.origins] == [
        *(("a", "2024-01-25"), ("a", "2024-01-29"), ("b", "2024-01-25"), ("b", "2024-01-29"))
    ]
    anew = model(series, RidgeOptions(l2=0.1))
    anew.count(series)
    assert len(anew.evaluate(series, "test", origins=2, refit=True).origins) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"origins": 0}, "origins 0 must be a whole number of at least 1 and at most the 22 windows"),
        ({"origins": 23}, "origins 23 must be"),
        ({"refit": True}, "refit fits a model again at each origin; give --origins too"),
        ({"origins": 2, "refit": True}, "refit is for models in closed form"),
        ({"origins": 2, "figure": "f.png"}, "the figure shows every window of a part; leave out --origins"),
        ({"paths": 1}, "paths 1 must be a whole number of at least 2"),
    ],
)
def test_evaluate_refuses(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    series = data(tmp_path)
    with pytest.raises(UserError, match=f"^{message}"):
        model(series, SMALL["linear"]).evaluate(series, "test", **options)


def test_every_window_weighs_alike_whatever_the_batches(tmp_path: Path) -> None:
    made = model(data(tmp_path), SMALL["mlp"])
    costs = []
    for size in (5, 32):
        batches = data(tmp_path, batch_size=size).train_batches(data(tmp_path).shard())
        sums = [made.loss(batches.batch(0, index), "train") for index in range(len(batches))]
        costs.append(float(sum(one.total.detach() for one in sums) / sum(one.items for one in sums)))
    assert costs[0] == pytest.approx(costs[1], rel=1e-6)


@pytest.mark.parametrize("kind", ["mse", "mae", "huber"])
def test_what_training_minimizes(tmp_path: Path, kind: Any) -> None:
    series = data(tmp_path)
    made = model(series, LinearForecasterOptions(loss=kind))
    batch = series.train_batches(series.shard()).batch(0, 0)
    error = batch.targets  # the weights are zero
    huber = torch.where(error.abs() < 1, error.square() / 2, error.abs() - 0.5)
    expected = {"mse": error.square(), "mae": error.abs(), "huber": huber}[kind].mean((1, 2)).sum()
    total, items, _ = made.loss(batch, "train")
    assert (float(total), int(items)) == (pytest.approx(float(expected), rel=1e-5), len(batch.items))


def test_errors_grow_with_the_horizon_and_one_step_errors_do_not(tmp_path: Path) -> None:
    series = Sine()
    made = model(series, RidgeOptions())
    made.count(series)
    report = made.evaluate(series, "test", strategy="all", horizon=64, figure=str(tmp_path / "book.png"))
    assert (tmp_path / "book.png").read_bytes().startswith(b"\x89PNG")
    one, recursive = report.by_step["one_step"], report.by_step["recursive"]
    assert one[0] == pytest.approx(recursive[0])
    assert one[63] < 1.3 * one[0]
    assert recursive[63] > 3 * recursive[0]
    assert "direct" not in report.by_step
    assert report.count == 300 - 64 + 1
    lines = str(report).splitlines()
    assert next(line for line in lines if line.startswith("MSE by step")).split()[4:] == ["1", "4", "16", "64", "mean"]


def test_direct_beyond_the_model_is_refused(tmp_path: Path) -> None:
    series = data(tmp_path)
    made = model(series, SMALL["linear"])
    with pytest.raises(UserError, match="direct forecasts reach the 3 steps"):
        made.evaluate(series, "test", strategy="direct", horizon=4)
    with pytest.raises(UserError, match="horizon 0 must be"):
        made.evaluate(series, "test", horizon=0)


def lines(folder: Path, ahead: int = 0, blank: bool = True) -> list[str]:
    """The file, its last rows without what is forecast."""
    every = wave(folder).read_text(encoding="utf-8").splitlines()
    cut = len(every) - ahead
    return every[:cut] + [",".join([row.split(",")[0], "", row.split(",")[2]]) for row in every[cut:] if blank]


def test_predict_goes_on_where_the_history_ends(tmp_path: Path) -> None:
    series = data(tmp_path)
    made = model(series, RidgeOptions())
    made.count(series)
    said = [*made.predict(lines(tmp_path, ahead=5), steps=5)]
    assert [one.time for one in said][:2] == ["2024-04-25 00:00:00", "2024-04-26 00:00:00"]
    true = [float(row.split(",")[1]) for row in lines(tmp_path)[-5:]]
    assert [one.values["sold"] for one in said] == pytest.approx(true, abs=0.2)
    draws = tmp_path / "figure.png"
    assert len([*made.predict(lines(tmp_path, ahead=3), figure=str(draws))]) == 3
    assert draws.read_bytes().startswith(b"\x89PNG")


def test_predict_gives_an_interval(tmp_path: Path) -> None:
    series = data(tmp_path)
    made = model(series, LinearForecasterOptions(distribution="gaussian"))
    made.network.output.bias.data[:2] = torch.tensor([0.5, 1.0])
    mean, deviation = series.codec.scales[""].means[0], series.codec.scales[""].deviations[0]
    draws = tmp_path / "figure.png"
    first, *_ = made.predict(lines(tmp_path, ahead=3), figure=str(draws))
    assert draws.read_bytes().startswith(b"\x89PNG")
    wide = 1.2815516 * (math.log(1 + math.e) + 1e-3)
    assert first.values["sold"] == pytest.approx(mean + deviation * 0.5, rel=1e-5)
    assert first.interval == pytest.approx(
        {"sold_low": mean + deviation * (0.5 - wide), "sold_high": mean + deviation * (0.5 + wide)}, rel=1e-5
    )
    low, high = first.interval.values()
    assert str(first).endswith(f"sold {first.values['sold']:.4g} [{low:.4g} .. {high:.4g}]")
    one, again, other = (
        [found.interval for found in made.predict(lines(tmp_path, ahead=5), steps=5, seed=seed)] for seed in (0, 0, 1)
    )
    assert one == again
    assert one != other
    with pytest.raises(UserError, match="paths 1 must be"):
        [*made.predict(lines(tmp_path, ahead=3), paths=1)]


def test_an_interval_in_csv_and_json(verb: Command, here: Path) -> None:
    path = wave(here)
    words = ("--data", "series", "--data.path", str(path), "--data.columns", "sold,promo", "--data.history", "14")
    own = ("--model", "ridge", "--model.distribution", "quantiles", "--run", "r", "--trainer.accelerator", "cpu")
    trained = verb("fit", *words, *own)
    assert trained.code == 0, trained.err
    checkpoint = "lightning_logs/r/checkpoints/last.ckpt"
    said = verb("predict", checkpoint, "--input", str(path), "--steps", "4")
    assert said.code == 0, said.err
    rows = [*csv.reader(io.StringIO(said.out))]
    assert rows[0] == ["time", "sold", "promo", "sold_low", "promo_low", "sold_high", "promo_high"]
    for row in rows[1:]:
        assert float(row[3]) < float(row[1]) < float(row[5])
    (line, *_) = verb("predict", checkpoint, "--input", str(path), "--steps", "4", "--format", "json").out.splitlines()
    assert json.loads(line)["interval"]["sold_low"] == float(rows[1][3])
    measured = verb("evaluate", checkpoint, "--origins", "3", "--refit", "true")
    assert measured.code == 0, measured.err
    assert "mean of 3" in measured.out


@pytest.mark.parametrize(
    ("given", "steps", "message"),
    [
        (lambda folder: lines(folder), 3, "the model reads promo of every step that it forecasts; give 3 rows"),
        (
            lambda folder: lines(folder, 3)[:1] + lines(folder, 3)[-13:],
            3,
            "the input has 10 rows and the model reads 14",
        ),
        (lambda folder: [row.replace("sold", "bought") for row in lines(folder)], 1, "the input has no column 'sold'"),
        (lambda folder: lines(folder, 3)[:1] + lines(folder, 3)[1::2], 1, "the input is steps of 2 days and the model"),
        (lambda folder: lines(folder, 3), 0, "steps 0 must be a whole number of at least 1"),
    ],
)
def test_predict_refuses(tmp_path: Path, given: Callable[[Path], list[str]], steps: int, message: str) -> None:
    made = model(data(tmp_path), SMALL["linear"])
    with pytest.raises(UserError, match=f"^{message}"):
        [*made.predict(given(tmp_path), steps=steps)]


def test_lags_of_a_linear_model_are_its_weights(tmp_path: Path) -> None:
    series = data(tmp_path, horizon=1)
    made = model(series, LinearForecasterOptions())
    weights = torch.arange(28.0).view(1, 28) / 10
    made.network.output.weight.data = weights
    found = made.inspect(lambda: series)
    assert found.slopes == pytest.approx(weights.view(14, 2)[:, 0].flip(0).numpy(), rel=1e-5)
    assert found.worth == pytest.approx(np.abs(found.slopes), rel=1e-5)
    assert str(found).splitlines()[2].split()[0] == "1"


FIT = ("--data", "sine", "--model", "gru", "--model.hidden_size", "6", "--trainer.accelerator", "cpu", "--bar", "none")


def test_a_checkpoint_alone_forecasts(verb: Command, here: Path) -> None:
    path = wave(here)
    words = ("--data", "series", "--data.path", str(path), "--data.columns", "sold", "--data.history", "14")
    own = ("--model", "ridge", "--run", "r", "--trainer.accelerator", "cpu")
    trained = verb("fit", *words, *own)
    assert trained.code == 0, trained.err
    content = path.read_text(encoding="utf-8")
    path.unlink()
    (here / "new.csv").write_text(content, encoding="utf-8")
    checkpoint = "lightning_logs/r/checkpoints/last.ckpt"
    said = verb("predict", checkpoint, "--input", "new.csv", "--steps", "24", "--figure", "f.png")
    assert said.code == 0, said.err
    rows = [*csv.reader(io.StringIO(said.out))]
    assert rows[0] == ["time", "sold"]
    assert len(rows) == 25
    assert rows[1][0] == "2024-04-30 00:00:00"
    assert (here / "f.png").is_file()
    (one,) = seqlab.predict(checkpoint, content.splitlines(), steps=1)
    assert f"{one.values['sold']}" == rows[1][1]


@pytest.mark.slow
def test_compare_pairs_windows(verb: Command, here: Path) -> None:
    words = ("--model", "ridge,naive", "--model.distribution", "quantiles", "--data", "sine", "--data.horizon", "2")
    said = verb("compare", *words, "--seeds", "1", "--bar", "none", "--trainer.accelerator", "cpu", "--output", "c")
    assert said.code == 0, said.err
    table, paired = (
        [*csv.DictReader((here / "c" / f"{name}.csv").read_text(encoding="utf-8").splitlines())]
        for name in ("table", "paired")
    )
    assert {"test_mse", "test_mae", "test_smape", "test_mase", "test_crps"} <= {*table[0]}
    series, reports = Sine(horizon=2), []
    for options in (SeasonalOptions(season=1, distribution="quantiles"), RidgeOptions(distribution="quantiles")):
        made = model(series, options)
        made.count(series)
        reports.append(made.evaluate(series, "test", items=True))
    (row,) = paired
    assert (row["row"], row["against"]) == ("naive", "ridge")
    assert float(row["difference"]) == pytest.approx(reports[0].mse - reports[1].mse, rel=1e-3)
    assert float(row["low"]) > 0
    assert int(row["items"]) == reports[0].count


def test_it_goes_on_to_the_bit(verb: Command, here: Path) -> None:
    common = (*FIT, "--patience", "null", "--watch", "none", "--trainer.limit_train_batches", "9")
    assert verb("fit", *common, "--run", "whole", "--trainer.max_epochs", "2").code == 0
    assert verb("fit", *common, "--run", "parts", "--trainer.max_epochs", "1").code == 0
    assert verb("fit", "--ckpt_path", "last", "--run", "parts", "--trainer.max_epochs", "2").code == 0
    states = [torch.load(f"lightning_logs/{run}/checkpoints/last.ckpt")["state_dict"] for run in ("whole", "parts")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data", "sine", "--model", "bag"), "--model bag does not read --data sine; it reads"),
        (("--data", "series"), "--data series needs a series to learn from; name a file with --data.path"),
        (("--data", "sine", "--model", "seasonal", "--model.season", "9"), "the season of 9 steps is longer than"),
        (("--data", "sine", "--model", "gru", "--model.bidirectional", "true"), "bidirectional does not fit a"),
        (
            ("--data", "sine", "--model", "linear", "--model.distribution", "gaussian", "--model.loss", "huber"),
            "--model.loss huber does not apply to --model.distribution gaussian, which has its own loss; leave out",
        ),
        (
            ("--data", "sine", "--model", "linear", "--model.subtract", "first"),
            "--model.subtract does not take",
        ),
    ],
)
def test_refusals(refusal: Command, words: tuple[str, ...], message: str) -> None:
    assert refusal("fit", *words).startswith(message)
