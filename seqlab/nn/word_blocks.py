"""A text in blocks of words with the words around them, so that all pairs of a block are one matrix product."""

from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 32
"""Words in a block."""
NOWHERE = -1
"""Row of what fills the last block up."""


class Blocks(NamedTuple):
    """Words and those around them.

    Args:
        centers: Ids ``(blocks, BLOCK)`` int64.
        around: Ids ``(blocks, BLOCK + 2 window)`` int64; the word at i of ``centers`` is that at i + window.
        distance: Of each center to each word around, where both are of one row, else 0 ``(blocks, BLOCK, BLOCK + 2
            window)`` int64.
    """

    centers: Tensor
    around: Tensor
    distance: Tensor


def kept_words(ids: Tensor, keep: Tensor) -> tuple[Tensor, Tensor]:
    """The words that are kept, row after row.

    Args:
        ids: ``(batch, time)`` int64.
        keep: Which of them are ``(batch, time)`` bool.

    Returns:
        Their ids and the number of the row of each, both ``(words,)`` int64.
    """
    return ids[keep], keep.nonzero()[:, 0]


def number_of_blocks(words: int) -> int:
    """Blocks that so many words fill, at least one."""
    return max(1, -(-words // BLOCK))


def in_blocks(words: Tensor, rows: Tensor, window: int) -> Blocks:
    """Cuts words into blocks; the last one is filled up.

    Args:
        words: Ids ``(words,)`` int64.
        rows: Number of the row of each ``(words,)`` int64; words of different rows are not around each other.
        window: Most words from a center to a word around it.
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
