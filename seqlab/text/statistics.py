"""Statistics of a text: frequencies, coverage, hapaxes and Zipf's law."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


class Zipf(NamedTuple):
    """Zipf's law fitted to the n-grams of a text.

    Args:
        order: Tokens in an n-gram.
        counts: Occurrences of each distinct n-gram, most frequent first ``(types,)`` int64.
        exponent: s of p(r) ~ r^-s; see ``zipf_exponent``.
    """

    order: int
    counts: Counts
    exponent: float

    @property
    def hapaxes(self) -> int:
        """Number of n-grams that occur once."""
        return int((self.counts == 1).sum())

    def expected(self) -> NDArray[np.float64]:
        """Occurrences of each rank under the fitted law, ``(types,)``."""
        weights = np.arange(1, len(self.counts) + 1, dtype=np.float64) ** -self.exponent
        return weights * (self.counts.sum() / weights.sum())


def ngram_counts(ids: NDArray[Any], order: int) -> Counts:
    """Occurrences of each distinct n-gram, most frequent first.

    Args:
        ids: A text ``(tokens,)`` of whole numbers.
        order: Tokens in an n-gram.

    Returns:
        ``(types,)`` int64; empty if the text is shorter than an n-gram.
    """
    if len(ids) < order:
        return np.empty(0, dtype=np.int64)
    numbers = ids.astype(np.int64)
    vocab_size = int(numbers.max()) + 1
    grams = numbers
    for length in range(2, order + 1):
        _, prefixes = np.unique(grams, return_inverse=True)  # renumbered, so that the keys below stay small
        grams = prefixes[:-1] * vocab_size + numbers[length - 1 :]
    return np.sort(np.unique(grams, return_counts=True)[1])[::-1]


def zipf_exponent(counts: Counts) -> float:
    """The exponent s of p(r) = r^-s / sum_q q^-s over the observed ranks r, by maximum likelihood.

    At the maximum the law and the text have the same mean of log r; bisection finds s. Unlike a line fit in the log-log
    plot, each rank is weighted by its occurrences, so that hapaxes dominate only if they are most of the text (Clauset,
    Shalizi & Newman 2009, section 3).

    Args:
        counts: Occurrences by rank, most frequent first ``(types,)``.

    Returns:
        s, between 0 (all equally frequent) and 20; NaN with fewer than two ranks.
    """
    if len(counts) < 2:
        return float("nan")
    logs = np.log(np.arange(1, len(counts) + 1))
    wanted = float(counts @ logs / counts.sum())
    low, high = 0.0, 20.0
    while high - low > 1e-9:
        s = (low + high) / 2
        weights = np.exp(-s * logs)
        if weights @ logs / weights.sum() > wanted:
            low = s
        else:
            high = s
    return (low + high) / 2


def zipf(ids: NDArray[Any], order: int) -> Zipf:
    """Zipf's law for the n-grams of a text ``(tokens,)``."""
    counts = ngram_counts(ids, order)
    return Zipf(order, counts, zipf_exponent(counts))


def coverage(counts: Counts, sizes: list[int]) -> list[float]:
    """Share of the text covered by the most frequent tokens, for each vocabulary size.

    Args:
        counts: Occurrences by rank, most frequent first ``(types,)``.
        sizes: Numbers of tokens, each at least 1.
    """
    shares = counts.cumsum() / counts.sum()
    return [float(shares[min(size, len(counts)) - 1]) for size in sizes]


def round_sizes(most: int) -> list[int]:
    """1, 2, 5, 10, 20, 50 ... below a number, and the number itself."""
    steps = (digit * 10**power for power in range(len(str(most))) for digit in (1, 2, 5))
    return [*(size for size in steps if size < most), most]
