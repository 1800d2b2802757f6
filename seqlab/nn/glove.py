"""GloVe: vectors whose products are logarithms of co-occurrences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seqlab.nn.cooccurrence import Cells
from seqlab.nn.counted_vectors import CountedVectorOptions, CountedVectors
from seqlab.options import option


@dataclass(frozen=True)
class GloVeOptions(CountedVectorOptions):
    """Options of ``GloVe``."""

    epochs: int = option(25, "Passes over the co-occurrences.", least=1)
    learning_rate: float = option(0.05, "Learning rate of AdaGrad.", above=0)
    x_max: float = option(100.0, "x_max: a pair with at least this many co-occurrences has weight 1.", above=0)
    alpha: float = option(0.75, "alpha: exponent of the weight of rarer pairs.", least=0.0, most=2.0)
    batch_cells: int = option(16384, "Co-occurrences in a batch.", least=1)

    def build(self, counts: Tensor, words: Sequence[str] = ()) -> "GloVe":
        """The network of these options, before counting.

        Args:
            counts: Occurrences of each word ``(vocab_size,)``.
            words: Not used.
        """
        return GloVe(counts, self)


class Side:
    """One table of GloVe, its biases in its last column, with AdaGrad's sums of squares.

    Args:
        table: Drawn ``(vocab_size, size + 1)`` float32; changed in place.
    """

    def __init__(self, table: Tensor) -> None:
        self.table, self.squares = table, torch.ones_like(table)

    def step(self, ids: Tensor, gradients: Tensor, rate: float) -> None:
        """One step of AdaGrad on some rows.

        Args:
            ids: ``(cells,)`` int64; the gradients of a repeated id are added.
            gradients: ``(cells, size + 1)``.
            rate: Learning rate of the step.
        """
        rows, place = ids.unique(return_inverse=True)
        summed = torch.zeros(len(rows), gradients.shape[1], device=ids.device).index_add_(0, place, gradients)
        squares = self.squares[rows] + summed.square()
        self.squares[rows] = squares
        self.table[rows] -= rate * summed / squares.sqrt()


def errors_of(w: Tensor, other: Tensor, counts: Tensor, x_max: float, alpha: float) -> tuple[Tensor, Tensor]:
    """Errors of log X, and their weights (Pennington et al. 2014, D14-1162, equations 8 and 9).

        e = w . w~ + b + b~ - log X,    f = min(1, (X / x_max)^alpha),    J = sum f e^2

    Args:
        w: Vectors and, in the last column, biases ``(cells, size + 1)``.
        other: The same of the context words.
        counts: X ``(cells,)``.
        x_max: Count from which a pair has weight 1.
        alpha: Exponent of the weight of rarer pairs.

    Returns:
        e and f, each ``(cells,)``.
    """
    product = (w[:, :-1] * other[:, :-1]).sum(1)
    return product + w[:, -1] + other[:, -1] - counts.log(), (counts / x_max).clamp(max=1) ** alpha


class GloVe(CountedVectors):
    """w_i . w~_j + b_i + b~_j = log X_ij, weighted by f(X_ij) (Pennington et al. 2014, D14-1162).

    A pair at distance d counts 1 / d times. The vectors are w + w~. The log-odds of a pair against k noise words are
    log X_co / (X_c k q_o), with X as the model predicts it.

    Args:
        counts: Occurrences of each word in the training part ``(vocab_size,)``; an id with count 0 is no word.
        options: Options of the network.
    """

    def __init__(self, counts: Tensor, options: GloVeOptions) -> None:
        super().__init__(counts, options)
        self.options = options

    def vectors(self) -> Tensor:
        return (self.embedding.weight + self.context_embedding.weight).detach().float()

    def count(self, ids: Tensor, after_pass: Callable[[], None] | None = None) -> None:
        cells = self.cells(ids, lambda distance: 1 / distance)
        w, other = (Side(self._drawn().to(cells.counts.device)) for _ in range(2))
        for _ in range(self.options.epochs):
            self._pass(cells, w, other)
            self._take(cells, w, other)
            if after_pass is not None:
                after_pass()

    def _take(self, cells: Cells, w: Side, other: Side) -> None:
        """Copies the trained tables into the network."""
        self.embedding.weight.copy_(w.table[:, :-1])
        self.context_embedding.weight.copy_(other.table[:, :-1])
        zeros = torch.zeros(len(self.counts), dtype=torch.float64, device=cells.counts.device)
        sums = zeros.index_add(0, cells.first, cells.counts).clamp(min=1e-9)
        noise = self.noise.diff(prepend=self.noise.new_zeros(1)).clamp(min=1e-12).to(sums.device)
        self.shift.copy_(w.table[:, -1:] - sums.log().unsqueeze(1))
        self.context_shift.copy_(other.table[:, -1:] - (self.negatives * noise).log().unsqueeze(1))

    def _drawn(self) -> Tensor:
        """A table of vectors and biases, drawn as in the paper's code."""
        shape = len(self.counts), self.options.embedding_size + 1
        return (torch.rand(shape) - 0.5) / shape[1]

    def _pass(self, cells: Cells, w: Side, other: Side) -> None:
        options = self.options
        for rows in torch.randperm(len(cells.counts)).to(cells.first.device).split(options.batch_cells):
            first, second = cells.first[rows], cells.second[rows]
            one, two = w.table[first], other.table[second]
            error, weight = errors_of(one, two, cells.counts[rows].float(), options.x_max, options.alpha)
            slope = (weight * error).unsqueeze(1)
            ones = torch.ones_like(slope)
            w.step(first, slope * torch.cat([two[:, :-1], ones], 1), options.learning_rate)
            other.step(second, slope * torch.cat([one[:, :-1], ones], 1), options.learning_rate)
