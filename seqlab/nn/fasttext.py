"""fastText: a word vector is the mean over character n-grams, so that unseen words have vectors too."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.native.sparse_rows import mean_rows
from seqlab.nn.skipgram import SkipGram, SkipGramOptions
from seqlab.options import option

BEGIN, END = "<", ">"
"""Marks at the beginning and the end of a word."""
OFFSET, PRIME = np.uint32(2166136261), np.uint32(16777619)
"""Constants of FNV-1a in 32 bits."""


@dataclass(frozen=True)
class FastTextOptions(SkipGramOptions):
    """Options of ``FastText``."""

    min_gram: int = option(3, "Characters of the shortest n-gram of a word.", least=1, most=100)
    max_gram: int = option(6, "Characters of the longest n-gram of a word.", least=1, most=100)
    buckets: int = option(
        200_000, "Most vectors that character n-grams share by hashing; fewer if there are fewer n-grams.", least=1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_gram < self.min_gram:
            raise UserError(
                f"max_gram {self.max_gram} is below min_gram {self.min_gram}; give --model.max_gram {self.min_gram} "
                "or more"
            )

    def build(self, counts: Tensor, words: Sequence[str] = ()) -> "FastText":
        return FastText(counts, self, words)


def grams_of(word: str, least: int, most: int) -> list[str]:
    """The distinct character n-grams of a word with its marks, n from ``least`` to ``most``. An n-gram of marks alone
    does not count."""
    marked = f"{BEGIN}{word}{END}"
    found = (marked[at : at + n] for n in range(least, most + 1) for at in range(len(marked) - n + 1))
    return [gram for gram in dict.fromkeys(found) if gram not in (BEGIN, END)]


def hashes(grams: Sequence[str]) -> NDArray[np.uint32]:
    """FNV-1a of the UTF-8 bytes of texts, as signed bytes like in fastText's code: ``(texts,)`` uint32."""
    encoded = [gram.encode("utf-8", "surrogatepass") for gram in grams]
    lengths = np.array([*map(len, encoded)], dtype=np.int64)
    octets = np.frombuffer(b"".join(encoded), dtype=np.int8).astype(np.int32).view(np.uint32)
    begins, found = lengths.cumsum() - lengths, np.full(len(grams), OFFSET)
    for at in range(int(lengths.max(initial=0))):
        longer = lengths > at
        found[longer] = (found[longer] ^ octets[begins[longer] + at]) * PRIME
    return found


@lru_cache(maxsize=2)
def hashes_of(words: tuple[str, ...], least: int, most: int) -> NDArray[np.uint32]:
    """The hash of each distinct n-gram of words ``(n-grams,)`` uint32."""
    return hashes([*dict.fromkeys(gram for word in words for gram in grams_of(word, least, most))])


class Parts(NamedTuple):
    """Rows of the table for each word; the mean of its rows is the word's vector.

    Args:
        rows: ``(parts,)`` int64.
        ends: End of each word's rows ``(words,)`` int64.
    """

    rows: Tensor
    ends: Tensor

    def to(self, device: torch.device) -> "Parts":
        """These rows on a device."""
        return Parts(self.rows.to(device), self.ends.to(device))


class FastText(SkipGram):
    """Skip-gram whose v is the mean of the word's own vector and the vectors of its character n-grams (Bojanowski et
    al. 2017, arXiv 1607.04606). N-grams with the same hash share a vector.

    An unseen word has the mean of the vectors of its n-grams.

    Args:
        counts: Occurrences of each word in the training part ``(vocab_size,)``; an id with count 0 is no word.
        options: Options of the network.
        words: The word of each id.
    """

    def __init__(self, counts: Tensor, options: FastTextOptions, words: Sequence[str]) -> None:
        super().__init__(counts, options)
        self.options, self.words = options, words
        size = options.embedding_size
        self.hashes = hashes_of(tuple(words), options.min_gram, options.max_gram)
        self.buckets = max(1, min(options.buckets, len(self.hashes)))
        self.embedding = nn.Embedding(len(counts) + self.buckets, size, sparse=True)
        nn.init.uniform_(self.embedding.weight, -1 / size, 1 / size)

    def grams(self, words: Iterable[str]) -> Parts:
        """The rows of the n-grams of words."""
        found = [grams_of(word, self.options.min_gram, self.options.max_gram) for word in words]
        distinct = {gram: number for number, gram in enumerate(dict.fromkeys(gram for one in found for gram in one))}
        rows = len(self.counts) + (hashes([*distinct]) % np.uint32(self.buckets)).astype(np.int64)
        places = np.array([distinct[gram] for one in found for gram in one], dtype=np.int64)
        ends = np.array([*map(len, found)], dtype=np.int64).cumsum()
        return Parts(torch.from_numpy(rows[places]), torch.from_numpy(ends))

    @cached_property
    def known(self) -> Parts:
        """The parts of all words: their n-grams, then their own rows."""
        real = (self.counts > 0).tolist()
        grams = self.grams(word if one else "" for word, one in zip(self.words, real, strict=True))
        own = torch.arange(len(self.counts))
        ends = grams.ends + own + 1
        rows = torch.empty(len(grams.rows) + len(own), dtype=torch.int64)
        is_own = torch.zeros(len(rows), dtype=torch.bool)
        is_own[ends - 1] = True
        rows[is_own], rows[~is_own] = own, grams.rows
        return Parts(rows, ends)

    def parts_of(self, ids: Tensor) -> Parts:
        """The parts of some words.

        Args:
            ids: ``(words,)`` int64.
        """
        rows, ends = self.known.to(ids.device)
        begins = torch.nn.functional.pad(ends, (1, 0))[ids]
        lengths = ends[ids] - begins
        own = lengths.cumsum(0)
        places = torch.arange(int(lengths.sum()), device=ids.device)
        return Parts(rows[places + torch.repeat_interleave(begins - (own - lengths), lengths)], own)

    def rows_behind(self, buckets: int) -> tuple[Tensor, Tensor]:
        rows, others = (
            torch.from_numpy((self.hashes % np.uint32(n)).astype(np.int64)) for n in (self.buckets, buckets)
        )
        return rows + len(self.counts), others

    def inputs(self) -> Tensor:
        return mean_rows(self.embedding.weight, *self.known.to(self.embedding.weight.device))

    def heads(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        distinct, places = ids.unique(return_inverse=True)
        return mean_rows(self.embedding.weight, *self.parts_of(distinct)), places

    @torch.no_grad()
    def unseen(self, words: Sequence[str]) -> Tensor:
        """The vectors of words without an id ``(words, size)`` float32; zeros for a word without n-grams."""
        return mean_rows(self.embedding.weight, *self.grams(words).to(self.embedding.weight.device)).float()
