import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqlab.bootstrap import Mean
from seqlab.comparison.rows import rows_of
from seqlab.comparison.table import as_csv, as_markdown, runs_as_csv, shown_mean

Made = Callable[..., Any]
LANGUAGE = {"train_perplexity": 5.0, "val_perplexity": 4.5, "test_perplexity": 4.25, "tokens_per_second": 1234.5}
CLASSES = {"val_accuracy": 0.5, "test_accuracy": 0.75, "items_per_second": 20.0, "val_loss": 0.5, "test_other": 1.0}


def test_several_tasks_in_one_table(made: Made, tmp_path: Path) -> None:
    runs = [made("gru", task="language", result=LANGUAGE), made("cnn", result=CLASSES)]
    assert as_markdown(rows_of(runs, tmp_path, lambda task, measure: None)).splitlines() == [
        "| model | seeds | parameters | tokens/s | items/s | time, s | train perplexity | best validation perplexity | "
        "test perplexity | best validation accuracy | test accuracy |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        "| gru | 1 | 10 | 1,234 |  | 2.0 | 5.000 | 4.500 | 4.250 |  |  |",
        "| cnn | 1 | 10 |  | 20 | 2.0 |  |  |  | 50.00% | 75.00% |",
    ]


def test_rows_that_vary_in_other_things(made: Made, tmp_path: Path) -> None:
    cell, record = made("gru")
    one = (type(cell)("a", {"experiment": "a", "data.num_steps": "3"}, 1, []), record)
    lines = as_markdown(rows_of([one, (cell, record)], tmp_path, lambda task, measure: None)).splitlines()
    assert lines[0].startswith("| experiment | model | data.num_steps | seeds |")
    assert lines[2].startswith("| a |  | 3 | 1 |")
    assert lines[3].startswith("|  | gru |  | 1 |")


def test_failures(made: Made, tmp_path: Path) -> None:
    rows = rows_of([made("a", 1, reason="a|b"), made("a", 2)], tmp_path, lambda task, measure: None)
    head, _, row = as_markdown(rows).splitlines()
    assert head.endswith("| failed |")
    assert row == "| a | 1 of 2 | 10 | 2.0 | seed 1: a\\|b |"


def test_folds(made: Made, tmp_path: Path) -> None:
    runs = [*(made("a", seed, fold=fold) for seed in (1, 2) for fold in (0, 1, 2)), made("b")]
    head, _, folded, whole = as_markdown(rows_of(runs, tmp_path, lambda task, measure: None)).splitlines()
    assert head == "| model | seeds | folds | parameters | time, s |"
    assert folded == "| a | 2 | 3 | 10 | 2.0 |"
    assert whole == "| b | 1 |  | 10 | 2.0 |"


def test_tables_for_programs(made: Made, tmp_path: Path) -> None:
    runs = [made("gru", 1, task="language", result=LANGUAGE), made("cnn", 1, fold=2, result=CLASSES)]
    gru, cnn = csv.DictReader(as_csv(rows_of(runs, tmp_path, lambda task, measure: None)).splitlines())
    assert (gru["task"], gru["val_perplexity"], gru["val_perplexity_low"], gru["val_accuracy"]) == (
        *("language", "4.5", "", ""),
    )
    assert (cnn["task"], cnn["folds"], cnn["val_accuracy"], cnn["val_loss"]) == ("classification", "1", "0.5", "0.5")
    gru, cnn = csv.DictReader(runs_as_csv(runs).splitlines())
    assert (gru["run"], gru["steps"], gru["tokens_per_second"], gru["val_loss"]) == (
        *("gru-fold=None-seed=1", "5", "1234.5", ""),
    )
    assert (cnn["fold"], cnn["seed"], cnn["test_accuracy"]) == ("2", "1", "0.75")


def test_means() -> None:
    assert shown_mean("{:.1f}", Mean(1.0, 0.5, 1.5)) == "1.0 [0.5 .. 1.5]"
    assert shown_mean("{:.1f}", Mean(1.0, 1.01, 1.02)) == "1.0"
    assert shown_mean("{:.0%}", Mean(0.5)) == "50%"
    assert shown_mean("{:.3f}", Mean(2.5e74, 1.1e19, float("inf"))) == "2.5e+74 [1.1e+19 .. inf]"
    assert shown_mean("{:,.0f} tokens/s", Mean(123456.0)) == "123,456 tokens/s"
