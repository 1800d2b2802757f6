import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch.utils.tensorboard import SummaryWriter

from seqlab.cli.objects import in_python
from seqlab.comparison import execution
from seqlab.comparison.execution import Runs, plan_runs, read_once
from seqlab.comparison.grid import Grid, cell
from seqlab.comparison.items import read_items
from seqlab.comparison.records import Record, read_record
from seqlab.comparison.workers import Processes
from seqlab.errors import NoPartError, UserError
from seqlab.metrics import Report

ACCURACY = {"title": "accuracy", "form": "{:.2%}", "better": "higher"}
Test = Callable[[Path], Report | None]


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """The folder of a run that has been trained, but not measured."""
    folder = tmp_path / "lightning_logs" / "gru-seed=1"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "best.ckpt").touch()
    said = {"parameters": 1, "steps": 2, "seconds": 3.0, "corpus": "story", "checkpoint": "checkpoints/best.ckpt"}
    measures = {"task": "classification", "measures": {"accuracy": ACCURACY}}
    (folder / "result.json").write_text(json.dumps({**said, **measures}))
    with SummaryWriter(str(folder)) as board:
        board.add_scalar("val/accuracy", 0.5, 1)
    return folder


def carried_out(output: Path, test: Test) -> Record:
    record = Runs(output, Processes(1, 0), test).carry_out(
        cell({"model": "gru"}, 1, []), Record("gru-seed=1", ["--model=gru", "--seed=1"], {"seed": 1})
    )
    assert record is not None
    return record


def test_a_run_is_measured_and_its_items_are_kept(finished: Path, tmp_path: Path) -> None:
    asked = []

    def test(checkpoint: Path) -> Report:
        asked.append(checkpoint)
        return Report(
            corpus="story",
            split="test",
            loss=1.0,
            count=2,
            seconds=0.1,
            measures={"accuracy": 0.75},
            items={"item": ["a", "b"], "correct": [1, 0]},
        )

    record = carried_out(tmp_path, test)
    assert asked == [finished / "checkpoints" / "best.ckpt"]
    assert record.result == {"parameters": 1, "steps": 2, "seconds": 3.0, "val_accuracy": 0.5, "test_accuracy": 0.75}
    assert (record.corpus, record.task, record.main, record.items) == (
        *("story", "classification", "accuracy", "items.tsv"),
    )
    assert read_items(finished / record.items)["correct"].tolist() == [1, 0]
    assert read_record(finished) == record


def test_without_a_test_part(finished: Path, tmp_path: Path) -> None:
    record = carried_out(tmp_path, lambda checkpoint: None)
    assert record.result is not None
    assert "test_accuracy" not in record.result
    assert (record.items, record.reason) == ("", "")
    assert not (finished / "items.tsv").exists()


def test_a_run_that_cannot_be_measured(finished: Path, tmp_path: Path) -> None:
    def test(checkpoint: Path) -> Report:
        raise ValueError("Odd weights")

    record = carried_out(tmp_path, test)
    assert record.result is None
    assert record.reason == "it could not be measured: odd weights"
    assert "ValueError: Odd weights" in (finished / "output.log").read_text()
    assert carried_out(tmp_path, lambda checkpoint: None).reason == ""


def test_only_a_missing_part_leaves_the_test_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compare = importlib.import_module("seqlab.compare")

    def raises(error: Exception) -> Test:
        def evaluate(*given: object, **options: object) -> Report:
            with in_python():
                raise error

        monkeypatch.setattr(compare, "evaluate", evaluate)
        return compare._test

    assert raises(NoPartError("the corpus has no test part"))(tmp_path) is None
    with pytest.raises(UserError, match="is no sound checkpoint"):
        raises(UserError("best.ckpt is no sound checkpoint"))(tmp_path)


class TestReading:
    @pytest.fixture
    def read(self, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        """Command lines that were read, in place of reading them."""
        lines: list[list[str]] = []

        def read_options(arguments: list[str]) -> dict[str, Any]:
            lines.append(arguments)
            return {"data": {"fold": arguments[-1]}, "seed": 0}

        monkeypatch.setattr(execution, "read_options", read_options)
        return lines

    def test_seeds_are_read_once_and_folds_each(self, read: list[list[str]], tmp_path: Path) -> None:
        cells = Grid([], ["gru"], {}, 2, [], folds=2).cells()
        planned = plan_runs(cells, tmp_path, read_once())
        assert [line[-1] for line in read] == ["--data.fold=0", "--data.fold=1"]
        assert [record.options for _, record in planned] == [
            {"data": {"fold": f"--data.fold={fold}"}, "seed": seed} for seed in (1, 2) for fold in (0, 1)
        ]

    def test_a_run_of_other_options(self, read: list[list[str]], tmp_path: Path) -> None:
        (one,) = Grid([], ["gru"], {}, 1, []).cells()
        Record(one.name, [], {"data": {"fold": "none"}, "seed": 1}).write(tmp_path / "lightning_logs" / one.name)
        words = "the run 'gru-seed=1' there was made with data.fold none, not --model=gru; choose another --output"
        with pytest.raises(UserError, match=f"^{words}$"):
            plan_runs([one], tmp_path, read_once())
