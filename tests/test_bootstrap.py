import math

import numpy as np
import pytest

from seqlab import bootstrap
from seqlab.bootstrap import (
    ITEM_RESAMPLES,
    Mean,
    bootstrap_mean,
    bootstrap_means,
    mean_over_items,
    over_items,
)
from seqlab.metrics import ratio


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


def accuracy(*correct: float) -> dict[str, np.ndarray]:
    return {"correct": np.array(correct)}


class TestOverItems:
    def test_a_constant_measure_does_not_move(self) -> None:
        found = over_items([[accuracy(1, 1, 1)], [accuracy(0, 0, 0)]], 3, ratio("correct"))
        assert found.values.tolist() == [1.0, 0.0]
        assert found.resamples.shape == (2, ITEM_RESAMPLES)
        assert (found.resamples[0] == 1).all()
        assert (found.resamples[1] == 0).all()

    def test_all_rows_have_the_same_draws(self) -> None:
        right, wrong = accuracy(1, 0, 0, 1), accuracy(0, 1, 1, 0)
        found = over_items([[right], [wrong]], 4, ratio("correct"))
        assert found.values.tolist() == [0.5, 0.5]
        assert (found.resamples.sum(0) == 1).all()
        assert sorted({*found.resamples[0].tolist()}) == [0.0, 0.25, 0.5, 0.75, 1.0]

    def test_a_row_of_several_runs_is_their_mean(self) -> None:
        found = over_items([[accuracy(1, 1, 0, 0), accuracy(0, 0, 1, 1)]], 4, ratio("correct"))
        assert found.values.tolist() == [0.5]
        assert (found.resamples == 0.5).all()

    def test_a_measure_of_sums_is_no_mean_of_ratios(self) -> None:
        columns = {"nats": np.array([2.0, 6.0]), "tokens": np.array([1.0, 3.0])}
        assert over_items([[columns]], 2, ratio("nats", "tokens")).values.tolist() == [2.0]

    def test_its_interval_is_the_binomial_one(self) -> None:
        """Of 100 items of which 40 are right, a resample's accuracy has mean 0.4 and deviation 0.049."""
        mean = mean_over_items([accuracy(*[1] * 40, *[0] * 60)], 100, ratio("correct"))
        assert mean.value == pytest.approx(0.4)
        assert mean.low == pytest.approx(0.4 - 1.96 * 0.049, abs=0.011)
        assert mean.high == pytest.approx(0.4 + 1.96 * 0.049, abs=0.011)

    def test_it_is_seeded_and_knows_no_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = [[accuracy(1, 0, 1, 0, 1)]]
        before = over_items(rows, 5, ratio("correct")).resamples
        monkeypatch.setattr(bootstrap, "BLOCK", 5 * 7)  # 7 resamples at a time
        assert (over_items(rows, 5, ratio("correct")).resamples == before).all()

    def test_a_measure_of_no_value_has_no_interval(self) -> None:
        columns = {"hits": np.array([1.0, 0.0]), "found": np.array([1.0, 0.0])}
        assert mean_over_items([columns], 2, ratio("hits", "found")) == Mean(1.0)
