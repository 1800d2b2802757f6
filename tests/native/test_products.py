import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from seqlab.native import compiler, products

pytestmark = pytest.mark.skipif(not compiler.native().tiles, reason="this processor has no AMX")
SHAPES = [(1, 1, 1), (16, 32, 16), (5, 70, 33), (45, 19, 70), (257, 1300, 40), (40, 33, 300)]
"""Rows, depth, columns: less than a tile, more than one, depths packed in several goes, both ways to divide."""


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Has all products taken by tiles, and counts them."""
    made: list[bool] = []
    call = products._call
    monkeypatch.setattr(products, "_call", lambda *given: made.append(True) or call(*given))
    monkeypatch.setattr(products, "WORTH", 0)
    monkeypatch.setattr(products, "NARROW", 0)
    return made


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def drawn(rows: int, columns: int, turned: bool = False) -> Tensor:
    """Numbers of many sizes."""
    generator = torch.Generator().manual_seed(rows + 7 * columns)
    shape = (columns, rows) if turned else (rows, columns)
    numbers = torch.randn(shape, generator=generator) * torch.randn(shape, generator=generator).exp()
    return numbers.t() if turned else numbers


def error(found: Tensor, precise: Tensor) -> float:
    return float((found.double() - precise).norm() / precise.norm())


@pytest.mark.parametrize("turned", list(itertools.product([False, True], repeat=3)))
@pytest.mark.parametrize("shape", SHAPES)
def test_products_are_as_exact_as_those_of_torch(
    shape: tuple[int, int, int], turned: tuple[bool, bool, bool], threads: int, calls: list[bool]
) -> None:
    rows, depth, columns = shape
    a, b = drawn(rows, depth, turned[0]), drawn(depth, columns, turned[1])
    out = torch.full((rows, columns), torch.nan) if not turned[2] else torch.full((columns, rows), torch.nan).t()
    products.product(a, b, out)
    assert calls == [True]
    precise = a.double() @ b.double()
    assert error(out, precise) <= max(1.5 * error(a @ b, precise), 1e-7)


def test_a_long_sum_is_as_exact_as_that_of_torch(threads: int) -> None:
    a, b = drawn(40, 20_000).abs(), drawn(20_000, 50).abs()
    out = torch.empty(40, 50)
    products.product(a, b, out)
    precise = a.double() @ b.double()
    assert error(out, precise) <= 1.5 * error(a @ b, precise)


def test_digits_do_not_depend_on_the_number_of_threads() -> None:
    before, found = torch.get_num_threads(), []
    a, b = drawn(300, 1500, True), drawn(1500, 70)
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        products.product(a, b, out := torch.empty(300, 70))
        found.append(out)
    torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_adding_to_what_is_there(threads: int) -> None:
    a, b, before = drawn(70, 90), drawn(90, 40), drawn(70, 40)
    out = before.clone()
    products.product(a, b, out, add=True)
    torch.testing.assert_close(out, torch.addmm(before, a, b), rtol=1e-5, atol=1e-4)


def test_rows_between_others() -> None:
    """As the gradients of some gates lie: a part of wider rows, read and written."""
    whole, out = drawn(50, 96), torch.zeros(40, 64)
    products.product(whole[:, 32:72].t(), drawn(50, 20), out[:, 10:30])
    torch.testing.assert_close(out[:, 10:30], whole[:, 32:72].t() @ drawn(50, 20), rtol=1e-5, atol=1e-4)
    assert not out[:, :10].any()
    assert not out[:, 30:].any()


@pytest.mark.parametrize("number", [torch.inf, -torch.inf, torch.nan])
def test_what_is_not_finite_does_not_get_lost(number: float) -> None:
    a = torch.ones(20, 40)
    a[3, 5] = number
    products.product(a, torch.ones(40, 30), out := torch.empty(20, 30))
    assert not out[3].isfinite().any()
    assert out[:3].isfinite().all()
    assert out[4:].isfinite().all()


def test_tiny_and_huge_numbers() -> None:
    a = torch.tensor([[1e-30, 3e30], [1.2345678e-20, 1e15]])
    products.product(a, torch.eye(2), out := torch.empty(2, 2))
    torch.testing.assert_close(out, a, rtol=1e-7, atol=0)


def test_what_tiles_do_not_take_is_left_to_torch(calls: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = drawn(20, 30), drawn(30, 10)
    for dtype in (torch.float64, torch.bfloat16):
        products.product(a.to(dtype), b.to(dtype), out := torch.empty(20, 10, dtype=dtype))
        assert torch.equal(out, a.to(dtype) @ b.to(dtype))
    products.product(a[:, ::2], b[::2], out := torch.empty(20, 10))
    assert torch.equal(out, a[:, ::2] @ b[::2])
    monkeypatch.setattr(products, "WORTH", 20 * 30 * 10 + 1)
    products.product(a, b, out)
    products.product(a, b, out, add=True)
    torch.testing.assert_close(out, 2 * (a @ b))
    assert calls == []


def test_products_that_would_leave_tiles_empty_are_left_to_torch(
    calls: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "NARROW", 20)
    a, b = drawn(30, 40), drawn(40, 19)
    products.product(a, b, out := torch.empty(30, 19))
    assert torch.equal(out, a @ b)
    assert calls == []


@pytest.mark.parametrize("biased", [True, False])
def test_a_linear_layer_and_its_gradients(biased: bool, calls: list[bool]) -> None:
    inputs, weight, bias = drawn(60, 40).view(5, 12, 40), drawn(30, 40), drawn(1, 30)[0] if biased else None
    leaves = [leaf for leaf in (inputs, weight, bias) if leaf is not None]
    given = [leaf.clone().requires_grad_() for leaf in leaves]
    outputs = products.linear(*given)
    found = torch.autograd.grad((outputs * outputs.detach()).sum(), given)
    precise = [leaf.double().requires_grad_() for leaf in leaves]
    expected = torch.nn.functional.linear(*precise)
    gradients = torch.autograd.grad((expected * expected.detach()).sum(), precise)
    assert len(calls) == 3
    for one, other in zip((outputs.detach(), *found), (expected.detach(), *gradients), strict=True):
        assert one.shape == other.shape
        assert error(one, other) < 1e-6


def test_no_gradient_is_taken_that_nobody_wants(calls: list[bool]) -> None:
    weight = drawn(30, 40).requires_grad_()
    products.linear(drawn(60, 40), weight).square().sum().backward()
    assert len(calls) == 2


def test_a_linear_layer_can_be_differentiated_twice() -> None:
    inputs, weight = drawn(60, 40).requires_grad_(), drawn(30, 40).requires_grad_()
    (first,) = torch.autograd.grad(products.linear(inputs, weight).pow(2).sum(), inputs, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), weight)
    (first,) = torch.autograd.grad((inputs @ weight.t()).pow(2).sum(), inputs, create_graph=True)
    torch.testing.assert_close(second, torch.autograd.grad(first.sum(), weight)[0], rtol=1e-4, atol=1e-3)


def test_lower_precision_is_left_to_torch(calls: list[bool]) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        outputs = products.linear(drawn(60, 40), drawn(30, 40))
    assert outputs.dtype == torch.bfloat16
    assert calls == []


def test_torch_multiplies_in_bfloat16_as_before_afterwards() -> None:
    a, b = drawn(40, 96).bfloat16(), drawn(96, 56).bfloat16()
    before = a @ b
    products.product(drawn(40, 96), drawn(96, 56), torch.empty(40, 56))
    assert torch.equal(a @ b, before)
