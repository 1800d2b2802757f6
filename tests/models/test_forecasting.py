import csv
import io
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


def test_it_goes_on_to_the_bit(verb: Command, here: Path) -> None:
    common = (*FIT, "--patience", "null")
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
        (("--data", "sine", "--model", "gru", "--model.bidirectional", "true"), "bidirectional cannot be had in a"),
        (
            ("--data", "sine", "--model", "linear", "--model.subtract", "first"),
            "--model.subtract does not take",
        ),
    ],
)
def test_refusals(refusal: Command, words: tuple[str, ...], message: str) -> None:
    assert refusal("fit", *words).startswith(message)
