import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from torch.utils.tensorboard import SummaryWriter

from seqlab.comparison.records import RECORD, Record, best_of, measure_run, read_record
from seqlab.errors import UserError
from seqlab.metrics import Measure

SAID = {"parameters": 10, "steps": 3, "seconds": 1.5, "corpus": "story", "checkpoint": None}
ACCURACY = {"title": "accuracy", "form": "{:.2%}", "better": "higher"}
LOSS = {"title": "error", "form": "{:.1f}", "better": "lower"}

Logged = Callable[..., Path]


@pytest.fixture
def logged(tmp_path: Path) -> Logged:
    """Makes the folder of a run that logged some curves and left a result."""

    def make(curves: dict[str, Sequence[float]], **said: Any) -> Path:
        with SummaryWriter(str(tmp_path)) as board:
            for tag, values in curves.items():
                for step, value in enumerate(values):
                    board.add_scalar(tag, value, step)
        (tmp_path / "result.json").write_text(json.dumps({**SAID, **said}))
        return tmp_path

    return make


def test_what_a_run_reached(logged: Logged) -> None:
    folder = logged(
        {
            "train/items_per_second": [100, 900, 200],
            "train/loss": [3, 2, 1],
            "train/accuracy": [0.25, 0.5],
            "val/loss": [2, 1, 3],
            "val/accuracy": [0.25, 0.75, 0.5],
            "val/error": [4, 3, 5],
            "val/other": [1],
        },
        task="classification",
        measures={"accuracy": ACCURACY, "error": LOSS},
    )
    found = measure_run(folder)
    assert found.result == {
        "parameters": 10,
        "steps": 3,
        "seconds": 1.5,
        "items_per_second": 200.0,
        "val_loss": 1.0,
        "train_accuracy": 0.5,
        "val_accuracy": 0.75,
        "val_error": 3.0,
    }
    assert (found.corpus, found.task) == ("story", "classification")
    assert found.measures == {
        "accuracy": Measure("accuracy", "{:.2%}", "higher"),
        "error": Measure("error", "{:.1f}", "lower"),
    }


def test_a_result_that_does_not_say_its_measures(logged: Logged) -> None:
    found = measure_run(logged({"train/tokens_per_second": [5], "val/perplexity": [4, 3], "train/perplexity": [6]}))
    assert found.measures == {"perplexity": Measure("perplexity", "{:.3f}", "lower")}
    assert found.task == ""
    assert found.result["val_perplexity"] == 3.0
    assert found.result["train_perplexity"] == 6.0
    assert found.result["tokens_per_second"] == 5.0


def test_a_run_that_logged_nothing(logged: Logged) -> None:
    assert measure_run(logged({}, measures={"accuracy": ACCURACY})).result == {
        "parameters": 10,
        "steps": 3,
        "seconds": 1.5,
    }


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    measures = {"accuracy": Measure("accuracy", "{:.2%}", "higher"), "error": Measure("error", "{:.1f}", "lower")}
    record = Record("a", ["--seed=1"], {"seed": 1}, {"val_error": 2.0}, "story", "", "tagging", measures, "items.tsv")
    record.write(tmp_path / "a")
    assert read_record(tmp_path / "a") == record
    assert record.main == "accuracy"
    assert json.loads((tmp_path / "a" / RECORD).read_text())["measures"]["accuracy"] == ACCURACY


def test_a_record_from_before_measures(tmp_path: Path) -> None:
    before = {
        "name": "a",
        "arguments": [],
        "options": {},
        "corpus": "story",
        "reason": "",
        "result": {"val_perplexity": 4.5, "test_perplexity": 4.0, "val_bleu": 20.0},
    }
    (tmp_path / RECORD).write_text(json.dumps(before))
    record = read_record(tmp_path)
    assert record is not None
    assert [*record.measures] == ["perplexity", "bleu"]
    assert (record.task, record.items, record.main) == ("", "", "perplexity")


def test_a_record_of_a_run_that_has_not_finished(tmp_path: Path) -> None:
    Record("a", [], {}).write(tmp_path / "a")
    record = read_record(tmp_path / "a")
    assert record == Record("a", [], {})
    assert record is not None
    assert record.main is None


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "a", "other": 1}', '{"measures": {"a": {"b": 1}}}'])
def test_records_that_cannot_be_read(text: str, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(UserError, match="cannot be read; remove"):
        read_record(tmp_path)


def test_the_best() -> None:
    assert best_of([2.0, 1.0, 3.0], "lower") == 1.0
    assert best_of([2.0, 1.0, 3.0], "higher") == 3.0
    assert best_of([math.nan, 2.0], "lower") == best_of([2.0, math.nan], "higher") == 2.0
    assert math.isnan(best_of([math.nan], "lower"))
