import pytest
import torch

from seqlab.nn.gram_levels import FALLBACK, discounts, find, level_of


def test_discounts_by_hand() -> None:
    counts = torch.tensor([1] * 8 + [2] * 4 + [3] * 2 + [4])  # Y = 8 / 16
    assert discounts(counts) == pytest.approx((1 - 2 * 0.5 * 4 / 8, 2 - 3 * 0.5 * 2 / 4, 3 - 4 * 0.5 * 1 / 2))
    assert discounts(torch.tensor([1, 2, 3])) == FALLBACK


def test_a_level_by_hand() -> None:
    """Bigrams of "1 2 1 2 1 3" over three ids: 12 twice, 13 once, 21 twice."""
    keys, counts = torch.tensor([0 * 4 + 2, 0 * 4 + 3, 1 * 4 + 1]), torch.tensor([2, 1, 2])
    level = level_of(keys, counts, 3, 4, (0.5, 1.0, 1.5))
    assert level.totals.tolist() == [3, 2, 0]
    assert level.left.tolist() == [1.5, 1, 0]


def test_unknown_grams_have_no_number() -> None:
    keys = torch.tensor([2, 3, 5])
    assert find(keys, torch.tensor([0, 0, 1, 1, -1]), torch.tensor([2, 1, 1, 3, 2]), 4).tolist() == [0, -1, 2, -1, -1]
    assert find(keys[:0], torch.tensor([0]), torch.tensor([2]), 4).tolist() == [-1]
