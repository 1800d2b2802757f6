"""Negative sampling over pairs of words, with its gradients, in compiled code."""

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.native.compiler import FLAG, NUMBER, POINTER, call, portable, threads_for
from seqlab.native.sparse_rows import grouped, of_rows, sum_rows

EACH = 20_000
"""Numbers per thread, in the vectors of places; with fewer, a thread costs more than it saves."""
LANES = 8
"""Floats processed at a time; the number of noise words of a block is a multiple of it."""

WORD_PAIRS = (*[POINTER] * 7, *[NUMBER] * 6, ctypes.c_float, FLAG, *[POINTER] * 4, NUMBER)
"""Arguments of the function in word_pairs.cpp."""


class Places(NamedTuple):
    """Words of a text in blocks; a place is one word of the text.

    Args:
        words: Id of each word ``(places,)`` int64.
        heads: Row of each word in ``inputs`` ``(places,)`` int64; its id, if ``inputs`` has a row for every word.
        rows: Number of the line of each word ``(places,)`` int64; words of different lines are no pairs.
        reach: Window of each word ``(places,)`` int64, at most ``window``.
        drawn: Noise words of each block ``(blocks, shared)`` int64.
        block: Places in a block; the last one may have fewer.
        window: Largest window, in words to either side.
    """

    words: Tensor
    heads: Tensor
    rows: Tensor
    reach: Tensor
    drawn: Tensor
    block: int
    window: int

    def slots(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Ids that each block has gradients for: those of its own places ``(blocks, block)``, and of all places in
        their windows ``(blocks, block + 2 window)``; 0 outside the text."""
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
    """Loss of the pairs of a text against noise words, see ``seqlab.nn.skipgram``. Needs
    ``seqlab.native.sparse_rows.able``.

    Each block has its own gradients. They are summed in order, so that the result is the same for any number of
    threads.

    Args:
        inputs: Input vectors v ``(heads, size)`` float32, with a sparse gradient.
        outputs: Output vectors u of all words ``(vocab_size, size)`` float32, with a sparse gradient.
        places: The text; ids are below ``vocab_size``, and each block has a multiple of ``LANES`` noise words.
        share: Weight of each noise word, beside 1 of a true pair.
        means: Whether the mean of v over the window of a word is paired with the u of that word (CBOW). Otherwise, the
            v of each word is paired with each u in its window (skip-gram).

    Returns:
        Loss in nats, a float32 scalar, and the number of pairs, an int64 scalar.
    """
    apply: Callable[..., tuple[Tensor, Tensor]] = _Pairs.apply
    return apply(inputs, outputs, places, share, means)
