"""Token ids -> logits of the next token, through a recurrent stack."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.beside_ngrams import NextTokenOptions
from seqlab.nn.next_token import NextToken
from seqlab.nn.output_layer import tie
from seqlab.options import option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.lengths import backwards
from seqlab.recurrence.stack import StackOptions, State
from seqlab.recurrence.state import AnyState


@dataclass(frozen=True)
class LanguageOptions(NextTokenOptions, StackOptions):
    """Options of ``LanguageNetwork``.

    Raises:
        UserError: A value is out of its bounds, or two options contradict each other.
    """

    refused: ClassVar[Mapping[str, str]] = {
        "bidirectional": "does not fit a language model: the backward direction would read the tokens that it has to "
        "predict; leave out --model.bidirectional, or give --model.backward true for a separate backward stack",
        "nonlinearity": "is a cell of its own; give --model rnn_relu",
        "reset_after": "is a cell of its own; give --model gru_before",
    }

    embedding_dropout: float | None = option(
        None, "Dropout of the embedding; the value of dropout if not given.", least=0, below=1, seldom=True
    )
    tied: bool = option(False, "Tie input and output embeddings (Press & Wolf 2017).")
    vectors: str | None = option(
        None,
        "File of pretrained word vectors, plain or compressed.",
        once=True,
    )
    backward: bool = option(False, "Train a second stack that reads backwards (Peters et al. 2018).", seldom=True)
    l1: float = option(0.0, "Weight of the L1 penalty in the training loss.", least=0, seldom=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embedding_size is None and self.embedding_dropout is not None:
            raise UserError("embedding_dropout needs an embedding; give --model.embedding_size or leave it out")
        if self.embedding_size is None and self.vectors is not None:
            raise UserError("vectors need an embedding; give --model.embedding_size, or leave out --model.vectors")

    def network(self, vocab_size: int) -> "LanguageNetwork":
        if self.backward:
            return ForwardAndBackward(vocab_size, self)
        return LanguageNetwork(vocab_size, self)


class LanguageNetwork(NextToken):
    """Embedding, recurrent stack, output layer (Mikolov et al. 2010); dropout as in Zaremba et al. 2014.

    Args:
        vocab_size: Number of ids, in the input and in the logits.
        options: Options of the network; the defaults if not given.

    Raises:
        UserError: The options do not fit together.
    """

    rows_axis = 1

    def __init__(self, vocab_size: int, options: LanguageOptions | None = None) -> None:
        super().__init__()
        options = options or LanguageOptions()
        size, dropout = options.embedding_size, options.dropout
        self.embedding = None if size is None else nn.Embedding(vocab_size, size)
        first = dropout if options.embedding_dropout is None else options.embedding_dropout
        self.embedding_dropout = Dropout(first, options.variational)
        self.dropout = Dropout(dropout, options.variational)
        self.recurrent = options.stack(size or vocab_size)
        width = self.recurrent.output_size
        if options.tied and size != width:
            raise UserError(
                f"tied weights need embedding_size ({size}) equal to hidden_size ({width}); "
                f"give --model.embedding_size {width} or leave out --model.tied"
            )
        self.output = options.output_layer(width, vocab_size)
        initialize(self, options.init, options.forget_bias, options.init_range)
        if options.tied and self.embedding is not None:
            tie(self.embedding, self.output)

    def features(self, ids: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Outputs of the recurrence ``(time, batch, hidden_size)``, which the output layer reads, and the state."""
        inputs = ids if self.embedding is None else self.embedding_dropout(self.embedding(ids))
        outputs, state = self.recurrent(inputs, state)
        return self.dropout(outputs).transpose(0, 1), state

    def flops(self) -> dict[str, int]:
        """One multiplication and one addition for each weight of a matrix; an embedding look-up costs nothing."""
        layers = [*self.recurrent.layers.parameters(), *self.recurrent.connection.parameters()]
        looked_up = next(self.recurrent.each_layer())["weight_ih"].numel() if self.embedding is None else 0
        multiplied = sum(weights.numel() for weights in layers if weights.ndim == 2) - looked_up
        return {"recurrent layers": 2 * multiplied, "output layer": self.output.flops()}


class ForwardAndBackward(LanguageNetwork):
    """Two stacks with one embedding and one output layer (Peters et al. 2018, N18-1202, section 3.1).

        loss = -1/2 sum_t log p(x_t | x_1, ..., x_{t-1}) + log p(x_t | x_{t+1}, ..., x_N)

    The backward stack starts from a zero state at the end of each window. Only the forward stack evaluates and
    continues text; its state is that of a ``LanguageNetwork``.

    Args:
        vocab_size: Number of ids, in the input and in the logits.
        options: Options of each stack.

    Attributes:
        behind: The backward stack with the shared layers; its input is the ids in reverse.
    """

    def __init__(self, vocab_size: int, options: LanguageOptions) -> None:
        super().__init__(vocab_size, options)
        self.behind = LanguageNetwork(vocab_size, replace(options, backward=False))
        self.behind.embedding, self.behind.output = self.embedding, self.output

    def nats(
        self, ids: Tensor, targets: Tensor, valid: Tensor | None = None, state: AnyState | None = None
    ) -> tuple[Tensor, int | Tensor, AnyState]:
        """``NextToken.nats``; in training the mean of both directions, with each token counted once.

        The backward stack predicts each of ``ids`` from the ids after it, up to the last of ``targets``.
        """
        nats, tokens, state = super().nats(ids, targets, valid, state)
        if not self.training:
            return nats, tokens, state
        text = torch.cat([ids[:, :1], targets], 1).t()  # (time + 1, batch)
        reverse = backwards(text, None if valid is None else valid.sum(1) + 1).t()
        behind, _, _ = self.behind.nats(reverse[:, :-1], reverse[:, 1:], valid)
        return (nats + behind) / 2, tokens, state

    def flops(self) -> dict[str, int]:
        return {part: 2 * cost for part, cost in super().flops().items()}
