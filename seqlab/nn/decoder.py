"""A recurrent decoder: a target sentence, token by token, from an encoded source."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.nn.attention import Attention
from seqlab.nn.encoder import Encoded
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.stack import Recurrent, State


class DecoderState(NamedTuple):
    """State of the decoder. Each sentence has the same number of rows, side by side, which share its encoding.

    Args:
        recurrent: State of the stack, each part ``(layers, rows, hidden_size)``.
        fed: The previous step's input to the output layer ``(rows, hidden_size)``, or without attention the encoder's
            last output.
        keys: Keys of the attention ``(sentences, positions, hidden_size)``; empty without attention.
        values: Values of the attention, of the same shape.
        valid: ``(sentences, positions)`` bool.
    """

    recurrent: State
    fed: Tensor
    keys: Tensor
    values: Tensor
    valid: Tensor

    def rows(self, index: Tensor, sentences: Tensor) -> "DecoderState":
        """The rows at ``index`` of the sentences at ``sentences``, see ``Rows``."""
        recurrent = tuple(part.index_select(1, index) for part in self.recurrent)
        shared = self.keys, self.values, self.valid
        if len(sentences) < len(self.valid):  # otherwise all of them, as they are
            shared = self.keys[sentences], self.values[sentences], self.valid[sentences]
        return DecoderState(recurrent, self.fed.index_select(0, index), *shared)


class Decoder(nn.Module):
    """An embedding and a recurrent stack that starts from the encoder's state.

    Without attention every step also reads the encoder's last output (Cho et al. 2014). With attention the output layer
    reads tanh(W (context, output)) (Luong et al. 2015, equation 5), and with input feeding (section 3.3 there) each
    step reads this vector of the step before. Only input feeding needs a loop over the steps.

        W (context, output) = W_c context + W_o output,    W_c context = sum of weights * (W_c memory)

    so the attention averages the values W_c memory, which are the same at every step.

    Args:
        embedding: Embedding of the target ids.
        recurrent: Recurrent stack with inputs of size ``input_size``.
        attention: Over the encoder's outputs, if any.
        memory_size: Size of the encoder's outputs.
        dropout: Dropout of the embedding and of the output layer's input.
        input_feeding: Whether each step reads the previous step's input to the output layer.
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        recurrent: Recurrent,
        attention: Attention | None,
        memory_size: int,
        dropout: float,
        input_feeding: bool,
    ) -> None:
        super().__init__()
        self.embedding, self.recurrent, self.attention = embedding, recurrent, attention
        self.dropout, self.input_feeding = Dropout(dropout), input_feeding
        width = recurrent.output_size
        self.halves = memory_size, width
        self.combine = nn.Linear(memory_size + width, width, bias=False) if attention is not None else None

    @property
    def attends(self) -> bool:
        """Whether the decoder returns attention weights."""
        return self.attention is not None

    @staticmethod
    def input_size(embedding_size: int, hidden_size: int, attention: bool, input_feeding: bool) -> int:
        """Size of the stack's input at a step."""
        return embedding_size + (hidden_size if input_feeding or not attention else 0)

    def first_state(self, encoded: Encoded) -> DecoderState:
        """The state before the first step."""
        top = encoded.state[0][-1]
        if self.attention is None or self.combine is None:
            nothing = encoded.memory[..., :0]
            return DecoderState(encoded.state, top, nothing, nothing, encoded.valid)
        of_context, _ = self.combine.weight.split(self.halves, 1)
        keys, values = self.attention.keys(encoded.memory), F.linear(encoded.memory, of_context)
        return DecoderState(encoded.state, torch.zeros_like(top), keys, values, encoded.valid)

    def forward(self, ids: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState, Tensor | None]:
        """Target ids -> features for the output layer.

        Args:
            ids: ``(rows, time)`` int64.
            state: State before the first id.

        Returns:
            Features ``(rows, time, hidden_size)``, the state after the last id, and with attention its weights
            ``(rows, time, positions)``.
        """
        embedded = self.dropout(self.embedding(ids))
        if not self.input_feeding:
            return self._steps(embedded, state)
        features, weights = [], []
        for step in embedded.split(1, dim=1):
            feature, state, weight = self._steps(step, state)
            features.append(feature)
            weights.append(weight)
        seen = [weight for weight in weights if weight is not None]
        return torch.cat(features, 1), state, torch.cat(seen, 1) if seen else None

    def _steps(self, embedded: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState, Tensor | None]:
        if self.input_feeding or self.attention is None:
            fed = state.fed.unsqueeze(1).expand(-1, embedded.shape[1], -1).to(embedded.dtype)
            embedded = torch.cat([embedded, fed], -1)
        outputs, recurrent = self.recurrent(embedded, state.recurrent)
        if self.attention is None or self.combine is None:
            return self.dropout(outputs), state._replace(recurrent=recurrent), None
        context, weights = self.attention(outputs, state.keys, state.values, state.valid)
        _, of_output = self.combine.weight.split(self.halves, 1)
        features = torch.tanh(context + F.linear(outputs, of_output))
        if self.input_feeding:
            state = state._replace(fed=features[:, -1])
        return self.dropout(features), state._replace(recurrent=recurrent), weights
