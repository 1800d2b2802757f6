"""Linear layers, and a fused output layer and cross-entropy that never hold the logits of a whole batch."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from seqlab.native import cross_entropy, few_rows, softmax
from seqlab.native.products import linear
from seqlab.native.products import product as multiply

CHUNK = 1 << 24
"""Approximate bytes of logits to hold at once."""

LARGE = 400_000
"""Number of logits in a batch from which chunks save time."""


class Linear(nn.Linear):
    """torch's ``Linear``; a large product uses the processor's matrix tiles if it has them."""

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)


def _rows_at_once(targets: Tensor, weight: Tensor) -> int:
    """Rows of logits in a chunk, in the dtype of the weight; all chunks have about the same size."""
    chunks = max(1, round(len(targets) * len(weight) * weight.itemsize / CHUNK))
    return -(-len(targets) // chunks)


def _whole(inputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """The cross-entropy with all logits at once, summed over tokens."""
    logits = F.linear(inputs, weight, bias)
    precise = logits if logits.dtype == torch.float64 else logits.float()
    return F.cross_entropy(precise, targets, reduction="sum", label_smoothing=smoothing)


def _log_probabilities(product: Tensor, bias: Tensor) -> Tensor:
    """Log-softmax of logits ``product + bias``, by torch; the product is overwritten."""
    logits = product.add_(bias) if product.dtype == bias.dtype else product + bias
    return torch.log_softmax(logits, 1, out=logits)


def _softmax_gradient(
    product: Tensor, bias: Tensor, targets: Tensor, smoothing: float, d_bias: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradient of the cross-entropy of logits ``product + bias`` in the dtype of the product, which is overwritten,
    and its sum in nats; adds to the gradient of the bias."""
    if softmax.able(product, bias):
        return product, softmax.cross_entropy_(product, bias, targets, smoothing, d_bias).sum()
    even, target = smoothing / len(bias), targets.unsqueeze(1)
    log_probs = _log_probabilities(product, bias)
    right = log_probs.gather(1, target)
    nats = (smoothing - 1) * right.sum(dtype=torch.float64)
    if smoothing:
        nats -= even * log_probs.sum(dtype=torch.float64)
    gradient = log_probs.exp_()
    gradient.scatter_add_(1, target, torch.full_like(right, smoothing - 1))
    if smoothing:
        gradient.sub_(even)
    d_bias += gradient.sum(0)
    return gradient.to(product.dtype), nats


class _Chunked(torch.autograd.Function):
    """Computes the gradients in the forward pass, while the logits of a chunk exist."""

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
        if low is None and cross_entropy.able(inputs, weight, bias):
            each, *found = cross_entropy.gradients(inputs, weight, bias, targets, smoothing)
            ctx.save_for_backward(*found)
            return each.sum().to(bias.dtype)
        d_inputs, d_weight, d_bias = torch.empty_like(inputs), torch.empty_like(weight), torch.zeros_like(bias)
        cast = weight if low is None else weight.to(low)
        nats = inputs.new_zeros((), dtype=torch.float64)
        size = _rows_at_once(targets, cast)
        products = cast.new_empty(size, len(weight))
        parts = zip(d_inputs.split(size), inputs.split(size), targets.split(size), strict=True)
        for number, (rows, part, target) in enumerate(parts):
            given = part.to(cast.dtype)
            product = products[: len(given)]
            multiply(given, cast.t(), product)
            gradient, lost = _softmax_gradient(product, bias, target, smoothing, d_bias)
            nats += lost
            if low is None:
                multiply(gradient, cast, rows)
                multiply(gradient.t(), given, d_weight, add=number > 0)
                continue
            rows.copy_(gradient @ cast)
            if number:
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
    """Cross-entropy of ``weight @ inputs + bias``, summed over tokens, in float32 at any precision.

    Many logits are computed in chunks of a few tokens, together with their gradients if needed, so that memory never
    holds all logits or their softmax.

    Args:
        inputs: ``(tokens, size)``.
        weight: ``(vocab_size, size)``.
        bias: ``(vocab_size,)``.
        targets: ``(tokens,)`` int64.
        smoothing: Label smoothing over all ids (Szegedy et al. 2016).

    Returns:
        The sum in nats, a scalar.
    """
    if len(targets) * len(weight) < LARGE:
        return _whole(inputs, weight, bias, targets, smoothing)
    if not torch.is_grad_enabled():
        size = _rows_at_once(targets, weight)
        parts = zip(inputs.split(size), targets.split(size), strict=True)
        return torch.stack([_whole(part, weight, bias, target, smoothing) for part, target in parts]).sum()
    device = inputs.device.type
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    apply: Callable[..., Tensor] = _Chunked.apply
    with torch.autocast(device, enabled=False):
        return apply(low, smoothing, inputs.to(weight.dtype), weight, bias, targets)


@torch.no_grad()
def linear_token_nats(inputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """``linear_cross_entropy`` of each token ``(tokens,)``, without a gradient."""
    size = _rows_at_once(targets, weight)
    parts = zip(inputs.split(size), targets.split(size), strict=True)
    nats = [F.cross_entropy(F.linear(part, weight, bias).float(), wanted, reduction="none") for part, wanted in parts]
    return torch.cat(nats)


@torch.no_grad()
def linear_log_softmax(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Log-probabilities ``(rows, vocab_size)`` of inputs ``(rows, size)``, at least in float32, without a gradient."""
    if torch.is_autocast_enabled(inputs.device.type):
        product = inputs @ weight.t()
    elif few_rows.able(inputs, weight):
        product = few_rows.product(inputs, weight)
    else:
        multiply(inputs, weight.t(), product := inputs.new_empty(len(inputs), len(weight)))
    if product.dtype == torch.float32 and softmax.able(product, bias):
        return softmax.log_softmax_(product, bias)
    return _log_probabilities(product, bias)
