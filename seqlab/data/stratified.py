"""Stratified splits that keep equal texts together."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TRAIN, VAL, TEST = 0, 1, 2


def apportioned(keys: Sequence[str], labels: Sequence[str], shares: Sequence[float]) -> NDArray[np.int64]:
    """The part of each item: each part gets its share of every label, to within about one item.

    Items with equal keys form a group with the label of most of them. The groups are sorted by label, then by a hash of
    the key; each group goes to the part furthest below its share so far. The order of the items does not matter.

    Args:
        keys: A key for each item; items with the same key are equal.
        labels: A label for each item.
        shares: Shares of the parts; they sum to 1. A part whose share is 0 gets nothing.

    Returns:
        ``(items,)`` int64, positions in ``shares``.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, label in zip(keys, labels, strict=True):
        counts[key][label] += 1
    label_of = {key: min(seen, key=lambda label: (-seen[label], label)) for key, seen in counts.items()}
    part_of: dict[str, int] = {}
    lacks = np.zeros(len(shares))
    for key in sorted(counts, key=lambda key: (label_of[key], _hash(key), key)):
        size = counts[key].total()
        lacks += size * np.asarray(shares, dtype=np.float64)
        part_of[key] = int(lacks.argmax())
        lacks[part_of[key]] -= size
    return np.array([part_of[key] for key in keys], dtype=np.int64)


def parts_of(
    keys: Sequence[str],
    labels: Sequence[str],
    val_fraction: float,
    test_fraction: float,
    folds: int | None = None,
    fold: int = 0,
) -> NDArray[np.int64]:
    """TRAIN, VAL or TEST for each item, as ``apportioned`` cuts.

    Args:
        keys: A key for each item; items with the same key are equal.
        labels: A label for each item.
        val_fraction: Share of the items for validation; with folds, of those outside the test fold.
        test_fraction: Share of the items for testing; not with folds.
        folds: Number of folds, one of which is the test part.
        fold: Number of the test fold, from 0.

    Returns:
        ``(items,)`` int64.
    """
    if folds is None:
        return apportioned(keys, labels, (1 - val_fraction - test_fraction, val_fraction, test_fraction))
    parts = np.full(len(keys), TEST)
    rest = np.flatnonzero(apportioned(keys, labels, [1 / folds] * folds) != fold).tolist()
    shares = 1 - val_fraction, val_fraction
    parts[rest] = apportioned([keys[row] for row in rest], [labels[row] for row in rest], shares)
    return parts


def _hash(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
