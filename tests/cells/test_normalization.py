import torch
import torch.nn.functional as F

from seqlab.cells.normalization import EPSILON, Normalization


def test_a_step_by_hand() -> None:
    norm = Normalization(
        torch.tensor([[[1.0, 3.0]], [[5.0, 5.0]]]), torch.tensor([2.0, 1.0]), torch.tensor([0.0, 10.0])
    )
    torch.testing.assert_close(norm.forward(0), torch.tensor([[-2.0, 11.0]]), rtol=0, atol=1e-4)
    torch.testing.assert_close(norm.forward(1), torch.tensor([[0.0, 10.0]]), rtol=0, atol=1e-4)


def test_derivatives_are_those_of_autograd() -> None:
    generator = torch.Generator().manual_seed(1)
    inputs, gradient = (torch.randn(3, 2, 5, dtype=torch.float64, generator=generator) for _ in range(2))
    gain = torch.linspace(0.5, 2, 5, dtype=torch.float64).requires_grad_()
    norm = Normalization(inputs, gain.detach())
    outputs = torch.stack([norm.forward(step) for step in range(3)])
    given = inputs.clone().requires_grad_()
    expected = F.layer_norm(given, [5], gain, None, EPSILON)
    expected.backward(gradient)
    torch.testing.assert_close(outputs, expected.detach(), rtol=0, atol=1e-12)
    found = torch.stack([norm.backward(step, gradient[step]) for step in range(3)])
    torch.testing.assert_close(found, given.grad, rtol=0, atol=1e-12)
    torch.testing.assert_close(norm.gain_gradient(gradient), gain.grad, rtol=0, atol=1e-12)
