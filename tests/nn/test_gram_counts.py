from collections import Counter

import numpy as np
import pytest

from seqlab.nn import gram_counts
from seqlab.nn.gram_counts import Grams, count_grams

VOCAB, ORDER, BEGIN = 5, 4, 4


def text_of(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(VOCAB, size, p=[0.1, 0.4, 0.3, 0.1, 0.1]).astype(np.uint8)


def spelled(levels: list[Grams], vocab_size: int = VOCAB) -> list[dict[tuple[int, ...], int]]:
    """The m-grams of each level by their tokens."""
    found, shorter = [], [()]
    for keys, counts in levels:
        assert (np.diff(keys) > 0).all()
        grams = [(*shorter[key // vocab_size], int(key % vocab_size)) for key in keys]
        found.append(dict(zip(grams, counts.tolist(), strict=True)))
        shorter = grams
    return found


def one_by_one(ids: list[int], m: int, begin: int | None) -> Counter[tuple[int, ...]]:
    grams = Counter(tuple(ids[i : i + m]) for i in range(len(ids) - m + 1))
    inside = Counter({gram: count for gram, count in grams.items() if begin not in gram[1:]})
    if m == 1 and begin in ids:
        inside[(begin,)] = 0
    return inside


@pytest.mark.parametrize("begin", [None, BEGIN])
@pytest.mark.parametrize("size", [0, 1, 3, 40, 500])
@pytest.mark.parametrize("chunk", [7, 2**20])
def test_counts_are_those_of_a_counter(
    chunk: int, size: int, begin: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gram_counts, "CHUNK", chunk)
    ids = text_of(size)
    found = spelled([*count_grams(ids, ORDER, VOCAB, begin)])
    assert found == [dict(one_by_one(ids.tolist(), m, begin)) for m in range(1, ORDER + 1)]


@pytest.mark.parametrize("begin", [None, BEGIN])
def test_grams_too_large_for_a_number_are_counted_alike(begin: int | None) -> None:
    vocab_size, ids = 10**6, text_of(300)
    assert spelled([*count_grams(ids, ORDER, vocab_size, begin)], vocab_size) == spelled(
        [*count_grams(ids, ORDER, VOCAB, begin)]
    )
