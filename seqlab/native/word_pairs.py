"""Pairs of words told from noise, with their gradients, by compiled code where there is some."""

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.native.compiler import FLAG, NUMBER, POINTER, call, portable, threads_for
from seqlab.native.sparse_rows import grouped, of_rows, sum_rows

EACH = 20_000
"""Numbers in the vectors of places for which a thread is worth waking."""
LANES = 8
"""Floats that are worked on at a time; noise words of a block are a multiple of it."""

WORD_PAIRS = (*[POINTER] * 7, *[NUMBER] * 6, ctypes.c_float, FLAG, *[POINTER] * 4, NUMBER)
"""Arguments of the function in word_pairs.cpp."""


class Places(NamedTuple):
    """Words of rows of text, in blocks.

    Args:
        words: Ids ``(places,)`` int64.
        heads: Row of ``inputs`` of each ``(places,)`` int64; its id, where all words have one there.
        rows: Number of the row of each ``(places,)`` int64; words of different rows are not near each other.
        reach: How many words from each are near it ``(places,)`` int64, at most ``window``.
        drawn: Noise words of each block ``(blocks, shared)`` int64.
        block: Places in a block; the last one may have fewer.
        window: Most words from one word to another that is near it.
    """

    words: Tensor
    heads: Tensor
    rows: Tensor
    reach: Tensor
    drawn: Tensor
    block: int
    window: int

    def slots(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """What blocks have gradients for, of ids of places ``(places,)``: their centers ``(blocks, block)``, and all
        places around them ``(blocks, block + 2 window)``; 0 where there is none."""
        filled, width = len(self.drawn) * self.block, self.block + 2 * self.window
        around = F.pad(ids, (self.window, filled - len(ids) + self.window)).unfold(0, width, self.block)
        return around[:, self.window : self.window + self.block], around


class _Pairs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, outputs: Tensor, places: Places, share: float, means: bool
    ) -> tuple[Tensor, Tensor]:
        blocks, count, size = len(places.drawn), len(places.words), inputs.shape[1]
        pitch = -(-size // LANES) * LANES
        centers, around = places.slots(places.words)
        noised = torch.cat([centers if means else around, places.drawn], 1)
        ctx.ids = places.slots(places.heads)[1].flatten() if means else places.heads, noised.flatten()
        ctx.slots = [inputs.new_empty(len(ids), pitch) for ids in ctx.ids]
        ctx.shapes = inputs.shape, outputs.shape
        nats, pairs = (torch.empty(blocks, dtype=dtype) for dtype in (torch.float64, torch.int64))
        text = (one.contiguous() for one in (places.heads, places.words, places.rows, places.reach, places.drawn))
        sizes = blocks, count, size, places.block, places.window, places.drawn.shape[1], share, means
        given = inputs, outputs, *text, *sizes, *ctx.slots, nats, pairs
        call("word_pairs", WORD_PAIRS, *given, threads_for(count * size, EACH), library=portable().library)
        total = pairs.sum()
        ctx.mark_non_differentiable(total)
        return nats.sum().float(), total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        found = [_sparse(*one, gradient) for one in zip(ctx.ids, ctx.slots, ctx.shapes, strict=True)]
        return found[0], found[1], None, None, None


def _sparse(ids: Tensor, slots: Tensor, shape: torch.Size, factor: Tensor) -> Tensor:
    groups = grouped(ids)
    sums = sum_rows(slots, groups.places, groups.ends, factor.expand(len(groups.ids)).contiguous(), shape[1])
    return of_rows(groups.ids, sums, shape)


def pairs_against_noise(
    inputs: Tensor, outputs: Tensor, places: Places, share: float, means: bool
) -> tuple[Tensor, Tensor]:
    """What the pairs of a text cost against noise (see ``seqlab.nn.skipgram``); only where
    ``seqlab.native.sparse_rows.able`` says so.

    Each block has gradients of its own, which are added up in their order, so that the digits are the same on any
    number of threads.

    Args:
        inputs: v ``(heads, size)`` float32, whose gradient is sparse.
        outputs: u of all words ``(vocab_size, size)`` float32, whose gradient is sparse.
        places: The text; its ids are below ``vocab_size``, and its noise words a multiple of ``LANES``.
        share: How often each noise word counts beside a true pair.
        means: Whether the mean of v of the words near a place is paired with the u of its own word; else each place's v
            with each u near it.

    Returns:
        Nats, a float32 scalar, and how many pairs they are of, an int64 scalar.
    """
    apply: Callable[..., tuple[Tensor, Tensor]] = _Pairs.apply
    return apply(inputs, outputs, places, share, means)
