"""The report of ``evaluate`` for a regression, and its weights in the units of the file."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqlab.models.resampled_report import ResampledReport
from seqlab.text.points_codec import PointsCodec

SHOWN_WEIGHTS = 20
"""Most features with printed weights."""


class Said(NamedTuple):
    """Prediction for a row.

    Args:
        features: Features of the row by name, in units.
        said: The predicted target by its name: a number, or one of two values.
        probability: Probability of that value; None for a number.
    """

    features: dict[str, float]
    said: dict[str, float | str]
    probability: float | None = None

    def __str__(self) -> str:
        ((name, value),) = self.said.items()
        if self.probability is None:
            return f"{name} {value:.6g}"
        return f"{name} {value}  {self.probability:.4f}"


@dataclass(frozen=True)
class Weights:
    """The weights of a linear model in the units of the file, and the weights at the optimum.

    Args:
        codec: Codec of the points.
        own: Weights in standard scores, then the bias ``(features + 1,)``.
        optimum: The same at the optimum of the training part; None if unknown.
    """

    codec: PointsCodec
    own: NDArray[np.float64]
    optimum: NDArray[np.float64] | None

    def __str__(self) -> str:
        codec, columns = self.codec, {"weight": self.codec.in_units(self.own)}
        if self.optimum is not None:
            columns["closed form"] = codec.in_units(self.optimum)
        names = [*codec.columns, "intercept"]
        kept = range(len(names)) if len(names) <= SHOWN_WEIGHTS + 1 else [*range(SHOWN_WEIGHTS), len(names) - 1]
        unit = codec.target if codec.classes is None else f"log-odds of {codec.classes[1]}"
        width = max(20, *(len(names[place]) + 2 for place in kept), len(unit) + 2)
        lines = [f"{unit:<{width}}" + "".join(f"{name:>14}" for name in columns)]
        lines += [f"{names[at]:<{width}}" + "".join(f"{row[at]:>14.5g}" for row in columns.values()) for at in kept]
        if len(kept) < len(names):
            lines.append(f"and {len(names) - len(kept)} features more")
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class RegressionReport(ResampledReport):
    """Errors of a regression, with every row counted once.

    Args:
        target: Name of the target.
        weights: Weights of a linear model; None for other models.
    """

    target: str
    weights: Weights | None = None

    WIDTH: ClassVar[int] = 20

    def rows(self) -> dict[str, str]:
        numbers = "rmse" in self.measures
        rows = {"corpus": self.measured_on}
        for name, one in self.resampled.items():
            rows[one.title] = self.with_interval(name) + (f" in units of {self.target}" if name == "rmse" else "")
        if numbers:
            rows["loss"] = f"{self.loss:.6g}, mean squared error in standard scores"
        return {
            **rows,
            "counted": f"{self.count:,} rows, each once",
            "time": f"{self.seconds:.1f} s, {self.count / self.seconds:,.0f} rows/s",
        }

    def __str__(self) -> str:
        return super().__str__() if self.weights is None else f"{super().__str__()}\n\n{self.weights}"
