import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comparisons import FAST, numbers, rows

import seqlab
from seqlab.comparison import workers as processes
from seqlab.comparison.records import RECORD

Command = Callable[..., Any]

MODELS = ("--model", "rnn,gru", "--seeds", "2")
BAR = ("--bar", "ngram")


@pytest.fixture
def words(small: list[str]) -> list[str]:
    """Options of ``fit`` for runs of a second."""
    return [*small, *FAST, *BAR]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, small: list[str]) -> Path:
    """The folder of a comparison of two models with two seeds, and of the bar, by a server of its own."""
    from seqlab.compare import main

    folder = tmp_path_factory.mktemp("compared") / "results"
    assert main([*MODELS, *small, *FAST, *BAR, "--output", str(folder)]) == 0
    return folder


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


@pytest.mark.usefixtures("lent_server")
def test_a_run_that_fails_stops_no_other_and_is_tried_again(words: list[str], verb: Command, here: Path) -> None:
    late = here / "late.txt"
    vary = ["--vary", f"data.val_path=null,{late}", "--model", "rnn", "--seeds", "1"]
    words += ["--bar", "none"]
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


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_killed_and_gone_on_with(
    number: signal.Signals, words: list[str], compared: Path, here: Path, environment: dict[str, str]
) -> None:
    """The comparison and its runs die in the middle; what it finds in the end is what it would have found."""
    grid = ("--model", "rnn", "--seeds", "2")
    command = [sys.executable, "-m", "seqlab.compare", *grid, *words, "--bar", "none", "--output", "results"]
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
