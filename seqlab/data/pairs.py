"""Pairs of sentences in batches of similar length, for training and for evaluation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seqlab.data.buckets import Buckets, EvaluationBatches, OnceEach, Order, TrainingBatches
from seqlab.data.loader import Shard
from seqlab.data.streams import Ids


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
        dtype: Integer type that holds every id.
    """

    def __init__(self, rows: Sequence[Sequence[int]], dtype: npt.DTypeLike) -> None:
        self.lengths = np.array([len(row) for row in rows], dtype=np.int64)
        self._ends = self.lengths.cumsum()
        self._ids: Ids = np.fromiter((token for row in rows for token in row), dtype=dtype, count=self.lengths.sum())

    def __len__(self) -> int:
        return len(self.lengths)

    def rows(self) -> list[Ids]:
        """The ids of each sentence."""
        return [self._ids[end - length : end] for end, length in zip(self._ends, self.lengths, strict=True)]

    def padded(self, rows: Order, padding: int, before: Sequence[int], after: Sequence[int]) -> Tensor:
        """The sentences at ``rows`` between a prefix and a suffix of ids, with padding: ``(rows, longest)`` int64."""
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
        """The pairs at ``rows``; rows that are not ``real`` are padding."""
        pad, bos, eos = self.specials
        source = self.sources.padded(rows, pad, (), (eos,))
        inputs, targets = self.targets.padded(rows, pad, (bos,), ()), self.targets.padded(rows, pad, (), (eos,))
        lengths = torch.from_numpy(self.targets.lengths[rows] + 1)
        valid = torch.arange(targets.shape[1]) < lengths.unsqueeze(1)
        if real is not None:
            valid &= torch.from_numpy(real).unsqueeze(1)
        return PairBatch(source, torch.from_numpy(self.sources.lengths[rows] + 1), inputs, targets, valid)


class BucketBatches(TrainingBatches[PairBatch]):
    """Training batches of similar length, in a new random order each epoch, as ``Buckets`` makes them.

    With ``batch_size``, each epoch drops its last incomplete batch.

    Args:
        pairs: Pairs of the training part.
        batch_size: Pairs in a batch, over all processes.
        batch_tokens: Positions in a batch, source and target with padding, over all processes, instead of
            ``batch_size``; None to count pairs.
        seed: Seed of the random orders.
        shard: The rows that this process reads.

    Raises:
        UserError: The pairs fill no batch, or a batch does not divide among the processes.
    """

    def __init__(
        self, pairs: Pairs, batch_size: int, batch_tokens: int | None, seed: int, shard: Shard = Shard()
    ) -> None:
        super().__init__(pairs, Buckets(_widths(pairs), batch_size, batch_tokens, seed, shard, "pairs", full=True))


class EvaluationPairs(EvaluationBatches[PairBatch]):
    """Every pair exactly once over all processes, sorted by length, as ``OnceEach`` reads them.

    Args:
        pairs: Pairs of the part.
        batch_size: Pairs in a batch of one process.
        shard: The pairs that this process reads.
    """

    def __init__(self, pairs: Pairs, batch_size: int, shard: Shard = Shard()) -> None:
        super().__init__(pairs, OnceEach(_widths(pairs), batch_size, shard))


def _widths(pairs: Pairs) -> tuple[Order, Order]:
    return pairs.targets.lengths + 1, pairs.sources.lengths + 1
