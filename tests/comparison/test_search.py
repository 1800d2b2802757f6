import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from seqlab.comparison.grid import Cell
from seqlab.comparison.records import Record
from seqlab.comparison.search import Search
from seqlab.errors import UserError
from seqlab.metrics import Measure

optuna = pytest.importorskip("optuna")
PERPLEXITY = ("perplexity", Measure("perplexity", "{:.3f}", "lower"))
ACCURACY = ("accuracy", Measure("accuracy", "{:.2%}", "higher"))


class Fake:
    """Runs that reach their learning rate, as whatever is measured."""

    def __init__(self, name: str) -> None:
        self.name = name

    def carry_out(self, cell: Cell, record: Record) -> Record:
        value = float(cell.varied["optimizer.lr"])
        if value > 0.9:
            return Record(cell.name, [], {}, reason="too high")
        return Record(cell.name, [], record.options, {f"val_{self.name}": value})


def search(main: tuple[str, Measure], output: Path, axes: Mapping[str, list[str]] | None = None) -> Search:
    return Search(
        axes or {"optimizer.lr": ["0.25", "0.5", "1"]},
        *([], "random", 12, output),
        lambda cell: {**cell.varied},
        lambda options: main,
    )


@pytest.mark.parametrize(
    ("main", "direction", "best"), [(PERPLEXITY, "MINIMIZE", math.log(0.25)), (ACCURACY, "MAXIMIZE", 0.5)]
)
def test_what_is_better(main: tuple[str, Measure], direction: str, best: float, tmp_path: Path) -> None:
    one = search(main, tmp_path)
    fake: Any = Fake(main[0])
    said: list[Record] = []
    found = one.run(fake, 1, said.append)
    study = optuna.load_study(study_name="comparison", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert study.direction.name == direction
    assert study.best_value == pytest.approx(best)
    assert {trial.state.name for trial in study.trials} == {"COMPLETE", "FAIL"}
    assert len(found) == len(said) == 12
    done = [(cell, next(record for record in said if record.name == cell.name)) for cell, _ in found]
    chosen = one.best(done)
    assert chosen is not None
    assert chosen.varied["optimizer.lr"] == ("0.25" if main is PERPLEXITY else "0.5")


def test_nothing_has_finished(tmp_path: Path) -> None:
    assert search(ACCURACY, tmp_path).best([]) is None


def test_models_of_several_tasks(tmp_path: Path) -> None:
    def main(options: Mapping[str, Any]) -> tuple[str, Measure]:
        return PERPLEXITY if options["model"] == "gru" else ACCURACY

    words = "a search cannot weigh perplexity against accuracy; vary models of one task"
    with pytest.raises(UserError, match=f"^{words}$"):
        Search({"model": ["gru", "cnn"]}, [], "tpe", 1, tmp_path, lambda cell: {**cell.varied}, main)
