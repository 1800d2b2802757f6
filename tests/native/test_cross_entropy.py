import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.native import compiler, cross_entropy
from seqlab.native.compiler import wide

pytestmark = pytest.mark.skipif(wide().library is None, reason=wide().reason or "there is")


@pytest.fixture(params=["one thread", "two threads, pieces"])
def shared(request: pytest.FixtureRequest, two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs all rows at once on one thread, or pieces of them on two."""
    if request.param != "one thread":
        monkeypatch.setattr(cross_entropy, "EACH", 1)
        monkeypatch.setattr(cross_entropy, "HELD", 400)


def layer_of(tokens: int, size: int, classes: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (tokens, size), (classes, size), (classes,)
    inputs, weight, bias = (torch.randn(*shape, generator=generator) for shape in shapes)
    return inputs, weight, bias


def expected(layer: tuple[Tensor, ...], targets: Tensor, smoothing: float) -> tuple[Tensor, ...]:
    """Nats of each token and the gradients of the layer, by autograd in float64."""
    inputs, weight, bias = leaves = [one.double().requires_grad_() for one in layer]
    nats = F.cross_entropy(F.linear(inputs, weight, bias), targets, reduction="none", label_smoothing=smoothing)
    return nats.detach(), *torch.autograd.grad(nats.sum(), leaves)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("tokens", "size", "classes"), [(1, 1, 1), (7, 5, 48), (37, 33, 49), (9, 16, 1000)])
def test_of_the_equations(tokens: int, size: int, classes: int, smoothing: float, shared: None) -> None:
    layer, targets = layer_of(tokens, size, classes), torch.arange(tokens) * 5 % classes
    found = cross_entropy.gradients(*layer, targets, smoothing)
    for one, other in zip(found, expected(layer, targets, smoothing), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=1e-5)


def test_what_is_no_number_or_infinite_is_not_lost(shared: None) -> None:
    inputs, weight, bias = layer_of(3, 4, 60)
    inputs[1] = torch.nan
    bias[7] = -torch.inf
    targets = torch.tensor([3, 3, 59])
    nats, d_inputs, _, _ = cross_entropy.gradients(inputs, weight, bias, targets, 0.0)
    assert nats.isnan().tolist() == [False, True, False]
    assert d_inputs.isnan().all(1).tolist() == [False, True, False]
    torch.testing.assert_close(nats[::2], expected((inputs, weight, bias), targets, 0.0)[0][::2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [lambda one: one.double(), lambda one: one.bfloat16(), lambda one: one.to("meta"), lambda one: one.t()],
)
def test_what_it_does_not_read(change: object) -> None:
    assert callable(change)
    inputs, weight, bias = layer_of(3, 4, 5)
    assert cross_entropy.able(inputs, weight, bias) == (not compiler.native().tiles)
    assert not cross_entropy.able(inputs, change(weight), bias)


def test_a_target_that_is_no_class() -> None:
    with pytest.raises(IndexError, match="targets from 0 to 5 of 5 classes"):
        cross_entropy.gradients(*layer_of(2, 4, 5), torch.tensor([0, 5]), 0.0)


def test_targets_of_another_kind() -> None:
    layer, targets = layer_of(4, 8, 9), torch.arange(4, dtype=torch.int32)
    nats = cross_entropy.gradients(*layer, targets, 0.0)[0]
    torch.testing.assert_close(nats, expected(layer, targets.long(), 0.0)[0], rtol=1e-5, atol=1e-5)
