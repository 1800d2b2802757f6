"""Weight of each word of a text in its classification."""

import torch
from torch import Tensor, nn

from seqlab.nn.classifier import PooledClassifier
from seqlab.nn.evaluating import evaluating

SELECTIVE = ("max", "attention")
"""Poolings whose weights depend on the words."""


def word_weights(network: nn.Module, ids: Tensor, lengths: Tensor, *context: Tensor) -> Tensor:
    """Weights of the words of one text: of a pooling that selects words, otherwise by gradient.

    The gradient is that of the most likely class's logit with respect to a word's vector, times that vector, in
    absolute value (Denil et al. 2014, arXiv 1412.6815). Dropout is off.

    Args:
        network: Ids and lengths -> logits, with an ``embedding``.
        ids: ``(1, time)`` int64.
        lengths: ``(1,)`` int64.
        context: Ids of a language model ``(1, time)`` int64, for a network that reads its states.

    Returns:
        ``(time,)``, with sum 1; zeros for a network without an embedding.
    """
    with evaluating(network):
        pooled = next((one for one in network.modules() if isinstance(one, PooledClassifier)), None)
        if pooled is not None and pooled.pooling.kind in SELECTIVE:
            with torch.no_grad():
                return pooled.weights(ids, lengths, *context)[0]
        return _by_gradient(network, ids, lengths, *context)


def _by_gradient(network: nn.Module, ids: Tensor, lengths: Tensor, *context: Tensor) -> Tensor:
    embedding = getattr(network, "embedding", None)
    if not isinstance(embedding, nn.Embedding):
        return torch.zeros(ids.shape[1], device=ids.device)
    vectors: list[Tensor] = []

    def keep(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
        vectors.append(output.detach().requires_grad_())
        return vectors[0]

    weight, learns, words = embedding.weight, embedding.weight.requires_grad, ids[0]
    handle = embedding.register_forward_hook(keep)
    weight.requires_grad_()
    try:
        with torch.enable_grad():
            logits = network(ids, lengths, *context)[0]
            (slope,) = torch.autograd.grad(logits[logits.argmax()], vectors or [weight])
    finally:
        weight.requires_grad_(learns)
        handle.remove()
    if vectors:
        products = (slope * vectors[0].detach())[0].sum(-1)
    else:  # a sum of rows of the table: each place of a word has the same share of its slope
        products = (slope[words] * weight.detach()[words]).sum(-1) / (words.unsqueeze(1) == words).sum(1)
    counted = products.abs()
    return counted / counted.sum().clamp_min(1e-12)
