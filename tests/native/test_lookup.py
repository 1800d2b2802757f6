import pytest
import torch
from torch import Tensor

from seqlab.native import lookup


@pytest.fixture(autouse=True)
def shared(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has two threads share whatever they are given."""
    monkeypatch.setattr(lookup, "EACH", 1)


def rows_of(count: int, width: int) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("width", [1, 5, 16, 33, 200])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_rows_are_added_by_their_ids(width: int, dtype: torch.dtype) -> None:
    rows, ids = rows_of(7, width).to(dtype), torch.tensor([3, 0, 3, 3, 1, 0, 5])
    expected = torch.stack([rows[ids == one].double().sum(0) for one in range(6)])
    torch.testing.assert_close(lookup.sum_by_id(rows, ids, 6).double(), expected, rtol=1e-2, atol=0.05)
    if dtype != torch.bfloat16:
        torch.testing.assert_close(lookup.sum_by_id(rows, ids, 6).double(), expected, rtol=1e-5, atol=1e-6)


def test_rows_within_wider_ones() -> None:
    whole, ids = rows_of(9, 50), torch.arange(18)[::2] % 4
    expected = torch.zeros(4, 20).index_add_(0, ids, whole[:, 10:30])
    torch.testing.assert_close(lookup.sum_by_id(whole[:, 10:30], ids, 4), expected)


def test_no_rows() -> None:
    assert torch.equal(lookup.sum_by_id(rows_of(0, 3), torch.tensor([], dtype=torch.int64), 2), torch.zeros(2, 3))
