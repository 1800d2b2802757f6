"""Weight of each word of a text in its classification."""

import torch
from torch import Tensor, nn

from seqlab.nn.evaluating import evaluating


def word_weights(network: nn.Module, ids: Tensor, lengths: Tensor, *context: Tensor) -> Tensor:
    """Weights of the words of one text, from the pooling if the network pools over time, otherwise from the gradient.

    The gradient is that of the most likely class's logit with respect to a word's vector, times that vector, in
    absolute value (Denil et al. 2014, arXiv 1412.6815). Dropout is off.

    Args:
        network: Ids and lengths -> logits, with an ``embedding``; its ``weights`` are those of a pooling.
        ids: ``(1, time)`` int64.
        lengths: ``(1,)`` int64.
        context: Ids of a language model ``(1, time)`` int64, for a network that reads its states.

    Returns:
        ``(time,)``, with sum 1; zeros for a network without an embedding.
    """
    with evaluating(network):
        if callable(pooled := getattr(network, "weights", None)):
            with torch.no_grad():
                weights: Tensor = pooled(ids, lengths, *context)[0]
            return weights
        return _by_gradient(network, ids, lengths, *context)


def _by_gradient(network: nn.Module, ids: Tensor, lengths: Tensor, *context: Tensor) -> Tensor:
    embedding = getattr(network, "embedding", None)
    if not isinstance(embedding, nn.Embedding):
        return torch.zeros(ids.shape[1], device=ids.device)
    weight, learns = embedding.weight, embedding.weight.requires_grad
    weight.requires_grad_()
    try:
        with torch.enable_grad():
            logits = network(ids, lengths, *context)[0]
            (slope,) = torch.autograd.grad(logits[logits.argmax()], weight)
    finally:
        weight.requires_grad_(learns)
    words = ids[0]
    counted = (slope[words] * weight.detach()[words]).sum(-1).abs()
    return counted / counted.sum().clamp_min(1e-12)
