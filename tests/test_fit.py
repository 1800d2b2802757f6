from pathlib import Path

import pytest

from seqlab.errors import UserError
from seqlab.fit import run
from seqlab.runs.lock import sole_writer

FEW = ("--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1", "--bar", "none")


def test_the_first_line_says_what_is_trained_on_what(
    here: Path, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    left = run([*small, *FEW, "--model", "lstm", "--run", "one"])
    parameters = sum(weights.numel() for weights in left.model.parameters())
    head = f"lstm ({parameters:,} parameters) on story: {left.data.describe()}; run one\n"
    assert capsys.readouterr().out.startswith(head)


def test_a_run_that_is_being_trained_is_neither_begun_anew_nor_offered(here: Path, small: list[str]) -> None:
    folder = run([*small, *FEW, "--run", "one"]).folder
    with sole_writer(folder), pytest.raises(UserError, match="process .* trains the run one now"):
        run([*small, *FEW, "--run", "one"])
    with pytest.raises(UserError, match="run 'one' is there already"):
        run([*small, *FEW, "--run", "one"])
