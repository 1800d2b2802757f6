from collections import Counter

import numpy as np
import pytest

from seqlab.text.statistics import coverage, ngram_counts, round_sizes, zipf, zipf_exponent

TEXT = np.array([1, 2, 1, 2, 1, 3], dtype=np.uint8)


def test_counts_by_hand() -> None:
    assert ngram_counts(TEXT, 1).tolist() == [3, 2, 1]
    assert ngram_counts(TEXT, 2).tolist() == [2, 2, 1]  # 12 12, 21 21, 13
    assert ngram_counts(TEXT, 3).tolist() == [2, 1, 1]  # 121 121, 212, 213
    assert ngram_counts(TEXT, 7).tolist() == []


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_counts_are_those_of_a_counter(order: int) -> None:
    ids = np.random.default_rng(order).integers(0, 60_000, 3000).astype(np.uint16) // 5000 * 5000
    grams = Counter(zip(*(ids[shift:].tolist() for shift in range(order)), strict=False))
    assert ngram_counts(ids, order).tolist() == sorted(grams.values(), reverse=True)


def test_coverage_and_hapaxes_by_hand() -> None:
    assert coverage(ngram_counts(TEXT, 1), [1, 2, 3, 9]) == pytest.approx([3 / 6, 5 / 6, 1, 1])
    assert zipf(TEXT, 3).hapaxes == 2


def test_round_sizes() -> None:
    assert round_sizes(28) == [1, 2, 5, 10, 20, 28]
    assert round_sizes(100) == [1, 2, 5, 10, 20, 50, 100]
    assert round_sizes(1) == [1]


@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.6])
def test_the_exponent_of_zipf_counts(exponent: float) -> None:
    counts = (1e7 * np.arange(1, 501) ** -exponent).astype(np.int64)
    assert zipf_exponent(counts) == pytest.approx(exponent, abs=1e-3)


@pytest.mark.parametrize("exponent", [0.8, 1.2])
def test_the_exponent_of_a_sampled_zipf_text(exponent: float) -> None:
    weights = np.arange(1, 201) ** -exponent
    ids = np.random.default_rng(0).choice(200, 200_000, p=weights / weights.sum())
    law = zipf(ids, 1)
    assert law.exponent == pytest.approx(exponent, abs=0.02)
    assert law.expected().sum() == pytest.approx(len(ids))
    assert law.expected()[:10] == pytest.approx(law.counts[:10], rel=0.05)


def test_exponents_at_the_ends() -> None:
    assert zipf_exponent(np.array([5, 5, 5, 5])) == pytest.approx(0, abs=1e-6)
    assert np.isnan(zipf_exponent(np.array([7])))
