"""An n-gram model over few symbols, as one table."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def grams_of(strings: Iterable[Sequence[int]], symbols: int, order: int, smoothing: float = 1.0) -> Tensor:
    """Counts strings.

        p_n(s | context) = (count(context, s) + smoothing p_n-1(s | shorter context)) / (count(context) + smoothing)

    with p_0 uniform.

    Args:
        strings: Ids of symbols, from 0.
        symbols: Number of symbols.
        order: Symbols in an n-gram.
        smoothing: Weight of the probabilities of a context one symbol shorter.

    Returns:
        Log-probabilities ``((symbols + 1) ** (order - 1), symbols + 1)`` float64 of the next symbol after a context;
        the last column is the end. A context is a number in base ``symbols + 1`` from its last ``order - 1`` symbols,
        with digit id + 1 for each symbol and 0 before the start.
    """
    ids, end = symbols + 1, symbols
    counts = torch.zeros(ids ** (order - 1), ids, dtype=torch.float64)
    for string in strings:
        context = 0
        for symbol in (*string, end):
            counts[context, symbol] += 1
            context = (context * ids + symbol + 1) % len(counts)
    shares = torch.full((1, ids), 1 / ids, dtype=torch.float64)
    for length in range(order):
        of_length = counts.view(-1, ids**length, ids).sum(0)  # (contexts of the last so many symbols, ids)
        shorter = shares.repeat(len(of_length) // len(shares), 1)
        shares = (of_length + smoothing * shorter) / (of_length.sum(1, keepdim=True) + smoothing)
    return shares.log()
