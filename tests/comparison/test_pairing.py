import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqlab.comparison.pairing import Pair, chance_of, pair_rows, pairs_as_csv, pairs_as_markdown
from seqlab.comparison.rows import rows_of
from seqlab.metrics import Resampled

Made = Callable[..., Any]
Pairs = Callable[..., list[Pair]]
NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def pairs(tmp_path: Path, resampled: Callable[[str, str], Resampled | None]) -> Pairs:
    return lambda *runs: pair_rows(rows_of(runs, tmp_path, resampled), tmp_path, resampled)


def right(*correct: int, item: Sequence[object] = NAMES) -> dict[str, Sequence[object]]:
    return {"item": item[: len(correct)], "correct": correct}


def test_a_constant_difference_has_an_interval_of_no_width(made: Made, pairs: Pairs) -> None:
    (pair,) = pairs(made("bad", items=right(0, 0, 0, 0)), made("good", items=right(1, 1, 1, 1)))
    assert (pair.row, pair.against, pair.name, pair.items, pair.reason) == ("bad", "good", "accuracy", 4, "")
    assert (pair.difference, pair.low, pair.high, pair.p) == (-1.0, -1.0, -1.0, 1 / 2001)


def test_no_difference(made: Made, pairs: Pairs) -> None:
    (pair,) = pairs(made("one", items=right(0, 1, 1, 0)), made("other", items=right(0, 1, 1, 0)))
    assert (pair.difference, pair.low, pair.high, pair.p) == (0.0, 0.0, 0.0, 1.0)


def test_both_rows_have_the_same_draws(made: Made, pairs: Pairs) -> None:
    """Two rows that differ in one of four items, drawn 0 to 4 times; apart, each would scatter over 0 to 1."""
    (pair,) = pairs(made("bad", items=right(0, 1, 0, 0)), made("good", items=right(1, 1, 0, 0)))
    assert (pair.difference, pair.low, pair.high) == (-0.25, -0.75, 0.0)
    assert pair.p == pytest.approx(0.3164 + 0.2617, abs=0.04)  # of (3/4)^4 not drawn, and of more than once


def test_a_row_of_several_runs_is_the_mean_of_theirs(made: Made, pairs: Pairs) -> None:
    runs = [made("mixed", 1, items=right(1, 1, 0, 0)), made("mixed", 2, items=right(0, 0, 1, 1))]
    (pair,) = pairs(*runs, made("good", items=right(1, 1, 1, 1)))
    assert (pair.difference, pair.low, pair.high) == (-0.5, -0.5, -0.5)


def test_the_best_is_the_lowest_where_lower_is_better(
    made: Made, tmp_path: Path, resampled: Callable[[str, str], Resampled | None]
) -> None:
    runs = [
        made("low", task="language", items=right(0, 0)),
        made("high", task="language", items=right(1, 1)),
    ]
    over = resampled("classification", "accuracy")
    rows = rows_of(runs, tmp_path, resampled)
    (pair,) = pair_rows(rows, tmp_path, lambda task, measure: over)
    assert (pair.row, pair.against, pair.difference) == ("high", "low", 1.0)


def test_against_the_best_and_against_the_bar(made: Made, pairs: Pairs) -> None:
    found = pairs(
        made("good", items=right(1, 1, 1, 1)),
        made("middle", items=right(1, 1, 1, 0)),
        made("counted", items=right(1, 0, 0, 0), bar=True),
    )
    assert [(pair.row, pair.against, pair.difference) for pair in found] == [
        ("good", "counted", 0.75),
        ("middle", "good", -0.25),
        ("middle", "counted", 0.5),
        ("counted", "good", -0.75),
    ]


def test_a_bar_that_is_the_best(made: Made, pairs: Pairs) -> None:
    (pair,) = pairs(made("counted", items=right(1, 1), bar=True), made("gru", items=right(0, 0)))
    assert (pair.row, pair.against) == ("gru", "counted")


def test_the_order_of_named_items_does_not_matter(made: Made, pairs: Pairs) -> None:
    one = {"item": [3, 1, 2], "correct": [1, 0, 0]}
    other = {"item": [1, 2, 3], "correct": [0, 0, 1]}
    (pair,) = pairs(made("one", items=one), made("other", items=other))
    assert (pair.difference, pair.low, pair.high) == (0.0, 0.0, 0.0)


def test_folds_are_compared_over_all_items(made: Made, pairs: Pairs) -> None:
    runs = [
        made("cut", fold=0, items={"item": ["a", "b", "c"], "correct": [1, 0, 0]}),
        made("cut", fold=1, items={"item": ["d"], "correct": [1]}),
        made("best", fold=0, items={"item": ["a", "b", "c"], "correct": [1, 1, 1]}),
        made("best", fold=1, items={"item": ["d"], "correct": [1]}),
    ]
    (pair,) = pairs(*runs)
    assert (pair.row, pair.difference, pair.items) == ("cut", -0.5, 4)


class TestWhyNot:
    def test_other_items(self, made: Made, pairs: Pairs) -> None:
        found = pairs(
            made("good", items=right(1, 1, 1)),
            made("fewer", items=right(0, 0)),
            made("others", items=right(0, 0, 0, item=["x", "y", "z"])),
        )
        assert [(pair.row, pair.p, pair.reason) for pair in found] == [
            ("fewer", None, "2 items are not the same as the other's 3"),
            ("others", None, "3 items are not the same as the other's 3"),
        ]

    def test_a_row_alone(self, made: Made, pairs: Pairs) -> None:
        assert pairs(made("a", items=right(1, 1))) == []

    def test_other_corpora_and_tasks(self, made: Made, pairs: Pairs) -> None:
        runs = [made(name, items=right(1), corpus=corpus) for name, corpus in [("a", "x"), ("b", "x"), ("c", "y")]]
        found = pairs(*runs, made("d", reason="no"))
        assert [(pair.row, pair.against, pair.reason) for pair in found] == [
            ("b", "a", ""),
            ("c", "", "no other row has its task and corpus"),
            ("d", "", "none of its runs has finished"),
        ]
        assert pairs(runs[0], runs[2]) == []

    def test_items_that_were_not_kept(self, made: Made, pairs: Pairs) -> None:
        found = pairs(made("a"), made("b", items=right(1)), made("c"), made("d", bar=True))
        assert [(pair.row, pair.against, pair.reason) for pair in found] == [
            ("a", "b", "what it reached on each item was not kept"),
            ("a", "d", "what it reached on each item was not kept"),
            ("b", "d", "of d, what it reached on each item was not kept"),
            ("c", "b", "what it reached on each item was not kept"),
            ("c", "d", "what it reached on each item was not kept"),
            ("d", "b", "what it reached on each item was not kept"),
        ]
        assert [pair.reason for pair in pairs(made("a"), made("c"))] == [
            "what it reached on each item was not kept"
        ] * 2

    def test_a_measure_that_items_do_not_tell(self, made: Made, pairs: Pairs) -> None:
        found = pairs(made("a", task="language", items=right(1)), made("b", task="language", items=right(0)))
        assert [pair.reason for pair in found] == ["perplexity does not follow from single items"] * 2

    def test_a_measure_that_is_no_number(self, made: Made, pairs: Pairs) -> None:
        never = {"item": ["a", "b"], "correct": [1, float("nan")]}
        (pair,) = pairs(made("a", items=never), made("b", items=right(1, 1)))
        assert (pair.row, pair.against) == ("a", "b")
        assert pair.reason == "its measure is no number on some resampled items"


def test_chance() -> None:
    """Around 0.5 scatter 0.5, 0, 0 and -0.5: two of four are as far away as 0 is."""
    assert chance_of(0.5, np.array([1.0, 0.5, 0.5, 0.0])) == 3 / 5
    assert chance_of(-0.5, np.array([-0.5, -0.75, -0.25])) == 1 / 4


def test_tables(made: Made, pairs: Pairs) -> None:
    found = pairs(made("good", items=right(1, 1)), made("bad", items=right(0, 0)), made("old"))
    assert pairs_as_markdown(found).splitlines() == [
        "| row | against | measure | difference | p | items | not compared because |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| bad | good | test accuracy | -100.00% [-100.00% .. -100.00%] | 0.0005 | 2 |  |",
        "| old | good | test accuracy |  |  |  | what it reached on each item was not kept |",
    ]
    assert "not compared" not in pairs_as_markdown(found[:1])
    assert (
        pairs_as_markdown([*pairs(made("one", items=right(1, 0)), made("other", 2, items=right(1, 1)))]).count("+") == 0
    )
    bad, old = csv.DictReader(pairs_as_csv(found).splitlines())
    assert (bad["row"], bad["against"], bad["measure"], bad["difference"], bad["items"]) == (
        *("bad", "good", "accuracy", "-1.0", "2"),
    )
    assert (old["p"], old["reason"]) == ("", "what it reached on each item was not kept")


def test_many_items_take_little_memory() -> None:
    """17,000 items x 2,000 resamples are 272 MB at once, and 8 MB at a time."""
    from seqlab.bootstrap import _weights

    sizes = [weights.shape for weights in _weights(17_000)]
    assert sum(rows for rows, _ in sizes) == 2000
    assert all(rows * items * 8 <= 2**23 for rows, items in sizes)
    assert (next(_weights(17_000)).sum(1) == 17_000).all()
