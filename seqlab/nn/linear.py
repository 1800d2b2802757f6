"""The output layer and its cross-entropy in one, without the logits of a whole batch."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 1 << 21
"""About as many logits are held at once."""

LARGE = 1_000_000
"""Logits of a batch from which on chunks pay."""


class _Chunked(torch.autograd.Function):
    """Takes the gradients on the way forward, while the logits of a chunk are there."""

    @staticmethod
    def forward(
        ctx: Any,
        low: torch.dtype | None,
        smoothing: float,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
    ) -> Tensor:
        even = smoothing / len(weight)
        d_inputs, d_weight, d_bias = torch.empty_like(inputs), torch.empty_like(weight), torch.zeros_like(bias)
        cast = weight if low is None else weight.to(low)
        nats = inputs.new_zeros((), dtype=torch.float64)
        size = -(-len(targets) // max(1, round(len(targets) * len(weight) / CHUNK)))
        parts = zip(d_inputs.split(size), inputs.split(size), targets.unsqueeze(1).split(size), strict=True)
        for number, (rows, part, target) in enumerate(parts):
            given = part.to(cast.dtype)
            product = given @ cast.t()
            logits = product.add_(bias) if low is None else product + bias
            log_probs = torch.log_softmax(logits, 1, out=logits)
            right = log_probs.gather(1, target)
            nats -= (1 - smoothing) * right.sum(dtype=torch.float64)
            if smoothing:
                nats -= even * log_probs.sum(dtype=torch.float64)
            gradient = log_probs.exp_()
            gradient.scatter_add_(1, target, torch.full_like(right, smoothing - 1))
            if smoothing:
                gradient.sub_(even)
            d_bias += gradient.sum(0)
            gradient = gradient.to(cast.dtype)
            rows.copy_(gradient @ cast)
            if low is None:
                d_weight.addmm_(gradient.t(), given, beta=min(number, 1))
            elif number:
                d_weight.add_(gradient.t() @ given)
            else:
                d_weight.copy_(gradient.t() @ given)
        ctx.save_for_backward(d_inputs, d_weight, d_bias)
        return nats.to(bias.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, incoming: Tensor) -> tuple[Tensor | None, ...]:
        d_inputs, d_weight, d_bias = ctx.saved_tensors
        return None, None, d_inputs * incoming, d_weight * incoming, d_bias * incoming, None


def linear_cross_entropy(
    inputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy of ``weight @ inputs + bias``, summed over tokens, in float32 whatever the precision.

    Where there are many logits and a gradient is wanted, they are taken a few tokens at a time, and the gradients with
    them, so that neither all of them nor their softmax is ever held.

    Args:
        inputs: ``(tokens, size)``.
        weight: ``(vocab_size, size)``.
        bias: ``(vocab_size,)``.
        targets: ``(tokens,)`` int64.
        smoothing: Share of the target's probability that is spread evenly over all ids (Szegedy et al. 2016).

    Returns:
        The sum in nats, a scalar.
    """
    if len(targets) * len(weight) < LARGE or not torch.is_grad_enabled():
        logits = F.linear(inputs, weight, bias)
        precise = logits if logits.dtype == torch.float64 else logits.float()
        return F.cross_entropy(precise, targets, reduction="sum", label_smoothing=smoothing)
    device = inputs.device.type
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    apply: Callable[..., Tensor] = _Chunked.apply
    with torch.autocast(device, enabled=False):
        return apply(low, smoothing, inputs.to(weight.dtype), weight, bias, targets)
