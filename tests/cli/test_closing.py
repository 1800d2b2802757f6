import json
from pathlib import Path
from typing import Any

import pytest
import torch

from seqlab.fit import run
from seqlab.models.language import LanguageModel
from seqlab.models.window import Sums
from seqlab.runs.checkpoint import read_checkpoint

FEW = ("--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1", "--bar", "none")


def test_what_a_run_left_behind(here: Path, small: list[str]) -> None:
    left = run([*small, *FEW, "--run", "two", "--trainer.max_epochs", "2"])
    assert left.folder == Path("lightning_logs/two")
    assert left.checkpoint is not None
    assert left.checkpoint.resolve() == (here / "lightning_logs/two/checkpoints/best.ckpt")
    result = json.loads((left.folder / "result.json").read_text())
    said = {
        key: result[key]
        for key in ("run", "task", "model", "corpus", "unit", "steps", "epochs", "checkpoint", "monitor")
    }
    assert said == {
        "run": "two",
        "task": "language",
        "model": "gru",
        "corpus": "story",
        "unit": "tokens",
        "steps": 4,
        "epochs": 2,
        "checkpoint": "checkpoints/best.ckpt",
        "monitor": "val/loss",
    }
    assert result["parameters"] == sum(weights.numel() for weights in left.model.parameters())
    assert result["metrics"] == pytest.approx(left.metrics)
    assert result["measures"]["perplexity"] == {"title": "perplexity", "form": "{:.3f}", "better": "lower"}
    assert "bar" not in result
    best = min(
        float(state["best_model_score"])
        for state in read_checkpoint(left.checkpoint)["callbacks"].values()
        if "best_model_score" in state
    )
    assert left.metrics["best/val_loss"] == pytest.approx(best)


def test_where_nothing_validates_the_last_checkpoint_is_left(here: Path, small: list[str]) -> None:
    left = run([*small, *FEW, "--run", "blind", "--data.val_fraction", "0"])
    assert left.checkpoint is not None
    assert left.checkpoint.name == "last.ckpt"
    assert not [name for name in left.metrics if "val" in name]


def test_where_nothing_is_kept_there_is_no_next_command(
    here: Path, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    left = run([*small, *FEW, "--run", "kept not", "--trainer.enable_checkpointing", "false"])
    assert left.checkpoint is None
    said = capsys.readouterr().out
    assert ", 2 steps: " in said
    assert "Next:" not in said


def test_an_update_left_out_is_said(
    here: Path, small: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_a_number(self: LanguageModel, batch: Any, stage: str) -> Sums:
        sums = loss(self, batch, stage)
        return sums._replace(total=sums.total * torch.nan) if self.trainer.global_step == 1 else sums

    loss = LanguageModel.loss
    monkeypatch.setattr(LanguageModel, "loss", without_a_number)
    run([*small, *FEW, "--trainer.limit_train_batches", "3", "--run", "nan", "--on_nan", "skip"])
    assert "Updates skipped for NaN or infinite numbers: 1; train/skipped shows when." in capsys.readouterr().out


def test_a_model_that_gives_no_numbers_says_so_in_place_of_a_sample(
    here: Path, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    huge = ("--on_nan", "skip", "--optimizer", "sgd", "--optimizer.lr", "1e38")
    left = run([*small, *FEW, "--run", "nan", *huge])
    assert "(the model gives no numbers here (NaN); use a checkpoint" in capsys.readouterr().out
    assert (left.folder / "result.json").is_file()
