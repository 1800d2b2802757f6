"""A text whose lines are separate items, in batches of similar length, for training and for evaluation."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seqlab.data.buckets import Buckets, OnceEach, Order
from seqlab.data.loader import Shard
from seqlab.data.streams import Ids, TextBatch

EVALUATED = 64
"""Lines in an evaluation batch."""


class TextLines:
    """The lines of one part, each from its ``<bos>`` to its ``<eos>``.

    Args:
        ids: The part ``(tokens,)``.
        begin: The id of ``<bos>``.

    Attributes:
        starts: Start of each line ``(lines,)``.
        lengths: Tokens to predict in each line, including its end ``(lines,)``.
    """

    def __init__(self, ids: Ids, begin: int) -> None:
        self.ids = ids
        self.starts: Order = np.flatnonzero(ids == begin)
        self.lengths: Order = np.diff(self.starts, append=len(ids)) - 1

    def batch(self, rows: Order, real: npt.NDArray[np.bool_] | None = None) -> TextBatch:
        """The lines at ``rows``, padded to the longest; rows that are not ``real`` are padding."""
        lengths = self.lengths[rows]
        steps = np.arange(int(lengths.max(initial=1)))
        valid = steps < lengths[:, None]  # (rows, steps)
        positions = np.minimum(self.starts[rows][:, None] + np.arange(len(steps) + 1), len(self.ids) - 1)
        drawn = torch.from_numpy(self.ids[positions].astype(np.int64))
        if real is not None:
            valid &= real[:, None]
        return TextBatch(drawn[:, :-1], drawn[:, 1:], torch.from_numpy(valid), continues=False)


class LineBatches:
    """Training batches, every line once an epoch, as ``Buckets`` makes them.

    Args:
        lines: Lines of the training part.
        batch_size: Lines in a batch, over all processes.
        seed: Seed of the random orders.
        shard: The rows that this process reads.

    Raises:
        UserError: There are fewer lines than processes, or a batch does not divide among them.
    """

    def __init__(self, lines: TextLines, batch_size: int, seed: int, shard: Shard = Shard()) -> None:
        self._lines = lines
        self._buckets = Buckets((lines.lengths,), batch_size, None, seed, shard, "lines")

    def __len__(self) -> int:
        return len(self._buckets)

    def batch(self, epoch: int, index: int) -> TextBatch:
        return self._lines.batch(self._buckets.rows(epoch, index))


class EvaluationLines:
    """Every line exactly once over all processes, as ``OnceEach`` reads them.

    Args:
        lines: Lines of the part.
        shard: The rows that this process reads.
    """

    def __init__(self, lines: TextLines, shard: Shard = Shard()) -> None:
        self._lines = lines
        self._once = OnceEach((lines.lengths,), EVALUATED, shard)

    def __len__(self) -> int:
        return len(self._once)

    def batch(self, epoch: int, index: int) -> TextBatch:
        return self._lines.batch(*self._once.rows(index))

    def places(self, index: int, steps: int) -> npt.NDArray[Any]:
        """Positions in the part of the tokens of a batch ``(rows, steps)``."""
        rows, _ = self._once.rows(index)
        return self._lines.starts[rows][:, None] + np.arange(steps)
