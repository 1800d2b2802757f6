"""Regression: a row of numbers in, a number or one of two values out."""

import shlex
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from seqlab.analysis.loss_surface import Plane, Surface, loss_surface
from seqlab.data.data_module import DataModule
from seqlab.data.parts import Split
from seqlab.data.points import PointsData
from seqlab.data.points_batches import PointsBatch
from seqlab.data.points_input import read_inputs
from seqlab.errors import UserError
from seqlab.metrics import MeanLoss, Measure, ratio
from seqlab.models.fit_scores import R2, RootMean, of_r2
from seqlab.models.model import Model
from seqlab.models.regression_report import RegressionReport, Said, Weights
from seqlab.models.window import Sums
from seqlab.nn.closed_form import ClosedForm, optimum
from seqlab.nn.evaluating import evaluating
from seqlab.text.points_codec import PointsCodec
from seqlab.views.fits import FitView, Shown, draw_both

Floats = NDArray[np.float64]

NUMBERS: Mapping[str, Measure] = {
    "rmse": Measure("RMSE", "{:.4g}", "lower", lambda model: RootMean(), ratio("squared_error", finish=np.sqrt)),
    "r2": Measure("R2", "{:.4f}", "higher", lambda model: R2(), of_r2),
}
"""Measures of a numeric target: root mean squared error in its units, and R2 (explained share of the variance)."""
TWO: Mapping[str, Measure] = {
    "accuracy": Measure("accuracy", "{:.2%}", "higher", lambda model: MeanLoss(), ratio("correct")),
    "log_loss": Measure("log loss", "{:.4f}", "lower", resampled=ratio("nats"), of_loss=float),
}
"""Measures of a target of two values."""


class Regressor(Model):
    """A linear or logistic regression, or a network for the same task. Its codec is ``points``.

    A row is an item. The loss is the squared error in standard scores for a number, and the cross-entropy in nats for
    two values.

    Attributes:
        optimum: Weights of the linear model at the optimum of the training part, then its bias ``(features + 1,)``;
            zero before training and for a network that is not linear.
    """

    task: ClassVar[str] = "regression"
    says: ClassVar[str] = "regression"
    unit: ClassVar[str] = "rows"
    loss_unit: ClassVar[str] = "squared error or nats per row"
    predicts: ClassVar[str] = "csv"
    measures: Mapping[str, Measure] = {**NUMBERS, **TWO}
    optimum: Tensor

    def build(self) -> nn.Module:
        self.measures = TWO if self.two else NUMBERS
        self.register_buffer("optimum", torch.zeros(self.points.vocab_size + 1))
        return super().build()

    @property
    def points(self) -> PointsCodec:
        """The codec between rows in units and standard scores."""
        return self.codec_named("points", PointsCodec)

    @property
    def two(self) -> bool:
        """Whether the target is one of two values."""
        return self.points.classes is not None

    def forward(self, features: Tensor) -> Tensor:
        """Features ``(batch, features)`` -> the target, or the log-odds of its second value ``(batch,)``."""
        said: Tensor = self.network(features)
        return said

    def loss(self, batch: PointsBatch, stage: str) -> Sums:
        said = self.network(batch.features[batch.valid])
        return Sums(self._costs(said, batch.targets[batch.valid]).sum(), batch.valid.sum())

    def _costs(self, said: Tensor, targets: Tensor) -> Tensor:
        """Loss of each row ``(rows,)``, at least in float32."""
        said = said if said.dtype == torch.float64 else said.float()
        if self.two:
            return F.binary_cross_entropy_with_logits(said, targets.to(said.dtype), reduction="none")
        return (said - targets).square()

    def score(self, batch: PointsBatch, metrics: Any, stage: str) -> None:
        said, targets = self.network(batch.features[batch.valid]), batch.targets[batch.valid]
        costs = self._costs(said, targets).double()
        metrics["loss"].update(costs.sum(), len(costs))
        if self.two:
            metrics["accuracy"].update(((said > 0) == (targets > 0)).double().sum(), len(costs))
        else:
            metrics["rmse"].update(costs.sum() * self.points.deviation**2, len(costs))
            metrics["r2"].update(costs, targets)

    def on_fit_start(self) -> None:
        super().on_fit_start()
        data = getattr(self.trainer, "datamodule", None)
        if self.network.line() is not None and isinstance(data, PointsData):
            points = data.points("train")
            found = optimum(torch.from_numpy(points.features), torch.from_numpy(points.targets), self.two)
            self.optimum.copy_(found.weights)

    def count(self, data: DataModule) -> None:
        assert isinstance(data, PointsData)
        points = data.points("train")
        self.network.count(torch.from_numpy(points.features), torch.from_numpy(points.targets), self.two)

    def remarks(self, measured: Mapping[str, float]) -> list[str]:
        network = self.network
        if isinstance(network, ClosedForm) and network.l2 is None and float(network.penalty):
            return [
                "A plane separates the two values, so that the weights grow without end without a penalty; --model.l2 "
                f"{float(network.penalty):g} was used."
            ]
        return []

    def weights(self) -> Weights | None:
        """The weights of a linear network, in the units of the file; None for other networks."""
        line = self.network.line()
        if line is None:
            return None
        best = self.optimum.cpu().double().numpy() if self.optimum.any() and self.options.by_gradients else None
        return Weights(self.points, line.detach().cpu().double().numpy(), best)

    @torch.inference_mode()
    def evaluate(
        self, data: DataModule, split: Split = "test", items: bool = False, *, figure: str | None = None
    ) -> RegressionReport:
        """Measures the errors on one part, with every row once.

        Args:
            data: The points, with this model's codec.
            split: Part of the data.
            items: Whether the report also has results for each row.
            figure: PNG file of the fit, and for a linear model of the surface of its training loss.
        """
        if not isinstance(data, PointsData):
            raise UserError("a regression is measured on points; give --data points")
        self.check_finite()
        started, rows = time.monotonic(), []
        with evaluating(self):
            for batch in data.evaluation_loader(split):
                own = PointsBatch(*(part.to(self.device) for part in batch))
                said = self.network(own.features)
                costs = self._costs(said, own.targets)
                rows.append([part[own.valid].cpu().double() for part in (own.items, costs, said)])
        numbers, costs, said = (torch.cat(parts) for parts in zip(*rows, strict=True))
        order = numbers.argsort()
        columns = self._columns(data.targets(split), costs[order].numpy(), said[order].numpy())
        values = {name: np.asarray(column) for name, column in columns.items()}
        whole, seconds = np.ones((1, len(order))), time.monotonic() - started
        resampled = {name: one.resampled for name, one in self.measures.items() if one.resampled is not None}
        if figure is not None:
            draw_both(self.shown(data, split), self.surface(data), Path(figure))
        return RegressionReport(
            corpus=data.corpus_name,
            split=split,
            loss=float(costs.mean()),
            count=len(order),
            seconds=seconds,
            measures={name: float(measure(values, whole)[0]) for name, measure in resampled.items()},
            items=columns if items else {},
            target=self.points.target,
            columns=columns,
            resampled=self.measures,
            weights=self.weights(),
        )

    def _columns(self, targets: Floats, costs: Floats, said: Floats) -> dict[str, list[Any]]:
        """The results of each row, by name."""
        numbers = [*range(len(targets))]
        if (classes := self.points.classes) is None:
            squared, values = costs * self.points.deviation**2, self._unscaled(said)
            named = {"squared_error": squared, "target": targets, "predicted": values}
            return {"item": numbers, **{name: column.tolist() for name, column in named.items()}}
        chosen, likely = (said > 0).astype(np.int64), 1 / (1 + np.exp(-np.abs(said)))
        return {
            "item": numbers,
            "correct": (chosen == targets).astype(np.int64).tolist(),
            "nats": costs.tolist(),
            "label": [classes[int(value)] for value in targets],
            "predicted": [classes[value] for value in chosen],
            "probability": likely.tolist(),
        }

    def _unscaled(self, said: Floats) -> Floats:
        return self.points.target_scale.unscaled(said[:, None])[:, 0]

    @torch.inference_mode()
    def _said(self, features: Floats) -> Floats:
        """Predictions ``(rows,)`` from features in units ``(rows, features)``."""
        with evaluating(self):
            scores = torch.from_numpy(self.points.scale.scaled(features)).to(self.device, self.dtype)
            said: Floats = self.network(scores).cpu().double().numpy()
        return said

    def predict(self, inputs: Iterable[str]) -> Iterator[Said]:
        """Predicts the target of each of several rows.

        Args:
            inputs: Rows of features separated by commas; or a line of names and rows of a table with the features.
        """
        self.check_finite()
        features = read_inputs(list(inputs), self.points)
        said, target, classes = self._said(features), self.points.target, self.points.classes
        values = self._unscaled(said)
        for row, log_odds, value in zip(features.tolist(), said.tolist(), values.tolist(), strict=True):
            given = dict(zip(self.points.columns, row, strict=True))
            if classes is None:
                yield Said(given, {target: float(f"{value:.7g}")})
            else:
                yield Said(given, {target: classes[log_odds > 0]}, float(f"{1 / (1 + np.exp(-abs(log_odds))):.7g}"))

    def shown(self, data: PointsData, split: Split) -> Shown:
        """The points of a part and their predictions, for a figure."""
        codec = self.points

        def say(features: Floats) -> Floats:
            said = self._said(features)
            return self._unscaled(said) if codec.classes is None else 1 / (1 + np.exp(-said))

        part = {"train": "training", "val": "validation", "test": "test"}[split]
        return Shown(data.features(split), data.targets(split), codec.columns, codec.target, codec.classes, part, say)

    def plane(self) -> Plane:
        """The two weights of the loss surface: the first two, or the only weight and the bias."""
        codec = self.points
        units = [codec.deviation / one for one in codec.scale.deviations]
        slope = "slope" if codec.classes is None else "log-odds per unit"
        if codec.vocab_size > 1:
            first, second = (f"{slope} of {name}" for name in codec.columns[:2])
            return Plane((0, 1), (first, second), (units[0], units[1]), (0.0, 0.0))
        said = codec.target if codec.classes is None else f"log-odds of {codec.classes[1]}"
        name, mean = codec.columns[0], codec.scale.means[0]
        labels = f"{slope} of {name}", f"{said} where {name} is {mean:.4g}"
        return Plane((0, 1), labels, (units[0], codec.deviation), (0.0, codec.target_scale.means[0]))

    def on_plane(self) -> Tensor | None:
        """Current values of the two weights of ``plane`` ``(2,)``; None for a network that is not linear."""
        line = self.network.line()
        return None if line is None else cast(Tensor, line).detach()[[*self.plane().places]].cpu()

    def surface(self, data: PointsData, path: Floats | None = None) -> Surface | None:
        """The surface of the training loss around the optimum; None for a network that is not linear.

        Args:
            data: The training corpus.
            path: Values of the two weights over training ``(steps, 2)``; their current values if not given.
        """
        line, now = self.network.line(), self.on_plane()
        if line is None or now is None:
            return None
        best = (self.optimum if self.optimum.any() else line.detach()).cpu().double().numpy()
        features, targets = (part.astype(np.float64) for part in data.points("train"))
        steps = now.double().numpy()[None] if path is None else path
        return loss_surface(features, targets, self.two, best, self.plane(), steps)

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        return [FitView(pictures)]

    def sample(self, data: DataModule) -> str:
        weights = self.weights()
        return "" if weights is None else str(weights)

    def command(self, data: DataModule, checkpoint: str) -> str:
        row = data.inputs(data.watched_part)[0]
        return f"python -m seqlab.predict {checkpoint} {shlex.quote(row)}"
