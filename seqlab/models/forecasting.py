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
from seqlab.decoding.rollout import (
    PATHS,
    Strategy,
    check_paths,
    forecast,
    strategies_for,
    strategy_for,
)
from seqlab.errors import UserError
from seqlab.metrics import MeanLoss, Measure, ratio
from seqlab.models.forecasting_report import Forecast, Forecasted, ForecastingReport, report_of
from seqlab.models.model import Codecs, Model
from seqlab.models.origins import check_origins, evenly, from_origins
from seqlab.models.window import Sums
from seqlab.nn.distributions import INTERVAL, Samples
from seqlab.nn.evaluating import evaluating
from seqlab.nn.forecaster import Sizes
from seqlab.nn.ridge import Window
from seqlab.text.series_codec import SeriesCodec
from seqlab.views.forecasts import ForecastView, Said, draw_forecasts, draw_leads

BLOCKS = 5
"""Number of blocks of time for cross-validation over the training windows of each series."""
SHOWN = 3
"""Steps to show at the end of training."""
TOGETHER = 256
"""Windows to count at once."""
INSPECTED = 64
"""Number of windows that measure the effect of lags."""


def _mean(model: Any) -> MeanLoss:
    return MeanLoss()


CRPS = Measure("CRPS", "{:.4f}", "lower", _mean, ratio("crps"))
"""Continuous ranked probability score, for models that forecast distributions."""


class Forecaster(Model):
    """A model that forecasts series. Its codec is ``series``.

    A window is an item. Its errors are means over the steps and columns of its forecast, in standard scores; sMAPE and
    MASE are computed in units.
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
        if made.distribution is not None:
            self.measures = {**type(self).measures, "crps": CRPS}
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
        """The codec between values and standard scores."""
        return self.codec_named("series", SeriesCodec)

    def forward(self, history: Tensor, known: Tensor) -> Tensor:
        """The next steps ``(batch, horizon, columns)``.

        Args:
            history: ``(batch, history, columns)``.
            known: Known features ``(batch, history + horizon, features)``.
        """
        said: Tensor = self.network(history, known)
        return said

    def loss(self, batch: SeriesBatch, stage: str) -> Sums:
        told = self.network.told(batch.history, batch.known)[batch.valid]
        return Sums(self._cost(told, batch.targets[batch.valid]).sum(), batch.valid.sum())

    def _cost(self, told: Tensor, targets: Tensor) -> Tensor:
        """Training loss of each window ``(windows,)``.

        Args:
            told: Full forecast of the network ``(windows, steps, columns, parts)``.
            targets: ``(windows, steps, columns)``.
        """
        if (spread := self.network.distribution) is not None:
            of_each: Tensor = spread.cost(told.float(), targets.float())
            return of_each.mean((1, 2))
        said = self.network.said.point(told)
        kind = getattr(self.options, "loss", "mse")
        costs = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.smooth_l1_loss}
        return costs[kind](said.float(), targets.float(), reduction="none").mean((1, 2))

    def errors(self, said: Tensor, targets: Tensor, series: Tensor) -> dict[str, Tensor]:
        """The measures of each window ``(windows,)``.

        Args:
            said: Forecasts in standard scores ``(windows, steps, columns)``.
            targets: True values, like ``said``.
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
        told, targets = self.network.told(batch.history, batch.known)[batch.valid], batch.targets[batch.valid]
        said = self.network.said.point(told)
        found = {"loss": self._cost(told, targets), **self.errors(said, targets, batch.series[batch.valid])}
        if (spread := self.network.distribution) is not None:
            found["crps"] = spread.crps(told.float(), targets.float()).mean((1, 2))
        for name, values in found.items():
            metrics[name].update(values.double().sum(), len(values))

    def count(self, data: DataModule) -> None:
        assert isinstance(data, SeriesData)
        self._count(self.network, data.windows("train"))
        if self.network.distribution is not None:
            unseen = self._windows(data.windows(data.watched_part))
            with torch.no_grad():
                errors = [one.targets - self.network(one.history, one.known) for one in unseen]
            self.network.calibrate(torch.cat(errors))

    def _count(self, network: Any, windows: Windows) -> None:
        """Fits a network in closed form."""
        each = [np.array_split(np.flatnonzero(windows.series == row), BLOCKS) for row in range(len(windows.values))]
        blocks = (np.concatenate(rows) for rows in zip(*each, strict=True))
        network.count([self._windows(windows.only(rows)) for rows in blocks])

    def _windows(self, windows: Windows) -> Iterator[Window]:
        for batch in Loader(EveryWindow(windows, TOGETHER)) if len(windows) else ():
            yield Window(*self._placed(batch.history, batch.known, batch.targets))

    def _placed(self, *parts: Tensor) -> list[Tensor]:
        """The tensors on the model's device, with numbers in the model's dtype."""
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
        origins: int | None = None,
        refit: bool = False,
        paths: int = PATHS,
        seed: int = 0,
        figure: str | None = None,
    ) -> ForecastingReport:
        """Measures the forecasts of one part, with every window once.

        Args:
            data: The series, with this model's codec.
            split: Part of the data.
            items: Whether the report also has results for each window.
            strategy: one_step (each step from the true values before it), recursive, direct, direct_recursive, or all
                (one table); if not given, direct up to the model's horizon, otherwise direct_recursive.
            horizon: Steps to forecast; the horizon of training if not given.
            origins: Number of forecast origins, evenly spread over the part, each with a row; all if not given.
            refit: Whether to refit a closed-form model to all data before each origin (its quantiles stay).
            paths: Random futures per window, if a forecast distribution is fed back step by step.
            seed: Seed of the random futures.
            figure: PNG file of forecasts 1, 4, 16, 64 and horizon steps ahead, and of the growth of errors.
        """
        if not isinstance(data, SeriesData):
            raise UserError("a forecaster is measured on series; give --data series or the name of some")
        if horizon is not None and horizon < 1:
            raise UserError(f"horizon {horizon} must be a whole number of at least 1")
        check_paths(paths)
        check_origins(origins, refit, figure, self.name if self.options.by_gradients else None)
        steps = horizon or self.series.horizon
        own = strategy_for(steps, self.series.horizon) if strategy is None or strategy == "all" else strategy
        wanted = strategies_for(steps, self.series.horizon) if strategy == "all" else [own]
        started = time.monotonic()
        with evaluating(self):
            chosen, parts = None, [(self.network, data.evaluation_loader(split, steps))]
            if origins is not None:
                windows = data.windows(split, steps)
                chosen = evenly(windows, origins)
                parts = from_origins(data, windows.only(chosen), self.network, self._count if refit else None)
            found = {
                one: Forecasted.joined([self._forecasted(*part, steps, one, paths, seed) for part in parts])
                for one in wanted
            }
        report = report_of(self.series, data, split, found, own, items, time.monotonic() - started, chosen)
        if figure is not None:
            draw_leads(*found[own].first(data, split), report.leads, report.by_step, Path(figure))
        return report

    def _forecasted(
        self, network: Any, batches: Iterable[SeriesBatch], steps: int, strategy: Strategy, paths: int, seed: int
    ) -> Forecasted:
        """The forecasts of a network for windows, in order."""
        rows: list[list[Tensor]] = []
        draws = torch.Generator(self.device).manual_seed(seed)
        for batch in batches:
            own = SeriesBatch(*self._placed(*batch))
            asked = own.history, own.known, steps, strategy
            said, told = forecast(network, *asked, truth=own.targets, paths=paths, generator=draws)
            errors = self.errors(said, own.targets, own.series)
            if told is None:
                cost, spread = self._cost(said.unsqueeze(-1), own.targets), []
            else:
                low, high = (told.kind.quantile(told.numbers, end) for end in INTERVAL)
                spread = [told.crps(own.targets), (low <= own.targets) & (own.targets <= high)]
                errors["crps"] = spread[0].mean((1, 2))
                fed_back = isinstance(told.kind, Samples)  # samples have no likelihood
                cost = errors["crps"] if fed_back else self._cost(told.numbers, own.targets)
            parts = own.items, cost, *errors.values(), own.series, said - own.targets, *spread
            rows.append([part[own.valid].cpu() for part in parts])
        each = [torch.cat(parts) for parts in zip(*rows, strict=True)]
        _, cost, *measured = (part[each[0].argsort()] for part in each)
        columns = {name: values.double().numpy() for name, values in zip(self.measures, measured, strict=False)}
        series, error, *spread = measured[len(self.measures) :]
        crps, inside = (spread[0].double().numpy(), spread[1].numpy()) if spread else (None, None)
        return Forecasted(cost.double().numpy(), columns, series.numpy(), error.double().numpy(), crps, inside)

    def predict(
        self,
        inputs: Iterable[str],
        *,
        steps: int | None = None,
        strategy: Literal["recursive", "direct", "direct_recursive"] | None = None,
        paths: int = PATHS,
        seed: int = 0,
        figure: str | None = None,
    ) -> Iterator[Forecast]:
        """Forecasts the steps after the rows of a CSV file, one value per column and step.

        Args:
            inputs: The lines of the file; last rows without values give the known columns of the next steps.
            steps: Steps to forecast; the horizon of training if not given.
            strategy: recursive, direct or direct_recursive; if not given, direct up to the model's horizon, otherwise
                direct_recursive.
            paths: Random futures, if a forecast distribution is fed back step by step.
            seed: Seed of the random futures.
            figure: PNG file of the history and the forecast, with the interval of a forecast distribution.
        """
        check_paths(paths)
        steps = self.series.horizon if steps is None else steps
        if steps < 1:
            raise UserError(f"steps {steps} must be a whole number of at least 1")
        chosen = strategy or strategy_for(steps, self.series.horizon)
        read = read_inputs(list(inputs), self.series, steps)
        draws = torch.Generator(self.device).manual_seed(seed)
        said = [self._said(one, steps, chosen, paths, draws) for one in read]
        if figure is not None:
            draw_forecasts(read, said, self.series.columns, Path(figure))
        for one, (values, ends) in zip(read, said, strict=True):
            for step, when in enumerate(one.ahead):
                interval = None
                if ends is not None:
                    interval = self._named(ends[0][step], "_low") | self._named(ends[1][step], "_high")
                yield Forecast(one.name or None, written(when), self._named(values[step]), interval)

    def _named(self, row: np.ndarray[Any, Any], behind: str = "") -> dict[str, float]:
        """Values of a step by column name, rounded to the precision of float32."""
        rounded = (float(f"{value:.7g}") for value in row.tolist())
        return {f"{name}{behind}": value for name, value in zip(self.series.columns, rounded, strict=True)}

    @torch.inference_mode()
    def _said(self, one: Input, steps: int, strategy: Strategy, paths: int, draws: torch.Generator) -> Said:
        """A forecast in units, and the ends of its interval if the model forecasts distributions."""
        scale = self.series.scales[one.name]
        with evaluating(self):
            history, known = self._placed(*(torch.from_numpy(part).unsqueeze(0) for part in (one.history, one.known)))
            said, told = forecast(self.network, history, known, steps, strategy, paths=paths, generator=draws)
        value = scale.unscaled(said[0].cpu().numpy())
        if told is None:
            return value, None
        low, high = (scale.unscaled(told.kind.quantile(told.numbers, end)[0].cpu().numpy()) for end in INTERVAL)
        return value, (low, high)

    def inspect(self, data: Any, *, split: Split = "val", lags: int = 12) -> Lags:
        """Measures the effect of each lag: how much the forecast changes with a value of the history.

        Args:
            data: The series that the model was trained on.
            split: Part from which some windows, evenly spread, are taken.
            lags: Number of lags to list, the most important first.
        """
        windows = data().windows(split)
        if not len(windows):
            raise UserError(f"the {split} part has no window; choose another --split")
        batch = _spread(windows, INSPECTED)
        history, known = self._placed(batch.history, batch.known)
        return worth_of_lags(self.network, history, known, self.run, lags)

    def shown(self, data: SeriesData, split: Split, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """A few windows, evenly spread over a part: history, forecast and true values, each ``(count, steps,
        columns)``, in standard scores."""
        batch = _spread(data.windows(split), count)
        with torch.inference_mode(), evaluating(self):
            said = self.network(*self._placed(batch.history, batch.known)).cpu()
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
