"""Negative sampling over pairs of words, with its gradients, in compiled code."""

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqlab.native.compiler import FLAG, NUMBER, POINTER, call, portable, threads_for
from seqlab.native.sparse_rows import grouped, of_rows

EACH = 20_000
"""Numbers per thread, in the vectors of places; with fewer, a thread costs more than it saves."""
LANES = 8
"""Floats processed at a time; the number of noise words of a block is a multiple of it."""

WORD_PAIRS = (*[POINTER] * 10, *[NUMBER] * 6, ctypes.c_float, FLAG, *[POINTER, NUMBER] * 2, *[POINTER] * 2, NUMBER)
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


class _Pairs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, outputs: Tensor, places: Places, share: float, means: bool
    ) -> tuple[Tensor, Tensor]:
        blocks, count, size = len(places.drawn), len(places.words), inputs.shape[1]
        heads = grouped(places.heads, len(inputs))
        asked = grouped(torch.cat([places.words, places.drawn.flatten()]), len(outputs))
        ctx.ids, ctx.shapes = (heads.ids, asked.ids), (inputs.shape, outputs.shape)
        ctx.sums = [inputs.new_empty(len(ids), size) for ids in ctx.ids]
        nats, pairs = (torch.empty((), dtype=dtype) for dtype in (torch.float32, torch.int64))
        text = (one.contiguous() for one in (places.heads, places.words, places.rows, places.reach, places.drawn))
        sizes = blocks, count, size, places.block, places.window, places.drawn.shape[1], share, means
        given = inputs, outputs, *text, heads.ranks, *asked.ranks.split([count, places.drawn.numel()]), *sizes
        threads = threads_for(count * size, EACH)
        sums = [part for one in ctx.sums for part in (one, len(one))]
        call("word_pairs", WORD_PAIRS, *given, *sums, nats, pairs, threads, library=portable().library)
        ctx.mark_non_differentiable(pairs)
        return nats, pairs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        if ctx.sums is None:
            raise RuntimeError("the gradients of word pairs can be taken once")
        sums, ctx.sums = ctx.sums, None
        found = [
            of_rows(ids, one.mul_(gradient), shape) for ids, one, shape in zip(ctx.ids, sums, ctx.shapes, strict=True)
        ]
        return found[0], found[1], None, None, None


def pairs_against_noise(
    inputs: Tensor, outputs: Tensor, places: Places, share: float, means: bool
) -> tuple[Tensor, Tensor]:
    """Loss of the pairs of a text against noise words, see ``seqlab.nn.skipgram``. Needs
    ``seqlab.native.sparse_rows.able``.

    The gradients of the blocks are summed in order, so that the result is the same for any number of threads.

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
