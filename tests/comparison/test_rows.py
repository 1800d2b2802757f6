from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqlab.bootstrap import Mean
from seqlab.comparison.rows import Row, items_of, rows_of
from seqlab.metrics import Resampled

Made = Callable[..., Any]
Over = Callable[[str, str], Resampled | None]


def test_runs_of_one_combination_are_one_row(made: Made, resampled: Over, tmp_path: Path) -> None:
    runs = [made(model, seed, result={"val_accuracy": seed / 4}) for seed in (1, 2) for model in ("a", "b")]
    one, other = rows_of(runs, tmp_path, resampled)
    assert (one.label, other.label) == ("a", "b")
    assert (one.seeds, one.folds, one.task, one.corpus, one.main) == (
        [1, 2],
        None,
        "classification",
        "story",
        "accuracy",
    )
    assert one.results["val_accuracy"] == Mean(0.375, 0.25, 0.5)


def test_failures(made: Made, resampled: Over, tmp_path: Path) -> None:
    (row,) = rows_of([made("a", 1, reason="no"), made("a", 2)], tmp_path, resampled)
    assert row.failures == {"seed 1": "no"}
    assert len(row.finished) == 1
    assert row.task == "classification"
    (row,) = rows_of([made("a", 1, fold=3, reason="no")], tmp_path, resampled)
    assert row.failures == {"fold 3, seed 1": "no"}
    assert (row.task, row.corpus, row.main, row.results) == ("", "", None, {})


class TestFolds:
    """One of three items is right in fold 0, and the one in fold 1: 2 of 4, and not the mean of 1/3 and 1."""

    @pytest.fixture
    def row(self, made: Made, resampled: Over, tmp_path: Path) -> Row:
        big = {"item": ["c", "a", "b"], "correct": [1, 0, 0]}
        small = {"item": ["d"], "correct": [1]}
        runs = [
            made("a", 1, fold=0, items=big, result={"test_accuracy": 1 / 3, "val_accuracy": 0.5}),
            made("a", 1, fold=1, items=small, result={"test_accuracy": 1.0, "val_accuracy": 0.25}),
        ]
        (row,) = rows_of(runs, tmp_path, resampled)
        return row

    def test_measures_of_the_test_part_are_over_all_items(self, row: Row) -> None:
        assert row.results["test_accuracy"] == Mean(0.5, 0.0, 1.0)

    def test_the_rest_is_over_runs(self, row: Row) -> None:
        assert row.results["val_accuracy"] == Mean(0.375, 0.25, 0.5)
        assert (row.seeds, row.folds) == ([1], 2)

    def test_items_in_the_order_of_their_names(self, row: Row, tmp_path: Path) -> None:
        (columns,) = items_of(row, tmp_path)
        assert not isinstance(columns, str)
        assert columns["item"].tolist() == ["a", "b", "c", "d"]
        assert columns["correct"].tolist() == [0, 0, 1, 1]

    def test_seeds_that_cut_other_folds(self, made: Made, resampled: Over, tmp_path: Path) -> None:
        """Right are a, b with seed 1 and b with seed 2, of four each."""
        parts = {
            (1, 0): {"item": ["a", "b"], "correct": [1, 1]},
            (1, 1): {"item": ["c", "d"], "correct": [0, 0]},
            (2, 0): {"item": ["c", "b"], "correct": [0, 1]},
            (2, 1): {"item": ["d", "a"], "correct": [0, 0]},
        }
        runs = [made("a", seed, fold=fold, items=i, result={"test_accuracy": 9}) for (seed, fold), i in parts.items()]
        (row,) = rows_of(runs, tmp_path, resampled)
        assert row.results["test_accuracy"].value == 0.375
        assert row.results["test_accuracy"].high == pytest.approx(0.75, abs=0.13)

    def test_seeds_of_other_items(self, made: Made, resampled: Over, tmp_path: Path) -> None:
        """The mean of 2/4 and 1/2, with an interval over seeds."""
        runs = [
            made("a", 1, fold=0, items={"item": ["a", "b", "c"], "correct": [1, 1, 0]}, result={"test_accuracy": 9}),
            made("a", 1, fold=1, items={"item": ["d"], "correct": [0]}, result={"test_accuracy": 9}),
            made("a", 2, fold=0, items={"item": ["e"], "correct": [1]}, result={"test_accuracy": 9}),
            made("a", 2, fold=1, items={"item": ["f"], "correct": [1]}, result={"test_accuracy": 9}),
        ]
        (row,) = rows_of(runs, tmp_path, resampled)
        assert row.results["test_accuracy"] == Mean(0.75, 0.5, 1.0)
        assert items_of(row, tmp_path) == "its runs were tested on different items"

    def test_a_fold_that_failed(self, made: Made, resampled: Over, tmp_path: Path) -> None:
        whole = made("a", 1, fold=0, items={"item": ["a"], "correct": [1]}, result={"test_accuracy": 1.0})
        (row,) = rows_of([whole, made("a", 1, fold=1, reason="no")], tmp_path, resampled)
        assert items_of(row, tmp_path) == "one of its folds is missing"
        assert row.results["test_accuracy"] == Mean(1.0)


def test_why_there_are_no_items(made: Made, resampled: Over, tmp_path: Path) -> None:
    def why(*runs: object) -> object:
        return items_of(rows_of(runs, tmp_path, resampled)[0], tmp_path)

    assert why(made("a", reason="no")) == "none of its runs has finished"
    assert why(made("a")) == "what it reached on each item was not kept"
    assert why(made("b", items={"item": []})) == "its test part is empty"
    run = made("a", items={"item": ["x"]})
    (tmp_path / run[1].name / run[1].items).unlink()
    assert why(run) == "what it reached on each item is gone"
