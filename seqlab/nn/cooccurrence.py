"""Co-occurrence counts of words, in memory that grows only with the number of distinct pairs."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

TOGETHER = 2**17
"""Number of words whose pairs are counted at once."""


class Cells(NamedTuple):
    """Pairs of words near each other, sorted by first and second word.

    Args:
        first: Ids ``(cells,)`` int64.
        second: Ids ``(cells,)`` int64.
        counts: Weighted occurrences ``(cells,)`` float64.
    """

    first: Tensor
    second: Tensor
    counts: Tensor


Run = tuple[Tensor, Tensor]
"""Sorted keys of pairs, and their counts."""


def cooccurrences(words: Tensor, vocab_size: int, window: int, weight: Callable[[Tensor], Tensor]) -> Cells:
    """Counts each pair at a distance of at most ``window``, in both directions.

    Sorted runs of distinct pairs are merged when they have similar lengths, so that each pair moves a logarithmic
    number of times (as in GloVe's cooccur, which merges files).

    Args:
        words: Ids of a text ``(words,)`` int64.
        vocab_size: Number of ids.
        window: Largest distance of a pair, in words.
        weight: Distances -> weights of pairs, both float64.
    """
    weights = weight(torch.arange(1, window + 1, dtype=torch.float64, device=words.device))
    runs: list[Run] = []
    for begin in range(0, max(1, len(words)), TOGETHER):
        part = words[begin : begin + TOGETHER + window]
        pairs = [_pairs_of(part, distance, vocab_size) for distance in range(1, window + 1)]
        values = [weights[place].expand(len(one)) for place, one in enumerate(pairs)]
        runs.append(_summed(torch.cat(pairs), torch.cat(values)))
        while len(runs) > 1 and len(runs[-2][0]) <= 2 * len(runs[-1][0]):
            runs.append(_merged(runs.pop(), runs.pop()))
    while len(runs) > 1:
        runs.append(_merged(runs.pop(), runs.pop()))
    keys, counts = runs[0]
    turned = keys % vocab_size * vocab_size + keys // vocab_size
    keys, counts = _summed(torch.cat([keys, turned]), torch.cat([counts, counts]))
    return Cells(keys // vocab_size, keys % vocab_size, counts)


def _pairs_of(part: Tensor, distance: int, vocab_size: int) -> Tensor:
    """Keys of the pairs whose first word is among the first ``TOGETHER``."""
    first = part[: max(0, min(TOGETHER, len(part) - distance))]
    return first * vocab_size + part[distance : distance + len(first)]


def _merged(one: Run, other: Run) -> Run:
    return _summed(torch.cat([one[0], other[0]]), torch.cat([one[1], other[1]]))


def _summed(keys: Tensor, counts: Tensor) -> Run:
    """Distinct keys, sorted, and the sum of the counts of each."""
    keys, order = keys.sort(stable=True)
    distinct, place = torch.unique_consecutive(keys, return_inverse=True)
    return distinct, torch.zeros(len(distinct), dtype=torch.float64, device=keys.device).index_add(
        0, place, counts[order]
    )
