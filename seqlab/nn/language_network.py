"""Token ids -> logits of the next token, through a recurrent stack."""

import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.initialization import initialize
from seqlab.nn.recurrent import Recurrent, State


class LanguageNetwork(nn.Module):
    """Embedding, recurrent stack, output layer (Mikolov et al. 2010); dropout as in Zaremba et al. 2014.

    Args:
        vocab_size: Ids that go in and logits that come out.
        cell: rnn, gru or lstm.
        hidden_size: Units in each recurrent layer.
        embedding_size: Size of the embedding; null feeds one-hot vectors, as the book does.
        num_layers: Recurrent layers on top of each other.
        dropout: Share of units zeroed on every connection that is not recurrent.
        embedding_dropout: Share of the embedding's units zeroed; as dropout if not given.
        tied: Whether input and output share one matrix (Press & Wolf 2017).
        init: torch, normal (0.01, as in the book), xavier or orthogonal (recurrent weights).
        forget_bias: First bias of an LSTM's forget gate; as init has it if not given.

    Raises:
        UserError: A size or a name makes no such network.
    """

    def __init__(
        self,
        vocab_size: int,
        cell: str = "gru",
        hidden_size: int = 256,
        embedding_size: int | None = 64,
        num_layers: int = 1,
        dropout: float = 0.3,
        embedding_dropout: float | None = None,
        tied: bool = False,
        init: str = "torch",
        forget_bias: float | None = None,
    ) -> None:
        super().__init__()
        sizes = {"hidden_size": hidden_size, "embedding_size": embedding_size, "num_layers": num_layers}
        for name, value in sizes.items():
            if value is not None and value < 1:
                raise UserError(f"{name} {value} must be a whole number of at least 1")
        for name, share in {"dropout": dropout, "embedding_dropout": embedding_dropout}.items():
            if share is not None and not 0 <= share < 1:
                raise UserError(f"{name} {share} must be at least 0 and below 1")
        if embedding_dropout is not None and embedding_size is None:
            raise UserError("embedding_dropout needs an embedding; give --model.embedding_size or leave it out")
        if tied and embedding_size != hidden_size:
            raise UserError(
                f"tied weights need embedding_size ({embedding_size}) equal to hidden_size ({hidden_size}); "
                f"give --model.embedding_size {hidden_size} or leave out --model.tied"
            )
        self.vocab_size = vocab_size
        self.embedding = None if embedding_size is None else nn.Embedding(vocab_size, embedding_size)
        self.embedding_dropout = nn.Dropout(dropout if embedding_dropout is None else embedding_dropout)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = Recurrent(cell, embedding_size or vocab_size, hidden_size, num_layers, dropout)
        self.output = nn.Linear(hidden_size, vocab_size)
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
        outputs, state = self.recurrent(self._embed(ids), state)  # (batch, time, hidden_size)
        return self.output(self.dropout(outputs)), state

    def _embed(self, ids: Tensor) -> Tensor:
        if self.embedding is not None:
            embedded: Tensor = self.embedding_dropout(self.embedding(ids))
            return embedded
        one_hot = torch.zeros(*ids.shape, self.vocab_size, device=ids.device, dtype=self.output.weight.dtype)
        return one_hot.scatter_(-1, ids.unsqueeze(-1), 1.0)
