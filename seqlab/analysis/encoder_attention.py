"""What the heads of a Transformer encoder look at."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqlab.analysis.inspection import layer_lines
from seqlab.nn.evaluating import evaluating
from seqlab.nn.heads import recorded_weights
from seqlab.nn.transformer import TransformerEncoder


def encoder_attention(network: nn.Module, read: Callable[[], Any]) -> Tensor | None:
    """Attention weights of a Transformer encoder while its network reads one text.

    Args:
        network: The network.
        read: Has the network read the text.

    Returns:
        ``(layers, heads, time, time)`` float32 on the CPU, the last two the word that looks and the word that is looked
        at; None if the network has no encoder.
    """
    encoder = next((one for one in network.modules() if isinstance(one, TransformerEncoder)), None)
    if encoder is None:
        return None
    with evaluating(network), torch.no_grad(), recorded_weights(encoder) as weights:
        read()
    return torch.cat(weights).float().cpu()


def reach(weights: Tensor) -> Tensor:
    """Mean distance in words of what each head looks at, before or after: ``(layers, heads)``.

    Args:
        weights: ``(layers, heads, time, time)``.
    """
    places = torch.arange(weights.shape[-1])
    return (weights * (places.unsqueeze(1) - places).abs()).sum(-1).mean(-1)


def reach_lines(weights: Tensor, head: str = "a head") -> list[str]:
    """``reach`` as a table, with the name of a head in its title."""
    lines = layer_lines("head", range(weights.shape[1]), reach(weights), ".1f")
    return ["", f"distance in words of what {head} looks at, on average", *lines]
