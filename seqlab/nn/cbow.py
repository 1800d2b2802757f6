"""CBOW: predicts a word from the words near it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from seqlab.nn.skipgram import SkipGram, SkipGramOptions
from seqlab.nn.word_blocks import Blocks
from seqlab.nn.word_vectors import Scored


@dataclass(frozen=True)
class CBOWOptions(SkipGramOptions):
    """Options of ``CBOW``."""

    trained_by: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "optimizer": {"name": "adagrad", "lr": 0.1},
        "lr_scheduler": {"name": "none"},
    }

    def build(self, counts: Tensor, words: Sequence[str] = ()) -> "CBOW":
        return CBOW(counts, self)


class CBOW(SkipGram):
    """The mean of v of the words near a position, and u of the word at the position (Mikolov et al. 2013, arXiv
    1301.3781). A pair is a position with its word. On a held-out part nearer words weigh more.

    Args:
        counts: Occurrences of each word in the training part ``(vocab_size,)``; an id with count 0 is no word.
        options: Options of the network.
    """

    means: ClassVar[bool] = True

    def scored(self, blocks: Blocks, weights: Tensor) -> Scored:
        hidden, there = _means(self.centers(blocks.around), weights)
        said = (hidden * self.outputs()[blocks.centers]).sum(-1, keepdim=True)
        return Scored(hidden, said, there)

    def _against(self, blocks: Blocks, near: Tensor, drawn: Tensor | None) -> tuple[Scored, Tensor]:
        vectors = self.centers(blocks.around)
        hidden, there = _means(vectors, near.to(vectors.dtype))
        asked, width = blocks.centers, blocks.centers.shape[1]
        found = self.context_embedding(asked if drawn is None else torch.cat([asked, drawn], 1))
        said = (hidden * found[:, :width]).sum(-1, keepdim=True)
        others = self.outputs().t() if drawn is None else found[:, width:].transpose(1, 2)
        return Scored(hidden, said, there), hidden @ others


def _means(vectors: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted means of the context vectors ``(blocks, BLOCK, size)``, and 1 where a context exists ``(blocks, BLOCK,
    1)``."""
    total = weights.sum(-1, keepdim=True)
    return (weights / total.clamp(min=1)) @ vectors, (total > 0).to(vectors.dtype)
