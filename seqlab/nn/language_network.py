"""Token ids -> logits of the next token, through a recurrent stack."""

from typing import Literal

from torch import Tensor, nn

from seqlab.cells import make_cell
from seqlab.errors import UserError
from seqlab.nn.linear import linear_cross_entropy
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.stack import Recurrent, State


class LanguageNetwork(nn.Module):
    """Embedding, recurrent stack, output layer (Mikolov et al. 2010); dropout as in Zaremba et al. 2014.

    Args:
        vocab_size: Ids that go in and logits that come out.
        cell: A name of ``CELLS``.
        hidden_size: Units in each recurrent layer; a list has one number for each layer.
        embedding_size: Size of the embedding; null feeds one-hot vectors, as the book does.
        num_layers: Recurrent layers on top of each other.
        dropout: Share of units zeroed on every connection that is not recurrent.
        embedding_dropout: Share of the embedding's units zeroed; as dropout if not given.
        variational: Whether a sequence keeps one dropout mask over time (Gal & Ghahramani 2016).
        weight_drop: Share of the recurrent weights zeroed for a whole batch (Merity et al. 2018).
        connections: What a layer hands up: plain, residual, highway or dense.
        learned_state: Whether the state before the first token is learned rather than zero.
        reset_after: Of a gru: whether the reset gate acts after the matrix product (torch) or before it (the book).
        nonlinearity: Of an rnn: tanh or relu.
        backend: Who runs the recurrence: torch, scan, reference, or auto for the fastest.
        recompute_every: Steps of time whose gates are computed twice rather than kept, to save memory; null keeps all.
        tied: Whether input and output share one matrix (Press & Wolf 2017).
        init: torch, normal (0.01, as in the book), xavier or orthogonal (recurrent weights).
        forget_bias: First bias of the forget gate of an lstm or its kin; as init has it if not given.

    Raises:
        UserError: A size or a name makes no such network.
    """

    def __init__(
        self,
        vocab_size: int,
        cell: str = "gru",
        hidden_size: int | list[int] = 256,
        embedding_size: int | None = 64,
        num_layers: int | None = None,
        dropout: float = 0.3,
        embedding_dropout: float | None = None,
        variational: bool = False,
        weight_drop: float = 0.0,
        connections: Literal["plain", "residual", "highway", "dense"] = "plain",
        learned_state: bool = False,
        reset_after: bool | None = None,
        nonlinearity: Literal["tanh", "relu"] | None = None,
        backend: Literal["auto", "torch", "scan", "reference"] = "auto",
        recompute_every: int | None = None,
        tied: bool = False,
        init: str = "torch",
        forget_bias: float | None = None,
    ) -> None:
        super().__init__()
        if embedding_size is not None and embedding_size < 1:
            raise UserError(f"embedding_size {embedding_size} must be a whole number of at least 1")
        for name, share in {"dropout": dropout, "embedding_dropout": embedding_dropout}.items():
            if share is not None and not 0 <= share < 1:
                raise UserError(f"{name} {share} must be at least 0 and below 1")
        if embedding_dropout is not None and embedding_size is None:
            raise UserError("embedding_dropout needs an embedding; give --model.embedding_size or leave it out")
        self.embedding = None if embedding_size is None else nn.Embedding(vocab_size, embedding_size)
        self.embedding_dropout = Dropout(dropout if embedding_dropout is None else embedding_dropout, variational)
        self.dropout = Dropout(dropout, variational)
        self.recurrent = Recurrent(
            make_cell(cell, reset_after=reset_after, nonlinearity=nonlinearity),
            embedding_size or vocab_size,
            hidden_size,
            num_layers,
            dropout,
            variational=variational,
            weight_drop=weight_drop,
            connections=connections,
            learned_state=learned_state,
            backend=backend,
            recompute_every=recompute_every,
        )
        width = self.recurrent.output_size
        if tied and embedding_size != width:
            raise UserError(
                f"tied weights need embedding_size ({embedding_size}) equal to hidden_size ({width}); "
                f"give --model.embedding_size {width} or leave out --model.tied"
            )
        self.output = nn.Linear(width, vocab_size)
        initialize(self, init, forget_bias)
        if tied and self.embedding is not None:
            self.embedding.weight = self.output.weight

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits of the token after each position.

        Args:
            ids: ``(batch, time)`` int64.
            state: Of the recurrent stack before the first position; zeros if not given.

        Returns:
            Logits ``(batch, time, vocab_size)`` and the state after the last position.
        """
        outputs, state = self._hidden(ids, state)
        return self.output(outputs).transpose(0, 1), state

    def nats(
        self, ids: Tensor, targets: Tensor, valid: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, int | Tensor, State]:
        """Cross-entropy summed over tokens, without holding all logits at once where there are many.

        Args:
            ids: ``(batch, time)`` int64.
            targets: The token after each of them, ``(batch, time)`` int64.
            valid: ``(batch, time)`` bool, True at real tokens; None where all are.
            state: Of the recurrent stack before the first position; zeros if not given.

        Returns:
            The sum in nats, how many tokens it is over, and the state after the last position.
        """
        outputs, state = self._hidden(ids, state)
        rows, wanted = outputs.flatten(0, 1), targets.t().flatten()
        if valid is not None:
            real = valid.t().flatten().nonzero().squeeze(1)
            rows, wanted = rows.index_select(0, real), wanted.index_select(0, real)
        tokens = targets.numel() if valid is None else valid.sum()
        return linear_cross_entropy(rows, self.output.weight, self.output.bias, wanted), tokens, state

    def weights_multiplied(self) -> int:
        """Weights that every token meets in a matrix product; looking up a row of the embedding multiplies nothing."""
        matrices = [*self.recurrent.layers.parameters(), *self.recurrent.connection.parameters(), self.output.weight]
        looked_up = next(self.recurrent.each_layer())["weight_ih"].numel() if self.embedding is None else 0
        return sum(weights.numel() for weights in matrices if weights.ndim == 2) - looked_up

    def _hidden(self, ids: Tensor, state: State | None) -> tuple[Tensor, State]:
        """What the output layer reads, ``(time, batch, hidden_size)`` as the recurrence wrote it, and the state."""
        inputs = ids if self.embedding is None else self.embedding_dropout(self.embedding(ids))
        outputs, state = self.recurrent(inputs, state)
        return self.dropout(outputs).transpose(0, 1), state
