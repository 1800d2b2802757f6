"""The report of ``evaluate`` for a forecaster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqlab.data.parts import Split
from seqlab.data.series import SeriesData
from seqlab.data.timeline import Step
from seqlab.metrics import Report
from seqlab.models.origins import Origin, table
from seqlab.text.series_codec import SeriesCodec

TITLES = {"mse": "MSE", "mae": "MAE", "smape": "sMAPE", "mase": "MASE", "crps": "CRPS", "coverage": "in 80%"}
"""Names of measures, and of the coverage of the interval."""
LEADS = (1, 4, 16, 64)
"""Steps ahead with printed errors, in addition to the last step."""
SHOWN_COLUMNS = 20
"""Most columns with printed errors in units."""


class Forecast(NamedTuple):
    """One step of a forecast.

    Args:
        series: Name of the series; None if there is only one.
        time: Time of the step as text.
        values: Value of each column, in its units.
        interval: Ends of the central 80% interval, ``NAME_low`` and ``NAME_high`` of each column; None for a model
            that forecasts values alone.
    """

    series: str | None
    time: str
    values: dict[str, float]
    interval: dict[str, float] | None = None

    def __str__(self) -> str:
        words = [*([self.series] if self.series else []), self.time]
        for name, value in self.values.items():
            ends = self.interval and [self.interval[f"{name}_{end}"] for end in ("low", "high")]
            words.append(f"{name} {value:.4g}" + (f" [{ends[0]:.4g} .. {ends[1]:.4g}]" if ends else ""))
        return "  ".join(words)


class Forecasted(NamedTuple):
    """Forecasts for the windows of a part, in order.

    Args:
        cost: Training loss of each window ``(windows,)``.
        measures: Measures of each window ``(windows,)``, by name.
        series: Number of each window's series ``(windows,)``.
        errors: Errors in standard scores ``(windows, steps, columns)``.
        crps: CRPS in standard scores ``(windows, steps, columns)``; None for a model that forecasts values alone.
        inside: Whether the truth lies in the central 80% interval, shaped like ``crps``.
    """

    cost: NDArray[np.float64]
    measures: Mapping[str, NDArray[np.float64]]
    series: NDArray[np.int64]
    errors: NDArray[np.float64]
    crps: NDArray[np.float64] | None = None
    inside: NDArray[np.bool_] | None = None

    @classmethod
    def joined(cls, parts: Sequence["Forecasted"]) -> "Forecasted":
        """The forecasts of several parts, concatenated."""
        first, *_ = parts
        measures = {name: np.concatenate([one.measures[name] for one in parts]) for name in first.measures}
        cost, series, errors = (
            np.concatenate([getattr(one, name) for one in parts]) for name in ("cost", "series", "errors")
        )
        if first.crps is None:
            return cls(cost, measures, series, errors)
        crps, inside = (np.concatenate([getattr(one, name) for one in parts]) for name in ("crps", "inside"))
        return cls(cost, measures, series, errors, crps, inside)

    def first(self, data: SeriesData, split: Split) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Forecasts and true values of the first column of the first series, both ``(windows, steps)``."""
        windows = data.windows(split, self.errors.shape[1])
        own = windows.only(np.flatnonzero(windows.series == windows.series[0]))
        came = own.batch(np.arange(len(own))).targets.double().numpy()[:, :, 0]
        return came + self.errors[: len(own), :, 0], came


class OfColumn(NamedTuple):
    """Errors of a column in its units: mean absolute error, and root mean squared error."""

    mae: float
    rmse: float


@dataclass(frozen=True, kw_only=True)
class ForecastingReport(Report):
    """Errors of forecasts, with every window counted once.

    Args:
        strategy: Strategy of the measures.
        step: Time from one row to the next.
        scaled: Whether MSE and MAE are in standard scores instead of units.
        by_step: Mean squared error of each step ahead in standard scores ``(steps,)``, by strategy.
        mae_by_step: Mean absolute error of each step ahead, with the strategy of the measures ``(steps,)``.
        columns: Errors of each column, by name.
        crps_by_step: CRPS of each step ahead, like ``by_step``, for a model that forecasts distributions.
        coverage_by_step: Coverage of the central 80% interval at each step ahead, like ``by_step``.
        origins: Results of each origin, if only some windows were forecast.
    """

    strategy: str
    step: str
    scaled: bool
    by_step: Mapping[str, NDArray[np.float64]]
    mae_by_step: NDArray[np.float64] = field(repr=False)
    columns: Mapping[str, OfColumn]
    crps_by_step: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    coverage_by_step: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    origins: Sequence[Origin] = ()

    WIDTH: ClassVar[int] = 20

    @property
    def mse(self) -> float:
        """Mean squared error in standard scores."""
        return self.measures["mse"]

    def rows(self) -> dict[str, str]:
        measures, unit = self.measures, "of standard scores" if self.scaled else "in units"
        spread = {}
        if self.strategy in self.crps_by_step:
            inside = self.coverage_by_step[self.strategy].mean()
            spread = {"CRPS": f"{measures['crps']:.4f} {unit}", "in 80% interval": f"{inside:.2%} of the truths"}
        return {
            "corpus": f"{self.corpus}, {self.split} part",
            "forecasts": f"{len(self.mae_by_step):,} steps ahead, {self.strategy} ({self.step})",
            "MSE": f"{measures['mse']:.4f} {unit}",
            "MAE": f"{measures['mae']:.4f} {unit}",
            "sMAPE": f"{measures['smape']:.2%}",
            "MASE": f"{measures['mase']:.3f} times the error of the season before, in training",
            **spread,
            "counted": f"{self.count:,} windows, each once",
            "time": f"{self.seconds:.1f} s, {self.count / self.seconds:,.0f} windows/s",
        }

    def __str__(self) -> str:
        lines = [super().__str__(), "", *self._of_steps("MSE by step ahead", self.by_step)]
        if self.crps_by_step:
            lines += ["", *self._of_steps("CRPS by step ahead", self.crps_by_step)]
            lines += ["", *self._of_steps("in 80% interval", self.coverage_by_step)]
        if self.origins:
            titles = {name: TITLES[name] for name in self.origins[0].measures}
            lines += ["", *table(self.origins, titles)]
        return "\n".join([*lines, "", *self._of_columns()])

    @property
    def leads(self) -> list[int]:
        """Steps ahead with printed errors."""
        last = len(self.mae_by_step)
        return [*(lead for lead in LEADS if lead < last), last]

    def _of_steps(self, title: str, found: Mapping[str, NDArray[np.float64]]) -> list[str]:
        leads = self.leads
        head = f"{title:<{self.WIDTH}}" + "".join(f"{lead:>9}" for lead in leads) + f"{'mean':>9}"
        lines = [head]
        for name, values in found.items():
            cells = [*(values[lead - 1] for lead in leads), values.mean()]
            lines.append(f"{name:<{self.WIDTH}}" + "".join(f"{cell:>9.4f}" for cell in cells))
        return lines

    def _of_columns(self) -> list[str]:
        width = max(self.WIDTH, *(len(name) + 2 for name in self.columns))
        lines = [f"{'in units':<{width}}{'MAE':>12}{'RMSE':>12}"]
        for name, one in [*self.columns.items()][:SHOWN_COLUMNS]:
            lines.append(f"{name:<{width}}{one.mae:>12.5g}{one.rmse:>12.5g}")
        if more := len(self.columns) - SHOWN_COLUMNS:
            lines += [f"and {more} columns more"] if more > 0 else []
        return lines


def report_of(
    codec: SeriesCodec,
    data: SeriesData,
    split: Split,
    found: Mapping[Any, Forecasted],
    own: str,
    items: bool,
    seconds: float,
    origins: NDArray[np.int64] | None = None,
) -> ForecastingReport:
    """The report of one part.

    Args:
        codec: Codec of the model.
        data: The series.
        split: Part of the data.
        found: Forecasts by strategy.
        own: The strategy of the measures.
        items: Whether the report also has results for each window.
        seconds: Wall time.
        origins: Numbers of the windows that were forecast, if they are not all windows of the part.
    """
    said = found[own]
    columns = _columns(data, split, said, origins) if items or origins is not None else {}
    deviations = np.array([codec.scales[name].deviations for name in codec.names])[said.series]
    units = said.errors * deviations[:, None]
    mae, rmse = np.abs(units).mean((0, 1)), np.sqrt(np.square(units).mean((0, 1)))
    return ForecastingReport(
        corpus=data.corpus_name,
        split=split,
        loss=float(said.cost.mean()),
        count=len(said.cost),
        seconds=seconds,
        measures={name: float(values.mean()) for name, values in said.measures.items()},
        items=columns if items else {},
        strategy=own,
        step=str(Step.from_plain(codec.step)),
        scaled=codec.scaled,
        by_step={name: np.square(one.errors).mean((0, 2)) for name, one in found.items()},
        mae_by_step=np.abs(said.errors).mean((0, 2)),
        columns={name: OfColumn(*pair) for name, pair in zip(codec.columns, zip(mae, rmse, strict=True), strict=True)},
        crps_by_step={name: one.crps.mean((0, 2)) for name, one in found.items() if one.crps is not None},
        coverage_by_step={name: one.inside.mean((0, 2)) for name, one in found.items() if one.inside is not None},
        origins=() if origins is None else _origins(columns),
    )


def _columns(
    data: SeriesData, split: Split, said: Forecasted, origins: NDArray[np.int64] | None
) -> dict[str, Sequence[Any]]:
    """The results of each window, by name."""
    every = data.times(split, said.errors.shape[1])
    numbers = [*range(len(every))] if origins is None else origins.tolist()
    names, times = zip(*(every[number] for number in numbers), strict=True)
    columns = {name: values.tolist() for name, values in said.measures.items()}
    if said.inside is not None:
        columns["coverage"] = said.inside.mean((1, 2)).tolist()
    return {"item": numbers, **columns, "series": names, "time": times}


def _origins(columns: Mapping[str, Sequence[Any]]) -> list[Origin]:
    measured = [name for name in TITLES if name in columns]
    rows = zip(*(columns[name] for name in measured), strict=True)
    each = zip(columns["series"], columns["time"], rows, strict=True)
    return [Origin(series, time, dict(zip(measured, row, strict=True))) for series, time, row in each]
