import pytest
import torch
from torch import Tensor

from seqlab.native import compiler, gains


@pytest.fixture(autouse=True)
def shared(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has two threads share whatever they are given."""
    monkeypatch.setattr(gains, "EACH", 1)


def drawn(width: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Gradients and inputs ``(30, width)``, parts of wider rows."""
    generator = torch.Generator().manual_seed(0)
    gradient, inputs = (torch.randn(30, width + extra, generator=generator).to(dtype) for extra in (7, 3))
    return gradient[:, 2 : 2 + width], inputs[:, 3:]


def moments(inputs: Tensor) -> tuple[Tensor, Tensor]:
    variance, mean = torch.var_mean(inputs, 1, correction=0, keepdim=True)
    return mean, (variance + 1e-5).rsqrt()


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [2, 16, 33, 200])
def test_equals_that_of_torch(width: int, dtype: torch.dtype, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not compiled:
        monkeypatch.setattr(compiler, "native", lambda: compiler.Native(None))
    gradient, inputs = drawn(width, dtype)
    gain = torch.ones(width, dtype=dtype, requires_grad=True)
    (torch.layer_norm(inputs, (width,), gain) * gradient).sum().backward()
    assert gain.grad is not None
    torch.testing.assert_close(gains.gain_gradient(gradient, inputs, *moments(inputs)), gain.grad, rtol=1e-4, atol=1e-4)


def test_digits_do_not_depend_on_the_number_of_threads() -> None:
    gradient, inputs = drawn(100)
    two = gains.gain_gradient(gradient, inputs, *moments(inputs))
    torch.set_num_threads(1)
    assert torch.equal(gains.gain_gradient(gradient, inputs, *moments(inputs)), two)
