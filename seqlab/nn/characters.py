"""The characters of a word -> a vector."""

import math

import torch
from torch import Tensor, nn

from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.lengths import valid_steps
from seqlab.recurrence.stack import Recurrent

CONVOLUTION = "cnn"


class CharacterEncoder(nn.Module):
    """Convolutions and max pooling over the characters (Ma & Hovy 2016, P16-1101, section 2.1), or the last states of a
    bidirectional recurrence (Lample et al. 2016, N16-1030, section 4.1).

    Args:
        kind: ``cnn`` or the name of a cell.
        count: Number of character ids.
        size: Size of a character's vector.
        hidden_size: Filters of each width, or units in each direction.
        widths: Characters that a filter sees at once, odd numbers.
        dropout: Dropout of the character vectors.

    Attributes:
        output_size: Size of a word's vector.
    """

    def __init__(
        self, kind: str, count: int, size: int, hidden_size: int, widths: list[int], dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(count, size)
        self.dropout = Dropout(dropout)
        self.convolutions = nn.ModuleList()
        self.recurrent: Recurrent | None = None
        if kind == CONVOLUTION:
            self.convolutions.extend(nn.Conv1d(size, hidden_size, width, padding=width // 2) for width in widths)
            self.output_size = hidden_size * len(widths)
        else:
            self.recurrent = Recurrent(kind, size, hidden_size, bidirectional=True)
            self.output_size = self.recurrent.output_size

    def begin(self) -> None:
        """Draws the character vectors uniformly in +-sqrt(3 / size), as Ma & Hovy do."""
        bound = math.sqrt(3 / self.embedding.embedding_dim)
        nn.init.uniform_(self.embedding.weight, -bound, bound)

    def forward(self, spellings: Tensor, lengths: Tensor) -> Tensor:
        """Vectors of words.

        Args:
            spellings: Ids ``(words, characters)`` int64.
            lengths: Characters of each word ``(words,)`` int64, at least 1.

        Returns:
            ``(words, output_size)``.
        """
        embedded = self.dropout(self.embedding(spellings))
        if self.recurrent is not None:
            _, (hidden, *_) = self.recurrent(embedded, lengths=lengths)  # (2, words, hidden_size)
            return torch.cat([hidden[0], hidden[1]], -1)
        valid = valid_steps(lengths, spellings.shape[1]).t()  # (words, characters)
        channels = torch.where(valid.unsqueeze(2), embedded, 0).transpose(1, 2)
        answers = torch.cat([convolution(channels) for convolution in self.convolutions], 1)
        return answers.masked_fill(~valid.unsqueeze(1), -torch.inf).amax(2)
