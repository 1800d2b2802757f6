"""Nearest tokens in an embedding."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Neighbour(NamedTuple):
    """A token near another.

    Args:
        id: Id of the token.
        cosine: Cosine of the angle between the two vectors, from -1 to 1.
    """

    id: int
    cosine: float


@torch.no_grad()
def nearest(vectors: Tensor, rows: list[int], k: int) -> list[list[Neighbour]]:
    """The tokens with the highest cosine similarity.

    Args:
        vectors: Vectors of all tokens ``(vocab_size, size)``.
        rows: Ids to find the neighbours of.
        k: Number of neighbours; all others if there are fewer.

    Returns:
        For each row its neighbours, the nearest first, without the token itself.
    """
    unit = F.normalize(vectors.float(), dim=-1)
    cosines = unit[rows] @ unit.t()
    cosines[torch.arange(len(rows)), rows] = -torch.inf
    best = cosines.topk(min(k, len(vectors) - 1))
    return [
        [Neighbour(int(i), float(c)) for i, c in zip(ids, values, strict=True)]
        for ids, values in zip(best.indices, best.values, strict=True)
    ]


def shown_token(token: str) -> str:
    """A token as visible text on one line: a space as ␣, a newline as ⏎, other invisible characters escaped."""
    if token.isprintable() and token.strip():
        return token
    return {" ": "␣", "\n": "⏎"}.get(token) or repr(token)[1:-1]
