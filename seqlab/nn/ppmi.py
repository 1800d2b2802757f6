"""PPMI and its truncated SVD: word vectors from counts."""

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
"""Oversampling: additional directions of the randomized SVD."""
ROUNDS = 4
"""Power iterations of the randomized SVD."""


@dataclass(frozen=True)
class PPMIOptions(CountedVectorOptions):
    """Options of ``PPMI``."""

    seconds_an_item: ClassVar[float] = 4e-5

    shifted: float = option(1.0, "k: log k is subtracted from PMI before negative values become 0.", least=1.0)
    eigenvalue_power: float = option(
        0.5, "Power of the singular values in the vectors; 0 gives all directions the same weight.", least=0.0, most=1.0
    )

    def build(self, counts: Tensor, words: Sequence[str] = ()) -> "PPMI":
        """The network of these options, before counting.

        Args:
            counts: Occurrences of each word ``(vocab_size,)``.
            words: Not used.
        """
        return PPMI(counts, self)


def ppmi_of(cells: Cells, vocab_size: int, power: float, shifted: float) -> Cells:
    """Positive PMI with smoothed contexts (Levy, Goldberg & Dagan 2015, Q15-1016, section 3.2).

        PPMI(w, c) = max(0, log P(w, c) / (P(w) P_power(c)) - log shifted),  P_power(c) ~ (sum over w of X(w, c))^power

    Args:
        cells: X of the pairs that occur.
        vocab_size: Number of words.
        power: Power of the counts of contexts.
        shifted: k, the number of noise words per pair.

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
    """Randomized SVD: the largest singular values of a sparse square matrix (Halko et al. 2011, algorithm 4.4).

    The random directions have a fixed seed. The largest entry of each column of U is positive.

    Args:
        cells: Cells of the matrix.
        vocab_size: Number of rows and of columns.
        size: Number of singular values; at most ``vocab_size``.

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
    """The sparse matrix in compressed row format."""
    order = (rows * shape[1] + columns).argsort()
    starts = torch.searchsorted(rows[order], torch.arange(shape[0] + 1, device=rows.device))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls this layout a beta
        return torch.sparse_csr_tensor(starts, columns[order], values[order], shape, check_invariants=False)


class PPMI(CountedVectors):
    """M = U S V' of the positive PMI; v = U S^p and u = V S^(1 - p), so that v_c . u_o is near PPMI(c, o).

    Pairs at distance d count 1 + (1 - d) / window times, the mean over dynamic windows. The log-odds against k noise
    words are PMI - log k, since the noise is the smoothed distribution of contexts.

    Args:
        counts: Occurrences of each word in the training part ``(vocab_size,)``; an id with count 0 is no word.
        options: Options of the network.
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
