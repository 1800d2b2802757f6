"""Forecasting: the past of a series in, its next values out."""

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.analysis.lags import Lags, worth_of_lags
from seqlab.data.data_module import DataModule
from seqlab.data.loader import Loader
from seqlab.data.parts import Split
from seqlab.data.series import SeriesData
from seqlab.data.series_input import Input, read_inputs
from seqlab.data.series_windows import EveryWindow, SeriesBatch, Windows
from seqlab.data.timeline import Step, written
from seqlab.decoding.rollout import Strategy, roll_out, strategies_for, strategy_for
from seqlab.errors import UserError
from seqlab.metrics import MeanLoss, Measure, ratio
from seqlab.models.forecasting_report import Forecast, Forecasted, ForecastingReport, report_of
from seqlab.models.model import Codecs, Model
from seqlab.models.window import Sums
from seqlab.nn.forecaster import Sizes
from seqlab.nn.ridge import Window
from seqlab.text.series_codec import SeriesCodec
from seqlab.views.forecasts import ForecastView, draw_forecasts, draw_leads

BLOCKS = 5
"""Blocks of time that the training windows of each series are cut into, where counting chooses something."""
SHOWN = 3
"""Steps that are shown when training ends."""
TOGETHER = 256
"""Windows that are counted at once."""
INSPECTED = 64
"""Windows by which lags are judged."""


def _mean(model: Any) -> MeanLoss:
    return MeanLoss()


class Forecaster(Model):
    """A model that forecasts series. Its codec is ``series``.

    A window is an item; its errors are means over the steps and the columns of its forecast, in standard scores, or for
    sMAPE and MASE in units.
    """

    task: ClassVar[str] = "forecasting"
    says: ClassVar[str] = "forecaster"
    unit: ClassVar[str] = "windows"
    loss_unit: ClassVar[str] = "squared error"
    predicts: ClassVar[str] = "csv"
    measures: Mapping[str, Measure] = {
        "mse": Measure("MSE", "{:.4f}", "lower", _mean, ratio("mse")),
        "mae": Measure("MAE", "{:.4f}", "lower", _mean, ratio("mae")),
        "smape": Measure("sMAPE", "{:.2%}", "lower", _mean, ratio("smape")),
        "mase": Measure("MASE", "{:.3f}", "lower", _mean, ratio("mase")),
    }

    @classmethod
    def network_of(cls, options: Any, codecs: Codecs) -> nn.Module:
        codec = codecs["series"]
        assert isinstance(codec, SeriesCodec)
        made: nn.Module = options.build(
            Sizes(codec.history, codec.horizon, len(codec.columns), codec.features, codec.season)
        )
        return made

    def build(self) -> nn.Module:
        made, codec = super().build(), self.series
        scales = [codec.scales[name] for name in codec.names]
        tables = {
            "means": [scale.means for scale in scales],
            "deviations": [scale.deviations for scale in scales],
            "seasonal_errors": [[*codec.errors[name]] for name in codec.names],
        }
        for name, rows in tables.items():
            self.register_buffer(name, torch.tensor(rows), persistent=False)
        return made

    @property
    def series(self) -> SeriesCodec:
        """Between values and standard scores."""
        return self.codec_named("series", SeriesCodec)

    def forward(self, history: Tensor, known: Tensor) -> Tensor:
        """The next steps ``(batch, horizon, columns)``.

        Args:
            history: ``(batch, history, columns)``.
            known: In advance ``(batch, history + horizon, features)``.
        """
        said: Tensor = self.network(history, known)
        return said

    def loss(self, batch: SeriesBatch, stage: str) -> Sums:
        said = self.network(batch.history, batch.known)[batch.valid]
        return Sums(self._cost(said, batch.targets[batch.valid]).sum(), batch.valid.sum())

    def _cost(self, said: Tensor, targets: Tensor) -> Tensor:
        """What training minimizes, of each window ``(windows,)``."""
        kind = getattr(self.options, "loss", "mse")
        costs = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.smooth_l1_loss}
        return costs[kind](said.float(), targets.float(), reduction="none").mean((1, 2))

    def errors(self, said: Tensor, targets: Tensor, series: Tensor) -> dict[str, Tensor]:
        """The measures of each window ``(windows,)``.

        Args:
            said: In standard scores ``(windows, steps, columns)``.
            targets: As ``said``.
            series: Number of each window's series ``(windows,)``.
        """
        error = (said.float() - targets.float()).abs()
        means, deviations, seasonal = (
            getattr(self, name)[series].unsqueeze(1) for name in ("means", "deviations", "seasonal_errors")
        )
        sizes = (said * deviations + means).abs() + (targets * deviations + means).abs()
        relative = torch.where(sizes > 0, 2 * error * deviations / sizes, 0.0)
        each = {"mse": error.square(), "mae": error, "smape": relative, "mase": error * deviations / seasonal}
        return {name: value.mean((1, 2)) for name, value in each.items()}

    def score(self, batch: SeriesBatch, metrics: Any, stage: str) -> None:
        said, targets = self.network(batch.history, batch.known)[batch.valid], batch.targets[batch.valid]
        found = {"loss": self._cost(said, targets), **self.errors(said, targets, batch.series[batch.valid])}
        for name, values in found.items():
            metrics[name].update(values.double().sum(), len(values))

    def count(self, data: DataModule) -> None:
        assert isinstance(data, SeriesData)
        windows = data.windows("train")
        each = [np.array_split(np.flatnonzero(windows.series == row), BLOCKS) for row in range(len(data.series))]
        blocks = (np.concatenate(rows) for rows in zip(*each, strict=True))
        self.network.count([self._windows(windows.only(rows)) for rows in blocks])

    def _windows(self, windows: Windows) -> Iterator[Window]:
        for batch in Loader(EveryWindow(windows, TOGETHER)) if len(windows) else ():
            yield Window(*self._placed(batch.history, batch.known, batch.targets))

    def _placed(self, *parts: Tensor) -> list[Tensor]:
        """Them where the model is, and numbers as precise as it is."""
        return [part.to(self.device, self.dtype if part.is_floating_point() else None) for part in parts]

    @torch.inference_mode()
    def evaluate(
        self,
        data: DataModule,
        split: Split = "test",
        items: bool = False,
        *,
        strategy: Literal["one_step", "recursive", "direct", "direct_recursive", "all"] | None = None,
        horizon: int | None = None,
        figure: str | None = None,
    ) -> ForecastingReport:
        """How far its forecasts of one part are off, every window once.

        Args:
            data: The series, with this model's codec.
            split: Part of them.
            items: Whether the report tells of each window too.
            strategy: one_step (each from the true values before), recursive, direct, direct_recursive, or all of them
                in one table; direct as far as the model reaches, else by what it says at once, if not given.
            horizon: Steps to forecast; as many as the model was trained for if not given.
            figure: PNG file of forecasts 1, 4, 16, 64 and horizon steps ahead, and of how errors grow.
        """
        if not isinstance(data, SeriesData):
            raise UserError("a forecaster is measured on series; give --data series or the name of some")
        if horizon is not None and horizon < 1:
            raise UserError(f"horizon {horizon} must be a whole number of at least 1")
        steps = horizon or self.series.horizon
        own = strategy_for(steps, self.series.horizon) if strategy is None or strategy == "all" else strategy
        wanted = strategies_for(steps, self.series.horizon) if strategy == "all" else [own]
        started, training = time.monotonic(), self.training
        self.eval()
        try:
            found = {one: self._forecasted(data, split, steps, one) for one in wanted}
        finally:
            self.train(training)
        report = report_of(self.series, data, split, found, own, items, time.monotonic() - started)
        if figure is not None:
            draw_leads(*found[own].first(data, split), report.leads, report.by_step, Path(figure))
        return report

    def _forecasted(self, data: SeriesData, split: Split, steps: int, strategy: Strategy) -> Forecasted:
        """What was said of every window of a part."""
        rows: list[list[Tensor]] = []
        for batch in data.evaluation_loader(split, steps):
            own = SeriesBatch(*self._placed(*batch))
            said = roll_out(self.network, own.history, own.known, steps, strategy, own.targets)
            errors = self.errors(said, own.targets, own.series)
            cost = self._cost(said, own.targets)
            parts = own.items, cost, *errors.values(), own.series, said - own.targets
            rows.append([part[own.valid].cpu() for part in parts])
        items, cost, *measured, series, error = (torch.cat(parts) for parts in zip(*rows, strict=True))
        order = items.argsort()
        columns = {name: values[order].double().numpy() for name, values in zip(self.measures, measured, strict=True)}
        return Forecasted(cost[order].double().numpy(), columns, series[order].numpy(), error[order].double().numpy())

    def predict(
        self,
        inputs: Iterable[str],
        *,
        steps: int | None = None,
        strategy: Literal["recursive", "direct", "direct_recursive"] | None = None,
        figure: str | None = None,
    ) -> Iterator[Forecast]:
        """What follows the rows of a CSV file, a value of each column a step.

        Args:
            inputs: The lines of the file; rows at its end without values tell what is known in advance.
            steps: To forecast; as many as the model was trained for if not given.
            strategy: recursive, direct or direct_recursive; direct as far as the model reaches, else direct_recursive,
                if not given.
            figure: PNG file of the history and the forecast.
        """
        steps = self.series.horizon if steps is None else steps
        if steps < 1:
            raise UserError(f"steps {steps} must be a whole number of at least 1")
        chosen = strategy or strategy_for(steps, self.series.horizon)
        read = read_inputs(list(inputs), self.series, steps)
        said = [self._said(one, steps, chosen) for one in read]
        if figure is not None:
            draw_forecasts(read, said, self.series.columns, Path(figure))
        for one, values in zip(read, said, strict=True):
            for when, row in zip(one.ahead, values.tolist(), strict=True):
                rounded = (float(f"{value:.7g}") for value in row)  # what float32 holds
                yield Forecast(one.name or None, written(when), dict(zip(self.series.columns, rounded, strict=True)))

    @torch.inference_mode()
    def _said(self, one: Input, steps: int, strategy: Strategy) -> np.ndarray[Any, Any]:
        """A forecast in units ``(steps, columns)``."""
        training = self.training
        self.eval()
        try:
            history, known = self._placed(*(torch.from_numpy(part).unsqueeze(0) for part in (one.history, one.known)))
            said = roll_out(self.network, history, known, steps, strategy)[0]
        finally:
            self.train(training)
        return self.series.scales[one.name].unscaled(said.cpu().numpy())

    def inspect(self, data: Any, *, split: Split = "val", lags: int = 12) -> Lags:
        """What each lag is worth: how much the forecast changes where a value of the history does.

        Args:
            data: Gives the series that it was trained on.
            split: Part whose windows are looked at, some of them, evenly spread.
            lags: Of those that are worth most, how many to list.
        """
        windows = data().windows(split)
        if not len(windows):
            raise UserError(f"the {split} part has no window; choose another --split")
        batch = _spread(windows, INSPECTED)
        history, known = self._placed(batch.history, batch.known)
        return worth_of_lags(self.network, history, known, self.run, lags)

    def shown(self, data: SeriesData, split: Split, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """A few windows of a part evenly spread over it: history, forecast and what came, each ``(count, steps,
        columns)``, in standard scores."""
        batch, training = _spread(data.windows(split), count), self.training
        self.eval()
        try:
            with torch.inference_mode():
                said = self.network(*self._placed(batch.history, batch.known)).cpu()
        finally:
            self.train(training)
        return batch.history, said, batch.targets

    def views(self, data: DataModule, folder: Path, pictures: bool) -> list[pl.Callback]:
        return [ForecastView(pictures)]

    def sample(self, data: DataModule) -> str:
        assert isinstance(data, SeriesData)
        found = [*self.predict(data.inputs("test" if data.has("test") else "train"))][:SHOWN]
        step = Step.from_plain(self.series.step)
        return "\n".join(f"after the last step ({step}): {one}" for one in found)


def _spread(windows: Windows, count: int) -> SeriesBatch:
    """A few windows, evenly spread over all."""
    return windows.batch(np.linspace(0, len(windows) - 1, min(count, len(windows))).astype(np.int64))
