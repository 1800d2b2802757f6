"""Multi-head attention: within a sequence, and from one sequence to another."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.native.attention_rows import Table, able, attend_rows
from seqlab.nn.kept import Kept, Steps
from seqlab.nn.linear import Linear
from seqlab.nn.positions import Rotation
from seqlab.recurrence.dropout import Dropout


def attention_weights(queries: Tensor, keys: Tensor, seen: Tensor | None) -> Tensor:
    """softmax over keys of q . k / sqrt(size) (Vaswani et al. 2017, equation 1), in plain equations.

    Args:
        queries: ``(batch, heads, time, size)``.
        keys: ``(batch, heads, positions, size)``.
        seen: True where a query may attend, broadcast to ``(batch, heads, time, positions)``; everywhere if not given.

    Returns:
        ``(batch, heads, time, positions)``, float32 at least.
    """
    scores = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
    precise = scores if scores.dtype == torch.float64 else scores.float()
    return (precise if seen is None else precise.masked_fill(~seen, -torch.inf)).softmax(-1)


def reference(queries: Tensor, keys: Tensor, values: Tensor, seen: Tensor | None) -> Tensor:
    """``scaled_dot_product_attention`` in plain equations: the weighted mean of the values."""
    weights = attention_weights(queries, keys, seen)
    return (weights @ values.to(weights.dtype)).to(queries.dtype)


class Heads(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, section 3.2.2).

        head_j = softmax((x W_q,j) (m W_k,j)^T / sqrt(size / heads)) (m W_v,j),    y = (head_1, ..., head_h) W_o

    with m = x within a sequence. One product computes queries, keys and values of all heads.

    Args:
        size: Size of a position's vector, a multiple of ``heads``.
        heads: Number of heads.
        dropout: Dropout of the attention weights.
        bias: Whether the linear layers have biases.
        across: Whether keys and values come from another sequence.

    Attributes:
        recorded: A list that receives the weights ``(batch, heads, time, positions)`` of every call; None for none.
    """

    def __init__(self, size: int, heads: int, dropout: float = 0.0, bias: bool = True, across: bool = False) -> None:
        super().__init__()
        self.heads, self.dropout = heads, Dropout(dropout)
        self.query = Linear(size, size, bias=bias) if across else None
        self.inputs = Linear(size, (2 if across else 3) * size, bias=bias)
        self.output = Linear(size, size, bias=bias)
        self.recorded: list[Tensor] | None = None

    def forward(
        self, x: Tensor, before: Kept | Steps | None, seen: Tensor | None, rotation: Rotation | None, causal: bool
    ) -> tuple[Tensor, Kept | Steps]:
        """Attention within a sequence.

        Args:
            x: ``(batch, time, size)``.
            before: Keys and values of earlier positions; none if not given. With ``Steps`` x is one position.
            seen: True where a query may attend ``(batch or 1, 1, time, positions)``; everywhere if not given.
            rotation: Rotation of all positions, the earlier ones included.
            causal: Whether position t attends only to positions up to t; needs ``before`` and ``seen`` to be None.

        Returns:
            ``(batch, time, size)``, and the keys and values of all positions so far.
        """
        queries, keys, values = self.split(self.inputs(x), 3)
        if isinstance(before, Steps):
            if rotation is not None:
                queries, keys = rotation(queries), rotation(keys)
            steps = before.after(keys[:, :, 0].contiguous(), values[:, :, 0].contiguous())
            return self._looked_up(queries[:, :, 0], steps.table(), 1), steps
        if before is not None:
            keys = torch.cat([before.keys.to(keys.dtype), keys], 2)
            values = torch.cat([before.values.to(values.dtype), values], 2)
        kept = Kept(keys, values)
        if rotation is not None:
            queries, keys = rotation(queries), rotation(keys)
        return self._mixed(queries, keys, values, seen, causal), kept

    def kept(self, memory: Tensor) -> Kept:
        """Keys and values of another sequence ``(batch, positions, size)``, computed once for all queries."""
        return Kept(*self.split(self.inputs(memory), 2))

    def across(self, x: Tensor, memory: Kept, valid: Tensor) -> Tensor:
        """Attention to another sequence.

        Args:
            x: ``(rows, time, size)``; the same number of rows for each memory, side by side.
            memory: Keys and values from ``kept``.
            valid: ``(batch, positions)`` bool, True at real positions.
        """
        assert self.query is not None
        asked, each = self.query(x), len(x) // len(valid)
        (queries,) = self.split(asked, 1)
        if x.shape[1] == 1 and memory.keys.stride() == memory.values.stride() and self._looks_up(queries, *memory):
            sentences = torch.arange(len(valid), device=x.device).unsqueeze(1)
            places = torch.where(valid, sentences, -1).repeat_interleave(each, 0)
            table = Table(memory.keys.unbind(2), memory.values.unbind(2), places)
            return self._looked_up(queries[:, :, 0], table, each)
        (queries,) = self.split(asked.view(len(valid), -1, x.shape[-1]), 1)  # (batch, heads, rows of each * time, size)
        keys, values = memory.keys.to(queries.dtype), memory.values.to(queries.dtype)
        return self._mixed(queries, keys, values, valid[:, None, None], False).view(x.shape)

    def looks_up(self, like: Tensor) -> bool:
        """Whether the next positions, one at a time, can go on from ``Steps``, of vectors ``(rows, 1, size)``."""
        return like.shape[1] == 1 and self._looks_up(like.unflatten(-1, (self.heads, -1)))

    def _looks_up(self, *tensors: Tensor) -> bool:
        drops = self.training and self.dropout.share > 0
        return not drops and not torch.is_autocast_enabled(tensors[0].device.type) and able(*tensors)

    def _looked_up(self, queries: Tensor, table: Table, each: int) -> Tensor:
        """Attention ``(rows, 1, size)`` of one query a row ``(rows, heads, head_size)``, ``each`` rows a sentence."""
        mixed, weights = attend_rows(queries, table, self.recorded is not None)
        if self.recorded is not None and weights is not None:
            self.recorded.append(weights.unflatten(0, (-1, each)).transpose(1, 2))
        result: Tensor = self.output(mixed.flatten(1).unsqueeze(1))
        return result

    def split(self, values: Tensor, parts: int) -> tuple[Tensor, ...]:
        """A projection ``(batch, time, parts * size)`` -> ``parts`` times ``(batch, heads, time, head_size)``."""
        return values.unflatten(-1, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind()

    def _mixed(self, queries: Tensor, keys: Tensor, values: Tensor, seen: Tensor | None, causal: bool) -> Tensor:
        if self.recorded is None and not (self.training and self.dropout.share):
            mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=seen, is_causal=causal)
        else:
            time = queries.shape[2]
            seen = torch.ones(time, time, dtype=torch.bool, device=keys.device).tril() if causal else seen
            weights = attention_weights(queries, keys, seen)
            if self.recorded is not None:
                self.recorded.append(weights)
            mixed = (self.dropout(weights) @ values.to(weights.dtype)).to(queries.dtype)
        result: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return result


@contextmanager
def recorded_weights(network: nn.Module, across: bool = False) -> Iterator[list[Tensor]]:
    """Within the context, attention records its weights, layer by layer.

    Args:
        network: The network whose attention records.
        across: Whether attention from one sequence to another records, instead of attention within sequences.

    Yields:
        A list that receives ``(batch, heads, time, positions)`` of each call of each layer.
    """
    weights: list[Tensor] = []
    layers = [one for one in network.modules() if isinstance(one, Heads) and (one.query is not None) == across]
    try:
        for one in layers:
            one.recorded = weights
        yield weights
    finally:
        for one in layers:
            one.recorded = None
