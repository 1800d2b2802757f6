"""Numbers that say how good a model is: sums first, then one division, then exp."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric


def token_nats(logits: Tensor, targets: Tensor, valid: Tensor | None = None) -> tuple[Tensor, int | Tensor]:
    """Cross-entropy summed over tokens, in float32 whatever the precision of the logits.

    Args:
        logits: ``(batch, time, vocab_size)``.
        targets: ``(batch, time)`` int64.
        valid: ``(batch, time)`` bool, True at real tokens; None where all are.

    Returns:
        The sum in nats, a float32 scalar, and how many tokens it is over.
    """
    flat = logits.flatten(0, 1).float()  # (batch * time, vocab_size)
    if valid is None:
        return F.cross_entropy(flat, targets.reshape(-1), reduction="sum"), targets.numel()
    real = valid.reshape(-1)
    return F.cross_entropy(flat[real], targets.reshape(-1)[real], reduction="sum"), real.sum()


class TokenLoss(Metric):
    """Mean cross-entropy in nats per token over all batches and all processes; its exp is the perplexity.

    Sums nats in float64 and tokens in int64, so that neither many tokens nor small differences are lost.
    """

    full_state_update = False
    nats: Tensor
    tokens: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("nats", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("tokens", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, nats: Tensor, tokens: int | Tensor) -> None:
        """Counts one batch: its cross-entropy summed over tokens, in nats, and the number of those tokens."""
        self.nats += nats.detach()
        self.tokens += tokens

    def compute(self) -> Tensor:
        return self.nats / self.tokens


def bits(nats: float) -> float:
    """Nats as bits."""
    return nats / math.log(2)
