"""What n-gram smoothing reads for one length of n-grams: counts, their sums and discounts."""

from typing import NamedTuple

import torch
from torch import Tensor

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts for a text without n-grams of one to four occurrences to estimate them from (Heafield et al. 2013)."""


class Level(NamedTuple):
    """The counts of m-grams, for one m; the number of an m-gram is its row.

    Args:
        keys: ``number of the first m - 1 tokens * vocab_size + last token``, ascending ``(types,)`` int64.
        counts: Occurrences of each; for the lower orders of Kneser-Ney, number of different tokens before it
            ``(types,)`` int64.
        totals: Sum of the counts of the m-grams with the same first m - 1 tokens ``(shorter types,)`` float64.
        left: Sum of their discounts, which the lower order gets ``(shorter types,)`` float64.
        discounts: Discount of a count of 0, 1, 2, and 3 or more ``(4,)`` float64.
    """

    keys: Tensor
    counts: Tensor
    totals: Tensor
    left: Tensor
    discounts: Tensor


def discounts(counts: Tensor) -> tuple[float, float, float]:
    """D1, D2 and D3+ of modified Kneser-Ney (Chen & Goodman 1998, equation 26).

        Y = n1 / (n1 + 2 n2),  Dk = k - (k + 1) Y n(k+1) / nk

    Args:
        counts: Count of each distinct m-gram ``(types,)`` int64.

    Returns:
        The three discounts; ``FALLBACK`` if one of n1 to n4 is 0, or a discount is not between 0 and k.
    """
    n1, n2, n3, n4 = (int((counts == k).sum()) for k in (1, 2, 3, 4))
    if not n1 * n2 * n3 * n4:
        return FALLBACK
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    return found if all(0 <= d <= k for k, d in enumerate(found, 1)) else FALLBACK


def level_of(keys: Tensor, counts: Tensor, shorter: int, vocab_size: int, taken: tuple[float, float, float]) -> Level:
    """The level of these m-grams.

    Args:
        keys: See ``Level``.
        counts: See ``Level``.
        shorter: Number of distinct (m - 1)-grams.
        vocab_size: Number of ids.
        taken: Discounts of a count of 1, 2, and 3 or more.
    """
    beginnings = keys // vocab_size
    by_count = torch.tensor([0.0, *taken], dtype=torch.float64)
    zeros = torch.zeros(shorter, dtype=torch.float64)
    totals = zeros.index_add(0, beginnings, counts.double())
    left = zeros.index_add(0, beginnings, by_count[counts.clamp(max=3)])
    return Level(keys, counts, totals, left, by_count)


def find(keys: Tensor, beginnings: Tensor, tokens: Tensor, vocab_size: int) -> Tensor:
    """Numbers of m-grams, from the number of their first m - 1 tokens and their last token; -1 for an unknown one."""
    wanted = beginnings * vocab_size + tokens
    place = torch.searchsorted(keys, wanted).clamp(max=max(0, len(keys) - 1))
    there = (beginnings >= 0) & (tokens >= 0)
    there &= keys[place] == wanted if len(keys) else torch.zeros_like(there)
    return torch.where(there, place, -1)


def values_at(values: Tensor, numbers: Tensor) -> Tensor:
    """The values of these numbers; of number 0 for -1, and 0 if there are no values."""
    return values[numbers.clamp(min=0)] if len(values) else torch.zeros_like(numbers, dtype=values.dtype)
