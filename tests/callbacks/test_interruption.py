import os
import signal
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from seqlab.callbacks.interruption import Interrupted, Interruption
from seqlab.callbacks.keeping import KeepLast, WholeFiles
from seqlab.runs.checkpoint import read_checkpoint

BOTH = (signal.SIGINT, signal.SIGTERM)


class Signals(pl.Callback):
    """Sends a signal to this process in the middle of a step, as many times as asked."""

    def __init__(self, number: int, before_step: int, times: int = 1) -> None:
        self.number, self.before_step, self.times = number, before_step, times

    def on_before_optimizer_step(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step + 1 == self.before_step:
            for _time in range(self.times):
                os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "SIGINT"), (signal.SIGTERM, 143, "SIGTERM")])
def test_a_signal_finishes_the_step_saves_and_stops(
    number: int, code: int, name: str, tmp_path: Path, fit: Any
) -> None:
    path = tmp_path / "checkpoints" / "last.ckpt"
    with pytest.raises(SystemExit) as caught:
        fit(Signals(number, before_step=4), Interruption(path), plugins=[WholeFiles()])
    assert caught.value.code == code
    assert isinstance(caught.value, Interrupted)
    assert caught.value.signal == name
    assert read_checkpoint(path)["global_step"] == 4
    assert os.listdir(path.parent) == ["last.ckpt"]


@pytest.mark.parametrize("step", [4, 10, 13])
def test_the_run_goes_on_to_the_same_end(step: int, tmp_path: Path, fit: Any) -> None:
    path = tmp_path / "last.ckpt"
    with pytest.raises(Interrupted):
        fit(Signals(signal.SIGTERM, step), Interruption(path), plugins=[WholeFiles()])
    _, whole = fit()
    trainer, resumed = fit(Interruption(path), ckpt_path=path, plugins=[WholeFiles()])
    assert trainer.global_step == 20
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("step", [4, 5, 10])
def test_it_stops_where_every_step_is_validated(step: int, tmp_path: Path, fit: Any) -> None:
    options = {"plugins": [WholeFiles()], "enable_checkpointing": True, "val_check_interval": 1}
    keep = KeepLast(tmp_path)
    with pytest.raises(Interrupted):
        fit(Signals(signal.SIGTERM, step), Interruption(keep.path), keep, **options)
    assert read_checkpoint(keep.path)["global_step"] == step
    _, whole = fit(KeepLast(tmp_path / "whole"), **options)
    _, resumed = fit(KeepLast(tmp_path / "resumed"), ckpt_path=keep.path, **options)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_second_ctrl_c_stops_at_once(tmp_path: Path, fit: Any) -> None:
    with pytest.raises((KeyboardInterrupt, SystemExit)) as caught:
        fit(Signals(signal.SIGINT, before_step=4, times=2), Interruption(tmp_path / "last.ckpt"))
    assert not isinstance(caught.value, Interrupted)
    assert not (tmp_path / "last.ckpt").exists()


class Breaks(pl.Callback):
    def on_train_batch_end(self, *_: Any) -> None:
        raise RuntimeError("something else")


@pytest.mark.parametrize(
    ("callbacks", "ends"),
    [([], None), ([Signals(signal.SIGTERM, 4)], Interrupted), ([Breaks()], RuntimeError)],
    ids=["whole", "signal", "error"],
)
def test_signals_mean_afterwards_what_they_meant_before(
    callbacks: list[pl.Callback], ends: type[BaseException] | None, tmp_path: Path, fit: Any
) -> None:
    before = [signal.getsignal(number) for number in BOTH]
    if ends is None:
        fit(Interruption(tmp_path / "last.ckpt"))
        assert not (tmp_path / "last.ckpt").exists()
    else:
        with pytest.raises(ends):
            fit(*callbacks, Interruption(tmp_path / "last.ckpt"))
    after = [signal.getsignal(number) for number in BOTH]
    for number, handler in zip(BOTH, before, strict=True):
        signal.signal(number, handler)
    assert after == before
