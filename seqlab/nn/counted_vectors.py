"""Base of word vectors that are counted from co-occurrences."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqlab.nn.cooccurrence import Cells, cooccurrences
from seqlab.nn.word_vectors import WordVectorOptions, WordVectors
from seqlab.options import option


@dataclass(frozen=True)
class CountedVectorOptions(WordVectorOptions):
    """Options of all word vectors that are counted from co-occurrences."""

    by_gradients: ClassVar[bool] = False

    negatives: int = option(5, "Negative samples for each true pair in the reported loss.", least=1)
    noise_power: float = option(
        0.75, "Power of the counts of context words in the noise distribution.", least=0.0, most=2.0
    )


class CountedVectors(WordVectors):
    """Log-odds v_c . u_o + a_c + b_o of a pair against noise, with all terms counted.

    Args:
        counts: Occurrences of each word in the training part ``(vocab_size,)``; an id with count 0 is no word.
        options: Options of the network.
    """

    def __init__(self, counts: Tensor, options: CountedVectorOptions) -> None:
        super().__init__(counts, options, options.negatives, options.noise_power)
        size = options.embedding_size
        self.embedding, self.context_embedding = nn.Embedding(len(counts), size), nn.Embedding(len(counts), size)
        for one in (self.embedding, self.context_embedding):
            nn.init.zeros_(one.weight.requires_grad_(False))
        self.register_buffer("shift", torch.zeros(len(counts), 1))
        self.register_buffer("context_shift", torch.zeros(len(counts), 1))
        self.shift: Tensor
        self.context_shift: Tensor
        self.nothing = nn.Parameter(torch.empty(0))  # the Trainer needs a parameter; this model trains none

    def inputs(self) -> Tensor:
        return torch.cat([self.embedding.weight, self.shift, torch.ones_like(self.shift)], 1)

    def outputs(self) -> Tensor:
        ones = torch.ones_like(self.context_shift)
        return torch.cat([self.context_embedding.weight, ones, self.context_shift], 1)

    def vectors(self) -> Tensor:
        return self.embedding.weight.detach().float()

    def count(self, ids: Tensor, after_pass: Callable[[], None] | None = None) -> None:
        """Counts a training text; earlier counts are dropped.

        Args:
            ids: ``(tokens,)`` int64.
            after_pass: Called after each pass over the co-occurrences, if the network makes several.
        """
        raise NotImplementedError

    def cells(self, ids: Tensor, weight: Callable[[Tensor], Tensor]) -> Cells:
        """The pairs of words of a text ``(tokens,)``, without ids that are no word. See
        ``cooccurrences``."""
        words = ids[self.counts.to(ids.device)[ids] > 0]
        return cooccurrences(words, len(self.counts), self.window, weight)
