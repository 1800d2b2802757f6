"""Inputs and outputs of a regression: columns of a table, standard scores, two values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqlab.text.series_codec import Scale


@dataclass(frozen=True)
class PointsCodec:
    """Codec between the rows of a table and the inputs and outputs of a regression.

    Args:
        columns: Names of the features, in input order.
        target: Name of the target column.
        layout: Names of all columns of the file, in its order.
        headed: Whether the file names its columns.
        scale: Scale of the features.
        target_scale: Scale of the target, one column; the identity for two values.
        classes: The two values of the target; a larger output makes the second more likely. None for a number.
    """

    columns: list[str]
    target: str
    layout: list[str]
    headed: bool
    scale: Scale
    target_scale: Scale
    classes: list[str] | None = None

    @property
    def vocab_size(self) -> int:
        """Number of features in a row."""
        return len(self.columns)

    @property
    def deviation(self) -> float:
        """Units of the target per unit of the output."""
        return self.target_scale.deviations[0]

    def in_units(self, weights: NDArray[Any]) -> NDArray[np.float64]:
        """Weights of features and a bias as slopes and an intercept in the units of the file.

        From (y - m) / s = sum over i of w_i (x_i - m_i) / s_i + b the slopes are s w_i / s_i, and the intercept is
        m + s b - sum over i of slope_i m_i. For two values they are log-odds.

        Args:
            weights: ``(features + 1,)``, the bias last.

        Returns:
            The same shape as ``weights``.
        """
        weights = np.asarray(weights, np.float64)
        slopes = self.deviation * weights[:-1] / self.scale.deviations
        middle = self.target_scale.means[0] + self.deviation * weights[-1]
        found: NDArray[np.float64] = np.append(slopes, middle - slopes @ np.asarray(self.scale.means))
        return found

    def state(self) -> dict[str, object]:
        """Plain values that ``from_state`` rebuilds this codec from."""
        return {"kind": "points", **asdict(self)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The codec that gave this state."""
        values = {name: value for name, value in state.items() if name != "kind"}
        scales = {name: Scale(**values[name]) for name in ("scale", "target_scale")}
        return cls(**{**values, **scales})
