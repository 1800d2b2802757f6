"""What vectors counted from co-occurrences share."""

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
    """Options that vectors counted from co-occurrences share."""

    by_gradients: ClassVar[bool] = False

    negatives: int = option(5, "Negative samples for each true pair, where its loss is measured.", least=1)
    noise_power: float = option(
        0.75, "Power of the counts of words around, where shares are taken of them.", least=0.0, most=2.0
    )


class CountedVectors(WordVectors):
    """v_c . u_o + a_c + b_o, all of them counted, as log-odds of a pair against noise.

    Args:
        counts: Occurrences of each word in the training part ``(vocab_size,)``; what has 0 is no word.
        options: Of the network.
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
        self.nothing = nn.Parameter(torch.empty(0))  # a Trainer steps parameters; there are none to learn

    def inputs(self) -> Tensor:
        return torch.cat([self.embedding.weight, self.shift, torch.ones_like(self.shift)], 1)

    def outputs(self) -> Tensor:
        ones = torch.ones_like(self.context_shift)
        return torch.cat([self.context_embedding.weight, ones, self.context_shift], 1)

    def vectors(self) -> Tensor:
        return self.embedding.weight.detach().float()

    def count(self, ids: Tensor, after_pass: Callable[[], None] | None = None) -> None:
        """Counts a training text, in place of what was counted before.

        Args:
            ids: ``(tokens,)`` int64.
            after_pass: Is called after each pass over what was counted, of a network that takes several.
        """
        raise NotImplementedError

    def cells(self, ids: Tensor, weight: Callable[[Tensor], Tensor]) -> Cells:
        """The pairs of words of a text ``(tokens,)``; what stands for no word is left out before. See
        ``cooccurrences``."""
        words = ids[self.counts.to(ids.device)[ids] > 0]
        return cooccurrences(words, len(self.counts), self.window, weight)
