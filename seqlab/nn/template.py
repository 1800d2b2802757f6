"""Pictures of strings -> symbols by counts: cut at blank columns, classify each piece by the nearest mean picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.options import Options, option
from seqlab.recurrence.lengths import valid_steps


class Pictures(Protocol):
    """Input of the counts; see ``seqlab.data.string_batches.StringBatch``."""

    @property
    def images(self) -> Tensor:
        """Ink column by column ``(batch, columns, height)``."""

    @property
    def lengths(self) -> Tensor:
        """Columns of each picture ``(batch,)`` int64."""

    @property
    def targets(self) -> Tensor:
        """Ids of the symbols ``(batch, symbols)`` int64."""

    @property
    def target_lengths(self) -> Tensor:
        """Symbols of each string ``(batch,)`` int64."""


@dataclass(frozen=True)
class TemplateOptions(Options):
    """Options of ``Template``."""

    by_gradients: ClassVar[bool] = False
    seconds_an_item: ClassVar[float] = 3e-4

    width: int | None = option(
        None, "Columns of a mean picture; the number of its rows if not given.", least=1, most=2**16
    )
    threshold: float = option(0.1, "Ink from 0 to 1 up to which a pixel counts as background.", least=0, below=1)
    sharpness: float = option(10.0, "Factor of squared distances in the softmax over symbols.", above=0)
    doubt: float = option(0.01, "Probability at each step of all symbols but the predicted one.", above=0, below=1)

    def build(self, height: int, symbols: int) -> "Template":
        """The network of these options.

        Args:
            height: Rows of a picture.
            symbols: Number of symbols, without the blank.
        """
        return Template(height, symbols, self)


class Pieces(NamedTuple):
    """Runs of columns with ink.

    Args:
        rows: Picture of each piece ``(pieces,)`` int64, ascending; pieces of one picture from left to right.
        centers: Column of the middle of each piece's ink ``(pieces,)`` int64.
        images: Image of each piece, with its ink centered ``(pieces, width, height)``.
    """

    rows: Tensor
    centers: Tensor
    images: Tensor


class Template(nn.Module):
    """Cuts a picture at its blank columns and predicts for each piece the symbol with the nearest mean picture.

        log p(symbol | piece) = log softmax over symbols of -sharpness |piece - mean|^2 / spread

    at the middle column of the piece; all other columns predict the blank. The means come from training strings with
    as many pieces as symbols; spread is the mean squared distance of their pieces from the mean picture.

    Args:
        height: Rows of a picture.
        symbols: Number of symbols, without the blank.
        options: Options of the network.

    Attributes:
        columns_per_step: Columns of a picture in one step.
    """

    means: Tensor
    spread: Tensor

    def __init__(self, height: int, symbols: int, options: TemplateOptions) -> None:
        super().__init__()
        self.options, self.symbols, self.columns_per_step = options, symbols, 1
        self.width = options.width or height
        self.register_buffer("means", torch.zeros(symbols, self.width, height))
        self.register_buffer("spread", torch.ones(()))
        self.nothing = nn.Parameter(torch.empty(0))  # the Trainer needs a parameter; this model trains none

    def steps(self, lengths: Tensor) -> Tensor:
        """Number of steps ``(batch,)`` of pictures with ``lengths`` columns ``(batch,)``."""
        return lengths

    def count(self, batches: Iterable[Pictures]) -> None:
        """Computes the mean piece of each symbol; earlier counts are dropped."""
        shape = self.means.shape
        totals, squares = self.means.new_zeros(shape, dtype=torch.float64), 0.0
        counts = totals.new_zeros(self.symbols)
        for batch in batches:
            pieces = self.pieces(batch.images, batch.lengths)
            found = torch.bincount(pieces.rows, minlength=len(batch.lengths))
            fits = found == batch.target_lengths
            symbols = batch.targets[fits][valid_steps(batch.target_lengths[fits], batch.targets.shape[1]).t()]
            images = pieces.images[fits[pieces.rows]].double()
            totals.index_add_(0, symbols, images)
            counts.index_add_(0, symbols, torch.ones_like(symbols, dtype=torch.float64))
            squares += float(images.square().sum())
        means = totals / counts.clamp(min=1).view(-1, 1, 1)
        spread = (squares - float((means.square().sum((1, 2)) * counts).sum())) / max(1.0, float(counts.sum()))
        self.means, self.spread = means.to(self.means), self.spread.new_tensor(max(spread, 1e-6))

    def forward(self, images: Tensor, lengths: Tensor) -> Tensor:
        """Log-probabilities of the blank and the symbols ``(batch, columns, symbols + 1)``, the blank first."""
        doubt, pieces = self.options.doubt, self.pieces(images, lengths)
        said = images.new_full((self.symbols + 1,), doubt / self.symbols)
        said[0] = 1 - doubt
        log_probs = said.log().expand(*images.shape[:2], -1).clone()
        away = torch.cdist(pieces.images.flatten(1), self.means.flatten(1)).square()
        symbols = F.log_softmax(-self.options.sharpness * away / self.spread, -1).exp()
        mixed = (1 - doubt) * symbols + doubt / (2 * self.symbols)
        blank = mixed.new_full((len(mixed), 1), doubt / 2)
        log_probs[pieces.rows, pieces.centers] = torch.cat([blank, mixed], 1).log()
        return log_probs + self.nothing.sum()

    def pieces(self, images: Tensor, lengths: Tensor) -> Pieces:
        """Runs of columns with ink in pictures ``(batch, columns, height)``; ``lengths`` ``(batch,)`` in columns."""
        columns = images.shape[1]
        inked = (images > self.options.threshold).any(2) & valid_steps(lengths, columns).t()
        edges = F.pad(inked, (1, 1)).long().diff(dim=1)  # (batch, columns + 1)
        rows, starts = (edges == 1).nonzero(as_tuple=True)
        _, ends = (edges == -1).nonzero(as_tuple=True)
        ink = (images.sum(2) * inked).double()
        places = torch.arange(columns, device=images.device)
        mass, moment = (F.pad(one.cumsum(1), (1, 0)) for one in (ink, ink * places))
        total, first = (one[rows, ends] - one[rows, starts] for one in (mass, moment))
        centers = (first / total).round().long().clamp(min=starts, max=ends - 1)
        window = centers.unsqueeze(1) - self.width // 2 + torch.arange(self.width, device=images.device)
        inside = (window >= starts.unsqueeze(1)) & (window < ends.unsqueeze(1))
        cut = images[rows.unsqueeze(1), window.clamp(0, columns - 1)]
        return Pieces(rows, centers, torch.where(inside.unsqueeze(2), cut, 0))
