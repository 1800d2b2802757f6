"""What ``evaluate`` says of a forecaster."""

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
"""Of measures, and of how often the truth lay in the interval."""
LEADS = (1, 4, 16, 64)
"""Steps ahead whose errors are printed, beside the last one."""
SHOWN_COLUMNS = 20
"""Columns whose errors in units are printed."""


class Forecast(NamedTuple):
    """A step that was forecast.

    Args:
        series: Its name; none where there is one series.
        time: Time of the step, as times are written.
        values: Values of each column, in its units.
        interval: Ends of the central interval of 80%, ``NAME_low`` and ``NAME_high`` of each column; none of a model
            that says values alone.
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
    """What was said of the windows of a part, in their order.

    Args:
        cost: What training minimizes, of each window ``(windows,)``.
        measures: Measures of each window ``(windows,)``, by name.
        series: Number of each window's series ``(windows,)``.
        errors: In standard scores ``(windows, steps, columns)``.
        crps: In standard scores ``(windows, steps, columns)``; none of a model that says values alone.
        inside: Whether the truth lay in the central interval of 80%, as ``crps``.
    """

    cost: NDArray[np.float64]
    measures: Mapping[str, NDArray[np.float64]]
    series: NDArray[np.int64]
    errors: NDArray[np.float64]
    crps: NDArray[np.float64] | None = None
    inside: NDArray[np.bool_] | None = None

    @classmethod
    def joined(cls, parts: Sequence["Forecasted"]) -> "Forecasted":
        """What was said of the windows of several parts, one part after the other."""
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
        """What was said of the first column of the first series, and what came, both ``(windows, steps)``."""
        windows = data.windows(split, self.errors.shape[1])
        own = windows.only(np.flatnonzero(windows.series == windows.series[0]))
        came = own.batch(np.arange(len(own))).targets.double().numpy()[:, :, 0]
        return came + self.errors[: len(own), :, 0], came


class OfColumn(NamedTuple):
    """How far forecasts of a column are off, in its units: mean absolute error, and root of the mean squared one."""

    mae: float
    rmse: float


@dataclass(frozen=True, kw_only=True)
class ForecastingReport(Report):
    """How far forecasts are off, every window counted once.

    Args:
        strategy: By which the measures were reached.
        step: What lies between two rows.
        scaled: Whether MSE and MAE are of standard scores, not in units.
        by_step: Mean squared error of each step ahead in standard scores ``(steps,)``, by strategy.
        mae_by_step: Mean absolute error of each step ahead, of the strategy of the measures ``(steps,)``.
        columns: Columns of each column how far forecasts are off, by name.
        crps_by_step: As ``by_step`` the continuous ranked probability score, of a model that says distributions.
        coverage_by_step: As ``by_step`` how often the truth lay in the central interval of 80%.
        origins: What was reached from each origin, where only some windows were forecast.
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
        """Steps ahead whose errors are printed."""
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
        split: Part of them.
        found: What was said, by strategy.
        own: The strategy of the measures.
        items: Whether the report tells of each window too.
        seconds: Wall time.
        origins: Numbers of the windows that were forecast, where they are not all of the part.
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
    """What was reached on each window, by name."""
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
