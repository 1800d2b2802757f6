"""PPMI and its truncated SVD: word vectors by counting alone."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from seqlab.nn.cooccurrence import Cells
from seqlab.nn.counted_vectors import CountedVectorOptions, CountedVectors
from seqlab.options import option

OVERSAMPLED = 20
"""Directions that the randomized SVD follows beside those asked for."""
ROUNDS = 4
"""Times that it multiplies by the matrix and its transpose."""


@dataclass(frozen=True)
class PPMIOptions(CountedVectorOptions):
    """Options of ``PPMI``."""

    seconds_an_item: ClassVar[float] = 4e-5

    shifted: float = option(1.0, "Its logarithm is taken off PMI before what is negative becomes 0.", least=1.0)
    eigenvalue_power: float = option(
        0.5, "Power of the singular values in the vectors; 0 weighs all directions alike.", least=0.0, most=1.0
    )

    def build(self, counts: Tensor, words: Sequence[str] = ()) -> "PPMI":
        """The network of these options, before it has counted anything.

        Args:
            counts: Occurrences of each word ``(vocab_size,)``.
            words: Are not read.
        """
        return PPMI(counts, self)


def ppmi_of(cells: Cells, vocab_size: int, power: float, shifted: float) -> Cells:
    """Positive PMI with smoothed contexts (Levy, Goldberg & Dagan 2015, Q15-1016, section 3.2).

        PPMI(w, c) = max(0, log P(w, c) / (P(w) P_power(c)) - log shifted),  P_power(c) ~ (sum over w of X(w, c))^power

    Args:
        cells: X of the pairs that there are.
        vocab_size: Of the words.
        power: Of the counts of contexts.
        shifted: Noise words a pair, as it were.

    Returns:
        The cells above 0.
    """
    total = cells.counts.sum()
    zeros = torch.zeros(vocab_size, dtype=torch.float64, device=cells.counts.device)
    of_words = zeros.index_add(0, cells.first, cells.counts) / total
    of_contexts = zeros.index_add(0, cells.second, cells.counts) ** power
    of_contexts = of_contexts / of_contexts.sum()
    pmi = (cells.counts / total / (of_words[cells.first] * of_contexts[cells.second])).log()
    pmi = pmi - torch.tensor(shifted, dtype=torch.float64).log()
    there = pmi > 0
    return Cells(cells.first[there], cells.second[there], pmi[there])


def truncated_svd(cells: Cells, vocab_size: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The largest singular values of a sparse square matrix, by random directions (Halko et al. 2011, algorithm 4.4).

    The directions are the same every time; each column's largest number of U is positive.

    Args:
        cells: Of the matrix.
        vocab_size: Rows of it, and columns.
        size: How many values; at most ``vocab_size``.

    Returns:
        U ``(vocab_size, size)``, S falling ``(size,)`` and V ``(vocab_size, size)``, float32.
    """
    values, shape = cells.counts.float(), (vocab_size, vocab_size)
    matrix = _compressed(cells.first, cells.second, values, shape)
    transposed = _compressed(cells.second, cells.first, values, shape)
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(vocab_size, min(vocab_size, size + OVERSAMPLED), generator=generator)
    basis = torch.linalg.qr(matrix @ directions.to(values.device)).Q
    for _ in range(ROUNDS):
        basis = torch.linalg.qr(matrix @ torch.linalg.qr(transposed @ basis).Q).Q
    v, s, turned = torch.linalg.svd(transposed @ basis, full_matrices=False)
    u, s, v = (basis @ turned.t())[:, :size], s[:size], v[:, :size]
    largest = u.gather(0, u.abs().argmax(0, keepdim=True))
    signs = torch.where(largest < 0, -1.0, 1.0)
    return u * signs, s, v * signs


def _compressed(rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """A sparse matrix, row by row."""
    order = (rows * shape[1] + columns).argsort()
    starts = torch.searchsorted(rows[order], torch.arange(shape[0] + 1, device=rows.device))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls this layout a beta
        return torch.sparse_csr_tensor(starts, columns[order], values[order], shape, check_invariants=False)


class PPMI(CountedVectors):
    """M = U S V' of the positive PMI; v = U S^p and u = V S^(1 - p), so that v_c . u_o is near PPMI(c, o).

    Pairs at distance d count 1 + (1 - d) / window times, as dynamic windows draw them on average. The log-odds against
    k noise words are PMI - log k where the noise is the smoothed distribution of contexts, as it is here.

    Args:
        counts: Occurrences of each word in the training part ``(vocab_size,)``; what has 0 is no word.
        options: Of the network.
    """

    def __init__(self, counts: Tensor, options: PPMIOptions) -> None:
        super().__init__(counts, options)
        self.options = options

    def count(self, ids: Tensor, after_pass: Callable[[], None] | None = None) -> None:
        options, words = self.options, len(self.counts)
        cells = self.cells(ids, lambda distance: 1 + (1 - distance) / self.window)
        found = ppmi_of(cells, words, options.noise_power, options.shifted)
        size = min(options.embedding_size, words)
        u, s, v = truncated_svd(found, words, size)
        power = options.eigenvalue_power
        self.embedding.weight.zero_()[:, :size] = u * s**power
        self.context_embedding.weight.zero_()[:, :size] = v * s ** (1 - power)
        self.shift.fill_(torch.tensor(options.shifted / self.negatives).log())
