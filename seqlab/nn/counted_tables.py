"""Checks of the tables of counted models before use, since a checkpoint may hold any numbers."""

import torch
from torch import Tensor

from seqlab.errors import UserError

MOST = 2**53
"""Sums of counts are exact in float64 up to here."""


def check_table(sound: bool, name: str) -> None:
    """Refuses a table that does not fit the others.

    Raises:
        UserError: The table does not fit.
    """
    if not sound:
        raise UserError(f"the checkpoint is damaged: its table '{name}' does not fit the others; use another one")


def is_rising(keys: Tensor, end: int) -> bool:
    """Whether a tensor is ``(n,)`` int64 of distinct sorted numbers from 0 to ``end`` - 1."""
    if keys.dtype != torch.int64 or keys.dim() != 1:
        return False
    return not len(keys) or bool(keys[0] >= 0 and keys[-1] < end and (keys[1:] > keys[:-1]).all())


def are_counts(counts: Tensor, size: int) -> bool:
    """Whether a tensor is ``(size,)`` int64 of numbers of at least 0 with a sum below ``MOST``."""
    if counts.dtype != torch.int64 or counts.shape != (size,):
        return False
    return bool((counts >= 0).all()) and float(counts.double().sum()) < MOST
