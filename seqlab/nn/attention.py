"""Attention of decoder states over encoder outputs."""

import math

import torch
from torch import Tensor, nn

from seqlab.errors import UserError, nearest

ATTENTIONS = ("dot", "general", "additive")


class Attention(nn.Module):
    """Attention weights over the real positions of a memory, and the weighted mean of its values.

        dot        score(q, k) = q . k                           Luong et al. (2015), arXiv 1508.04025, equation 8
        general    score(q, k) = q . W_k k                       the same
        additive   score(q, k) = v . tanh(W_q q + W_k k)         Bahdanau et al. (2015), arXiv 1409.0473, appendix A.1.2
        weights = softmax(score over real positions),    context = sum of weights * values

    Args:
        kind: ``dot``, ``general`` or ``additive``.
        query_size: Size of a query.
        memory_size: Size of a position of the memory.

    Raises:
        UserError: The kind is unknown, or the kind is ``dot`` and the sizes differ.
    """

    def __init__(self, kind: str, query_size: int, memory_size: int) -> None:
        super().__init__()
        if kind not in ATTENTIONS:
            raise UserError(f"unknown attention '{kind}': {nearest(kind, ('none', *ATTENTIONS))}")
        if kind == "dot" and query_size != memory_size:
            raise UserError(
                f"attention dot needs queries ({query_size}) as wide as the memory ({memory_size}); choose general"
            )
        self.kind = kind
        self.key = nn.Identity() if kind == "dot" else nn.Linear(memory_size, query_size, bias=kind == "additive")
        if kind == "additive":
            self.query = nn.Linear(query_size, query_size, bias=False)
            self.energy = nn.Parameter(torch.empty(query_size).uniform_(-1, 1) / math.sqrt(query_size))

    def keys(self, memory: Tensor) -> Tensor:
        """The keys of a memory, computed once for all queries: ``(batch, positions, query_size)``."""
        keys: Tensor = self.key(memory)
        return keys

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Attends to the memory.

        Args:
            queries: ``(rows, time, query_size)``; the same number of rows for each memory of the batch, side by side.
            keys: ``(batch, positions, query_size)``, from ``keys``.
            values: ``(batch, positions, value_size)``: the memory, or a projection of it.
            valid: ``(batch, positions)`` bool, True at real positions; at least one in each row.

        Returns:
            Contexts ``(rows, time, value_size)`` and weights ``(rows, time, positions)``, zero at padding.
        """
        contexts, weights = self._look(queries.reshape(len(keys), -1, queries.shape[-1]), keys, values, valid)
        return contexts.view(*queries.shape[:2], -1), weights.view(*queries.shape[:2], -1)

    def _look(self, queries: Tensor, keys: Tensor, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """``forward`` for one row of queries ``(batch, time, query_size)`` per memory."""
        if self.kind == "additive":
            mixed = self.query(queries).unsqueeze(2) + keys.unsqueeze(1)  # (batch, time, positions, query_size)
            scores = torch.tanh(mixed) @ self.energy.to(mixed.dtype)
        else:
            scores = queries @ keys.transpose(1, 2)
        precise = scores if scores.dtype == torch.float64 else scores.float()
        weights = precise.masked_fill(~valid.unsqueeze(1), -torch.inf).softmax(-1)
        return weights @ values.to(weights.dtype), weights
