from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqlab.comparison.outcome import write_comparison
from seqlab.errors import UserError
from seqlab.metrics import Resampled

Made = Callable[..., Any]
Over = Callable[[str, str], Resampled | None]
ITEMS = {"item": ["a", "b", "c"], "correct": [1, 0, 1]}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A folder whose ``lightning_logs`` are where ``made`` keeps its runs."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "lightning_logs").symlink_to(tmp_path)
    return tmp_path / "out"


def test_tables_of_two_rows(made: Made, resampled: Over, output: Path) -> None:
    better = {**ITEMS, "correct": [1, 1, 1]}
    runs = [
        made("gru", result={"test_accuracy": 2 / 3}, items=ITEMS),
        made("cnn", result={"test_accuracy": 1.0}, items=better),
    ]
    found = write_comparison(runs, output, resampled)
    assert [path.name for path in found.files][:5] == ["table.md", "table.csv", "runs.csv", "paired.md", "paired.csv"]
    assert all(path.is_file() for path in found.files)
    table = (output / "table.md").read_text()
    assert table.endswith("On story; [low .. high] is the bootstrap 95% interval of a mean over seeds.\n")
    assert "100.00%" in table
    assert str(found).split("\n\n")[0] == table.split("\n\n")[0]
    assert (output / "paired.md").read_text().startswith(str(found).split("\n\n")[1])
    assert not found.failed


def test_pairs_of_a_comparison_before_do_not_stay(made: Made, resampled: Over, output: Path) -> None:
    for name in ("paired.md", "paired.csv"):
        (output / name).write_text("old")
    found = write_comparison([made("gru", result={"test_accuracy": 0.5}, items=ITEMS)], output, resampled)
    assert not list(output.glob("paired.*"))
    assert not found.pairs


def test_runs_that_failed_and_folds_are_said(made: Made, resampled: Over, output: Path) -> None:
    found = write_comparison([made("gru", fold=0, items=ITEMS), made("cnn", reason="no memory")], output, resampled)
    assert [record.reason for record in found.failed] == ["no memory"]
    assert "with folds, that of a test measure is over the items of all folds" in (output / "table.md").read_text()


def test_nothing_finished(made: Made, resampled: Over, output: Path) -> None:
    write_comparison([made("cnn", reason="no memory")], output, resampled)
    assert "On no corpus; " in (output / "table.md").read_text()


def test_a_folder_that_cannot_be_written(made: Made, resampled: Over, output: Path) -> None:
    (output / "table.md").mkdir()
    with pytest.raises(UserError, match="^cannot write .*table.md: is a directory; choose another --output$"):
        write_comparison([made("gru")], output, resampled)
