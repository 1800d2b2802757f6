"""Rows of numbers in batches, for training and for evaluation."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from seqlab.data.buckets import Buckets, EvaluationBatches, OnceEach, Order, TrainingBatches, alike, taken
from seqlab.data.loader import Shard

Floats = npt.NDArray[np.float32]


class PointsBatch(NamedTuple):
    """Rows, all in standard scores.

    Args:
        features: ``(batch, features)`` float32.
        targets: ``(batch,)`` float32; 0 and 1 for two values.
        valid: ``(batch,)`` bool, False at a row that only fills the batch and is ignored.
        items: Number of each row within its part ``(batch,)`` int64.
    """

    features: Tensor
    targets: Tensor
    valid: Tensor
    items: Tensor


class Points(NamedTuple):
    """The rows of one part: features ``(rows, features)`` and targets ``(rows,)``, as in a batch."""

    features: Floats
    targets: Floats

    def batch(self, rows: Order, real: npt.NDArray[np.bool_] | None = None) -> PointsBatch:
        """The rows at ``rows``; rows that are not ``real`` are padding."""
        return PointsBatch(*taken(rows, real, self.features, self.targets))


class PointsBatches(TrainingBatches[PointsBatch]):
    """Training batches, every row once an epoch, in a new random order: a pure function of (seed, epoch, index).

    Args:
        points: Points of the training part.
        batch_size: Rows in a batch, over all processes.
        seed: Seed of the random orders.
        shard: The rows that this process reads.

    Raises:
        UserError: There are fewer rows than processes, or a batch does not divide among them.
    """

    def __init__(self, points: Points, batch_size: int, seed: int, shard: Shard = Shard()) -> None:
        super().__init__(points, Buckets((alike(len(points.targets)),), batch_size, None, seed, shard, "rows"))


class EveryPoint(EvaluationBatches[PointsBatch]):
    """Every row exactly once over all processes, in order, as ``OnceEach`` reads them.

    Args:
        points: Points of the part.
        batch_size: Rows in a batch of one process.
        shard: The rows that this process reads.
    """

    def __init__(self, points: Points, batch_size: int, shard: Shard = Shard()) -> None:
        super().__init__(points, OnceEach((alike(len(points.targets)),), batch_size, shard))
