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
from torch.optim import SGD
from torchmetrics.functional import r2_score

import seqlab
from seqlab.data.points import PointsData
from seqlab.errors import UserError
from seqlab.models.fit_scores import R2, of_r2
from seqlab.models.regression import Regressor
from seqlab.models.regression_report import SHOWN_WEIGHTS
from seqlab.nn.closed_form import ClosedFormOptions
from seqlab.nn.regressors import LinearRegressorOptions, MLPRegressorOptions
from seqlab.options import Options

Command = Callable[..., Any]

TRUTH = [2.0, -3.4, 4.2]
NAMES = {"linear": LinearRegressorOptions(), "closed_form": ClosedFormOptions(), "mlp": MLPRegressorOptions()}


def model(data: PointsData, options: Options, rate: float = 0.03) -> Regressor:
    torch.manual_seed(0)
    name = next(name for name, own in NAMES.items() if type(own) is type(options))
    return Regressor(options, data.codecs, partial(SGD, lr=rate), name=name)


def counted(data: PointsData, **options: Any) -> Regressor:
    made = model(data, ClosedFormOptions(**options))
    made.count(data)
    return made


def fitted(data: PointsData, options: Options, epochs: int, **rest: Any) -> Regressor:
    made = model(data, options, **rest)
    quiet = dict.fromkeys(("enable_checkpointing", "enable_progress_bar", "enable_model_summary", "logger"), False)
    pl.Trainer(**quiet, accelerator="cpu", max_epochs=epochs, num_sanity_val_steps=0).fit(made, data)  # type: ignore[arg-type]
    return made


def test_sgd_comes_to_the_closed_form_and_both_to_the_truth() -> None:
    data = PointsData(batch_size=10)
    made = fitted(data, NAMES["linear"], 3)
    weights = made.weights()
    assert weights is not None
    assert weights.codec.in_units(weights.own) == pytest.approx(TRUTH, abs=0.01)
    assert weights.optimum is not None
    wanted = np.linalg.lstsq(np.insert(data.features("train"), 2, 1, 1), data.targets("train"), rcond=None)[0]
    assert weights.codec.in_units(weights.optimum) == pytest.approx(wanted, rel=1e-5)
    alone = counted(data).weights()
    assert alone is not None
    assert alone.codec.in_units(alone.own) == pytest.approx(wanted, rel=1e-5)
    assert alone.optimum is None


def test_gradients_come_to_newton() -> None:
    data = PointsData(kind="two", batch_size=700)
    made = fitted(data, NAMES["linear"], 150, rate=4.0)
    assert made.network.line().tolist() == pytest.approx(counted(data).network.line().tolist(), rel=1e-3)


def test_a_curve_needs_hidden_layers(tmp_path: Path) -> None:
    x = np.linspace(-2, 2, 200)
    (tmp_path / "f.csv").write_text("\n".join(f"{a},{a * a}" for a in x), encoding="utf-8")
    data = PointsData(str(tmp_path / "f.csv"))
    options = MLPRegressorOptions(hidden_size=16, activation="tanh")
    assert counted(data).evaluate(data, "test").measures["r2"] < 0.2
    made = fitted(data, options, 60, rate=0.1)
    assert made.evaluate(data, "test").measures["r2"] > 0.9
    assert made.weights() is None
    assert made.surface(data) is None
    assert made.sample(data) == ""


@pytest.mark.parametrize("kind", ["numbers", "two"])
def test_validation_measures_what_evaluate_does(kind: Any) -> None:
    data = PointsData(kind=kind)
    made = counted(data)
    report = made.evaluate(data, "val")
    quiet = dict.fromkeys(("enable_progress_bar", "logger"), False)
    (logged,) = pl.Trainer(**quiet, accelerator="cpu").validate(made, data, verbose=False)  # type: ignore[arg-type]
    assert {*report.measures} == ({"rmse", "r2"} if kind == "numbers" else {"accuracy", "log_loss"})
    for name, value in {**report.measures, "loss": report.loss}.items():
        assert logged[f"val/{name}"] == pytest.approx(value, rel=1e-5)


def test_measures_of_numbers_by_hand(tmp_path: Path) -> None:
    rows = [(1, 2), (2, 9), (3, 4), (4, 1), (5, 7)]
    (tmp_path / "f.csv").write_text("x,y\n" + "\n".join(f"{a},{b}" for a, b in rows), encoding="utf-8")
    data = PointsData(str(tmp_path / "f.csv"), val_fraction=0.0, test_fraction=0.0)
    made = counted(data)
    report = made.evaluate(data, "train", items=True)
    x, y = np.array(rows, float).T
    errors = y - np.polyval(np.polyfit(x, y, 1), x)
    assert report.measures["rmse"] == pytest.approx(math.sqrt(np.mean(errors**2)))
    assert report.measures["r2"] == pytest.approx(1 - (errors**2).sum() / ((y - y.mean()) ** 2).sum(), rel=1e-4)
    assert report.loss == pytest.approx(np.mean(errors**2) / y.var())
    assert report.items["squared_error"] == pytest.approx((errors**2).tolist())
    assert report.items["target"] == y.tolist()
    assert report.count == 5
    text = str(report)
    assert f"RMSE                {report.measures['rmse']:.4g}   [" in text
    assert " in units of y" in text
    assert text.splitlines()[-1].startswith("intercept")


def test_measures_of_two_values_by_hand() -> None:
    data = PointsData(kind="two")
    made = counted(data)
    report = made.evaluate(data, "test", items=True)
    slopes = made.weights()
    assert slopes is not None
    *weights, bias = slopes.codec.in_units(slopes.own)
    p = 1 / (1 + np.exp(-data.features("test") @ weights - bias))
    y = data.targets("test")
    nats = -np.log(np.where(y == 1, p, 1 - p))
    assert report.measures["log_loss"] == report.loss == pytest.approx(nats.mean(), rel=1e-5)
    assert report.measures["accuracy"] == pytest.approx(((p > 0.5) == (y == 1)).mean())
    assert report.items["nats"] == pytest.approx(nats.tolist(), rel=1e-3, abs=1e-6)
    assert report.items["probability"] == pytest.approx(np.maximum(p, 1 - p).tolist(), rel=1e-4)
    assert {*report.items["label"]} == {"red", "blue"} == {*report.items["predicted"]}
    low, high = report.intervals["accuracy"][1:]
    assert low is not None
    assert high is not None
    assert low < report.measures["accuracy"] < high


def test_r2_is_that_of_torchmetrics() -> None:
    generator = torch.Generator().manual_seed(0)
    said, wanted = torch.randn(2, 40, generator=generator, dtype=torch.float64) + 100
    metric = R2()
    for part in (slice(0, 7), slice(7, 40)):
        metric.update((said - wanted)[part].square(), wanted[part])
    expected = float(r2_score(said, wanted))
    assert float(metric.compute()) == pytest.approx(expected)
    columns = {"squared_error": (said - wanted).square().numpy(), "target": wanted.numpy()}
    weights = np.ones((2, 40))
    weights[1, :5] = 3
    twice = torch.arange(40).repeat_interleave(torch.tensor(weights[1]).long())
    assert of_r2(columns, weights) == pytest.approx([expected, float(r2_score(said[twice], wanted[twice]))])


@pytest.mark.parametrize(("error", "value"), [(0.0, 1.0), (1.0, 0.0)])
def test_r2_of_targets_that_are_the_same(error: float, value: float) -> None:
    metric = R2()
    metric.update(torch.full((3,), error), torch.full((3,), 0.1))
    assert float(metric.compute()) == value
    columns = {"squared_error": np.full(3, error), "target": np.full(3, 0.1)}
    assert of_r2(columns, np.ones((1, 3))).tolist() == [value]


def test_many_weights_are_not_all_printed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = (",".join(map(str, row)) for row in rng.normal(size=(60, 31)).tolist())
    (tmp_path / "f.csv").write_text("\n".join(rows), encoding="utf-8")
    lines = str(counted(PointsData(str(tmp_path / "f.csv"))).weights()).splitlines()
    assert len(lines) == SHOWN_WEIGHTS + 3
    assert lines[-2].startswith("intercept")
    assert lines[-1] == "and 10 features more"


def test_values_that_a_plane_parts_are_told(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("\n".join(f"{row},{int(row > 20)}" for row in range(40)), encoding="utf-8")
    data = PointsData(str(tmp_path / "f.csv"))
    (remark,) = counted(data).remarks({})
    assert remark.startswith(
        "A plane separates the two values, so that the weights grow without end without a penalty; --model"
    )
    assert counted(data, l2=0.1).remarks({}) == []


def test_predict_says_numbers_and_two_values() -> None:
    data, two = PointsData(), PointsData(kind="two")
    (first, second) = counted(data).predict(["1,2", "-0.5,0"])
    assert first.said["y"] == pytest.approx(2 - 6.8 + 4.2, abs=0.01)
    assert second.features == {"x1": -0.5, "x2": 0.0}
    assert str(second) == f"y {second.said['y']:.6g}"
    made = counted(two)
    sure, unsure = made.predict(["x2,x1", "2,-1", "0,0"])
    assert sure.said == {"y": "blue"}
    assert sure.probability is not None
    assert sure.probability > 0.99
    assert (unsure.said["y"], str(unsure)) == ("red", f"y red  {unsure.probability:.4f}")


def test_evaluate_refuses_other_data() -> None:
    with pytest.raises(UserError, match="^a regression is measured on points; give --data points$"):
        counted(PointsData()).evaluate(object(), "test")  # type: ignore[arg-type]


FIT = ("--data", "points", "--trainer.accelerator", "cpu", "--patience", "null")


def test_a_user_goes_through_it(verb: Command, here: Path) -> None:
    said = verb("fit", *FIT, "--trainer.max_epochs", "8", "--run", "r")
    assert said.code == 0, said.err
    assert "y                           weight   closed form" in said.out
    assert "The bar to beat, closed_form: validation RMSE 0.00" in said.out
    events = b"".join(path.read_bytes() for path in (here / "lightning_logs" / "r").glob("events*"))
    assert b"loss surface" in events
    checkpoint = "lightning_logs/r/checkpoints/best.ckpt"
    measured = verb("evaluate", checkpoint, "--figure", "f.png", "--items", "i.tsv")
    assert measured.code == 0, measured.err
    assert (here / "f.png").read_bytes().startswith(b"\x89PNG")
    assert len((here / "i.tsv").read_text(encoding="utf-8").splitlines()) == 201
    told = verb("predict", checkpoint, "-1,2")
    rows = [*csv.reader(io.StringIO(told.out))]
    assert rows[0] == ["x1", "x2", "y"]
    assert float(rows[1][2]) == pytest.approx(-2 - 6.8 + 4.2, abs=0.05)
    (again,) = seqlab.predict(checkpoint, "-1,2")
    assert str(again.said["y"]) == rows[1][2]
    (here / "new.csv").write_text("x2,x1,y\n1,1,0\n2,2,0\n", encoding="utf-8")
    assert len(verb("predict", checkpoint, "--input", "new.csv").out.splitlines()) == 3
    elsewhere = verb("evaluate", checkpoint, "--data.path", "new.csv")
    assert elsewhere.code == 0, elsewhere.err
    assert "new, whole" in elsewhere.out
    assert verb("export", checkpoint, "--output", "w.safetensors").code == 0


def test_it_goes_on_to_the_bit(verb: Command, here: Path) -> None:
    own = (*FIT, "--data.kind", "two", "--bar", "none", "--trainer.limit_train_batches", "9")
    assert verb("fit", *own, "--run", "whole", "--trainer.max_epochs", "2").code == 0
    assert verb("fit", *own, "--run", "parts", "--trainer.max_epochs", "1").code == 0
    assert verb("fit", "--ckpt_path", "last", "--run", "parts", "--trainer.max_epochs", "2").code == 0
    whole, parts = (torch.load(f"lightning_logs/{run}/checkpoints/last.ckpt") for run in ("whole", "parts"))
    assert all(torch.equal(whole["state_dict"][name], parts["state_dict"][name]) for name in whole["state_dict"])
    paths = [next(s["path"] for name, s in one["callbacks"].items() if "FitView" in name) for one in (whole, parts)]
    assert paths[0] == paths[1]
    assert len(paths[0]) == 19


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model", "gru"), "--model gru does not read --data points; it reads"),
        (("--data.colums", "x1"), "unknown option --data.colums: did you mean '--data.columns'?"),
        (("--data.target_column", "z"), "--data.columns and --data.target_column need a file; name one with"),
        (("--model", "closed_form", "--model.l2", "-1"), "--model.l2 -1.0 must be at least 0"),
        (
            ("--monitor", "val/accuracy"),
            "--monitor 'val/accuracy' is none of what validation measures: did you mean 'val/r2'?",
        ),
        (("--data.path", "none.csv"), "cannot read none.csv: no such file or directory"),
    ],
)
def test_refusals(refusal: Command, words: tuple[str, ...], message: str) -> None:
    assert refusal("fit", "--data", "points", *words).startswith(message)
