"""Sentences -> what a decoder needs of them."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.lengths import valid_steps
from seqlab.recurrence.stack import Recurrent, State


class Encoded(NamedTuple):
    """A batch of sentences, read.

    Args:
        memory: Outputs at every position ``(batch, positions, memory_size)``, zero at padding.
        valid: ``(batch, positions)`` bool, True at real positions.
        state: First state of the decoder, each part ``(layers, batch, hidden_size)``.
    """

    memory: Tensor
    valid: Tensor
    state: State


class Encoder(nn.Module):
    """An embedding and a recurrent stack, whose last state is handed to a decoder of the same depth and width.

    Where the stack is bidirectional, the last states of both halves become one through a bridge tanh(W (f, b)), for
    each part of the state one, as Bahdanau et al. (2015) do for their first state.

    Args:
        embedding: Of the source ids.
        recurrent: Stack over the embedded sentence; its layers are equally wide.
        dropout: Share of the embedding's units zeroed while training.
    """

    def __init__(self, embedding: nn.Embedding, recurrent: Recurrent, dropout: float) -> None:
        super().__init__()
        self.embedding, self.recurrent, self.dropout = embedding, recurrent, Dropout(dropout)
        width, parts = recurrent.widths[-1], recurrent.cell.states
        bridged = recurrent.directions == 2
        self.bridge = nn.ModuleDict({part: nn.Linear(2 * width, width) for part in parts if bridged})

    def forward(self, ids: Tensor, lengths: Tensor) -> Encoded:
        """Reads sentences.

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
