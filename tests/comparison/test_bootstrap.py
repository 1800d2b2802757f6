import math

import numpy as np
import pytest

from seqlab.comparison.bootstrap import Mean, bootstrap_mean, bootstrap_means


def test_one_value_has_no_interval() -> None:
    assert bootstrap_mean([3.0]) == Mean(3.0)


def test_equal_values_have_a_narrow_one() -> None:
    assert bootstrap_mean([2.0, 2.0, 2.0]) == Mean(2.0, 2.0, 2.0)


def test_two_values() -> None:
    """A quarter of the resamples of two values is the lower one twice, a quarter the upper."""
    assert bootstrap_mean([1.0, 3.0]) == Mean(2.0, 1.0, 3.0)


def test_it_is_seeded_and_knows_no_order() -> None:
    values = [4.1, 3.9, 4.5, 4.0]
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(values).value == pytest.approx(bootstrap_mean(values[::-1]).value)


def test_an_infinite_perplexity_has_no_interval() -> None:
    assert bootstrap_mean([1.0, math.inf]) == Mean(math.inf)


@pytest.mark.parametrize(("rows", "least", "most"), [(20, 0.90, 0.96), (5, 0.77, 0.89)])
def test_coverage_of_normal_means(rows: int, least: float, most: float) -> None:
    """The interval is as good as its documentation says, no better."""
    draws = np.random.default_rng(1).normal(5.0, 2.0, size=(rows, 1000))
    _, low, high = bootstrap_means(draws)
    covered = float(((low <= 5.0) & (high >= 5.0)).mean())
    assert least < covered < most
