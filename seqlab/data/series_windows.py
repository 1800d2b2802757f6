"""Windows of series, in batches, for training and for evaluation."""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqlab.data.buckets import Buckets, EvaluationBatches, OnceEach, Order, TrainingBatches, taken
from seqlab.data.loader import Shard

Floats = npt.NDArray[np.float32]


class SeriesBatch(NamedTuple):
    """Windows, all in standard scores.

    Args:
        history: Past values ``(batch, history, columns)`` float32.
        known: Known features of the history and the next steps ``(batch, history + horizon, features)`` float32.
        targets: Next values ``(batch, horizon, columns)`` float32.
        series: Number of the series of each window ``(batch,)`` int64.
        valid: ``(batch,)`` bool, False at a window that only fills the batch and is ignored.
        items: Number of each window within its part ``(batch,)`` int64.
    """

    history: Tensor
    known: Tensor
    targets: Tensor
    series: Tensor
    valid: Tensor
    items: Tensor


@dataclass(frozen=True)
class Windows:
    """The windows of one part.

    Args:
        values: Values of each series ``(steps, columns)``.
        known: Known features of each series ``(steps, features)``.
        series: Number of the series of each window ``(windows,)``.
        starts: Step of each window's first target ``(windows,)``; the history lies before it.
        history: Steps of the history.
        horizon: Steps to forecast.
    """

    values: list[Floats]
    known: list[Floats]
    series: Order
    starts: Order
    history: int
    horizon: int

    def __len__(self) -> int:
        return len(self.starts)

    def only(self, rows: Order) -> Self:
        """The windows at ``rows``."""
        return replace(self, series=self.series[rows], starts=self.starts[rows])

    def batch(self, rows: Order, real: npt.NDArray[np.bool_] | None = None) -> SeriesBatch:
        """The windows at ``rows``; rows that are not ``real`` are padding."""
        steps = self.starts[rows, None] + np.arange(-self.history, self.horizon)
        values, known = (self._taken(part, rows, steps) for part in (self.values, self.known))
        arrays = values[:, : self.history], known, values[:, self.history :]
        return SeriesBatch(*(torch.from_numpy(np.array(array)) for array in arrays), *taken(rows, real, self.series))

    def _taken(self, parts: list[Floats], rows: Order, steps: Order) -> Floats:
        """The steps of each window ``(rows, steps, size)``."""
        if len(parts) == 1:
            return parts[0][steps]
        taken = np.empty((*steps.shape, parts[0].shape[1]), dtype=np.float32)
        for series in np.unique(self.series[rows]):
            own = self.series[rows] == series
            taken[own] = parts[series][steps[own]]
        return taken


def windows_of(
    values: list[Floats], known: list[Floats], bounds: list[tuple[int, int]], history: int, horizon: int
) -> Windows:
    """Every window of a part: all of its targets lie in the part, and its history may reach back before it.

    Args:
        values: Values of each series ``(steps, columns)``.
        known: Known features of each series ``(steps, features)``.
        bounds: Bounds of the part in each series: its first step, and the step after its last.
        history: Steps of the history.
        horizon: Steps to forecast.
    """
    each = [np.arange(max(begin, history), end - horizon + 1) for begin, end in bounds]
    series = np.repeat(np.arange(len(each)), [len(starts) for starts in each])
    return Windows(values, known, series, np.concatenate(each).astype(np.int64), history, horizon)


class WindowBatches(TrainingBatches[SeriesBatch]):
    """Training batches, every window once an epoch, in a new random order: a pure function of (seed, epoch, index).

    Args:
        windows: Windows of the training part.
        batch_size: Windows in a batch, over all processes.
        seed: Seed of the random orders.
        shard: The rows that this process reads.

    Raises:
        UserError: There are fewer windows than processes, or a batch does not divide among them.
    """

    def __init__(self, windows: Windows, batch_size: int, seed: int, shard: Shard = Shard()) -> None:
        widths = np.full(len(windows), windows.history + windows.horizon)
        super().__init__(windows, Buckets((widths,), batch_size, None, seed, shard, "windows"))


class EveryWindow(EvaluationBatches[SeriesBatch]):
    """Every window exactly once over all processes, in order, as ``OnceEach`` reads them.

    Args:
        windows: Windows of the part.
        batch_size: Windows in a batch of one process.
        shard: The windows that this process reads.
    """

    def __init__(self, windows: Windows, batch_size: int, shard: Shard = Shard()) -> None:
        super().__init__(windows, OnceEach((np.zeros(len(windows), dtype=np.int64),), batch_size, shard))
