"""Measures of how much a word's vectors depend on its context (Ethayarajh 2019, arXiv 1909.00512, section 3.3)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class ContextMeasures(NamedTuple):
    """Measures of one layer, or of the static vectors.

    Args:
        own: Mean cosine between the vectors of the word at two places; 1 for static vectors.
        sentence: Mean cosine between the words of the word's sentences and the sentence mean; NaN without sentences.
        random: Mean cosine between random words at random places; high if all vectors of a layer point the same way.
    """

    own: float
    sentence: float
    random: float


def mean_cosine(vectors: Tensor) -> float:
    """Mean cosine over all pairs of vectors ``(vectors, size)``; NaN for fewer than two."""
    many = len(vectors)
    if many < 2:
        return float("nan")
    unit = F.normalize(vectors.double(), dim=1)
    return float((unit.sum(0).square().sum() - unit.square().sum()) / (many * (many - 1)))


def sentence_cosine(vectors: Tensor) -> float:
    """Intra-sentence similarity: the mean cosine of the words of a sentence ``(words, size)`` with their mean."""
    unit = vectors.double()
    return float(F.cosine_similarity(unit, unit.mean(0, keepdim=True), dim=1).mean())


def measure(own: Tensor, sentences: Sequence[Tensor], random: Tensor) -> ContextMeasures:
    """The three measures of one layer.

    Args:
        own: Vectors of the word at its places ``(places, size)``.
        sentences: Vectors of the words of each of its sentences ``(words, size)``.
        random: Vectors of random words, each at a random place ``(words, size)``.
    """
    within = [sentence_cosine(one) for one in sentences if len(one) > 1]
    return ContextMeasures(mean_cosine(own), sum(within) / len(within) if within else float("nan"), mean_cosine(random))


def cosines(vectors: Tensor) -> Tensor:
    """Cosines of all pairs ``(vectors, vectors)`` float64."""
    unit = F.normalize(vectors.double(), dim=1)
    return unit @ unit.t()


def random_places(ids: Tensor, many: int) -> Tensor:
    """One random place for each of some distinct ids of a text, with a fixed seed.

    Args:
        ids: ``(time,)`` int64.
        many: Most places.

    Returns:
        Places in ascending order, int64.
    """
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(ids), generator=generator)
    _, kinds = ids[order].unique(return_inverse=True)
    first = torch.full((int(kinds.max()) + 1,), len(ids)).scatter_reduce(
        0, kinds, torch.arange(len(ids)), "amin", include_self=False
    )
    drawn = torch.randperm(len(first), generator=generator)[:many]
    return order[first[drawn]].sort().values
