"""Which tokens an embedding holds alike."""

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
    """The tokens whose vectors point most nearly the same way.

    Args:
        vectors: Vectors of all tokens ``(vocab_size, size)``.
        rows: Ids to find the neighbours of.
        k: How many of each; all others where there are fewer.

    Returns:
        For each row its neighbours, the nearest first, itself left out.
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
    """A token as something that is seen on one line: a blank as ␣, a newline as ⏎, others like them escaped."""
    if token.isprintable() and token.strip():
        return token
    return {" ": "␣", "\n": "⏎"}.get(token) or repr(token)[1:-1]
