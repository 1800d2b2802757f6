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


@pytest.mark.parametrize("size", [1, 16, 35])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_columns_and_their_gradient(size: int, dtype: torch.dtype) -> None:
    ids = torch.tensor([3, 0, 3, 8, 1, 0, 8, 3])
    weights = rows_of(len(ids), size).to(dtype)
    results = []
    for take in (lookup.columns, lambda table, ids: table.index_select(1, ids).t()):
        table = rows_of(size, 9).to(dtype).requires_grad_()
        found = take(table, ids)
        (found * weights).sum().backward()
        results.append((found.detach(), table.grad))
    assert torch.equal(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1])


def test_digits_of_columns_do_not_depend_on_the_number_of_threads() -> None:
    ids, gradient, found = torch.arange(40) % 7, rows_of(40, 70), []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        table = rows_of(70, 9).requires_grad_()
        lookup.columns(table, ids).backward(gradient)
        found.append(table.grad)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("wrong", [-1, 9])
def test_no_column_beyond_the_table_is_read(wrong: int) -> None:
    with pytest.raises((IndexError, RuntimeError), match="out of"):
        lookup.columns(rows_of(4, 9), torch.tensor([1, wrong]))


def test_no_columns() -> None:
    assert lookup.columns(rows_of(4, 9), torch.tensor([], dtype=torch.int64)).shape == (0, 4)


def test_columns_can_be_differentiated_twice() -> None:
    ids, weights = torch.tensor([3, 0, 3]), rows_of(3, 5).requires_grad_()
    table = rows_of(5, 9).requires_grad_()
    (first,) = torch.autograd.grad((lookup.columns(table, ids) * weights).sum(), table, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), weights)
    (first,) = torch.autograd.grad((table.index_select(1, ids).t() * weights).sum(), table, create_graph=True)
    torch.testing.assert_close(second, torch.autograd.grad(first.square().sum(), weights)[0])
