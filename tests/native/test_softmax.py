import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.native import softmax
from seqlab.native.compiler import native

pytestmark = pytest.mark.skipif(native().library is None, reason=native().reason or "there is")


@pytest.fixture
def shared(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has two threads share whatever they are given."""
    monkeypatch.setattr(softmax, "EACH", 1)


def logits_of(tokens: int, classes: int) -> Tensor:
    return 5 * torch.randn(tokens, classes, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("classes", [1, 5, 16, 33, 1000])
@pytest.mark.parametrize("tokens", [1, 7])
def test_log_softmax(tokens: int, classes: int, shared: None) -> None:
    logits, bias = logits_of(tokens, classes), torch.linspace(-1, 1, classes)
    expected = (logits + bias).double().log_softmax(-1)
    torch.testing.assert_close(softmax.log_softmax_(logits, bias).double(), expected, rtol=1e-6, atol=1e-6)


def test_log_softmax_of_extremes() -> None:
    logits = torch.tensor([[0.0, -torch.inf, 0.0], [300.0, 0.0, -300.0], [torch.nan, 0.0, 1.0]])
    expected = logits.log_softmax(-1)
    torch.testing.assert_close(softmax.log_softmax_(logits, torch.zeros(3)), expected, equal_nan=True)


@pytest.mark.parametrize(
    ("logits", "bias"),
    [
        (torch.zeros(2, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)),
        (torch.zeros(2, 3, dtype=torch.float16), torch.zeros(3)),
        (torch.zeros(2, 3, dtype=torch.bfloat16), torch.zeros(3, dtype=torch.bfloat16)),
        (torch.zeros(3, 2).t(), torch.zeros(3)),
        (torch.zeros(0, 3), torch.zeros(3)),
        (torch.zeros(2, 3, device="meta"), torch.zeros(3)),
    ],
)
def test_what_it_does_not_read(logits: Tensor, bias: Tensor) -> None:
    assert softmax.able(torch.zeros(2, 3), torch.zeros(3))
    assert not softmax.able(logits, bias)


def gradients(logits: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> tuple[Tensor, Tensor, Tensor]:
    """Nats of each token and the gradients of logits and bias, by autograd in float64."""
    leaves = logits.double().requires_grad_(), bias.double().requires_grad_()
    nats = F.cross_entropy(sum(leaves), targets, reduction="none", label_smoothing=smoothing)
    return nats.detach(), *torch.autograd.grad(nats.sum(), leaves)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("classes", [1, 5, 16, 33, 1000])
@pytest.mark.parametrize(("dtype", "exact"), [(torch.float32, 1e-6), (torch.bfloat16, 4e-3)])
def test_cross_entropy(dtype: torch.dtype, exact: float, classes: int, smoothing: float, shared: None) -> None:
    logits, bias = logits_of(7, classes).to(dtype), torch.linspace(-1, 1, classes)
    targets = torch.arange(7) * 5 % classes
    nats, d_logits, d_bias = gradients(logits, bias, targets, smoothing)
    before = torch.full((classes,), 3.0)
    found = softmax.cross_entropy_(logits, bias, targets, smoothing, before)
    torch.testing.assert_close(found, nats, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(logits.double(), d_logits, rtol=exact, atol=1e-6)
    torch.testing.assert_close(before.double() - 3, d_bias, rtol=1e-5, atol=1e-6)


def test_a_row_does_not_depend_on_the_threads(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for share in (1, 10**9):
        monkeypatch.setattr(softmax, "EACH", share)
        logits, bias = logits_of(9, 50), torch.zeros(50)
        nats = softmax.cross_entropy_(logits, bias, torch.arange(9), 0.0, torch.zeros(50))
        results.append((softmax.threads_for(logits.numel(), share), logits, nats))
    assert [result[0] for result in results] == [2, 1]
    assert all(torch.equal(*pair) for pair in zip(results[0][1:], results[1][1:], strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_no_number_is_not_lost(dtype: torch.dtype) -> None:
    logits = torch.tensor([[0.0, torch.nan], [1.0, 2.0]], dtype=dtype)
    nats = softmax.cross_entropy_(logits, torch.zeros(2), torch.zeros(2, dtype=torch.int64), 0.0, torch.zeros(2))
    assert nats.isnan().tolist() == [True, False]
    assert logits.isnan().tolist() == [[True, True], [False, False]]


def test_a_target_that_is_no_class() -> None:
    with pytest.raises(IndexError, match="targets from 0 to 3 of 3 classes"):
        softmax.cross_entropy_(torch.zeros(2, 3), torch.zeros(3), torch.tensor([0, 3]), 0.0, torch.zeros(3))


def test_other_kinds_of_numbers() -> None:
    logits, bias, targets = logits_of(4, 9), torch.zeros(9), torch.arange(4, dtype=torch.int32)
    nats, _, _ = gradients(logits, bias, targets.long(), 0.0)
    torch.testing.assert_close(softmax.cross_entropy_(logits, bias, targets, 0, torch.zeros(9)), nats)
