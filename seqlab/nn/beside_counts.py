"""A network that classifies texts, with naive Bayes beside it."""

from typing import Any

import torch
from torch import Tensor, nn

from seqlab.nn.naive_bayes import NaiveBayes


class BesideCounts(nn.Module):
    """A product of two experts (Hinton 2002): a network, and naive Bayes counted on the same texts.

        log p = (1 - share) log p_network + share log p_counts + constant

    The network is trained alone, since naive Bayes is too sure of the texts that it has counted to leave it anything to
    learn from; where nothing is trained, both are asked.

    Args:
        network: Ids and lengths -> logits.
        counts: Of the same ids and classes.
        share: Of the counts.
    """

    def __init__(self, network: nn.Module, counts: NaiveBayes, share: float) -> None:
        super().__init__()
        self.network, self.counts, self.share = network, counts, share

    @property
    def embedding(self) -> Any:
        """Of the words, in the network."""
        return getattr(self.network, "embedding", None)

    @property
    def weights(self) -> Any:
        """What each word counted in the network's pooling, if it has one."""
        return getattr(self.network, "weights", None)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits of texts.

        Args:
            ids: ``(batch, time)`` int64.
            lengths: Real words of each text ``(batch,)`` int64, at least 1.

        Returns:
            ``(batch, classes)``; those of the network alone while training.
        """
        logits: Tensor = self.network(ids, lengths)
        if self.training:
            return logits
        with torch.no_grad():
            counted = self.counts(ids, lengths).log_softmax(-1)
        return torch.lerp(logits.log_softmax(-1), counted, self.share)
