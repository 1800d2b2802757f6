"""Base of networks that predict the next token."""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.nn.evaluating import evaluating
from seqlab.nn.output_layer import AdaptiveSoftmax, FullSoftmax
from seqlab.recurrence.state import AnyState, RowsOfState, bytes_of


class NextToken(nn.Module, RowsOfState):
    """Ids and a state -> features of each position and the state after them, and an output layer over the features.

    Attributes:
        embedding: Embedding of the ids, if there is one.
        output: Features -> logits of the next token.
    """

    embedding: nn.Embedding | None
    output: FullSoftmax | AdaptiveSoftmax

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    @abstractmethod
    def features(self, ids: Tensor, state: AnyState | None) -> tuple[Tensor, AnyState]:
        """Features ``(time, batch, size)`` for the output layer, from ids ``(batch, time)``, and the new state."""

    @abstractmethod
    def flops(self) -> dict[str, int]:
        """Floating-point operations of one token in the forward pass, by part."""

    def memory_in_words(self, streams: int, noun: str) -> str:
        """A report's words about the state in so many streams; ``noun`` names them."""
        return f"carried through {streams:,} {noun}{'s' * (streams > 1)}, zero at the start of each"

    @torch.no_grad()
    def state_bytes(self, rows: int, tokens: int) -> int:
        """Bytes of the state of so many rows after so many tokens."""
        ids = torch.zeros(1, 1, dtype=torch.int64, device=self.device)
        with evaluating(self):
            _, state = self.features(ids, None)
        return rows * bytes_of(state)

    def forward(self, ids: Tensor, state: AnyState | None = None) -> tuple[Tensor, AnyState]:
        """Logits of the token after each position.

        Args:
            ids: ``(batch, time)`` int64.
            state: State before the first position; the initial state if not given.

        Returns:
            Logits ``(batch, time, vocab_size)`` and the state after the last position.
        """
        features, state = self.features(ids, state)
        return self.output(features).transpose(0, 1), state

    def nats(
        self, ids: Tensor, targets: Tensor, valid: Tensor | None = None, state: AnyState | None = None
    ) -> tuple[Tensor, int | Tensor, AnyState]:
        """Cross-entropy summed over tokens; many logits are computed in chunks to save memory.

        Args:
            ids: ``(batch, time)`` int64.
            targets: The token after each of them, ``(batch, time)`` int64.
            valid: ``(batch, time)`` bool, True at real tokens; None where all are.
            state: State before the first position; the initial state if not given.

        Returns:
            The sum in nats, the number of tokens, and the state after the last position.
        """
        features, state = self.features(ids, state)
        rows, wanted = features.flatten(0, 1), targets.t().flatten()
        if valid is not None:
            real = valid.t().flatten().nonzero().squeeze(1)
            rows, wanted = rows.index_select(0, real), wanted.index_select(0, real)
        tokens = targets.numel() if valid is None else valid.sum()
        return self.output.nats(rows, wanted), tokens, state

    @torch.no_grad()
    def token_nats(self, ids: Tensor, targets: Tensor, state: AnyState | None = None) -> tuple[Tensor, AnyState]:
        """``nats`` of each position ``(batch, time)`` float32, without gradients."""
        logits, state = self(ids, state)
        return F.cross_entropy(logits.float().transpose(1, 2), targets, reduction="none"), state
