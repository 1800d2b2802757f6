"""Sentences -> the encoder outputs and the decoder's first state."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.lengths import valid_steps
from seqlab.recurrence.stack import Recurrent, State


class Encoded(NamedTuple):
    """A batch of encoded sentences.

    Args:
        memory: Outputs at every position ``(batch, positions, memory_size)``, zero at padding.
        valid: ``(batch, positions)`` bool, True at real positions.
        state: First state of the decoder, each part ``(layers, batch, hidden_size)``.
    """

    memory: Tensor
    valid: Tensor
    state: State


class Encoder(nn.Module):
    """An embedding and a recurrent stack; its last state starts a decoder of the same depth and width.

    If the stack is bidirectional, a bridge tanh(W (f, b)) joins the last states of both directions, one bridge for each
    part of the state, like the first state of Bahdanau et al. (2015).

    Args:
        embedding: Embedding of the source ids.
        recurrent: Recurrent stack over the embedded sentence, with layers of equal width.
        dropout: Dropout of the embedding.
    """

    def __init__(self, embedding: nn.Embedding, recurrent: Recurrent, dropout: float) -> None:
        super().__init__()
        self.embedding, self.recurrent, self.dropout = embedding, recurrent, Dropout(dropout)
        width, parts = recurrent.widths[-1], recurrent.cell.states
        bridged = recurrent.directions == 2
        self.bridge = nn.ModuleDict({part: nn.Linear(2 * width, width) for part in parts if bridged})

    def forward(self, ids: Tensor, lengths: Tensor) -> Encoded:
        """Encodes sentences.

        Args:
            ids: ``(batch, positions)`` int64.
            lengths: Real positions of each sentence ``(batch,)`` int64.
        """
        memory, last = self.recurrent(self.dropout(self.embedding(ids)), lengths=lengths)
        return Encoded(memory, valid_steps(lengths, ids.shape[1]).t(), self._bridged(last))

    def _bridged(self, state: State) -> State:
        if not self.bridge:
            return state
        both = (torch.cat([part[0::2], part[1::2]], -1) for part in state)  # (layers, batch, 2 * hidden_size)
        return tuple(torch.tanh(bridge(part)) for part, bridge in zip(both, self.bridge.values(), strict=True))
