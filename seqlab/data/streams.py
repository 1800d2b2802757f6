"""One long sequence of ids cut into (inputs, targets) batches, for training and for evaluation."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqlab.data.loader import Shard
from seqlab.errors import UserError

Ids = npt.NDArray[np.unsignedinteger]


class TextBatch(NamedTuple):
    """A window of text and the token that follows each of its positions.

    Args:
        inputs: ids ``(batch, time)`` int64.
        targets: ids ``(batch, time)`` int64, ``targets[b, t]`` follows ``inputs[b, t]`` in the text.
        valid: ``(batch, time)`` bool, True at real tokens; None where all of them are.
        continues: Whether row b continues row b of the previous batch.
    """

    inputs: Tensor
    targets: Tensor
    valid: Tensor | None
    continues: bool


def _windows(ids: Ids, starts: npt.NDArray[np.int64], num_steps: int) -> tuple[Tensor, Tensor]:
    """Windows ``ids[s : s + num_steps]``, and the same windows one position later, for each start s."""
    rows = torch.from_numpy(ids[starts[:, None] + np.arange(num_steps + 1)].astype(np.int64))  # (batch, num_steps + 1)
    return rows[:, :-1], rows[:, 1:]


def _own_rows(batch_size: int, shard: Shard) -> npt.NDArray[np.int64]:
    if batch_size % shard.world:
        raise UserError(
            f"batch_size {batch_size} is the number of streams over all processes and does not divide by the "
            f"{shard.world} processes of this run; choose a multiple of {shard.world}"
        )
    own = batch_size // shard.world
    return np.arange(shard.rank * own, (shard.rank + 1) * own)


def _check_size(ids: Ids, batch_size: int, num_steps: int, needed: int) -> None:
    if len(ids) < needed:
        raise UserError(
            f"the training text has {len(ids):,} tokens, but one batch of batch_size {batch_size} x num_steps "
            f"{num_steps} needs at least {needed:,}; lower --data.batch_size or --data.num_steps, or give more text"
        )


class ContiguousBatches:
    """Each row of the batch is a stream through the text, and batch t + 1 continues where batch t stopped.

    The text starts at a random offset below ``num_steps``, new in each epoch, and is laid out as ``batch_size`` rows of
    equal length. A batch is a window of ``num_steps`` columns. An epoch drops the last columns if they fill no window.

    Args:
        ids: The text.
        batch_size: Number of streams, over all processes.
        num_steps: Tokens of each stream in a batch.
        seed: Seed of the offsets.
        shard: The streams that this process reads.

    Raises:
        UserError: The text is shorter than one batch, or ``batch_size`` does not divide among the processes.
    """

    def __init__(self, ids: Ids, batch_size: int, num_steps: int, seed: int, shard: Shard = Shard()) -> None:
        _check_size(ids, batch_size, num_steps, needed=batch_size * num_steps + num_steps)
        self.ids, self.num_steps, self.seed = ids, num_steps, seed
        self.row_length = (len(ids) - num_steps) // batch_size
        self.rows = _own_rows(batch_size, shard)

    def __len__(self) -> int:
        return self.row_length // self.num_steps

    def offset(self, epoch: int) -> int:
        """Tokens skipped at the start of the text in this epoch."""
        return int(np.random.default_rng([self.seed, epoch]).integers(self.num_steps))

    def batch(self, epoch: int, index: int) -> TextBatch:
        starts = self.offset(epoch) + self.rows * self.row_length + index * self.num_steps
        return TextBatch(*_windows(self.ids, starts, self.num_steps), valid=None, continues=index > 0)


class RandomBatches:
    """Each row of each batch is a window from anywhere in the text; no row continues another.

    The text, from a random offset, is cut into windows that do not overlap; offset and order are new in each epoch. An
    epoch drops the last windows if they fill no batch.

    Args:
        ids: The text.
        batch_size: Windows in a batch, over all processes.
        num_steps: Tokens in a window.
        seed: Seed of the offsets and orders.
        shard: The rows that this process reads.

    Raises:
        UserError: The text is shorter than one batch, or ``batch_size`` does not divide among the processes.
    """

    def __init__(self, ids: Ids, batch_size: int, num_steps: int, seed: int, shard: Shard = Shard()) -> None:
        _check_size(ids, batch_size, num_steps, needed=batch_size * num_steps + num_steps)
        self.ids, self.batch_size, self.num_steps, self.seed = ids, batch_size, num_steps, seed
        self.rows = _own_rows(batch_size, shard)
        self._epoch = -1
        self._starts: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return (len(self.ids) - self.num_steps) // self.num_steps // self.batch_size

    def starts(self, epoch: int) -> npt.NDArray[np.int64]:
        """Start of each window of the epoch, in reading order."""
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, epoch])
            offset = rng.integers(self.num_steps)
            windows = (len(self.ids) - self.num_steps) // self.num_steps
            self._starts = offset + self.num_steps * rng.permutation(windows)
            self._epoch = epoch
        return self._starts

    def batch(self, epoch: int, index: int) -> TextBatch:
        starts = self.starts(epoch)[index * self.batch_size + self.rows]
        return TextBatch(*_windows(self.ids, starts, self.num_steps), valid=None, continues=False)


class EvaluationBatches:
    """Predicts every token after the first exactly once, in streams that carry their state to the end.

    The targets are cut into ``streams`` consecutive runs whose lengths differ by at most one. If a run is shorter than
    the longest, its last position is padding (``valid`` False).

    Args:
        ids: The text.
        streams: Number of runs, over all processes; each starts from the initial state.
        num_steps: Tokens of each stream in a batch.
        shard: The streams that this process reads.

    Raises:
        UserError: There are fewer tokens to predict than streams or processes.
    """

    def __init__(self, ids: Ids, streams: int, num_steps: int, shard: Shard = Shard()) -> None:
        streams = max(streams, shard.world)
        if len(ids) - 1 < streams:
            raise UserError(
                f"a text of {len(ids)} tokens is too short to evaluate in {streams} streams; give more text"
            )
        self.ids, self.num_steps = ids, num_steps
        borders = (len(ids) - 1) * np.arange(streams + 1, dtype=np.int64) // streams
        self.row_length = int(np.diff(borders).max())
        self.starts = borders[:-1][shard.rank :: shard.world]
        self.lengths = np.diff(borders)[shard.rank :: shard.world]

    def __len__(self) -> int:
        return -(-self.row_length // self.num_steps)

    def batch(self, epoch: int, index: int) -> TextBatch:
        done = index * self.num_steps
        steps = min(self.num_steps, self.row_length - done)
        valid = done + np.arange(steps) < self.lengths[:, None]  # (streams, steps)
        positions = self.starts[:, None] + done + np.arange(steps + 1)
        rows = torch.from_numpy(self.ids[np.minimum(positions, len(self.ids) - 1)].astype(np.int64))
        mask = None if valid.all() else torch.from_numpy(valid)
        return TextBatch(rows[:, :-1], rows[:, 1:], mask, continues=index > 0)

    def places(self, index: int, steps: int) -> npt.NDArray[np.int64]:
        """Positions in the text of the tokens of a batch ``(streams, steps)``."""
        return self.starts[:, None] + index * self.num_steps + np.arange(steps)
