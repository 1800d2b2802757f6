"""A network that predicts the next token, combined with n-grams."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.nn.next_token import NextToken
from seqlab.nn.ngram import NGram, NGramOptions
from seqlab.nn.output_layer import OutputOptions
from seqlab.options import option
from seqlab.recurrence.state import AnyState


@dataclass(frozen=True)
class NextTokenOptions(OutputOptions):
    """Options of every network that predicts the next token.

    Raises:
        UserError: A value is out of its bounds, or ``order`` is given without ``counts``.
    """

    counts: float = option(
        0.0,
        "Weight of n-grams, counted on the same text, in the probabilities outside training.",
        least=0,
        below=1,
        seldom=True,
    )
    order: int | None = option(
        None,
        "Tokens in the longest of these n-grams; the default of --model ngram if not given.",
        least=1,
        most=62,
        seldom=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order is not None and not self.counts:
            raise UserError(f"order {self.order} belongs to the n-grams of --model.counts; give that too, such as 0.5")

    def network(self, vocab_size: int) -> NextToken:
        """The network with initialized weights."""
        raise NotImplementedError

    def build(self, vocab_size: int) -> NextToken:
        """The network with initialized weights, with empty n-grams beside it if ``counts`` is above 0."""
        made = self.network(vocab_size)
        return BesideNGrams(made, NGramOptions(self.order).build(vocab_size), self.counts) if self.counts else made


class BesideNGrams(NextToken):
    """A mixture of two experts, as Bengio et al. (2003, section 3.2) interpolate their network with a trigram.

        p = (1 - share) p_network + share p_counts

    Training uses the network alone: n-grams counted on the training text predict that text too well. Outside training
    both count.

    Args:
        network: The trained network.
        counts: N-grams of the same text.
        share: Weight of the n-grams.
    """

    def __init__(self, network: NextToken, counts: NGram, share: float) -> None:
        super().__init__()
        self.network, self.counts, self.share = network, counts, share
        vars(self).update(embedding=network.embedding, output=network.output)  # the weights belong to the network

    def features(self, ids: Tensor, state: AnyState | None) -> tuple[Tensor, AnyState]:
        return self.network.features(ids, state)

    def gathered(self, states: Sequence[AnyState]) -> AnyState:
        own, counted = zip(*states, strict=True)
        return self.network.gathered(own), self.counts.gathered(counted)

    def of_rows(self, state: AnyState, rows: Tensor) -> AnyState:
        own, counted = state
        return self.network.of_rows(own, rows), self.counts.of_rows(counted, rows)

    def num_rows(self, state: AnyState) -> int:
        return self.counts.num_rows(state[1])

    def flops(self) -> dict[str, int]:
        return self.network.flops()

    def memory_in_words(self, streams: int, noun: str) -> str:
        own = self.network.memory_in_words(streams, noun)
        return f"{own}; {self.share:g} of it from the {self.counts.order - 1} tokens before"

    def forward(self, ids: Tensor, state: AnyState | None = None) -> tuple[Tensor, AnyState]:
        if self.training:
            return self.network(ids, state)
        own, counted = state or (None, None)
        logits, own = self.network(ids, own)
        p, counted = self.counts.after(ids, counted)
        mixed = torch.lerp(logits.double().softmax(-1), p.to(logits.device), self.share)
        return mixed.log(), (own, counted)

    def nats(
        self, ids: Tensor, targets: Tensor, valid: Tensor | None = None, state: AnyState | None = None
    ) -> tuple[Tensor, int | Tensor, AnyState]:
        if self.training:
            return self.network.nats(ids, targets, valid, state)
        each, state = self.token_nats(ids, targets, state)
        real = each if valid is None else each[valid]
        return real.sum(), real.numel(), state

    @torch.no_grad()
    def token_nats(self, ids: Tensor, targets: Tensor, state: AnyState | None = None) -> tuple[Tensor, AnyState]:
        if self.training:
            return self.network.token_nats(ids, targets, state)
        own, counted = state or (None, None)
        nats, own = self.network.token_nats(ids, targets, own)
        counts, counted = self.counts.token_nats(ids, targets, counted)
        mixed = torch.lerp((-nats.double()).exp(), (-counts).exp(), self.share)
        return -mixed.log(), (own, counted)
