"""Outputs of a recurrent stack over time -> one vector for each sequence."""

import math
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from seqlab.errors import UserError, nearest

PoolingKind = Literal["last", "mean", "max", "attention"]


class Pooled(NamedTuple):
    """One vector for each sequence.

    Args:
        vectors: ``(batch, size)``.
        weights: Weight of each step ``(batch, time)``: the weights sum to 1 and are 0 at padding.
    """

    vectors: Tensor
    weights: Tensor


class Pooling(nn.Module):
    """Outputs h_1 ... h_T -> one vector, with T the real length of the sequence.

        last        (forward half of h_T, backward half of h_1): the final state of each direction
        mean        1/T sum_t h_t
        max         max_t h_t, for each unit by itself; a step's weight is its share of the units with their maximum
        attention   sum_t a_t h_t,  a = softmax over t of v . tanh(W h_t + b)      Yang et al. (2016), N16-1174, eq. 5-7

    Args:
        kind: last, mean, max or attention.
        size: Size of the outputs.
        directions: 2 if the second half of the outputs reads backwards.

    Raises:
        UserError: The kind is unknown.
    """

    def __init__(self, kind: PoolingKind, size: int, directions: int = 1) -> None:
        super().__init__()
        if kind not in get_args(PoolingKind):
            raise UserError(f"unknown pooling '{kind}': {nearest(kind, get_args(PoolingKind))}")
        self.kind, self.directions = kind, directions
        if kind == "attention":
            self.key = nn.Linear(size, size)
            self.energy = nn.Parameter(torch.empty(size).uniform_(-1, 1) / math.sqrt(size))

    def forward(self, outputs: Tensor, valid: Tensor) -> Pooled:
        """Pools.

        Args:
            outputs: ``(batch, time, size)``.
            valid: ``(batch, time)`` bool, True at real steps: the first steps of each row, at least one.
        """
        if self.kind == "max":
            vectors, steps = outputs.masked_fill(~valid.unsqueeze(2), -torch.inf).max(1)  # (batch, size)
            ones = torch.ones_like(vectors) / steps.shape[1]
            return Pooled(vectors, torch.zeros_like(outputs[..., 0]).scatter_add_(1, steps, ones))
        if self.kind == "last":
            return self._last(outputs, valid.sum(1) - 1)
        if self.kind == "mean":
            weights = valid.to(outputs.dtype) / valid.sum(1, keepdim=True)
        else:
            scores = torch.tanh(self.key(outputs)) @ self.energy.to(outputs.dtype)
            weights = scores.masked_fill(~valid, -torch.inf).softmax(1)
        vectors = (weights.unsqueeze(1) @ torch.where(valid.unsqueeze(2), outputs, 0)).squeeze(1)
        return Pooled(vectors, weights)

    def _last(self, outputs: Tensor, end: Tensor) -> Pooled:
        rows = torch.arange(len(outputs), device=outputs.device)
        halves = outputs.chunk(self.directions, -1)
        ends = [end, torch.zeros_like(end)][: self.directions]
        vectors = torch.cat([half[rows, step] for half, step in zip(halves, ends, strict=True)], -1)
        weights = torch.zeros_like(outputs[..., 0])
        for step in ends:
            weights[rows, step] += 1 / self.directions
        return Pooled(vectors, weights)
