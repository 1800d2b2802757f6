"""A network that classifies texts, combined with naive Bayes."""

from typing import Any

import torch
from torch import Tensor, nn

from seqlab.nn.naive_bayes import NaiveBayes


class BesideCounts(nn.Module):
    """A product of two experts (Hinton 2002): a network, and naive Bayes counted on the same texts.

        log p = (1 - share) log p_network + share log p_counts + constant

    Training uses the network alone: naive Bayes is too confident on the texts that it has counted, and would leave
    the network nothing to learn. Outside training both count.

    Args:
        network: Ids and lengths -> logits.
        counts: Naive Bayes over the same ids and classes.
        share: Weight of naive Bayes.
    """

    def __init__(self, network: nn.Module, counts: NaiveBayes, share: float) -> None:
        super().__init__()
        self.network, self.counts, self.share = network, counts, share

    @property
    def embedding(self) -> Any:
        """Word embedding of the network."""
        return getattr(self.network, "embedding", None)

    @property
    def contextual(self) -> Any:
        """Language model of the network, if it has one."""
        return getattr(self.network, "contextual", None)

    def forward(self, ids: Tensor, lengths: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits of texts.

        Args:
            ids: ``(batch, time)`` int64.
            lengths: Real words of each text ``(batch,)`` int64, at least 1.
            context: Ids of a language model ``(batch, time)`` int64.

        Returns:
            ``(batch, classes)``; in training those of the network alone.
        """
        logits: Tensor = self.network(ids, lengths, context)
        if self.training:
            return logits
        with torch.no_grad():
            counted = self.counts(ids, lengths).log_softmax(-1)
        return torch.lerp(logits.log_softmax(-1), counted, self.share)
