"""Strings of single pictures, side by side: their random choice, their images, and their batches."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqlab.data.buckets import Buckets, EvaluationBatches, OnceEach, Order, taken
from seqlab.data.loader import Shard


class StringBatch(NamedTuple):
    """Pictures of strings, each padded to the widest of the batch.

    Args:
        images: Ink from 0 to 1, column by column ``(batch, columns, height)`` float32, 0 after each picture.
        lengths: Columns of each picture, at least 1: ``(batch,)`` int64.
        targets: Ids of the symbols ``(batch, symbols)`` int64, -1 after each string.
        target_lengths: Symbols of each string ``(batch,)`` int64.
        valid: ``(batch,)`` bool, False at a string that only fills the batch and is ignored.
        items: Row of each within its part of the corpus, from 0: ``(batch,)`` int64.
    """

    images: Tensor
    lengths: Tensor
    targets: Tensor
    target_lengths: Tensor
    valid: Tensor
    items: Tensor

    def to(self, device: torch.device) -> "StringBatch":
        """A copy on a device."""
        return StringBatch(*(part.to(device) for part in self))


class Signs:
    """Single pictures, each from its first to its last column with ink.

    Args:
        pixels: Light on dark ``(pictures, height, width)`` uint8.
        labels: Symbol id of each picture ``(pictures,)`` int64.
    """

    def __init__(self, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        self.columns = np.ascontiguousarray(pixels.transpose(0, 2, 1))  # (pictures, width, height)
        self.labels = labels
        inked: NDArray[np.bool_] = self.columns.max(2) > 0
        width = inked.shape[1]
        blank = inked.sum(1) == 0
        self.starts = np.where(blank, 0, inked.argmax(1))
        self.widths = np.where(blank, width, width - inked[:, ::-1].argmax(1) - self.starts)

    def __len__(self) -> int:
        return len(self.labels)


class Layout(NamedTuple):
    """Lengths of strings, and gaps between their signs.

    Args:
        least: Symbols of the shortest string.
        most: Symbols of the longest string.
        least_gap: Fewest columns between two signs, and at either end.
        most_gap: Most columns between two signs, and at either end.
    """

    least: int
    most: int
    least_gap: int
    most_gap: int


class Strings:
    """Random strings of single pictures; lengths, pictures and gaps are drawn uniformly.

    Args:
        signs: Pictures to draw from, with replacement.
        layout: Layout of each string.
        count: Number of strings.
        draw: Seed numbers; the strings are a pure function of them.
    """

    def __init__(self, signs: Signs, layout: Layout, count: int, draw: Sequence[int]) -> None:
        rng = np.random.default_rng([*draw])
        self.signs = signs
        self.counts = rng.integers(layout.least, layout.most + 1, size=count)
        self.pictures = rng.integers(len(signs), size=(count, layout.most))  # (strings, symbols)
        gaps = rng.integers(layout.least_gap, layout.most_gap + 1, size=(count, layout.most + 1))
        there = np.arange(layout.most) < self.counts[:, None]
        widths = np.where(there, signs.widths[self.pictures], 0)
        self.starts = gaps[:, :-1].cumsum(1) + widths.cumsum(1) - widths  # first column of each sign
        last = gaps[np.arange(count), self.counts]
        ends = (self.starts + widths)[np.arange(count), self.counts - 1]
        self.lengths: Order = (ends + last).astype(np.int64)
        self._targets = np.where(there, signs.labels[self.pictures], -1)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def needed(self) -> Order:
        """Fewest CTC steps for each string: one per symbol, plus one between two equal symbols ``(strings,)``."""
        same = (self._targets[:, 1:] == self._targets[:, :-1]) & (self._targets[:, 1:] >= 0)
        steps: Order = self.counts + same.sum(1)
        return steps

    def symbols(self) -> list[list[int]]:
        """The ids of each string."""
        return [row[:count] for row, count in zip(self._targets.tolist(), self.counts.tolist(), strict=True)]

    def picture(self, row: int) -> NDArray[np.uint8]:
        """The picture of one string, column by column ``(columns, height)``."""
        return self._drawn(np.array([row]))[0]

    def _drawn(self, rows: Order) -> NDArray[np.uint8]:
        signs = self.signs
        canvas = np.zeros((len(rows), int(self.lengths[rows].max()), signs.columns.shape[2]), dtype=np.uint8)
        for place, row in enumerate(rows.tolist()):
            pictures, starts = self.pictures[row], self.starts[row]
            for picture, start in zip(pictures[: self.counts[row]], starts, strict=False):
                first, width = signs.starts[picture], signs.widths[picture]
                canvas[place, start : start + width] = signs.columns[picture, first : first + width]
        return canvas

    def batch(self, rows: Order, real: NDArray[np.bool_] | None = None) -> StringBatch:
        """The strings at ``rows``; rows that are not ``real`` are padding."""
        most = int(self.counts[rows].max())
        valid, items = taken(rows, real)
        return StringBatch(
            images=torch.from_numpy(self._drawn(rows)).float() / 255,
            lengths=torch.from_numpy(self.lengths[rows]),
            targets=torch.from_numpy(self._targets[rows, :most]),
            target_lengths=torch.from_numpy(self.counts[rows]),
            valid=valid,
            items=items,
        )


class StringBatches:
    """Training batches of strings of similar width: each epoch has new strings, or the same strings in a new order.

    A pure function of (seed, epoch, index).

    Args:
        signs: Pictures of the training part.
        layout: Layout of each string.
        count: Strings in an epoch.
        fresh: Whether each epoch has strings of its own.
        batch_size: Strings in a batch, over all processes.
        seed: Seed of the strings and of their orders.
        shard: The rows that this process reads.

    Raises:
        UserError: A batch does not divide among the processes.
    """

    def __init__(
        self,
        signs: Signs,
        layout: Layout,
        count: int,
        fresh: bool,
        batch_size: int,
        seed: int,
        shard: Shard = Shard(),
    ) -> None:
        self._signs, self._layout, self._count, self._fresh = signs, layout, count, fresh
        self._batch_size, self._seed, self._shard = batch_size, seed, shard
        self._epoch = -1
        self._arrange(0)

    def _arrange(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        if self._fresh or self._epoch < 0:
            draw = training_draw(self._seed, epoch, self._fresh)
            self.strings = Strings(self._signs, self._layout, self._count, draw)
            widths = (self.strings.lengths,)
            self._buckets = Buckets(widths, self._batch_size, None, self._seed, self._shard, "strings")
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._buckets)

    def batch(self, epoch: int, index: int) -> StringBatch:
        """The batch at ``index`` of ``epoch``."""
        self._arrange(epoch)
        return self.strings.batch(self._buckets.rows(epoch, index))


def training_draw(seed: int, epoch: int, fresh: bool) -> list[int]:
    """Seed numbers of an epoch's training strings."""
    return [seed, 0, epoch if fresh else 0]


class EvaluationStrings(EvaluationBatches[StringBatch]):
    """Every string of a part exactly once over all processes, sorted by width, as ``OnceEach`` reads them.

    Args:
        strings: Strings of the part.
        batch_size: Strings in a batch of one process.
        shard: The strings that this process reads.
    """

    def __init__(self, strings: Strings, batch_size: int, shard: Shard = Shard()) -> None:
        super().__init__(strings, OnceEach((strings.lengths,), batch_size, shard))
