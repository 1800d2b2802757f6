import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comparisons import FAST, numbers, rows
from served import Served

from seqlab.comparison import workers

pytest.importorskip("optuna")

Command = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("lent_server")

SPACE = ("--vary", "optimizer.lr=1e-4..1e-1", "--vary", "model=rnn,gru", "--sampler", "tpe")


@pytest.fixture
def words(small: list[str]) -> list[str]:
    """Options of ``fit`` for runs of a second."""
    return [*small, *FAST]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, small: list[str], served: Served) -> Path:
    """The folder of a search of two trials."""
    from seqlab.compare import main

    folder = tmp_path_factory.mktemp("searched") / "results"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "ForkServer", served.lent)
        assert main([*SPACE, "--trials", "2", *small, *FAST, "--output", str(folder)]) == 0
    return folder


@pytest.fixture
def results(searched: Path, here: Path) -> Path:
    """A copy of it in the current folder."""
    return Path(shutil.copytree(searched, here / "results"))


def test_trials_and_more_of_them(words: list[str], verb: Command, results: Path) -> None:
    first = rows(results / "runs.csv")
    assert [row["run"].split("-")[0] for row in first] == ["trial0", "trial1"]
    assert all(1e-4 <= float(row["optimizer.lr"]) <= 1e-1 for row in first)
    assert len({row["optimizer.lr"] for row in first}) == 2
    assert verb("compare", *SPACE, "--trials", "3", *words).code == 0
    after = rows(results / "runs.csv")
    assert (after[:2], after[2]["run"].split("-")[0]) == (first, "trial2")


@pytest.mark.slow
def test_choices_are_those_of_the_seed(words: list[str], verb: Command, searched: Path, here: Path) -> None:
    assert verb("compare", *SPACE, "--trials", "2", *words, "--output", "other").code == 0
    assert numbers(here / "other") == numbers(searched)


def test_a_trial_cut_short_is_carried_out_first(words: list[str], verb: Command, results: Path) -> None:
    import optuna

    study = optuna.load_study(study_name="comparison", storage="sqlite:///results/study.db")
    study.ask({key: study.trials[0].distributions[key] for key in ("model", "optimizer.lr")})
    assert verb("compare", *SPACE, "--trials", "3", *words).code == 0
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
    assert study.trials[2].value == pytest.approx(math.log(float(rows(results / "runs.csv")[2]["val_perplexity"])))


@pytest.mark.slow
def test_the_bar_of_the_best_trial(words: list[str], verb: Command, results: Path) -> None:
    assert verb("compare", *SPACE, "--trials", "2", *words, "--bar", "ngram").code == 0
    assert [row["run"].split("-")[0] for row in rows(results / "runs.csv")] == ["trial0", "trial1", "ngram"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "--vary optimizer.lr=1e-4..1e-1",
            "optimizer.lr is given a range, which --sampler tpe searches; without it give values",
        ),
        ("--sampler tqe", "unknown sampler 'tqe': did you mean 'tpe'?"),
        ("--sampler tpe --trials 0", "--trials 0 must be a whole number of at least 1"),
        ("--sampler tpe --seeds 2", "--seeds is for grids; every trial of a search is one run, with seed 1"),
        ("--sampler tpe --folds 2", "--folds is for grids; every trial of a search is one run"),
        ("--sampler tpe --vary optimizer.lr=2..1", "the range 2..1 of optimizer.lr must rise, such as 1e-4..1e-1"),
        (
            "--sampler tpe --vary optimizer.lt=1..2",
            "unknown option --optimizer.lt: did you mean '--optimizer.lr'?; --help_all lists them",
        ),
    ],
)
def test_searches_that_cannot_be(words: str, sentence: str, refusal: Command) -> None:
    assert refusal("compare", *words.split()) == sentence


def test_another_search_in_the_folder(words: list[str], verb: Command, results: Path) -> None:
    finished = verb("compare", *SPACE[2:], "--trials", "1", *words)
    assert finished.code == 2
    assert "searches other options than these; choose another --output" in finished.err


def test_without_optuna(refusal: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert refusal("compare", "--sampler", "tpe") == (
        "--sampler needs optuna; install it with pip install 'seqlab[search]'"
    )
