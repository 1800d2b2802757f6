import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from seqlab.callbacks.gradient_norms import GradientNorms
from seqlab.callbacks.interruption import is_border
from seqlab.callbacks.keeping import KeepBest, KeepLast, Often, RunRecord, WholeFiles
from seqlab.callbacks.random_state import RandomState
from seqlab.callbacks.training_log import TrainingLog
from seqlab.errors import UserError
from seqlab.runs.checkpoint import read_checkpoint
from seqlab.runs.provenance import arithmetic


class Worsens(pl.Callback):
    """Reports the validation losses that it is told to."""

    def __init__(self, losses: list[float]) -> None:
        self.losses = iter(losses)

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        module.log_dict = lambda values: None  # type: ignore[method-assign, assignment]
        module.log("val/loss", next(self.losses))


@pytest.mark.parametrize(("losses", "best"), [([3.0, 1.0, 2.0], 20), ([1.0, 2.0, 3.0], 10), ([3.0, 2.0, 1.0], 30)])
def test_best_by_validation_loss(losses: list[float], best: int, tmp_path: Path, fit: Any) -> None:
    keep = KeepBest(tmp_path, "val/loss", "min")
    fit(Worsens(losses), keep, plugins=[WholeFiles()], max_epochs=3, enable_checkpointing=True)
    assert os.listdir(tmp_path) == ["best.ckpt"]
    assert read_checkpoint(tmp_path / "best.ckpt")["global_step"] == best
    assert keep.best_model_path == str(tmp_path / "best.ckpt")


@pytest.mark.parametrize(
    "losses",
    [
        [3.0, 1.0, 2.0],
        [3.0, 2.0, 1.0],
    ],
)
def test_last_is_the_last(losses: list[float], tmp_path: Path, fit: Any) -> None:
    keep = [KeepBest(tmp_path, "val/loss", "min"), KeepLast(tmp_path)]
    fit(Worsens(losses), *keep, plugins=[WholeFiles()], max_epochs=3, enable_checkpointing=True)
    assert read_checkpoint(tmp_path / "last.ckpt")["global_step"] == 30


@pytest.mark.parametrize(("limits", "step"), [({"max_epochs": 3}, 30), ({"max_epochs": 4, "max_steps": 33}, 33)])
def test_the_last_step_is_kept_wherever_it_falls(limits: dict[str, int], step: int, tmp_path: Path, fit: Any) -> None:
    keep = KeepLast(tmp_path, every_n_epochs=2)
    fit(keep, plugins=[WholeFiles()], enable_checkpointing=True, limit_val_batches=0, **limits)
    assert os.listdir(tmp_path) == ["last.ckpt"]
    assert read_checkpoint(tmp_path / "last.ckpt")["global_step"] == step


def test_every_nth_epoch_is_kept(tmp_path: Path, fit: Any) -> None:
    class Seen(pl.Callback):
        steps: ClassVar[list[int]] = []

        def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            self.steps.append(read_checkpoint(last)["global_step"] if last.exists() else 0)

    last = tmp_path / "last.ckpt"
    fit(KeepLast(tmp_path, every_n_epochs=2), Seen(), plugins=[WholeFiles()], max_epochs=5, enable_checkpointing=True)
    assert Seen.steps == [0, 0, 20, 20, 40]


def test_checkpoints_resume_with_plain_values_alone(tmp_path: Path, fit: Any) -> None:
    options = {"plugins": [WholeFiles()], "enable_checkpointing": True, "max_epochs": 2}
    model = {"cell": "lstm", "optimizer": partial(SGD, lr=0.3, momentum=0.9)}
    fit(KeepLast(tmp_path), model=model, **options)
    torch.load(tmp_path / "last.ckpt", weights_only=True)
    _, resumed = fit(model=model, plugins=[WholeFiles()], max_epochs=4, ckpt_path=tmp_path / "last.ckpt")
    _, whole = fit(model=model, max_epochs=4)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_whole_files_reads_checkpoints_of_seqlab_alone(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="is not a checkpoint of seqlab"):
        WholeFiles().load_checkpoint(tmp_path / "other.ckpt", weights_only=False)


def test_whole_files_removes_files_and_no_folders(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "file").touch()
    for name in ("file", "never was"):
        WholeFiles().remove_checkpoint(str(tmp_path / name))
    with pytest.raises(OSError):
        WholeFiles().remove_checkpoint(str(tmp_path / "folder"))
    assert os.listdir(tmp_path) == ["folder"]


def test_the_run_is_recorded_in_folder_and_checkpoint(tmp_path: Path, fit: Any) -> None:
    folder = tmp_path / "lightning_logs" / "gru"
    record = RunRecord(folder, "seed: 3\n")
    fit(record, KeepLast(tmp_path), plugins=[WholeFiles()], enable_checkpointing=True)
    assert (folder / "config.yaml").read_text() == "seed: 3\n"
    kept = {"name": "gru", "config": "seed: 3\n", "arithmetic": arithmetic()}
    assert read_checkpoint(tmp_path / "last.ckpt")["run"] == kept


def test_a_trial_run_leaves_no_record(tmp_path: Path, fit: Any) -> None:
    fit(RunRecord(tmp_path / "run", "seed: 3\n"), fast_dev_run=1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "often"),
    [("200", Often(steps=200)), ("30s", Often(seconds=30)), ("5m", Often(seconds=300)), ("1h", Often(seconds=3600))],
)
def test_how_often_is_read(text: str, often: Often) -> None:
    assert Often.read(text) == often


@pytest.mark.parametrize("text", ["0", "5 m", "m", "1.5h", "-3", "0s"])
def test_how_often_is_refused(text: str) -> None:
    words = f"--ckpt_every '{text}' must be a number of steps such as 200, or a time such as 30s, 5m or 1h"
    with pytest.raises(UserError) as caught:
        Often.read(text)
    assert str(caught.value) == words


@pytest.mark.parametrize(("often", "steps"), [(Often(steps=4), [4, 8, 10]), (Often(seconds=0), [*range(1, 11)])])
def test_within_an_epoch_as_often_as_asked_for(often: Often, steps: list[int], tmp_path: Path, fit: Any) -> None:
    saved: list[int] = []

    class Counted(KeepLast):
        def _save(self, trainer: pl.Trainer) -> None:
            super()._save(trainer)
            saved.append(read_checkpoint(self.path)["global_step"])

    fit(Counted(tmp_path, often=often), plugins=[WholeFiles()], max_epochs=1, enable_checkpointing=True)
    assert list(dict.fromkeys(saved)) == steps


def test_a_folder_that_cannot_be_written_does_not_end_training(
    tmp_path: Path, fit: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from seqlab.callbacks import keeping

    write, calls = keeping.write_checkpoint, []

    def full(checkpoint: dict[str, Any], path: Path) -> None:
        calls.append(checkpoint["global_step"])
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        write(checkpoint, path)

    monkeypatch.setattr(keeping, "write_checkpoint", full)
    trainer, _ = fit(KeepLast(tmp_path), plugins=[WholeFiles()], max_epochs=3, enable_checkpointing=True)
    assert trainer.global_step == 30
    assert read_checkpoint(tmp_path / "last.ckpt")["global_step"] == 10
    kept = f"{tmp_path / 'last.ckpt'}, which still holds an earlier step"
    words = f"seqlab: cannot write {kept}: no space left on device; training goes on"
    assert capsys.readouterr().err.splitlines()[:1] == [words]


class Copies(KeepLast):
    """Keeps every checkpoint, by its step."""

    def _save(self, trainer: pl.Trainer) -> None:
        super()._save(trainer)
        shutil.copy(self.path, self.path.parent / f"{trainer.global_step}.ckpt")


WITHIN: dict[str, tuple[dict[str, Any], list[int]]] = {
    "a third of an epoch": ({"val_check_interval": 0.34}, [3, 6, 9, 10, 13, 16, 19, 20, 23, 26, 29, 30]),
    "accumulated": ({"val_check_interval": 4, "accumulate_grad_batches": 2}, [2, 4, 5, 7, 9, 10, 12, 14, 15]),
    "between two updates": ({"val_check_interval": 3, "accumulate_grad_batches": 2}, [3, 5, 8, 10, 13, 15]),
    "across epochs": ({"val_check_interval": 7, "check_val_every_n_epoch": None}, [7, 10, 14, 20, 21, 28, 30]),
}


@pytest.mark.parametrize("case", WITHIN)
def test_every_validation_within_an_epoch_is_kept_and_goes_on_exactly(
    case: str, tmp_path: Path, fit: Any, memory_of: Any
) -> None:
    options, steps = WITHIN[case]
    options = {"plugins": [WholeFiles()], "enable_checkpointing": True, "max_epochs": 3, **options}
    model = {"cell": "lstm", "dropout": 0.5, "optimizer": partial(SGD, lr=0.3, momentum=0.9)}
    model["lr_scheduler"] = partial(ReduceLROnPlateau, factor=0.5, patience=0, threshold=0.5)

    def trained(folder: Path, **more: Any) -> tuple[Any, dict[int, dict[str, float]]]:
        norms, memory = GradientNorms(), memory_of()
        keep = [EarlyStopping("val/loss", patience=50), KeepBest(folder, "val/loss", "min"), Copies(folder)]
        callbacks = (norms, TrainingLog(norms), RandomState(), *keep)
        return fit(*callbacks, model=model, logger=memory, log_every_n_steps=1, **options, **more)[1], memory.logged

    whole, logged = trained(tmp_path / "whole")
    kept = sorted(int(path.stem) for path in (tmp_path / "whole").glob("*.ckpt") if path.stem.isdigit())
    assert kept == steps
    for step in kept[1:-1:3]:
        resumed, rest = trained(tmp_path / "resumed", ckpt_path=tmp_path / "whole" / f"{step}.ckpt")
        for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
            assert torch.equal(one, other), step
        assert after(step, rest) == after(step, logged), step


@pytest.mark.parametrize(
    ("validations", "steps"),
    [
        ({"val_check_interval": 7, "check_val_every_n_epoch": None}, [0, 1, 2, 3, 4, 5, 7, 8]),
        ({"val_check_interval": 4, "check_val_every_n_epoch": 2}, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ({"val_check_interval": 4}, [0, 1, 2, 4, 5, 6, 8]),
        ({"val_check_interval": "00:10:00:00"}, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_borders_are_where_no_validation_follows(validations: dict[str, Any], steps: list[int], fit: Any) -> None:
    class Borders(pl.Callback):
        found: ClassVar[list[int]] = []

        def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *rest: Any) -> None:
            if is_border(trainer, rest[-1]):
                self.found.append(rest[-1])

    Borders.found.clear()
    fit(Borders(), max_epochs=1, **validations)
    assert Borders.found == steps


def after(step: int, logged: dict[int, dict[str, float]]) -> dict[int, dict[str, float]]:
    """What was logged after a step, but for the speed."""
    rows = {later: row for later, row in logged.items() if later > step}
    return {later: {k: v for k, v in row.items() if k != "train/tokens_per_second"} for later, row in rows.items()}


class StopsAtOnce(pl.Callback):
    """Asks for the end of training at every batch."""

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        trainer.should_stop = True


def test_an_end_that_must_wait_is_not_kept_at_every_batch(
    tmp_path: Path, fit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    monkeypatch.setattr(pl.Trainer, "save_checkpoint", lambda trainer, *_, **__: saved.append(trainer.global_step))
    fit(StopsAtOnce(), KeepLast(tmp_path), min_epochs=2, max_epochs=4, enable_checkpointing=True)
    assert saved == [10, 20]
