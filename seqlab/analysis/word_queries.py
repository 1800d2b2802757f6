"""Queries to word vectors: the words near a word, or near a sum of words."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.errors import UserError, nearest_spelling

SIGNS = {"+": 1.0, "-": -1.0}


class Nearby(NamedTuple):
    """Words near a query.

    Args:
        query: The query.
        neighbours: Words with their cosines, the nearest first.
        unseen: Words of the query that the training text lacks, separated by commas; their n-grams have vectors.
    """

    query: str
    neighbours: dict[str, float]
    unseen: str = ""

    def __str__(self) -> str:
        near = ", ".join(f"{word} {cosine:.3f}" for word, cosine in self.neighbours.items())
        return f"{near} (unseen, by its parts: {self.unseen})" if self.unseen else near


def terms_of(query: str) -> list[tuple[str, float]]:
    """The words of a query with their signs: ``king - man + woman``; a word without a sign is added.

    Raises:
        UserError: The query has no word, or a sign without a word.
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
        words: Words, the most frequent first.
        vectors: Vector of each word ``(words, size)`` float32.
        clean: Function that cleans a word of a query.
        unseen: Function from other words to their vectors ``(words, size)`` float32, zeros for a word without a vector;
            None if other words never have vectors.
    """

    def __init__(
        self,
        words: Sequence[str],
        vectors: Tensor,
        clean: Callable[[str], str] = str,
        unseen: Callable[[Sequence[str]], Tensor] | None = None,
    ) -> None:
        self.words, self.vectors = words, vectors
        self.unit = F.normalize(vectors, dim=1)
        self.rows = {word: row for row, word in enumerate(words)}
        self._clean, self._unseen = clean, unseen

    def row(self, word: str) -> int:
        """The row of a word.

        Raises:
            UserError: The word has no vector.
        """
        found = self._known(word)
        if found is None:
            way_out = nearest_spelling(word, self.words) or "ask for a word of the training text"
            raise UserError(f"'{word}' is none of the {len(self.words):,} words with a vector: {way_out}")
        return found

    def _known(self, word: str) -> int | None:
        found = self.rows.get(word)
        return self.rows.get(self._cleaned(word)) if found is None else found

    def _cleaned(self, word: str) -> str:
        return self._clean(word).strip()

    def _of_parts(self, word: str) -> Tensor | None:
        """The direction ``(size,)`` of a word without a row; None if it has no direction."""
        if self._unseen is None or self._known(word) is not None:
            return None
        (vector,) = self._unseen([self._cleaned(word)])
        return F.normalize(vector.cpu(), dim=0) if bool(vector.any()) else None

    def near(self, query: str, k: int) -> Nearby:
        """The words nearest to a sum of words, without these words (3CosAdd, Levy & Goldberg 2014, W14-1618).

        Args:
            query: See ``terms_of``.
            k: Number of words.
        """
        if k < 1:
            raise UserError(f"neighbours {k} must be a whole number of at least 1")
        terms = terms_of(query)
        made = {word: vector for word, _ in terms if (vector := self._of_parts(word)) is not None}
        rows = [self.row(word) for word, _ in terms if word not in made]
        units = torch.stack([made[word] if word in made else self.unit[self.row(word)] for word, _ in terms])
        target = (units * torch.tensor([[sign] for _, sign in terms])).sum(0)
        cosines = self.unit @ F.normalize(target, dim=0)
        cosines[rows] = -torch.inf
        best = cosines.topk(min(k, max(0, len(self.words) - len({*rows}))))
        near = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return Nearby(query, {self.words[row]: round(cosine, 6) for row, cosine in near}, ", ".join(made))

    def near_word(self, word: str, k: int) -> str:
        """The words nearest to one word."""
        return ", ".join(self.near(word, k).neighbours)
