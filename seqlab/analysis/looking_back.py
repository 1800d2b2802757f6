"""Measures of how far back self-attention reaches."""

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.nn.evaluating import evaluating
from seqlab.nn.heads import recorded_weights
from seqlab.nn.transformer_language import TransformerLanguage


@torch.no_grad()
def attention_of(network: TransformerLanguage, ids: Tensor) -> Tensor:
    """The attention weights of every head while the network reads one window, without dropout.

    Args:
        network: The network; its options do not change.
        ids: ``(batch, time)`` int64.

    Returns:
        ``(layers, batch, heads, time, time)`` float32: weights of each position over the positions up to it.
    """
    with evaluating(network), torch.autocast(ids.device.type, enabled=False), recorded_weights(network) as weights:
        network.transformer(network.embedding(ids), causal=True)
    return torch.stack([one.float() for one in weights])


def by_lag(weights: Tensor) -> Tensor:
    """The mean attention weight of positions to the position k steps before them.

    Args:
        weights: ``(layers, batch, heads, time, time)``.

    Returns:
        ``(layers, heads, lags)`` from lag 0 to time - 1, each the mean over all positions with such a lag.
    """
    time = weights.shape[-1]
    means = [weights.diagonal(-lag, -2, -1).mean((1, 3)) for lag in range(time)]
    return torch.stack(means, -1)


def distances(weights: Tensor) -> Tensor:
    """Mean attention distance of each head in steps, over the second half of the window: ``(layers, heads)``."""
    time = weights.shape[-1]
    places = torch.arange(time, device=weights.device)
    back = (places.unsqueeze(1) - places).clamp(min=0).to(weights.dtype)
    return (weights * back).sum(-1)[..., time // 2 :].mean((1, 3))


def gradient_by_lag_of_layers(network: TransformerLanguage, ids: Tensor, targets: Tensor) -> Tensor:
    """The gradient of the loss of the last step with respect to a layer's input k steps before it.

    It is the norm of dL_T / dx_{T-k}, with x the input vectors of a layer; it corresponds to ``gradient_by_lag`` of a
    recurrence. Dropout is off.

    Args:
        network: The network; its weights and their gradients do not change.
        ids: ``(batch, time)`` int64, one window.
        targets: The token after each of them, ``(batch, time)`` int64; the last counts.

    Returns:
        Mean norm over the sequences, ``(layers, time)`` float32, lag 0 first.
    """
    inputs: list[Tensor] = []

    def keep(_: object, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        inputs.append(arguments[0] if inputs else arguments[0].detach().requires_grad_())
        return (inputs[-1], *arguments[1:])

    layers = network.transformer.each_layer()
    handles = [layer.register_forward_pre_hook(keep) for layer in layers]
    try:
        with evaluating(network), torch.enable_grad(), torch.autocast(ids.device.type, enabled=False):
            outputs, _ = network.transformer(network.embedding(ids), causal=True)
            loss = F.cross_entropy(network.output(outputs[:, -1]), targets[:, -1], reduction="sum")
            found = torch.autograd.grad(loss, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack([gradient.norm(dim=-1).mean(0) for gradient in found]).flip(-1).float()
