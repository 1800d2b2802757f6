from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.native.compiler import native, wide
from seqlab.nn import linear
from seqlab.nn.linear import linear_cross_entropy, linear_log_softmax, linear_token_nats

SIZE, VOCAB = 6, 17


def case(tokens: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (tokens, SIZE), (VOCAB, SIZE), (VOCAB,)
    inputs, weight, bias = (torch.randn(*shape, generator=generator, dtype=dtype) for shape in shapes)
    targets = torch.randint(VOCAB, (tokens,), generator=generator)
    return inputs.requires_grad_(), weight.requires_grad_(), bias.requires_grad_(), targets


@pytest.fixture
def always_chunked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Chunks of eight rows of float64 however few the logits, by torch, and how many rows each had."""
    rows: list[int] = []
    gradient = linear._softmax_gradient

    def counted(product: Tensor, *call: Any) -> tuple[Tensor, Tensor]:
        rows.append(len(product))
        return gradient(product, *call)

    monkeypatch.setattr(linear, "LARGE", 0)
    monkeypatch.setattr(linear.cross_entropy, "able", lambda *tensors: False)
    monkeypatch.setattr(linear, "CHUNK", 8 * 8 * VOCAB)
    monkeypatch.setattr(linear, "_softmax_gradient", counted)
    return rows


@pytest.mark.parametrize("tokens", [1, 8, 21])
def test_chunks_give_the_numbers_of_the_whole(tokens: int, always_chunked: list[int]) -> None:
    inputs, weight, bias, targets = case(tokens)
    expected = F.cross_entropy(inputs @ weight.T + bias, targets, reduction="sum")
    wanted = torch.autograd.grad(2 * expected, (inputs, weight, bias))
    nats = linear_cross_entropy(inputs, weight, bias, targets)
    torch.testing.assert_close(nats, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.autograd.grad(2 * nats, (inputs, weight, bias)), wanted, rtol=0, atol=1e-12)
    assert always_chunked == {1: [1], 8: [8], 21: [7, 7, 7]}[tokens]


def test_gradients_of_chunks_are_right(always_chunked: list[int]) -> None:
    inputs, weight, bias, targets = case(11)
    assert torch.autograd.gradcheck(lambda *given: linear_cross_entropy(*given, targets), (inputs, weight, bias))
    assert always_chunked


@pytest.mark.skipif(wide().library is None or native().tiles, reason="no compiled code, or tiles of the processor")
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_compiled_code_gives_the_numbers_of_torch(smoothing: float, always_chunked: list[int]) -> None:
    inputs, weight, bias, targets = case(37, torch.float32)
    plain = linear_cross_entropy(inputs, weight, bias, targets, smoothing)
    wanted = torch.autograd.grad(2 * plain, (inputs, weight, bias))
    chunks = len(always_chunked)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(linear.cross_entropy, "able", lambda *tensors: True)
        found = linear_cross_entropy(inputs, weight, bias, targets, smoothing)
    torch.testing.assert_close(found, plain)
    torch.testing.assert_close(torch.autograd.grad(2 * found, (inputs, weight, bias)), wanted)
    assert len(always_chunked) == chunks > 0


def test_a_large_logit_stays_finite(always_chunked: list[int]) -> None:
    inputs, weight, bias = torch.tensor([[300.0]]), torch.tensor([[1.0], [-1.0]]), torch.zeros(2)
    nats = linear_cross_entropy(inputs.requires_grad_(), weight, bias, torch.tensor([1]))
    nats.backward()
    assert float(nats.detach()) == 600.0
    assert inputs.grad is not None
    assert inputs.grad.item() == 2.0
    assert always_chunked == [1]


def test_under_autocast_the_loss_is_in_full_precision(always_chunked: list[int]) -> None:
    inputs, weight, bias, targets = case(84, torch.float32)
    with torch.no_grad():
        exact = linear_cross_entropy(inputs, weight, bias, targets)
    with torch.autocast("cpu", torch.bfloat16):
        nats = linear_cross_entropy(inputs, weight, bias, targets)
    nats.backward()
    assert nats.dtype == weight.grad.dtype == torch.float32  # type: ignore[union-attr]
    assert float(nats.detach()) == pytest.approx(float(exact), rel=0.01)
    assert float(nats.detach()) != float(exact)
    assert len(always_chunked) == 3


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_without_a_gradient(smoothing: float, always_chunked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, weight, bias, targets = case(21)
    whole, rows = linear._whole, []
    monkeypatch.setattr(linear, "_whole", lambda part, *rest: rows.append(len(part)) or whole(part, *rest))
    with torch.no_grad():
        without = linear_cross_entropy(inputs, weight, bias, targets, smoothing)
    monkeypatch.setattr(linear, "LARGE", 1_000)
    plain = linear_cross_entropy(inputs, weight, bias, targets, smoothing)
    assert rows == [7, 7, 7, 21]
    assert not always_chunked
    torch.testing.assert_close(without, plain, rtol=0, atol=1e-12)


@pytest.mark.parametrize("gap", [120.0, 10_000.0])
def test_a_wide_gap_stays_finite(gap: float) -> None:
    nats = linear_cross_entropy(torch.tensor([[gap, 0.0]]), torch.eye(2), torch.zeros(2), torch.tensor([1]))
    assert float(nats) == gap


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_log_probabilities(dtype: torch.dtype) -> None:
    inputs, weight, bias, _ = case(5, dtype)
    found = linear_log_softmax(inputs, weight, bias)
    expected = (inputs.double() @ weight.double().T + bias.double()).log_softmax(-1)
    torch.testing.assert_close(found, expected.to(dtype))
    assert not found.requires_grad


def test_log_probabilities_under_autocast_are_in_full_precision() -> None:
    inputs, weight, bias, _ = case(5, torch.float32)
    exact = linear_log_softmax(inputs, weight, bias)
    with torch.autocast("cpu", torch.bfloat16):
        found = linear_log_softmax(inputs, weight, bias)
    assert found.dtype == torch.float32
    assert not torch.equal(found, exact)
    torch.testing.assert_close(found, exact, rtol=0, atol=0.1)


def test_each_token_by_itself_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.nn.linear.CHUNK", 4 * 11 * 3)
    generator = torch.Generator().manual_seed(0)
    inputs, weight, bias = (torch.randn(shape, generator=generator) for shape in ((20, 5), (11, 5), (11,)))
    targets = torch.randint(11, (20,), generator=generator)
    expected = torch.nn.functional.cross_entropy(inputs @ weight.T + bias, targets, reduction="none")
    torch.testing.assert_close(linear_token_nats(inputs, weight, bias, targets), expected)
