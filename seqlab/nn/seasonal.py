"""Forecasts without weights: repeat the last season, or the last value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.calibrated import Calibrated, CalibratedOptions
from seqlab.nn.forecaster import ForecasterOptions, Memory, Sizes
from seqlab.nn.ridge import Window
from seqlab.options import option


@dataclass(frozen=True)
class SeasonalOptions(CalibratedOptions):
    """Options of ``Seasonal``."""

    by_gradients: ClassVar[bool] = False

    season: int | None = option(None, "Steps of the season to repeat; that of the data if not given.", least=1)

    def build(self, sizes: Sizes) -> "Seasonal":
        """The network of these options.

        Args:
            sizes: Sizes of the window and of the forecast.
        """
        return Seasonal(sizes, self)


class Seasonal(Calibrated):
    """Repeats the last season of m steps: x_(t+k) = x_(t+k-m), or a multiple of m earlier if that is not yet known.

    Args:
        sizes: Sizes of the window and of the forecast.
        options: Options of the network.

    Raises:
        UserError: A season is longer than the history.
    """

    def __init__(self, sizes: Sizes, options: SeasonalOptions) -> None:
        super().__init__(sizes, ForecasterOptions(), options.said())
        season = options.season or sizes.season
        if season > sizes.history:
            raise UserError(
                f"the season of {season} steps is longer than the history of {sizes.history}; give --data.history "
                f"{season} or more, or a shorter season"
            )
        self.season = season
        self.nothing = nn.Parameter(torch.empty(0))  # the Trainer needs a parameter; this model trains none

    def count(self, blocks: Sequence[Iterable[Window]]) -> None:
        """There is nothing to count."""

    def tell(self, memory: Memory, ahead: Tensor) -> Tensor:
        steps = torch.arange(self.sizes.horizon, device=ahead.device) % self.season
        return self.spread(memory[0][:, -self.season :][:, steps].unsqueeze(-1) + self.nothing.sum())
