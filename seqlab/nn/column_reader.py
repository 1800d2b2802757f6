"""Pictures of strings, column by column -> scores of symbols and the blank, through a recurrent stack."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.options import option
from seqlab.recurrence.dropout import Dropout
from seqlab.recurrence.initialization import initialize
from seqlab.recurrence.lengths import valid_steps
from seqlab.recurrence.stack import StackOptions


@dataclass(frozen=True)
class ColumnReaderOptions(StackOptions):
    """Options of ``ColumnReader``."""

    hidden_size: int | list[int] = option(
        128,
        "Units in each recurrent layer and direction; a list has one number for each layer.",
        least=1,
        most=2**20,
    )
    embedding_size: int | None = option(
        64, "Size of the linear layer before the recurrence; null for none.", least=1, most=2**20
    )
    dropout: float = option(0.2, "Dropout on every non-recurrent connection.", least=0, below=1)
    bidirectional: bool = option(True, "Bidirectional: every layer also reads the string backwards.")
    convolutions: int = option(
        2,
        "Convolutions of 3 x 3 pixels below the recurrence, each halves the rows; 0 for none.",
        least=0,
        most=4,
    )
    filters: int = option(16, "Filters of the first convolution; each next one has twice as many.", least=1, most=1024)
    columns_per_step: int = option(
        2, "Columns of a picture in one step; a string needs at least as many steps as symbols.", least=1, most=64
    )

    def build(self, height: int, symbols: int) -> "ColumnReader":
        """The network of these options.

        Args:
            height: Rows of a picture.
            symbols: Number of symbols, without the blank.
        """
        return ColumnReader(height, symbols, self)


class ColumnReader(nn.Module):
    """Convolutions -> one vector per step -> recurrent layers -> a linear layer (Shi et al. 2015, CRNN).

    Padding after a picture changes nothing: every layer reads it as dark background.

    Args:
        height: Rows of a picture.
        symbols: Number of symbols, without the blank.
        options: Options of the network.

    Raises:
        UserError: A forget-gate bias is given, but the cell has no forget gate.

    Attributes:
        columns_per_step: Columns of a picture in one step.
    """

    def __init__(self, height: int, symbols: int, options: ColumnReaderOptions) -> None:
        super().__init__()
        self.columns_per_step = options.columns_per_step
        self.convolutions = nn.ModuleList()
        planes, rows = 1, height
        for layer in range(options.convolutions):
            filters = options.filters * 2**layer
            self.convolutions.append(nn.Conv2d(planes, filters, 3, padding=1))
            planes, rows = filters, -(-rows // 2)
        size = planes * rows * (1 if options.convolutions else self.columns_per_step)
        self.embedding: nn.Module = nn.Identity()
        if options.embedding_size is not None:
            self.embedding = nn.Sequential(nn.Linear(size, options.embedding_size), nn.ReLU())
            size = options.embedding_size
        self.dropout = Dropout(options.dropout, options.variational)
        self.recurrent = options.stack(size, options.bidirectional)
        self.output = nn.Linear(self.recurrent.output_size, symbols + 1)
        initialize(self, options.init, options.forget_bias)

    def steps(self, lengths: Tensor) -> Tensor:
        """Number of steps ``(batch,)`` of pictures with ``lengths`` columns ``(batch,)``."""
        return -(-lengths // self.columns_per_step)

    def forward(self, images: Tensor, lengths: Tensor) -> Tensor:
        """Logits of the blank and the symbols.

        Args:
            images: Ink column by column ``(batch, columns, height)``.
            lengths: Columns of each picture ``(batch,)`` int64, at least 1.

        Returns:
            ``(batch, steps, symbols + 1)``, the blank first.
        """
        outputs, _ = self.recurrent(
            self.dropout(self.embedding(self._steps(images, lengths))), lengths=self.steps(lengths)
        )
        logits: Tensor = self.output(self.dropout(outputs))
        return logits

    def _steps(self, images: Tensor, lengths: Tensor) -> Tensor:
        """Input of the recurrence ``(batch, steps, size)``."""
        valid = valid_steps(lengths, images.shape[1]).t()  # (batch, columns)
        ground = torch.where(valid.unsqueeze(2), images, 0)
        planes = F.pad(ground, (0, 0, 0, -images.shape[1] % self.columns_per_step))
        if not self.convolutions:
            return planes.flatten(1).view(len(images), -1, self.columns_per_step * images.shape[2])
        planes, together = planes.unsqueeze(1), self.columns_per_step  # (batch, planes, columns, rows)
        for convolution in self.convolutions:
            inside = valid_steps(lengths, planes.shape[2]).t()[:, None, :, None]
            planes = F.pad(convolution(planes).relu() * inside, (0, planes.shape[3] % 2))
            planes = F.max_pool2d(planes, (together, 2))
            lengths, together = -(-lengths // together), 1
        return planes.permute(0, 2, 1, 3).flatten(2)  # (batch, steps, planes * rows)
