from collections.abc import Mapping
from typing import Any

import pytest

from seqlab.comparison.bars import with_bars
from seqlab.comparison.grid import Cell, Grid
from seqlab.errors import UserError

BARS = {"rnn": "ngram", "gru": "ngram", "ngram": "ngram", "cnn": "naive_bayes"}


def read(cell: Cell) -> dict[str, Any]:
    """A command line as options, with a few of the data's defaults."""
    given = dict(word.removeprefix("--").split("=", 1) for word in cell.arguments)
    data = {"name": "text", "path": None, "batch_size": 32, "files": ["a", "b"], "raw": True}
    if "config" in given:
        data["path"] = "b.txt" if given["config"].startswith("b") else "a.txt"
    data |= {key.removeprefix("data."): value for key, value in given.items() if key.startswith("data.")}
    return {"model": {"name": given.get("model", "gru")}, "data": data, "seed": cell.seed}


def bars(options: Mapping[str, Any]) -> str | None:
    return BARS.get(options["model"]["name"])


def cells(**given: Any) -> list[Cell]:
    grid = Grid(**{"experiments": [], "models": [], "varied": {}, "seeds": 1, "options": [], **given})
    return with_bars(grid.cells(), read, bars)


def test_one_more_run_with_the_options_of_the_data_alone() -> None:
    *others, bar = cells(models=["rnn", "gru"], seeds=2, options=["--optimizer.lr=0.1", "--data.path=x.txt"])
    assert len(others) == 4
    assert not any(one.bar for one in others)
    assert bar == Cell(
        "ngram-seed=1",
        {"model": "ngram"},
        1,
        [
            "--model=ngram",
            "--data.name=text",
            "--data.path=x.txt",
            "--data.batch_size=32",
            '--data.files=["a", "b"]',
            "--data.raw=true",
            "--seed=1",
        ],
        None,
        bar=True,
    )


def test_nothing_given_is_null() -> None:
    assert "--data.path=null" in cells(models=["gru"])[-1].arguments


def test_none_for_a_task_without_one() -> None:
    assert [one.name for one in cells(models=["odd"])] == ["odd-seed=1"]


def test_one_for_each_task() -> None:
    assert [one.name for one in cells(models=["gru", "cnn"])][2:] == ["ngram-seed=1", "naive_bayes-seed=1"]


def test_the_one_that_is_there_already() -> None:
    found = cells(models=["gru", "ngram"], seeds=2)
    assert [(one.name, one.bar) for one in found] == [
        *(("gru-seed=1", False), ("ngram-seed=1", True), ("gru-seed=2", False), ("ngram-seed=2", True))
    ]


def test_one_for_each_fold() -> None:
    found = cells(models=["gru"], folds=2, seeds=2)
    assert [(one.name, one.fold) for one in found if one.bar] == [
        ("ngram-fold=0-seed=1", 0),
        ("ngram-fold=1-seed=1", 1),
    ]
    assert {"--data.folds=2", "--data.fold=1"} <= {*found[-1].arguments}


def test_one_for_each_data() -> None:
    found = cells(models=["gru"], varied={"data.min_freq": ["1", "2"], "model.hidden_size": ["8", "16"]})
    assert [(one.name, one.varied) for one in found if one.bar] == [
        ("ngram-min_freq=1-seed=1", {"model": "ngram", "data.min_freq": "1"}),
        ("ngram-min_freq=2-seed=1", {"model": "ngram", "data.min_freq": "2"}),
    ]


def test_batches_make_no_other_data() -> None:
    assert [one.name for one in cells(models=["gru"], varied={"data.batch_size": ["1", "2"]}) if one.bar] == [
        "ngram-seed=1"
    ]


def test_it_is_named_after_its_experiment_where_that_says_what_its_data_is() -> None:
    found = cells(experiments=["a.yaml", "b.yaml"])
    assert [one.varied for one in found if one.bar] == [
        {"experiment": "a", "model": "ngram"},
        {"experiment": "b", "model": "ngram"},
    ]
    assert not any("config" in word for one in found if one.bar for word in one.arguments)
    (bar,) = (one for one in cells(experiments=["a.yaml", "a2.yaml"]) if one.bar)
    assert bar.varied == {"model": "ngram"}


def test_two_pairs_of_experiments_on_two_corpora() -> None:
    found = cells(experiments=["a.yaml", "a2.yaml", "b.yaml", "b2.yaml"])
    assert [one.name for one in found if one.bar] == ["ngram-seed=1", "b-ngram-seed=1"]


def test_an_option_that_is_wrong_is_refused_at_once() -> None:
    def wrong(cell: Cell) -> dict[str, Any]:
        raise UserError("unknown model 'gur'")

    with pytest.raises(UserError, match="unknown model 'gur'"):
        with_bars(Grid([], ["gur"], {}, 1, []).cells(), wrong, bars)
