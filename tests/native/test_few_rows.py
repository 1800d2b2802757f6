import pytest
import torch
from torch import Tensor

from seqlab.native import few_rows
from seqlab.native.compiler import wide

pytestmark = pytest.mark.skipif(wide().library is None, reason=wide().reason or "there is")


def draws(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("rows", range(1, few_rows.MOST + 1))
@pytest.mark.parametrize(("size", "columns"), [(16, 1), (64, 30), (256, 1003)])
def test_is_the_product(rows: int, size: int, columns: int) -> None:
    inputs, weight = draws(rows, size), draws(columns, size)
    assert few_rows.able(inputs, weight)
    wanted = inputs.double() @ weight.double().t()
    torch.testing.assert_close(few_rows.product(inputs, weight).double(), wanted, rtol=1e-5, atol=1e-4)


def test_digits_do_not_depend_on_the_number_of_threads(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, weight = draws(5, 64), draws(31, 64)
    alone = few_rows.product(inputs, weight)
    monkeypatch.setattr(few_rows, "EACH", 1)
    for threads in (2, 3):
        torch.set_num_threads(threads)
        torch.testing.assert_close(few_rows.product(inputs, weight), alone, rtol=0, atol=0)


def test_what_it_leaves_to_torch() -> None:
    inputs, weight = draws(few_rows.MOST, 64), draws(30, 64)
    assert few_rows.able(inputs, weight)
    assert not few_rows.able(draws(few_rows.MOST + 1, 64), weight)
    assert not few_rows.able(inputs[:0], weight)
    assert not few_rows.able(inputs.double(), weight.double())
    assert not few_rows.able(inputs[:, :3].contiguous(), weight[:, :3].contiguous())
    assert not few_rows.able(inputs, draws(64, 30).t())
