"""A window of tokens -> logits of the next token, through one hidden layer."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.nn.beside_ngrams import NextTokenOptions
from seqlab.nn.next_token import NextToken
from seqlab.nn.transformer import TransformerOptions
from seqlab.options import option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.initialization import initialize


@dataclass(frozen=True)
class WindowLanguageOptions(NextTokenOptions):
    """Options of ``WindowLanguage``."""

    decays_matrices_alone: ClassVar[bool] = True
    trained_by = TransformerOptions.trained_by

    window: int = option(8, "Tokens that a prediction sees.", least=1, most=2**16)
    hidden_size: int = option(256, "Units of the hidden layer.", least=1, most=2**20)
    embedding_size: int = option(32, "Size of a token's vector.", least=1, most=2**20)
    direct: bool = option(False, "Direct connections: whether the output layer also reads the embeddings.")
    dropout: float = option(0.1, "Dropout of the embeddings and the hidden layer.", least=0, below=1)
    init: str = option("torch", "Initialization: torch, normal (0.01), xavier, orthogonal or uniform.")
    vectors: str | None = option(
        None, "File of pretrained word vectors, one token per line, plain or compressed.", once=True
    )

    def network(self, vocab_size: int) -> "WindowLanguage":
        return WindowLanguage(vocab_size, self)


class WindowLanguage(NextToken):
    """The neural language model of Bengio et al. (2003, JMLR 3, section 2).

        x = (C(w_{t-n+1}), ..., C(w_t)),    logits = b + W x + U tanh(d + H x)

    with n the window, and W = 0 without ``direct``. A learned vector stands before the beginning of a text.

    The state is the last n - 1 ids, with ``vocab_size`` before the beginning.

    Args:
        vocab_size: Number of ids, in the input and in the logits.
        options: Options of the network; the defaults if not given.
    """

    rows_axis = 0
    embedding: nn.Embedding

    def __init__(self, vocab_size: int, options: WindowLanguageOptions | None = None) -> None:
        super().__init__()
        self.options = options = options or WindowLanguageOptions()
        self.nothing, size = vocab_size, options.embedding_size  # nothing: id before the beginning of the text
        self.embedding = nn.Embedding(vocab_size, size)
        self.beginning = nn.Parameter(torch.empty(1, size))
        self.hidden = nn.Linear(options.window * size, options.hidden_size)
        self.output = options.output_layer(options.hidden_size + options.direct * options.window * size, vocab_size)
        self.dropout = Dropout(options.dropout)
        initialize(self, options.init)
        nn.init.zeros_(self.beginning)

    def features(self, ids: Tensor, state: tuple[Tensor] | None) -> tuple[Tensor, tuple[Tensor]]:
        width = self.options.window - 1
        before = ids.new_full((len(ids), width), self.nothing) if state is None else state[0]
        read = torch.cat([before, ids], 1)  # (batch, window - 1 + time)
        table = torch.cat([self.embedding.weight, self.beginning])
        vectors = self.dropout(F.embedding(read.t(), table))  # (window - 1 + time, batch, embedding_size)
        x = vectors.unfold(0, width + 1, 1).transpose(2, 3).flatten(2)  # (time, batch, window * embedding_size)
        hidden = self.dropout(torch.tanh(self.hidden(x)))
        features = torch.cat([hidden, x], -1) if self.options.direct else hidden
        return features, (read[:, read.shape[1] - width :],)

    def flops(self) -> dict[str, int]:
        return {"hidden layer": 2 * self.hidden.weight.numel(), "output layer": self.output.flops()}

    def memory_in_words(self, streams: int, noun: str) -> str:
        many = f"{streams:,} {noun}{'s' * (streams > 1)}"
        return f"each token is predicted from the {self.options.window:,} before it, through {many}"
