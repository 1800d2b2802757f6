"""A task of one class and one row goes through every verb that it has, so that none knows a task by name."""

import contextlib
import csv
import importlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_task import ROW, ParityModel

import seqlab
from seqlab.errors import UserError
from seqlab.models import TASKS
from seqlab.runs.checkpoint import read_checkpoint

Command = Callable[..., Any]
STORY = str(Path(__file__).parent / "fixtures" / "story.txt")
LAST = "lightning_logs/toy/checkpoints/last.ckpt"
BEST = "lightning_logs/toy/checkpoints/best.ckpt"
FIT = (
    *("--model", "parity", "--data", "text", "--data.path", STORY, "--data.batch_size", "4", "--data.num_steps", "8"),
    *("--trainer.accelerator", "cpu", "--trainer.max_epochs", "2", "--optimizer.lr", "0.05", "--run", "toy"),
    *("--monitor", "val/accuracy"),
)


@pytest.fixture(scope="module", autouse=True)
def row() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TASKS, "parity", ROW)
        yield


@pytest.fixture
def row_elsewhere(here: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Environment in which every process of Python has the row too."""
    (here / "site").mkdir()
    text = "import seqlab.models\nfrom toy_task import ROW\nseqlab.models.TASKS['parity'] = ROW\n"
    (here / "site" / "sitecustomize.py").write_text(text, encoding="utf-8")
    path = os.pathsep.join([str(here / "site"), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    return {"PYTHONPATH": path}


@pytest.fixture(scope="module")
def fitted(row: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a fit of two epochs, and what it said."""
    folder, said = tmp_path_factory.mktemp("fitted"), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        assert importlib.import_module("seqlab.fit").main([*FIT]) == 0
    return folder, said.getvalue()


@pytest.fixture
def run(fitted: tuple[Path, str], here: Path) -> str:
    """What the fit said; the current folder is a copy of its own."""
    shutil.copytree(fitted[0], here, dirs_exist_ok=True)
    return fitted[1]


def test_fit(run: str) -> None:
    assert run.startswith("parity (90 parameters) on story: ")
    assert "best validation accuracy " in run
    assert f"python -m seqlab.evaluate {BEST}" in run
    assert "bar to beat" not in run
    result = json.loads(Path("lightning_logs/toy/result.json").read_text())
    assert (result["task"], result["model"], result["monitor"]) == ("parity", "parity", "val/accuracy")
    assert 0.5 < result["metrics"]["best/val_accuracy"] <= 1
    checkpoint = read_checkpoint(BEST)
    assert checkpoint["seqlab"]["task"] == "parity"
    assert checkpoint["hyper_parameters"]["options"] == {"spread": 0.1}


def test_its_options_are_those_of_the_command_line(refusal: Command, verb: Command) -> None:
    assert refusal("fit", *FIT, "--model.spread", "-1") == "--model.spread -1.0 must be above 0"
    assert refusal("fit", *FIT, "--model.hidden_size", "3").startswith("unknown option --model.hidden_size")
    assert refusal("fit", "--model", "parity", "--data", "fra_eng").startswith("--model parity does not read")
    known = "--monitor 'val/perplexity' is none of what validation measures: "
    assert refusal("fit", *FIT, "--monitor", "val/perplexity").startswith(known)
    assert "Standard deviation of the first scores. (0 < x) [0.1]" in verb("fit", *FIT[:4], "--help").out


def test_resume(run: str, verb: Command) -> None:
    assert verb("fit", "--ckpt_path", "last", "--trainer.max_epochs", "3").code == 0
    assert verb("fit", *FIT, "--run", "whole", "--trainer.max_epochs", "3").code == 0
    resumed, whole = (read_checkpoint(path) for path in (LAST, LAST.replace("toy", "whole")))
    assert resumed["global_step"] == whole["global_step"]
    assert torch.equal(resumed["state_dict"]["network.weight"], whole["state_dict"]["network.weight"])


def test_evaluate(run: str, verb: Command) -> None:
    report = seqlab.evaluate(BEST, split="val")
    result = json.loads(Path("lightning_logs/toy/result.json").read_text())
    assert report.measures["accuracy"] == pytest.approx(result["metrics"]["best/val_accuracy"], rel=1e-6)
    assert report.loss == pytest.approx(result["metrics"]["best/val_loss"], rel=1e-6)
    printed = verb("evaluate", BEST, "--split", "val", "--items", "items.tsv", "--scale", "2")
    assert printed.code == 0, printed.err
    assert f"{2 * report.loss:.4f}" in printed.out
    right = [line.split("\t")[1] for line in Path("items.tsv").read_text().splitlines()]
    assert right[0] == "right"
    assert right.count("1") / (len(right) - 1) == pytest.approx(report.measures["accuracy"])
    with pytest.raises(UserError, match=r"^unknown option 'beam_size' of evaluate: choose one of scale$"):
        seqlab.evaluate(BEST, beam_size=3)


def test_predict(run: str, verb: Command) -> None:
    texts = ["the dog", "a lamp"]
    found = seqlab.predict(BEST, texts)
    assert [one.text for one in found] == texts
    assert verb("predict", BEST, *texts).out.splitlines() == [str(one) for one in found]
    assert verb("predict", BEST, *texts, "--least", "0").out == "odd\nodd\n"
    rows = [json.loads(line) for line in verb("predict", BEST, *texts, "--format", "json").out.splitlines()]
    assert rows == [one._asdict() for one in found]


def test_load(run: str) -> None:
    model = seqlab.load(BEST)
    assert isinstance(model, ParityModel)
    assert (model.name, model.run, model.training) == ("parity", "toy", False)
    assert [str(one) for one in model.predict(["the"])] == [str(one) for one in seqlab.predict(BEST, "the")]


def test_verbs_that_it_has_not(run: str, verb: Command) -> None:
    for name in ("generate", "inspect", "translate"):
        finished = verb(name, BEST)
        able = "it can evaluate, predict, export"
        assert (finished.code, finished.err) == (
            2,
            f"seqlab: {BEST} holds a model of parity, which does not {name}; {able}\n",
        )
    pytest.importorskip("safetensors")
    assert verb("export", BEST).code == 0


@pytest.mark.slow
def test_compare(row_elsewhere: dict[str, str], verb: Command, here: Path) -> None:
    words = [word for word in FIT[:-4] if word not in ("--model", "parity")]
    finished = verb("compare", "--model", "parity", "--vary", "model.spread=0.1,1.0", "--seeds", "1", *words)
    assert finished.code == 0, finished.err
    with (here / "results" / "table.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [(line["model"], line["model.spread"], line["finished"]) for line in table] == [
        ("parity", "0.1", "1"),
        ("parity", "1.0", "1"),
    ]
    for line in table:
        assert 0.5 < float(line["test_accuracy"]) <= 1
    assert "test accuracy" in (here / "results" / "table.md").read_text(encoding="utf-8")
    with (here / "results" / "paired.csv").open(encoding="utf-8") as file:
        (pair,) = csv.DictReader(file)
    assert abs(float(pair["difference"])) == pytest.approx(
        abs(float(table[0]["test_accuracy"]) - float(table[1]["test_accuracy"]))
    )


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(
    run: str, row_elsewhere: dict[str, str], shell: Command, here: Path
) -> None:
    two = ("--trainer.devices", "2", "--trainer.strategy", "ddp", "--run", "two")
    finished = shell("-m", "seqlab.fit", *FIT, *two, cwd=here, **row_elsewhere)
    assert finished.code == 0, finished.err
    one, both = read_checkpoint(LAST), read_checkpoint(LAST.replace("toy", "two"))
    assert one["global_step"] == both["global_step"] > 0
    torch.testing.assert_close(both["state_dict"], one["state_dict"], rtol=1e-5, atol=1e-7)
    reached = [json.loads(Path(f"lightning_logs/{name}/result.json").read_text())["metrics"] for name in ("toy", "two")]
    assert reached[1]["best/val_accuracy"] == pytest.approx(reached[0]["best/val_accuracy"], rel=1e-6)
