import re
from typing import Any

import pytest

from seqlab.comparison.grid import Grid, cell, read_variations, split_values
from seqlab.errors import UserError


def grid(**given: Any) -> Grid:
    return Grid(**{"experiments": [], "models": [], "varied": {}, "seeds": 1, "options": [], **given})


def test_every_combination_with_every_seed() -> None:
    cells = grid(
        models=["rnn", "gru"], varied={"data.num_steps": ["16", "32"]}, seeds=2, options=["--patience=3"]
    ).cells()
    assert [one.name for one in cells] == [
        f"{model}-num_steps={steps}-seed={seed}" for seed in (1, 2) for model in ("rnn", "gru") for steps in (16, 32)
    ]
    assert cells[1].arguments == ["--patience=3", "--model=rnn", "--data.num_steps=32", "--seed=1"]
    assert cells[1].varied == {"model": "rnn", "data.num_steps": "32"}
    assert cells[1].label == "rnn, num_steps=32"


def test_experiments_come_first_on_the_command_line() -> None:
    (one,) = grid(experiments=["experiments/a-b.yaml"], options=["--seeded", "1"]).cells()
    assert one.name == "a-b-seed=1"
    assert one.arguments == ["--config=experiments/a-b.yaml", "--seeded", "1", "--seed=1"]


def test_the_default_model_where_nothing_is_said() -> None:
    assert [one.name for one in grid().cells()] == ["gru-seed=1"]


def test_long_names_stay_apart() -> None:
    long = "x" * 100
    names = {cell({"data.path": f"{long}{end}"}, 1, []).name for end in "ab"}
    assert len(names) == 2
    assert all(len(name) <= 80 and name.endswith("-seed=1") for name in names)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("16,32,64", ["16", "32", "64"]),
        ("[64,32],[128]", ["[64,32]", "[128]"]),
        ("{a: [1,2]}, b", ["{a: [1,2]}", "b"]),
        ("one", ["one"]),
    ],
)
def test_values_are_split_outside_of_brackets(text: str, values: list[str]) -> None:
    assert split_values(text) == values


def test_variations() -> None:
    assert read_variations(["data.num_steps=16,32", "--model.name=gru"]) == {
        "data.num_steps": ["16", "32"],
        "model": ["gru"],
    }


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["data.num_steps"], "--vary data.num_steps has no values; write it as --vary data.num_steps=16,32,64"),
        (["data.num_steps="], "--vary data.num_steps= has no values; write it as --vary data.num_steps=16,32,64"),
        (["a=1", "a=2"], "a is varied twice; give all its values in one --vary"),
        (["a=1,,2"], "'1,,2' has an empty value; give values with commas between them, such as 16,32,64"),
        (["a=[1,2"], "'[1,2' lacks a closing ']'; lists are written as [64,32],[128]"),
    ],
)
def test_variations_that_cannot_be_read(texts: list[str], words: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
        read_variations(texts)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seeds": 0}, "seeds 0 must be a whole number of at least 1"),
        ({"models": ["gru", "gru"]}, "model gru is given twice; leave one out"),
        ({"varied": {"seed": ["1", "2"]}}, "--seed is not taken by a comparison: --seeds N runs the seeds 1 to N"),
        ({"options": ["--run=a"]}, "--run is not taken by a comparison: each run is named after its varied options"),
        (
            {"varied": {"data.num_steps": ["1"]}, "options": ["--data.num_steps", "3"]},
            "data.num_steps is both varied and given; leave out --data.num_steps",
        ),
    ],
)
def test_grids_that_cannot_be(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
        grid(**given)


def test_two_experiments_of_one_name() -> None:
    with pytest.raises(UserError, match="two of the runs would be called 'a-seed=1'"):
        grid(experiments=["x/a.yaml", "y/a.yaml"]).cells()


class TestFolds:
    def test_every_combination_with_every_fold_and_seed(self) -> None:
        cells = grid(models=["rnn", "gru"], seeds=2, folds=3).cells()
        assert [one.name for one in cells] == [
            f"{model}-fold={fold}-seed={seed}" for seed in (1, 2) for fold in (0, 1, 2) for model in ("rnn", "gru")
        ]
        assert cells[3].arguments == ["--model=gru", "--data.folds=3", "--data.fold=1", "--seed=1"]
        assert [one.fold for one in cells[:4]] == [0, 0, 1, 1]
        assert cells[3].varied == {"model": "gru"}
        assert cells[3].place == "fold 1, seed 1"

    def test_long_names_keep_fold_and_seed(self) -> None:
        one = cell({"data.path": "x" * 100}, 2, [], fold=(3, 5))
        assert len(one.name) <= 80
        assert one.name.endswith("-fold=3-seed=2")

    @pytest.mark.parametrize("given", [{"options": ["--data.fold=1"]}, {"varied": {"data.fold": ["1", "2"]}}])
    def test_they_are_the_comparisons_own(self, given: dict[str, Any]) -> None:
        words = "--data.fold is not taken beside --folds: --folds K runs the folds 0 to K-1"
        with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
            grid(folds=5, **given)

    def test_one_fold_is_everyones_to_choose(self) -> None:
        (one,) = grid(options=["--data.folds=5", "--data.fold=1"]).cells()
        assert one.fold is None

    def test_of_one_part(self) -> None:
        with pytest.raises(UserError, match="^folds 1 must be a whole number of at least 2$"):
            grid(folds=1)
