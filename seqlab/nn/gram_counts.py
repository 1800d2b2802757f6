"""Counts of the distinct 1- to n-grams of a text."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[Any]
Numbers = NDArray[np.int64]

CHUNK = 2**17
"""Positions to sort at once, so that memory grows with the distinct n-grams and not with the text."""


class Grams(NamedTuple):
    """The distinct m-grams of a text, for one m.

    Args:
        keys: ``number of the first m - 1 tokens * vocab_size + last token``, ascending ``(types,)`` int64. The number
            of an m-gram is its row here.
        counts: Occurrences of each ``(types,)`` int64.
    """

    keys: Numbers
    counts: Numbers


def count_grams(ids: Ids, order: int, vocab_size: int, begin: int | None = None) -> Iterator[Grams]:
    """Counts the 1-grams of a text, then the 2-grams, up to ``order``.

    Args:
        ids: The text ``(tokens,)``, integers below ``vocab_size``.
        order: Tokens in the longest n-gram.
        vocab_size: Number of ids.
        begin: Id of the token that begins each item, for a text of several items. It is in no n-gram but as the first
            token, and has no count of its own.
    """
    fits = (vocab_size + 1) ** order < 2**63
    for m, grams in enumerate((_by_sorting if fits else _level_by_level)(ids, order, vocab_size, begin), 1):
        if m == 1 and begin is not None:
            grams.counts[grams.keys == begin] = 0
        yield grams


def _by_sorting(ids: Ids, order: int, vocab_size: int, begin: int | None) -> Iterator[Grams]:
    """Sorts the longest n-grams as numbers; equal beginnings are then neighbours, and give the shorter ones.

    The digits of these numbers are the ids plus 1. An n-gram that the end of the text or of an item cuts short has
    zeros in place of what is missing.
    """
    base = vocab_size + 1
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64))]  # the text so far, and then a chunk each
    for start in range(0, len(ids), CHUNK):
        found = _numbers(ids[start : start + CHUNK + order - 1], min(CHUNK, len(ids) - start), order, base, begin)
        found.sort()
        parts.append(_distinct(found))
        if sum(len(keys) for keys, _ in parts[1:]) > len(parts[0][0]) or start + CHUNK >= len(ids):
            parts = [_merged(parts)]
    ((grams, counts),) = parts
    shorter = np.zeros(1, np.int64)
    for m in range(1, order + 1):
        beginnings = grams // base ** (order - m)
        whole = beginnings % base > 0
        keys, occurrences = _distinct(beginnings[whole], counts[whole])
        yield Grams(np.searchsorted(shorter, keys // base) * vocab_size + keys % base - 1, occurrences)
        shorter = keys


def _numbers(ids: Ids, positions: int, order: int, base: int, begin: int | None) -> Numbers:
    """The n-gram from each of the first positions on, as a number."""
    digits = np.zeros(positions + order - 1, np.int64)
    np.add(ids, 1, out=digits[: len(ids)], casting="unsafe")
    numbers = digits[:positions].copy()
    inside: NDArray[np.bool_] | bool = True
    for place in range(1, order):
        digit = digits[place : place + positions]
        if begin is not None:
            inside = inside & (digit != begin + 1)
        numbers *= base
        numbers += digit * inside
    return numbers


def _distinct(ascending: Numbers, counts: Numbers | None = None) -> tuple[Numbers, Numbers]:
    """The distinct numbers, and the sum of the counts of each, or its occurrences."""
    new = np.ones(len(ascending), bool)
    np.not_equal(ascending[1:], ascending[:-1], out=new[1:])
    changes = np.flatnonzero(new)
    if counts is not None:
        return ascending[changes], np.add.reduceat(counts, changes) if len(changes) else counts
    return ascending[changes], np.diff(changes, append=len(ascending))


def _merged(parts: list[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    """Several distinct numbers with their counts, as one; empties the list."""
    numbers, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    parts.clear()
    order = np.argsort(numbers, kind="stable")
    numbers, counts = numbers[order], counts[order]
    del order
    return _distinct(numbers, counts)


def _level_by_level(ids: Ids, order: int, vocab_size: int, begin: int | None) -> Iterator[Grams]:
    """Numbers the m-grams, then the (m + 1)-grams by these numbers; for n-grams that are too large for one number."""
    text = ids.astype(np.int64)
    numbers, inside = np.zeros(len(text), np.int64), np.ones(len(text), bool)
    for m in range(1, order + 1):
        last = text[m - 1 :]
        keys, inside = numbers[: len(last)] * vocab_size + last, inside[: len(last)]
        if begin is not None and m > 1:
            inside = inside & (last != begin)
        kept, places, counts = np.unique(keys[inside], return_inverse=True, return_counts=True)
        numbers = np.zeros(len(keys), np.int64)
        numbers[inside] = places
        yield Grams(kept, counts)
