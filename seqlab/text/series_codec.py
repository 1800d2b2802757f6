"""Inputs and outputs of a forecaster: columns, standard scores, steps of time."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each column of one series in the training part, in the column's units."""

    means: list[float]
    deviations: list[float]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self:
        """The scale of values ``(steps, columns)``; a constant column has deviation 1."""
        deviations = values.std(0)
        return cls(values.mean(0).tolist(), np.where(deviations > 0, deviations, 1.0).tolist())

    @classmethod
    def none(cls, columns: int) -> Self:
        """The identity scale."""
        return cls([0.0] * columns, [1.0] * columns)

    def scaled(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Values ``(..., columns)`` in units as standard scores."""
        score: NDArray[np.float64] = (np.asarray(values, np.float64) - self.means) / self.deviations
        return score

    def unscaled(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Standard scores ``(..., columns)`` in units again."""
        values: NDArray[np.float64] = np.asarray(scores, np.float64) * self.deviations + self.means
        return values


@dataclass(frozen=True)
class SeriesCodec:
    """Codec between values in units and the inputs of a forecaster, with the layout of the file.

    Args:
        columns: Names of the columns to forecast.
        known: Names of the columns that are known in advance.
        calendar: Features of the time, each a sine and a cosine: hour, weekday, month.
        history: Steps that a forecast reads.
        horizon: Steps of one forecast.
        season: Steps of one season.
        step: Step from one row to the next, see ``Step.plain``.
        time_column: Name of the column of the time; None if rows are numbered.
        id_column: Name of the column with the name of each row's series; None for a single series.
        timezone: Time zone of the times, such as Europe/Berlin; None as in the file.
        scales: Scales of the columns, by the name of the series.
        known_scales: Scales of the columns known in advance, by the name of the series.
        errors: Divisors of MASE (Hyndman & Koehler 2006), by the name of the series, one per column: mean absolute
            difference of the training part from the season before, in units.
    """

    columns: list[str]
    known: list[str]
    calendar: list[str]
    history: int
    horizon: int
    season: int
    step: dict[str, Any]
    time_column: str | None
    id_column: str | None
    timezone: str | None
    scales: Mapping[str, Scale]
    known_scales: Mapping[str, Scale]
    errors: Mapping[str, Sequence[float]]

    @property
    def vocab_size(self) -> int:
        """Number of columns to forecast."""
        return len(self.columns)

    @property
    def features(self) -> int:
        """Number of features per step that are known in advance."""
        return len(self.known) + 2 * len(self.calendar)

    @property
    def scaled(self) -> bool:
        """Whether inputs are standard scores instead of units."""
        return any(scale != Scale.none(len(self.columns)) for scale in self.scales.values())

    @property
    def names(self) -> list[str]:
        """Names of the series, in the order of their numbers."""
        return [*self.scales]

    def state(self) -> dict[str, object]:
        """Plain values that ``from_state`` rebuilds this codec from."""
        plain = asdict(self)
        plain["errors"] = {name: list(values) for name, values in self.errors.items()}
        return {"kind": "series", **plain}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The codec that gave this state."""
        values = {name: value for name, value in state.items() if name != "kind"}
        for key in ("scales", "known_scales"):
            values[key] = {name: Scale(**scale) for name, scale in values[key].items()}
        return cls(**values)
