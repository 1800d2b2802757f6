"""A text in blocks of words with their context, so that one matrix product covers all pairs of a block."""

from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 32
"""Words in a block."""
NOWHERE = -1
"""Row number of the padding in the last block."""


class Blocks(NamedTuple):
    """Center words and their context words.

    Args:
        centers: Ids ``(blocks, BLOCK)`` int64.
        around: Ids ``(blocks, BLOCK + 2 window)`` int64; the word at i of ``centers`` is here at i + window.
        distance: Distance of each center to each context word of the same row, otherwise 0 ``(blocks, BLOCK, BLOCK + 2
            window)`` int64.
    """

    centers: Tensor
    around: Tensor
    distance: Tensor


def kept_words(ids: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """The words to keep, row after row.

    Args:
        ids: ``(batch, time)`` int64.
        keep: Whether to keep each word ``(batch, time)`` bool.

    Returns:
        The ids and the row number of each word, both ``(words,)`` int64.
    """
    return ids.masked_select(keep), keep.nonzero()[:, 0]


def number_of_blocks(words: int) -> int:
    """Number of blocks for so many words, at least one."""
    return max(1, -(-words // BLOCK))


def in_blocks(words: Tensor, rows: Tensor, window: int) -> Blocks:
    """Cuts words into blocks and pads the last block.

    Args:
        words: Ids ``(words,)`` int64.
        rows: Row number of each word ``(words,)`` int64; words of different rows are no context of each other.
        window: Largest distance of a context word, in words.
    """
    filled = number_of_blocks(len(words)) * BLOCK
    padding = (window, filled - len(words) + window)
    ids = torch.nn.functional.pad(words, padding)
    owners = torch.nn.functional.pad(rows, padding, value=NOWHERE)
    width = BLOCK + 2 * window
    around, owners = ids.unfold(0, width, BLOCK), owners.unfold(0, width, BLOCK)
    inside = slice(window, window + BLOCK)
    own = owners[:, inside]
    together = (own.unsqueeze(2) == owners.unsqueeze(1)) & (own != NOWHERE).unsqueeze(2)
    places = torch.arange(width, device=words.device)
    distance = (places - window - torch.arange(BLOCK, device=words.device).unsqueeze(1)).abs()
    distance = torch.where(distance <= window, distance, 0)
    return Blocks(around[:, inside], around, distance * together)
