"""What the numbers that a forecaster reads stand for: columns, standard scores, steps of time."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scale:
    """Of each column of one series the mean and the standard deviation in the training part, in the column's units."""

    means: list[float]
    deviations: list[float]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Self:
        """That of values ``(steps, columns)``; a column that never changes has deviation 1."""
        deviations = values.std(0)
        return cls(values.mean(0).tolist(), np.where(deviations > 0, deviations, 1.0).tolist())

    @classmethod
    def none(cls, columns: int) -> Self:
        """The one that changes nothing."""
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
    """Between values in units and what a forecaster reads, and how a file of them is laid out.

    Args:
        columns: Names of what is forecast.
        known: Names of the columns that are known in advance.
        calendar: Features of the time, each a sine and a cosine: hour, weekday, month.
        history: Steps that a forecast reads.
        horizon: Steps that the network says at once.
        season: Steps of one season.
        step: From one row to the next, as ``Step.plain`` has it.
        time_column: Name of the column of the time; none where rows are numbered.
        id_column: Name of the column that says which series a row is of; none where there is one.
        timezone: Zone of the times, such as Europe/Berlin; none as they are written.
        scales: Scales of the columns, by the name of the series.
        known_scales: Of the columns known in advance, by the name of the series.
        errors: Mean absolute difference of the training part from its season before, in units, by the name of the
            series, one a column: what MASE divides by (Hyndman & Koehler 2006).
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
        """Columns that are forecast."""
        return len(self.columns)

    @property
    def features(self) -> int:
        """Numbers that are known in advance of each step."""
        return len(self.known) + 2 * len(self.calendar)

    @property
    def scaled(self) -> bool:
        """Whether what is read is in standard scores, not in units."""
        return any(scale != Scale.none(len(self.columns)) for scale in self.scales.values())

    @property
    def names(self) -> list[str]:
        """Of the series, in the order of their numbers."""
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
