"""Output layers of language models: features -> logits or log-probabilities of the next token."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, cast

import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.linear import linear_cross_entropy
from seqlab.options import Options, option

SHRINKING = 4
"""Features of a cluster over those of the next one."""

FIRST, SECOND = 8, 2
"""The default clusters begin after the vocabulary over ``FIRST``, and over ``SECOND``."""


@dataclass(frozen=True)
class OutputOptions(Options):
    """Options of an output layer.

    Raises:
        UserError: ``cutoffs`` do not rise, or are given without clusters.
    """

    softmax: Literal["full", "adaptive"] = option(
        "full",
        "full, or adaptive: rare tokens in clusters of fewer features, faster for large vocabularies (Grave et al. "
        "2017).",
        seldom=True,
    )
    cutoffs: list[int] | None = option(
        None,
        "Numbers of tokens, counted from the most frequent, after which a cluster begins; an eighth and a half of the "
        "vocabulary if not given.",
        least=1,
        seldom=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cutoffs is not None and self.softmax != "adaptive":
            raise UserError(f"cutoffs {self.cutoffs} are those of clusters; give --model.softmax adaptive too")
        if self.cutoffs is not None and any(one >= other for one, other in pairwise(self.cutoffs)):
            raise UserError(f"cutoffs {self.cutoffs} must rise, such as [2000, 10000]")

    def output_layer(self, size: int, vocab_size: int) -> "FullSoftmax | AdaptiveSoftmax":
        """The layer for features of a size, initialized as torch does.

        Raises:
            UserError: A cutoff is not below the size of the vocabulary.
        """
        if self.softmax == "full":
            return FullSoftmax(size, vocab_size)
        if self.cutoffs is not None and self.cutoffs[-1] >= vocab_size:
            raise UserError(
                f"the last of cutoffs {self.cutoffs} must be below the size of the vocabulary, {vocab_size:,} tokens"
            )
        return AdaptiveSoftmax(size, vocab_size, self.cutoffs or clusters_of(vocab_size))


def clusters_of(vocab_size: int) -> list[int]:
    """Default cutoffs of a vocabulary."""
    return sorted({max(1, vocab_size // FIRST), max(1, vocab_size // SECOND)})


class FullSoftmax(nn.Linear):
    """One logit for each token: logits = W h + b."""

    def nats(self, features: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of features ``(tokens, size)`` and targets ``(tokens,)`` int64, summed over tokens."""
        return linear_cross_entropy(features, self.weight, self.bias, targets)

    def flops(self) -> int:
        """Floating-point operations of one token."""
        return 2 * self.weight.numel()


class AdaptiveSoftmax(nn.Module):
    """A softmax over the most frequent tokens and clusters of the others (Grave et al. 2017, arXiv 1609.04309).

        p(w) = softmax(W h + b)_w                                      for w among the most frequent
        p(w) = softmax(W h + b)_c  softmax(W_c P_c h + b_c)_w          for w in cluster c

    P_c has ``size / 4^c`` rows, c = 1, 2, ... Most tokens of a text need the first softmax alone.

    Args:
        size: Features.
        vocab_size: Tokens, the most frequent first.
        cutoffs: First token of each cluster, rising and below ``vocab_size``.
    """

    def __init__(self, size: int, vocab_size: int, cutoffs: Sequence[int]) -> None:
        super().__init__()
        self.out_features = vocab_size
        self.ranges = [*pairwise([*cutoffs, vocab_size])]
        self.frequent = cutoffs[0]
        self.head = FullSoftmax(size, self.frequent + len(self.ranges))
        widths = [max(1, size // SHRINKING**number) for number in range(1, len(self.ranges) + 1)]
        self.projections = nn.ModuleList(nn.Linear(size, width, bias=False) for width in widths)
        self.tails = nn.ModuleList(
            FullSoftmax(width, last - first) for width, (first, last) in zip(widths, self.ranges, strict=True)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Log-probabilities ``(..., vocab_size)`` of all tokens, from features ``(..., size)``."""
        head = self.head(features).log_softmax(-1)
        parts = [head[..., : self.frequent]]
        for number, (_, projection, tail) in enumerate(self._clusters(), self.frequent):
            parts.append(head[..., number, None] + tail(projection(features)).log_softmax(-1))
        return torch.cat(parts, -1)

    def nats(self, features: Tensor, targets: Tensor) -> Tensor:
        """``FullSoftmax.nats``; each cluster computes the logits of its own targets alone."""
        wanted, nats = targets, features.new_zeros(())
        for number, ((first, last), projection, tail) in enumerate(self._clusters(), self.frequent):
            inside = (targets >= first) & (targets < last)
            wanted = wanted.masked_fill(inside, number)
            rows = inside.nonzero().squeeze(1)
            nats = nats + tail.nats(projection(features.index_select(0, rows)), targets.index_select(0, rows) - first)
        return nats + self.head.nats(features, wanted)

    def flops(self) -> int:
        """Floating-point operations of one token whose log-probabilities are all computed."""
        inner = sum(2 * projection.weight.numel() + tail.flops() for _, projection, tail in self._clusters())
        return self.head.flops() + inner

    def _clusters(self) -> Iterator[tuple[tuple[int, int], nn.Linear, FullSoftmax]]:
        tails = cast(Iterable[FullSoftmax], self.tails)
        return zip(self.ranges, cast(Iterable[nn.Linear], self.projections), tails, strict=True)


def tie(embedding: nn.Embedding, output: FullSoftmax | AdaptiveSoftmax) -> None:
    """Makes an embedding share the weights of an output layer (Press & Wolf 2017).

    Raises:
        UserError: The output layer has clusters.
    """
    if isinstance(output, AdaptiveSoftmax):
        raise UserError(
            "softmax adaptive has no matrix that could be an embedding of all tokens; give --model.tied false"
        )
    embedding.weight = output.weight
