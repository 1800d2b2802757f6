"""Questions to word vectors: what is near a word, or near a sum of words."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.errors import UserError, nearest_spelling

SIGNS = {"+": 1.0, "-": -1.0}


class Nearby(NamedTuple):
    """What is near a query.

    Args:
        query: As it was asked.
        neighbours: Words with their cosines, the nearest first.
    """

    query: str
    neighbours: dict[str, float]

    def __str__(self) -> str:
        return ", ".join(f"{word} {cosine:.3f}" for word, cosine in self.neighbours.items())


def terms_of(query: str) -> list[tuple[str, float]]:
    """The words of a query with their signs: ``king - man + woman``; words with no sign between are added.

    Raises:
        UserError: It has no word, or a sign without one.
    """
    found: list[tuple[str, float]] = []
    sign: float | None = None
    for part in query.split():
        if part in SIGNS and sign is None:
            sign = SIGNS[part]
            continue
        if part in SIGNS:
            break
        found.append((part, 1.0 if sign is None else sign))
        sign = None
    else:
        if found and sign is None:
            return found
    raise UserError(f"the query '{query}' must be words with + or - between; ask such as 'king - man + woman'")


class WordSpace:
    """Words and their directions.

    Args:
        words: The most frequent first.
        vectors: Of each ``(words, size)`` float32.
        clean: How a word of a query is cleaned.
    """

    def __init__(self, words: Sequence[str], vectors: Tensor, clean: Callable[[str], str] = str) -> None:
        self.words, self.vectors = words, vectors
        self.unit = F.normalize(vectors, dim=1)
        self.rows = {word: row for row, word in enumerate(words)}
        self._clean = clean

    def row(self, word: str) -> int:
        """The row of a word.

        Raises:
            UserError: It has no vector.
        """
        found = self.rows.get(word)
        if found is None:
            found = self.rows.get(self._clean(word).strip())
        if found is None:
            way_out = nearest_spelling(word, self.words) or "ask for a word of the training text"
            raise UserError(f"'{word}' is none of the {len(self.words):,} words with a vector: {way_out}")
        return found

    def near(self, query: str, k: int) -> Nearby:
        """The words nearest to a sum of words, which are not among them (3CosAdd, Levy & Goldberg 2014, W14-1618).

        Args:
            query: See ``terms_of``.
            k: How many words.
        """
        if k < 1:
            raise UserError(f"neighbours {k} must be a whole number of at least 1")
        terms = [(self.row(word), sign) for word, sign in terms_of(query)]
        rows = [row for row, _ in terms]
        target = (self.unit[rows] * torch.tensor([[sign] for _, sign in terms])).sum(0)
        cosines = self.unit @ F.normalize(target, dim=0)
        cosines[rows] = -torch.inf
        best = cosines.topk(min(k, max(0, len(self.words) - len({*rows}))))
        near = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return Nearby(query, {self.words[row]: round(cosine, 6) for row, cosine in near})

    def near_word(self, word: str, k: int) -> str:
        """The words nearest to one."""
        return ", ".join(self.near(word, k).neighbours)
