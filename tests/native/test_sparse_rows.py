import pytest
import torch
from torch import Tensor

from seqlab.native import sparse_rows
from seqlab.native.compiler import Native, portable
from seqlab.native.sparse_rows import adagrad_rows_, grouped, mean_rows, sum_rows


@pytest.fixture(autouse=True)
def shared(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has two threads share whatever they are given."""
    monkeypatch.setattr(sparse_rows, "EACH", 1)


def rows_of(count: int, width: int) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("library", ["compiled", "none"])
def test_places_are_grouped_by_what_stands_there(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if library == "none":
        monkeypatch.setattr(sparse_rows, "portable", lambda: Native(None))
    groups = grouped(torch.tensor([4, 1, 4, 4, 0]), 6)
    assert groups.ids.tolist() == [0, 1, 4]
    assert groups.ranks.tolist() == [2, 1, 2, 2, 0]
    assert groups.places.tolist() == [4, 1, 0, 2, 3]
    assert groups.ends.tolist() == [1, 2, 5]
    assert [len(one) for one in grouped(torch.tensor([], dtype=torch.int64), 6)] == [0] * 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_are_added_up(dtype: torch.dtype) -> None:
    """In float32 by compiled code where there is some, in float64 by torch."""
    rows, weights = rows_of(6, 7).to(dtype), torch.tensor([2.0, 1.0, 0.5], dtype=dtype)
    found = sum_rows(rows, torch.tensor([5, 0, 0, 1]), torch.tensor([1, 1, 4]), weights)
    wanted = torch.stack([2 * rows[5], torch.zeros(7, dtype=dtype), 0.5 * (2 * rows[0] + rows[1])])
    torch.testing.assert_close(found, wanted)


def test_no_rows() -> None:
    none = torch.tensor([], dtype=torch.int64)
    assert sum_rows(rows_of(2, 3), none, none, torch.ones(0)).shape == (0, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_means_of_rows_and_their_gradient(dtype: torch.dtype) -> None:
    table = rows_of(6, 7).to(dtype).requires_grad_()
    rows, ends, weights = torch.tensor([5, 0, 0, 1]), torch.tensor([1, 1, 4]), rows_of(3, 7).to(dtype)
    found = mean_rows(table, rows, ends)
    wanted = torch.stack([table[5], torch.zeros(7, dtype=dtype), (2 * table[0] + table[1]) / 3])
    torch.testing.assert_close(found, wanted)
    (gradient,) = torch.autograd.grad((found * weights).sum(), table)
    assert gradient.is_sparse
    assert gradient.is_coalesced()
    torch.testing.assert_close(gradient.to_dense(), torch.autograd.grad((wanted * weights).sum(), table)[0])


@pytest.mark.skipif(portable().library is None, reason=portable().reason or "there is")
def test_a_step_of_adagrad() -> None:
    """squares = 1 + 3^2 and rate g / root of it."""
    table, squares = torch.ones(3, 2), torch.ones(3, 2)
    gradient = torch.sparse_coo_tensor([[2]], [[3.0, 0.0]], (3, 2), is_coalesced=True, check_invariants=True)
    adagrad_rows_(table, squares, gradient, 0.5, 0.0)
    assert squares.tolist() == [[1, 1], [1, 1], [10, 1]]
    assert table[:2].tolist() == [[1, 1], [1, 1]]
    assert table[2].tolist() == [pytest.approx(1 - 0.5 * 3 / 10**0.5), 1]
