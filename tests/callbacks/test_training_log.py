import math
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import lightning.pytorch as pl
import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR

from seqlab.callbacks.gradient_norms import GradientNorms, gradient_norm
from seqlab.callbacks.training_log import TrainingLog

NAMES = {"loss", "perplexity", "grad_norm", "grad_norm_clipped", "tokens_per_second", "lr"}


def log_after_norms() -> tuple[GradientNorms, TrainingLog]:
    norms = GradientNorms()
    return norms, TrainingLog(norms)


class Losses(pl.Callback):
    """Keeps nats and tokens of each step."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, int]] = []

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
        self.steps.append((float(outputs["total"]), int(outputs["count"])))


def test_names_and_steps(fit: Any, memory: Any) -> None:
    norms, log = log_after_norms()
    fit(norms, log, logger=memory, log_every_n_steps=4)
    logged = {step: values for step, values in memory.logged.items() if "train/loss" in values}
    assert list(logged) == [4, 8, 12, 16, 20]
    for values in logged.values():
        assert {f"train/{name}" for name in NAMES} <= set(values)
        assert all(math.isfinite(value) for value in values.values())
    assert [values["epoch"] for values in logged.values()] == [0, 0, 1, 1, 1]
    assert log.latest == {name: value for name, value in logged[20].items() if name in log.latest}
    assert set(log.latest) == {f"train/{name}" for name in NAMES}


def test_the_loss_is_the_mean_since_the_last_entry(fit: Any, memory: Any) -> None:
    losses = Losses()
    fit(losses, *log_after_norms(), logger=memory, log_every_n_steps=4)
    assert {tokens for _, tokens in losses.steps} == {80}
    for step in (4, 8, 12, 16, 20):
        mean = sum(nats for nats, _ in losses.steps[step - 4 : step]) / 320
        assert memory.logged[step]["train/loss"] == pytest.approx(mean, rel=1e-6)
        assert memory.logged[step]["train/perplexity"] == pytest.approx(math.exp(mean), rel=1e-6)


def test_the_penalty_is_not_in_the_loss(fit: Any, memory: Any) -> None:
    losses = Losses()
    fit(losses, *log_after_norms(), logger=memory, log_every_n_steps=1, max_steps=1, model={"l1": 5.0})
    assert memory.logged[1]["train/loss"] == pytest.approx(losses.steps[0][0] / 80, rel=1e-6)


@pytest.mark.parametrize("clip", [0.05, None, 1e6])
def test_gradient_norm_before_and_after_clipping(clip: float | None, fit: Any, memory: Any) -> None:
    fit(*log_after_norms(), logger=memory, log_every_n_steps=3, gradient_clip_val=clip)
    for step in range(3, 20, 3):
        norm, clipped = (memory.logged[step][f"train/{name}"] for name in ("grad_norm", "grad_norm_clipped"))
        assert norm > 0.1
        assert clipped == pytest.approx(clip if clip == 0.05 else norm, rel=1e-4)


@pytest.mark.parametrize("every", [1, 4])
def test_the_share_of_steps_that_were_clipped(every: int, fit: Any, memory: Any, here: Path) -> None:
    class Norms(pl.Callback):
        seen: ClassVar[list[float]] = []

        def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
            self.seen.append(float(gradient_norm(module)))

    Norms.seen.clear()
    fit(*log_after_norms(), logger=None, max_epochs=1, gradient_clip_val=1e6)
    fit(Norms(), *log_after_norms(), logger=memory, log_every_n_steps=every, max_epochs=1, gradient_clip_val=0.3)
    for step in range(every, 11, every):
        share = sum(norm > 0.3 for norm in Norms.seen[step - every : step]) / every
        assert memory.logged[step]["train/clipped"] == share
    assert {norm > 0.3 for norm in Norms.seen} == {True, False}


def test_gradient_norm_literal() -> None:
    module = torch.nn.Linear(2, 1)
    module.weight.grad, module.bias.grad = torch.tensor([[3.0, 0.0]]), torch.tensor([4.0])
    assert float(gradient_norm(module)) == 5.0  # type: ignore[arg-type]
    module.bias.grad = None
    assert float(gradient_norm(module)) == 3.0  # type: ignore[arg-type]


def test_the_rate_of_the_schedule(fit: Any, memory: Any) -> None:
    options = {"optimizer": partial(SGD, lr=0.5), "lr_scheduler": partial(StepLR, step_size=1, gamma=0.1)}
    fit(*log_after_norms(), logger=memory, log_every_n_steps=5, model=options)
    assert [memory.logged[step]["train/lr"] for step in (5, 15)] == pytest.approx([0.5, 0.05])


def test_speed_counts_training_time_alone(fit: Any, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 0.0}
    monkeypatch.setattr("seqlab.callbacks.training_log.time.monotonic", lambda: clock["now"])

    class Passes(pl.Callback):
        """A step takes half a second and a validation an hour."""

        def on_train_batch_start(self, *_: Any) -> None:
            clock["now"] += 0.5

        def on_validation_batch_start(self, *_: Any) -> None:
            clock["now"] += 3600.0

    fit(Passes(), *log_after_norms(), logger=memory, log_every_n_steps=4)
    speeds = [values["train/tokens_per_second"] for values in memory.logged.values() if "train/loss" in values]
    assert speeds == pytest.approx([160.0] * 5)


def test_accumulated_batches_are_one_step(fit: Any, memory: Any) -> None:
    losses = Losses()
    fit(losses, *log_after_norms(), logger=memory, log_every_n_steps=1, accumulate_grad_batches=2, max_epochs=1)
    logged = {step: values["train/loss"] for step, values in memory.logged.items() if "train/loss" in values}
    assert list(logged) == [1, 2, 3, 4, 5]
    for step, loss in logged.items():
        assert loss == pytest.approx(sum(nats for nats, _ in losses.steps[2 * step - 2 : 2 * step]) / 160, rel=1e-6)


def test_an_enormous_loss_has_a_finite_perplexity(fit: Any, memory: Any) -> None:
    class Explode(pl.Callback):
        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
            outputs["total"] = torch.tensor(80e6)

    fit(Explode(), *log_after_norms(), logger=memory, log_every_n_steps=1, max_steps=1)
    assert memory.logged[1]["train/loss"] == pytest.approx(1e6)
    assert math.isfinite(memory.logged[1]["train/perplexity"])
