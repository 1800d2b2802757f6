"""Bucketing: batches of rows with similar lengths, for training and for evaluation."""

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqlab.data.loader import Shard
from seqlab.errors import UserError

Order = npt.NDArray[np.int64]
BatchT = TypeVar("BatchT", covariant=True)


class Rows(Protocol[BatchT]):
    """One part of a corpus, row by row."""

    def batch(self, rows: Order, real: npt.NDArray[np.bool_] | None = None) -> BatchT:
        """The rows at ``rows``; rows that are not ``real`` are padding."""
        ...


def taken(rows: Order, real: npt.NDArray[np.bool_] | None, *arrays: npt.NDArray[Any]) -> tuple[Tensor, ...]:
    """Some rows of arrays, then a mask of the real rows ``(rows,)`` bool, then the row numbers.

    Args:
        rows: Numbers of the rows.
        real: Whether each row is real; all if not given.
        arrays: Each ``(items, ...)``.
    """
    valid = np.ones(len(rows), dtype=bool) if real is None else real
    return tuple(torch.from_numpy(np.array(array)) for array in (*(array[rows] for array in arrays), valid, rows))


def alike(items: int) -> Order:
    """Widths of items of equal width."""
    return np.zeros(items, dtype=np.int64)


class Buckets:
    """The rows of training batches of similar length, in a new random order each epoch.

    The rows are shuffled, sorted by width and cut into batches; then the batches are shuffled. The result is a pure
    function of (seed, epoch, index).

    Args:
        widths: Length of each row, one array ``(rows,)`` for each of its sequences; sorted by the first array first.
        batch_size: Rows in a batch, over all processes.
        batch_tokens: Positions in a batch with padding, over all processes, instead of ``batch_size``; None to count
            rows.
        seed: Seed of the random orders.
        shard: The rows that this process reads.
        noun: Noun for the rows in error messages.
        full: Whether to drop the last incomplete batch of an epoch (each epoch drops other rows). An incomplete batch
            with fewer rows than processes is always dropped.

    Raises:
        UserError: The rows do not fill a batch, or a batch does not divide among the processes.
    """

    def __init__(
        self,
        widths: Sequence[Order],
        batch_size: int,
        batch_tokens: int | None,
        seed: int,
        shard: Shard = Shard(),
        noun: str = "texts",
        full: bool = False,
    ) -> None:
        self._widths, self._seed, self._shard = tuple(widths), seed, shard
        count, world = len(widths[0]), shard.world
        by_tokens = batch_tokens is not None
        if not by_tokens and batch_size % world:
            raise UserError(
                f"batch_size {batch_size} is the number of {noun} over all processes and does not divide by the "
                f"{world} processes of this run; choose a multiple of {world}"
            )
        group = batch_size if full and not by_tokens else world
        self._used = count // group * group
        if not self._used:
            raise UserError(
                f"the training part has {count:,} {noun}, fewer than one batch of {group}; "
                f"lower --data.batch_size or give more {noun}"
            )
        self._rest = 0 if by_tokens else self._used % batch_size
        self._cuts = np.arange(0, self._used + 1, batch_size)
        self._batch_size, self._drops_first = batch_size, not by_tokens
        if batch_tokens is not None:
            self._cuts = self._cut_by_tokens(batch_tokens)
        self._epoch, self._order, self._places = -1, np.empty(0, np.int64), np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._cuts) - 1 + (self._rest > 0)

    def rows(self, epoch: int, index: int) -> Order:
        """The rows of this process in the batch at ``index`` of ``epoch``."""
        if epoch != self._epoch:
            self._arrange(epoch)
        place = self._places[index]
        rows = self._order[self._ends[place] : self._ends[place + 1]]
        return rows[self._shard.rank :: self._shard.world]

    def _sorted(self, rows: Order) -> Order:
        return rows[np.lexsort([width[rows] for width in reversed(self._widths)])]

    def _cut_by_tokens(self, most: int) -> Order:
        rows = self._sorted(np.arange(len(self._widths[0])))[-self._used :]
        widths = [width[rows] for width in self._widths]
        cuts, world = [0], self._shard.world
        for end in range(world, self._used + 1, world):
            group = slice(cuts[-1], end)
            positions = sum(int(width[group].max()) for width in widths) * (end - cuts[-1])
            if positions > most and end - world > cuts[-1]:
                cuts.append(end - world)
        return np.array([*cuts, self._used])

    def _arrange(self, epoch: int) -> None:
        rng = np.random.default_rng([self._seed, epoch])
        rows = rng.permutation(len(self._widths[0]))
        if self._drops_first:
            rows = rows[: self._used]
        self._order = self._sorted(rows)[-self._used :]
        self._places = rng.permutation(len(self))
        self._ends = self._cuts
        if self._rest:
            sizes = np.full(len(self), self._batch_size)
            sizes[rng.integers(len(sizes))] = self._rest
            self._ends = np.concatenate([[0], sizes.cumsum()])
        self._epoch = epoch


class OnceEach:
    """The rows of evaluation batches: every row exactly once over all processes, sorted by its widths.

    Every process has the same number of batches; a process with one row less repeats a row as padding.

    Args:
        widths: See ``Buckets``.
        batch_size: Rows in a batch of one process.
        shard: The rows that this process reads.
    """

    def __init__(self, widths: Sequence[Order], batch_size: int, shard: Shard = Shard()) -> None:
        self._batch_size = batch_size
        order = np.lexsort(tuple(reversed(widths)))
        missing = -len(order) % shard.world
        real = np.arange(len(order) + missing) < len(order)
        order = np.concatenate([order, np.repeat(order[-1:], missing)])
        self._rows, self._real = order[shard.rank :: shard.world], real[shard.rank :: shard.world]

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def rows(self, index: int) -> tuple[Order, npt.NDArray[np.bool_]]:
        """The rows of the batch at ``index``, and which of them are real."""
        part = slice(index * self._batch_size, (index + 1) * self._batch_size)
        return self._rows[part], self._real[part]


class TrainingBatches(Generic[BatchT]):
    """Batches of a part as ``Buckets`` cuts it.

    Args:
        part: Part to train on.
        buckets: Buckets of its rows.
    """

    def __init__(self, part: Rows[BatchT], buckets: Buckets) -> None:
        self.part, self._buckets = part, buckets

    def __len__(self) -> int:
        return len(self._buckets)

    def batch(self, epoch: int, index: int) -> BatchT:
        """The batch at ``index`` of ``epoch``."""
        return self.part.batch(self._buckets.rows(epoch, index))


class EvaluationBatches(Generic[BatchT]):
    """Batches of a part as ``OnceEach`` reads it, the same in every epoch.

    Args:
        part: Part to evaluate on.
        once: Batches of its rows.
    """

    def __init__(self, part: Rows[BatchT], once: OnceEach) -> None:
        self.part, self._once = part, once

    def __len__(self) -> int:
        return len(self._once)

    def places(self, index: int) -> Order:
        """Indices of a batch's rows in their part."""
        return self._once.rows(index)[0]

    def batch(self, epoch: int, index: int) -> BatchT:
        """The batch at ``index``."""
        return self.part.batch(*self._once.rows(index))
