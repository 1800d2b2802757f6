from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
from conftest import STORY
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from seqlab.callbacks.keeping import KeepBest, KeepLast
from seqlab.callbacks.step_time import StepTime
from seqlab.cli.build import make_data, make_model
from seqlab.cli.plan import plan
from seqlab.cli.settings import read_settings
from seqlab.cli.trainer import cluster, make_trainer, monitor_of
from seqlab.errors import UserError
from seqlab.models.classification import TextClassifier

SMALL = (
    *("--data", "text", "--data.path", str(STORY), "--data.batch_size", "4", "--data.num_steps", "8"),
    *("--model.hidden_size", "4", "--trainer.accelerator", "cpu"),
)


def trainer(folder: Path, *words: str, **objects: Any) -> pl.Trainer:
    settings = read_settings(plan([*SMALL, *words]))
    data = make_data(settings)
    model, _ = make_model(settings, data, objects)
    return make_trainer(settings, data, model, folder, objects)


def one(made: pl.Trainer, kind: type[pl.Callback]) -> Any:
    return next((callback for callback in made.callbacks if isinstance(callback, kind)), None)


def test_what_watches_and_keeps_a_run(tmp_path: Path) -> None:
    made = trainer(tmp_path / "logs" / "run", "--patience", "2", "--monitor", "val_perplexity")
    assert isinstance(made.logger, TensorBoardLogger)
    assert Path(made.logger.log_dir) == tmp_path / "logs" / "run"
    stopping, best, last = (one(made, kind) for kind in (EarlyStopping, KeepBest, KeepLast))
    assert (stopping.monitor, stopping.patience, stopping.mode) == ("val/perplexity", 2, "min")
    assert (best.monitor, best.mode) == ("val/perplexity", "min")
    assert last.path == tmp_path / "logs" / "run" / "checkpoints" / "last.ckpt"
    assert one(made, StepTime) is not None
    assert (made.max_epochs, made.gradient_clip_val) == (20, 1.0)


def test_nothing_that_was_not_asked_for(tmp_path: Path) -> None:
    made = trainer(
        tmp_path / "run",
        *("--watch", "none", "--data.val_fraction", "0", "--trainer.enable_checkpointing", "false"),
    )
    assert all(one(made, kind) is None for kind in (EarlyStopping, KeepBest, KeepLast, StepTime))
    assert one(trainer(tmp_path / "run", "--patience", "null"), EarlyStopping) is None


def test_callbacks_and_loggers_of_the_user(tmp_path: Path) -> None:
    words = ("--trainer.callbacks+=LearningRateMonitor", "--trainer.logger", "CSVLogger")
    mine = pl.Callback()
    made = trainer(tmp_path / "logs" / "run", *words, callbacks=[mine])
    assert one(made, LearningRateMonitor) is not None
    assert mine in made.callbacks
    assert isinstance(made.logger, CSVLogger)
    assert Path(made.logger.log_dir) == tmp_path / "logs" / "run"
    own = CSVLogger(str(tmp_path))
    assert trainer(tmp_path / "run", logger=own).loggers == [own]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--trainer.gradient_clip_val -1", "gradient_clip_val -1 must be above 0, or null to clip nothing"),
        (
            "--trainer.accumulate_grad_batches 0",
            "--trainer.accumulate_grad_batches 0 must be a whole number of at least",
        ),
        (
            "--trainer.val_check_interval 78",
            "--trainer.val_check_interval 78 must be at most the 77 batches of an epoch",
        ),
        (
            "--trainer.strategy ddp_spawn",
            "--trainer.strategy does not take 'ddp_spawn', only what starts its processes",
        ),
        (
            "--trainer.precision bf16-true",
            "--trainer.precision does not take 'bf16-true', only what keeps weights whole",
        ),
        ("--trainer.strategy ddpp", "--trainer.strategy does not take 'ddpp'"),
        ("--trainer.overfit_batches -1", "--trainer.overfit_batches -1 must be a whole number of at least 0"),
        ("--monitor val/bleu", "--monitor 'val/bleu' is none of what validation measures: "),
        ("--lr_scheduler reducelronplateau --data.val_fraction 0", "reducelronplateau waits for a lower val/loss, but"),
    ],
)
def test_trainers_that_cannot_be(words: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        trainer(tmp_path / "run", *words.split())
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("name", ["val/accuracy", "val_accuracy"])
def test_the_best_of_a_measure_is_its_highest_where_that_is_better(name: str) -> None:
    assert monitor_of(name, TextClassifier) == ("val/accuracy", "max")  # type: ignore[arg-type]
    assert monitor_of("val_loss", TextClassifier) == ("val/loss", "min")  # type: ignore[arg-type]


def test_who_started_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster() is None
    for name in ("TORCHELASTIC_RUN_ID", "GROUP_RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    assert type(cluster()).__name__ == "TorchElasticEnvironment"
