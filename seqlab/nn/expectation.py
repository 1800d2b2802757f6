"""Expectation maximization of IBM Model 1 over the words of sentence pairs."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

UNK, PAD, BOS, EOS = range(4)
"""Ids of the reserved tokens in both languages; words have higher ones."""
BLOCK = 2**20
"""Entries to process at once; an entry is a target word with one source word of its pair."""

Rows = Sequence[NDArray[Any] | Sequence[int]]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Block(NamedTuple):
    """Entries of some target words, concatenated.

    Args:
        pairs: Distinct pairs (e, f) of the block, as indices into the pairs of the corpus ``(distinct,)``.
        which: Index into ``pairs`` of each entry ``(entries,)`` int32.
        starts: First entry of each target word ``(words,)``.
        widths: Entries of each target word ``(words,)``.
    """

    pairs: Ints
    which: NDArray[np.int32]
    starts: Ints
    widths: Ints


def flat(rows: Rows) -> tuple[Ints, Ints]:
    """The ids of all rows, concatenated, and the length of each row."""
    arrays = [np.asarray(row, dtype=np.int64) for row in rows]
    return np.concatenate([np.empty(0, np.int64), *arrays]), np.array([len(row) for row in arrays], dtype=np.int64)


def entries_of(sources: Rows, targets: Rows, null: int, target_vocab_size: int) -> Iterator[tuple[Ints, Ints]]:
    """The entries of all pairs in blocks: keys e * target_vocab_size + f, and their number for each target word."""
    e, source_lengths = flat(sources)
    e, source_lengths = np.insert(e, source_lengths.cumsum(), null), source_lengths + 1
    f, target_lengths = flat(targets)
    pair = np.repeat(np.arange(len(source_lengths)), target_lengths)
    words = (f > EOS) | (f == UNK)
    pair, f = pair[words], f[words]
    first, widths = (source_lengths.cumsum() - source_lengths)[pair], source_lengths[pair]
    ends = widths.cumsum()
    cuts = np.searchsorted(ends, np.arange(BLOCK, ends[-1] if len(ends) else 0, BLOCK))
    for part in np.split(np.arange(len(f)), cuts):
        wide = widths[part]
        total = int(wide.sum())
        at = np.repeat(first[part] - (wide.cumsum() - wide), wide) + np.arange(total)
        yield e[at] * target_vocab_size + np.repeat(f[part], wide), wide


def blocks_of(sources: Rows, targets: Rows, null: int, target_vocab_size: int) -> tuple[Ints, list[Block]]:
    """The distinct keys of all entries, sorted, and the entries."""
    local, blocks = [], []
    for entries, widths in entries_of(sources, targets, null, target_vocab_size):
        found, which = torch.from_numpy(entries).unique(return_inverse=True)  # three times as fast as numpy's
        local.append(found)
        blocks.append((which.int().numpy(), widths.cumsum() - widths, widths))
    keys, places = torch.cat(local).unique(return_inverse=True)
    placed = [pairs.numpy() for pairs in places.split([len(found) for found in local])]
    return keys.numpy(), [Block(pairs, *rest) for pairs, rest in zip(placed, blocks, strict=True) if len(pairs)]


def expected(t: Floats, blocks: Sequence[Block]) -> Floats:
    """Expected counts of each distinct pair (e, f) (Brown et al. 1993, equation 17)."""
    counts = np.zeros_like(t)
    for block in blocks:
        p = t[block.pairs][block.which]
        p /= np.repeat(np.add.reduceat(p, block.starts), block.widths)
        counts[block.pairs] += np.bincount(block.which, p, minlength=len(block.pairs))
    return counts
