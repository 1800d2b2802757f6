import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seqlab
from seqlab.comparison import workers as processes
from seqlab.comparison.records import RECORD

Command = Callable[..., Any]

FAST = ("--watch", "none", "--trainer.limit_train_batches", "6", "--trainer.log_every_n_steps", "2")
MODELS = ("--model", "rnn,gru", "--seeds", "2")
MEASURED = ("train_perplexity", "val_perplexity", "test_perplexity")


@pytest.fixture
def words(small: list[str]) -> list[str]:
    """Options of ``fit`` for runs of a second."""
    return [*small, *FAST]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, small: list[str]) -> Path:
    """The folder of a comparison of two models with two seeds, and of the bar."""
    from seqlab.compare import main

    folder = tmp_path_factory.mktemp("compared") / "results"
    assert main([*MODELS, *small, *FAST, "--output", str(folder)]) == 0
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(folder: Path, model: str = "") -> list[list[float]]:
    """What each run reached, or each of one model."""
    runs = [row for row in rows(folder / "runs.csv") if row["run"].startswith(model)]
    return [[float(row[key] or -1) for key in MEASURED] for row in runs]


def perplexity(checkpoint: Path, split: str) -> float:
    return seqlab.evaluate(str(checkpoint), split=split).measures["perplexity"]


def test_tables_hold_what_the_runs_reached(compared: Path) -> None:
    runs = rows(compared / "runs.csv")
    models = [f"{model}-seed={seed}" for seed in (1, 2) for model in ("rnn", "gru")]
    assert [row["run"] for row in runs] == [*models, "ngram-seed=1"]
    for row in runs:
        checkpoint = compared / "lightning_logs" / row["run"] / "checkpoints" / "best.ckpt"
        assert float(row["test_perplexity"]) == perplexity(checkpoint, "test")
        assert float(row["val_perplexity"]) == pytest.approx(perplexity(checkpoint, "val"))
        assert row["task"] == "language"
    table = rows(compared / "table.csv")
    for row in table[:2]:
        own = [float(run["test_perplexity"]) for run in runs if run["model"] == row["model"]]
        assert float(row["test_perplexity"]) == pytest.approx(sum(own) / 2)
        assert sorted(own) == [float(row["test_perplexity_low"]), float(row["test_perplexity_high"])]
        assert row["seeds"] == row["finished"] == "2"
    assert [(row["model"], row["seeds"], row["test_perplexity_low"]) for row in table[2:]] == [("ngram", "1", "")]
    text = (compared / "table.md").read_text(encoding="utf-8")
    assert text.startswith("| model | seeds | parameters | tokens/s | time, s | train perplexity | best validation")
    assert text.count("\n| rnn | 2 | ") == text.count("\n| gru | 2 | ") == 1


def test_rows_are_compared_on_the_same_items(compared: Path) -> None:
    reached = {row["model"]: float(row["test_perplexity"]) for row in rows(compared / "table.csv")}
    best = min(reached, key=lambda model: reached[model])
    pairs = {(row["row"], row["against"]): row for row in rows(compared / "paired.csv")}
    assert {*pairs} == {(row, against) for row in reached for against in (best, "ngram") if row != against}
    for (row, against), pair in pairs.items():
        assert float(pair["difference"]) == pytest.approx(reached[row] - reached[against])
        assert float(pair["low"]) < float(pair["difference"]) < float(pair["high"])
        assert 1 / 2001 <= float(pair["p"]) <= 1
        assert int(pair["items"]) > 0
    assert "| rnn | " in (compared / "paired.md").read_text(encoding="utf-8")


def test_figures(compared: Path) -> None:
    for name in ("curves-step", "curves-time", "best-time", "best-parameters"):
        assert (compared / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_there_is_not_done_again(
    compared: Path, words: list[str], verb: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (compared / "table.md").read_text(encoding="utf-8")
    monkeypatch.setattr(processes.subprocess, "Popen", None)
    finished = verb("compare", *MODELS, *words, "--output", str(compared))
    assert finished.code == 0, finished.err
    assert (compared / "table.md").read_text(encoding="utf-8") == before


def test_other_options_in_the_same_folder(compared: Path, words: list[str], verb: Command) -> None:
    finished = verb("compare", *MODELS, *words, "--trainer.max_epochs", "3", "--output", str(compared))
    assert finished.code == 2
    assert finished.err == (
        "seqlab: the run 'rnn-seed=1' there was made with trainer.max_epochs 1, not 3; choose another --output\n"
    )


def test_a_run_that_fails_stops_no_other_and_is_tried_again(words: list[str], verb: Command, here: Path) -> None:
    late = here / "late.txt"
    vary = ["--vary", f"data.val_path=null,{late}", "--model", "rnn", "--seeds", "1", "--bar", "none"]
    finished = verb("compare", *vary, *words)
    assert finished.code == 1
    assert ", best validation perplexity " in finished.out
    assert f"failed: cannot read {late}" in finished.out
    table = (here / "results" / "table.md").read_text(encoding="utf-8")
    assert "| rnn | null | 1 | " in table
    assert f"0 of 1 |  |  |  |  |  |  | seed 1: cannot read {late}: no such file or directory" in table
    late.write_text("the keeper of the lamp went down to the sea and came up again\n" * 20, encoding="utf-8")
    began = {path: path.stat().st_mtime_ns for path in here.rglob(RECORD)}
    assert verb("compare", *vary, *words).code == 0
    assert sum(path.stat().st_mtime_ns != stamp for path, stamp in began.items()) == 1
    assert "failed" not in (here / "results" / "table.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL])
def test_killed_and_gone_on_with(
    number: signal.Signals, words: list[str], compared: Path, here: Path, environment: dict[str, str]
) -> None:
    """The comparison and its runs die in the middle; what it finds in the end is what it would have found."""
    grid = ("--model", "rnn", "--seeds", "2", "--bar", "none")
    command = [sys.executable, "-m", "seqlab.compare", *grid, *words, "--output", "results"]
    options: dict[str, Any] = {"cwd": here, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, **options, start_new_session=True) as process:
        until = time.monotonic() + 60
        while not list(here.rglob("last.ckpt")) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(process.pid, number)
        process.wait(60)
    assert process.returncode in (130, -9)
    ended = subprocess.run(command, **options, check=False, timeout=240)
    tries = time.monotonic() + 60
    while b"still at work" in ended.stdout and time.monotonic() < tries:  # a run that outlived the comparison
        time.sleep(1)
        ended = subprocess.run(command, **options, check=False, timeout=240)
    assert ended.returncode == 0, ended.stdout
    assert numbers(here / "results") == numbers(compared, "rnn")


@pytest.mark.slow
def test_from_python(words: list[str], here: Path) -> None:
    data = {"name": "text", "path": words[3], "batch_size": 4, "num_steps": 8}
    trainer = {"max_epochs": 1, "limit_train_batches": 2, "accelerator": "cpu"}
    found = seqlab.compare(
        model="gru",
        seeds=1,
        vary={"model.hidden_size": [8, [8, 8]]},
        output="o",
        bar="none",
        data=data,
        trainer=trainer,
    )
    assert [row.label for row in found.rows] == ["gru, hidden_size=8", "gru, hidden_size=[8,8]"]
    assert not found.failed
    assert [pair.reason for pair in found.pairs] == [""]
    assert found.rows[0].results["parameters"].value < found.rows[1].results["parameters"].value


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "--vary data.num_stps=1,2",
            "unknown option --data.num_stps: did you mean '--data.num_steps'?; --help_all lists them",
        ),
        ("--model gru,lsmt", "unknown model 'lsmt': did you mean 'lstm'?"),
        ("--sedes 3", "unknown option --sedes: did you mean '--seeds'?; --help_all lists them"),
        (
            "none.yaml",
            "cannot read the configuration none.yaml: no such file or directory; give --config an existing file",
        ),
        ("--jobs 0", "--jobs 0 must be a whole number of at least 1"),
        ("--vary data.num_steps=x,3", "--data.num_steps does not take 'x': it takes a whole number"),
        ("--seeds", "--seeds has no value; --help says what it takes"),
        ("--folds 1", "--folds 1 must be a whole number of at least 2"),
        (
            "--folds 3 --data.fold 0",
            "--data.fold is not taken beside --folds: --folds K runs the folds 0 to K-1",
        ),
        ("--bar ngrm", "unknown model 'ngrm': did you mean 'ngram'?"),
    ],
)
def test_refusals(words: str, sentence: str, refusal: Command) -> None:
    assert refusal("compare", *words.split()) == sentence


def test_another_comparison_in_the_folder(refusal: Command, here: Path) -> None:
    with processes.sole(here / "results"):
        assert "still at work in results" in refusal("compare", "--model", "gru")


def test_a_folder_that_is_no_comparisons(verb: Command, here: Path, words: list[str]) -> None:
    (here / "results" / "lightning_logs" / "gru-seed=1").mkdir(parents=True)
    (here / "results" / "lightning_logs" / "gru-seed=1" / "mine.txt").write_text("")
    finished = verb("compare", *words)
    assert finished.code == 2
    assert "is not a run of a comparison; choose another --output" in finished.err


def test_a_record_is_plain(compared: Path) -> None:
    record = json.loads((compared / "lightning_logs" / "gru-seed=2" / RECORD).read_text(encoding="utf-8"))
    assert record["options"]["seed"] == 2
    assert record["corpus"] == "story"


class TestSearch:
    SPACE = ("--vary", "optimizer.lr=1e-4..1e-1", "--vary", "model=rnn,gru", "--sampler", "tpe", "--bar", "none")

    @pytest.fixture(autouse=True)
    def _optuna(self) -> None:
        pytest.importorskip("optuna")

    @pytest.fixture(scope="class")
    def searched(self, tmp_path_factory: pytest.TempPathFactory, small: list[str]) -> Path:
        """The folder of a search of two trials."""
        from seqlab.compare import main

        pytest.importorskip("optuna")
        folder = tmp_path_factory.mktemp("searched") / "results"
        assert main([*self.SPACE, "--trials", "2", *small, *FAST, "--output", str(folder)]) == 0
        return folder

    @pytest.fixture
    def results(self, searched: Path, here: Path) -> Path:
        """A copy of it in the current folder."""
        return Path(shutil.copytree(searched, here / "results"))

    def test_trials_and_more_of_them(self, words: list[str], verb: Command, results: Path) -> None:
        first = rows(results / "runs.csv")
        assert [row["run"].split("-")[0] for row in first] == ["trial0", "trial1"]
        assert all(1e-4 <= float(row["optimizer.lr"]) <= 1e-1 for row in first)
        assert len({row["optimizer.lr"] for row in first}) == 2
        assert verb("compare", *self.SPACE, "--trials", "3", *words).code == 0
        after = rows(results / "runs.csv")
        assert (after[:2], after[2]["run"].split("-")[0]) == (first, "trial2")

    @pytest.mark.slow
    def test_choices_are_those_of_the_seed(self, words: list[str], verb: Command, searched: Path, here: Path) -> None:
        assert verb("compare", *self.SPACE, "--trials", "2", *words, "--output", "other").code == 0
        assert numbers(here / "other") == numbers(searched)

    def test_a_trial_cut_short_is_carried_out_first(self, words: list[str], verb: Command, results: Path) -> None:
        import optuna

        study = optuna.load_study(study_name="comparison", storage="sqlite:///results/study.db")
        study.ask({key: study.trials[0].distributions[key] for key in ("model", "optimizer.lr")})
        assert verb("compare", *self.SPACE, "--trials", "3", *words).code == 0
        assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
        assert study.trials[2].value == pytest.approx(math.log(float(rows(results / "runs.csv")[2]["val_perplexity"])))

    @pytest.mark.slow
    def test_the_bar_of_the_best_trial(self, words: list[str], verb: Command, results: Path) -> None:
        assert verb("compare", *self.SPACE[:-2], "--trials", "2", *words).code == 0
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
    def test_searches_that_cannot_be(self, words: str, sentence: str, refusal: Command) -> None:
        assert refusal("compare", *words.split()) == sentence

    def test_another_search_in_the_folder(self, words: list[str], verb: Command, results: Path) -> None:
        finished = verb("compare", *self.SPACE[2:], "--trials", "1", *words)
        assert finished.code == 2
        assert "searches other options than these; choose another --output" in finished.err

    def test_without_optuna(self, refusal: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "optuna", None)
        assert refusal("compare", "--sampler", "tpe") == (
            "--sampler needs optuna; install it with pip install 'seqlab[search]'"
        )
