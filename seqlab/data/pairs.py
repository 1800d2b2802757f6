"""Pairs of sentences in batches of like length, for training and for evaluation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqlab.data.loader import Shard
from seqlab.data.streams import Ids
from seqlab.errors import UserError

Order = npt.NDArray[np.int64]


class PairBatch(NamedTuple):
    """Pairs of sentences, each padded to the longest of the batch.

    Args:
        source: ids ``(batch, source time)`` int64, each row ending in ``<eos>``.
        source_lengths: Real positions of each source, with ``<eos>``: ``(batch,)`` int64.
        inputs: ids ``(batch, target time)`` int64, ``<bos>`` and the target.
        targets: ids ``(batch, target time)`` int64, the target and ``<eos>``.
        valid: ``(batch, target time)`` bool, True at the real positions of ``targets``.
    """

    source: Tensor
    source_lengths: Tensor
    inputs: Tensor
    targets: Tensor
    valid: Tensor


class Specials(NamedTuple):
    """Ids of the reserved tokens, the same in both languages."""

    pad: int
    bos: int
    eos: int


class Sentences:
    """Sentences of any length in one array of ids.

    Args:
        rows: The ids of each sentence.
        dtype: That holds every id.
    """

    def __init__(self, rows: Sequence[Sequence[int]], dtype: npt.DTypeLike) -> None:
        self.lengths = np.array([len(row) for row in rows], dtype=np.int64)
        self._ends = self.lengths.cumsum()
        self._ids: Ids = np.fromiter((token for row in rows for token in row), dtype=dtype, count=self.lengths.sum())

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, rows: Order, padding: int, before: Sequence[int], after: Sequence[int]) -> Tensor:
        """The sentences at ``rows`` between two runs of ids, behind them padding: ``(rows, longest)`` int64."""
        lengths = self.lengths[rows]
        width = int(lengths.max(initial=0)) + len(before) + len(after)
        filled = np.full((len(rows), width), padding, dtype=np.int64)
        for place, row in enumerate(rows):
            end, length = self._ends[row], lengths[place]
            sentence = self._ids[end - length : end]
            filled[place, : length + len(before) + len(after)] = [*before, *sentence.tolist(), *after]
        return torch.from_numpy(filled)


class Pairs(NamedTuple):
    """Sources and targets of one part of a corpus, and the ids of the reserved tokens."""

    sources: Sentences
    targets: Sentences
    specials: Specials

    def batch(self, rows: Order, real: npt.NDArray[np.bool_] | None = None) -> PairBatch:
        """The pairs at ``rows``; those that are not ``real`` count for nothing."""
        pad, bos, eos = self.specials
        source = self.sources.padded(rows, pad, (), (eos,))
        inputs, targets = self.targets.padded(rows, pad, (bos,), ()), self.targets.padded(rows, pad, (), (eos,))
        lengths = torch.from_numpy(self.targets.lengths[rows] + 1)
        valid = torch.arange(targets.shape[1]) < lengths.unsqueeze(1)
        if real is not None:
            valid &= torch.from_numpy(real).unsqueeze(1)
        return PairBatch(source, torch.from_numpy(self.sources.lengths[rows] + 1), inputs, targets, valid)


class BucketBatches:
    """Training batches of like length, in a new order each epoch.

    The pairs, shuffled, are sorted by the lengths of target and source and cut into batches, and these are shuffled.
    Where batches hold a number of pairs, those that fill none, others each epoch, are left out of it.

    Args:
        pairs: Of the training part.
        batch_size: Pairs in a batch, over all processes.
        batch_tokens: Positions of a batch, source and target with padding, over all processes, instead of
            ``batch_size``; none counts pairs.
        seed: Of the orders.
        shard: The rows that this process reads.

    Raises:
        UserError: The pairs fill no batch, or a batch does not divide among the processes.
    """

    def __init__(
        self, pairs: Pairs, batch_size: int, batch_tokens: int | None, seed: int, shard: Shard = Shard()
    ) -> None:
        self.pairs, self.seed, self.shard, self._by_tokens = pairs, seed, shard, batch_tokens is not None
        if batch_tokens is None and batch_size % shard.world:
            raise UserError(
                f"batch_size {batch_size} is the number of pairs over all processes and does not divide by the "
                f"{shard.world} processes of this run; choose a multiple of {shard.world}"
            )
        self._used = len(pairs.sources) // batch_size * batch_size
        if batch_tokens is not None:
            self._used = len(pairs.sources) // shard.world * shard.world
        if not self._used:
            raise UserError(
                f"the training part has {len(pairs.sources):,} pairs, fewer than one batch of {batch_size}; "
                "lower --data.batch_size or give more pairs"
            )
        self._cuts = np.arange(0, self._used + 1, batch_size)
        if batch_tokens is not None:
            self._cuts = self._cut_by_tokens(batch_tokens)
        self._epoch, self._order, self._places = -1, np.empty(0, np.int64), np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._cuts) - 1

    def _widths(self, rows: Order) -> tuple[Order, Order]:
        return self.pairs.targets.lengths[rows] + 1, self.pairs.sources.lengths[rows] + 1

    def _sorted(self, rows: Order) -> Order:
        targets, sources = self._widths(rows)
        return rows[np.lexsort((sources, targets))]

    def _cut_by_tokens(self, most: int) -> Order:
        targets, sources = self._widths(self._sorted(np.arange(len(self.pairs.sources)))[-self._used :])
        cuts, world = [0], self.shard.world
        for end in range(world, self._used + 1, world):
            group = slice(cuts[-1], end)
            positions = int(targets[group].max() + sources[group].max()) * (end - cuts[-1])
            if positions > most and end - world > cuts[-1]:
                cuts.append(end - world)
        return np.array([*cuts, self._used])

    def _arrange(self, epoch: int) -> None:
        rng = np.random.default_rng([self.seed, epoch])
        rows = rng.permutation(len(self.pairs.sources))
        if not self._by_tokens:
            rows = rows[: self._used]
        self._order = self._sorted(rows)[-self._used :]
        self._places = rng.permutation(len(self))
        self._epoch = epoch

    def batch(self, epoch: int, index: int) -> PairBatch:
        if epoch != self._epoch:
            self._arrange(epoch)
        place = self._places[index]
        rows = self._order[self._cuts[place] : self._cuts[place + 1]]
        return self.pairs.batch(rows[self.shard.rank :: self.shard.world])


class EvaluationPairs:
    """Every pair exactly once over all processes, sorted by length.

    Every process has as many batches; where it has a pair less, it repeats one that counts for nothing.

    Args:
        pairs: Of the part.
        batch_size: Pairs in a batch of one process.
        shard: The pairs that this process reads.
    """

    def __init__(self, pairs: Pairs, batch_size: int, shard: Shard = Shard()) -> None:
        self.pairs, self.batch_size = pairs, batch_size
        order = np.lexsort((pairs.sources.lengths, pairs.targets.lengths))
        missing = -len(order) % shard.world
        real = np.arange(len(order) + missing) < len(order)
        order = np.concatenate([order, np.repeat(order[-1:], missing)])
        self.rows, self.real = order[shard.rank :: shard.world], real[shard.rank :: shard.world]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def batch(self, epoch: int, index: int) -> PairBatch:
        part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self.pairs.batch(self.rows[part], self.real[part])
