import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from seqlab.callbacks.divergence import Divergence
from seqlab.callbacks.gradient_norms import GradientNorms
from seqlab.callbacks.keeping import KeepLast, WholeFiles
from seqlab.callbacks.training_log import TrainingLog
from seqlab.errors import UserError
from seqlab.models.language import LanguageModel


class Poison(pl.Callback):
    """Makes the loss of some steps, or their gradients, NaN; keeps the weights after every step."""

    def __init__(self, steps: set[int], gradients: bool = False) -> None:
        self.steps, self.gradients = steps, gradients
        self.weights: list[torch.Tensor] = []
        self.carried = 0

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        step, bad = type(module).training_step, batch_idx in self.steps and not self.gradients

        def poisoned(*call: Any) -> dict[str, Any]:
            outputs = step(module, *call)
            if bad:
                outputs = {**outputs, "loss": outputs["loss"] * torch.nan, "total": outputs["total"] * torch.nan}
            return outputs

        module.training_step = poisoned  # type: ignore[method-assign, assignment]

    def on_after_backward(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.gradients and trainer.global_step in self.steps:
            next(module.parameters()).grad.fill_(torch.inf)  # type: ignore[union-attr]

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        self.weights.append(torch.cat([weight.detach().flatten() for weight in module.parameters()]))
        self.carried = len(module._carry)  # type: ignore[arg-type]


def test_it_stops_before_the_weights_are_lost(fit: Any, memory: Any) -> None:
    norms, poison = GradientNorms(), Poison({5})
    with pytest.raises(UserError) as caught:
        fit(norms, poison, Divergence(norms, skip=False), TrainingLog(norms), logger=memory, log_every_n_steps=1)
    told = [f"{memory.logged[step]['train/grad_norm']:.3g}" for step in (3, 4, 5)]
    assert str(caught.value) == (
        f"the loss is nan after step 5, the gradient norms of the steps before it were {', '.join(told)}; "
        "lower --optimizer.lr or --trainer.gradient_clip_val, or leave such batches out with --on_nan skip"
    )
    assert len(poison.weights) == 5
    assert bool(poison.weights[-1].isfinite().all())


@pytest.mark.parametrize("gradients", [False, True])
def test_an_update_is_left_out(gradients: bool, fit: Any, memory: Any, capsys: pytest.CaptureFixture[str]) -> None:
    norms, poison = GradientNorms(), Poison({4}, gradients)
    watch = Divergence(norms, skip=True)
    trainer, _ = fit(poison, norms, watch, TrainingLog(norms), logger=memory, log_every_n_steps=1, max_epochs=1)
    assert trainer.global_step == 10
    assert watch.skipped == 1
    changed = [not torch.equal(*pair) for pair in zip(poison.weights, poison.weights[1:], strict=False)]
    assert changed == [True] * 3 + [False] + [True] * 5
    assert all(value == value for row in memory.logged.values() for value in row.values())
    assert re.search("NaN or infinite numbers after step 4; the update is skipped", capsys.readouterr().err)


def test_updates_left_out_are_counted_through_checkpoints(tmp_path: Path, fit: Any, memory: Any) -> None:
    options = {"plugins": [WholeFiles()], "enable_checkpointing": True, "logger": memory, "log_every_n_steps": 1}
    first, second = GradientNorms(), GradientNorms()
    watch = Divergence(first, skip=True)
    fit(first, Poison({4}), watch, TrainingLog(first, watch), KeepLast(tmp_path), max_epochs=1, **options)
    watch = Divergence(second, skip=True)
    path = tmp_path / "last.ckpt"
    keep = KeepLast(tmp_path)
    fit(second, Poison({2, 5}), watch, TrainingLog(second, watch), keep, max_epochs=2, ckpt_path=path, **options)
    assert watch.skipped == 3
    counted = {step: row["train/skipped"] for step, row in memory.logged.items() if "train/skipped" in row}
    assert [counted[step] for step in (3, 6, 10, 12, 14, 15, 17, 20)] == [0, 1, 1, 1, 2, 2, 3, 3]


def test_a_run_says_how_many_updates_it_left_out(verb: Any, small: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    step = LanguageModel.training_step

    def poisoned(self: LanguageModel, batch: Any, batch_idx: int) -> dict[str, Any]:
        outputs = step(self, batch, batch_idx)
        return {**outputs, "loss": outputs["loss"] * torch.nan} if batch_idx in (3, 8) else outputs

    words = "Updates skipped for NaN or infinite numbers: 2; train/skipped shows when.\n"
    assert "left out" not in verb("fit", *small, "--on_nan", "skip", "--trainer.max_steps", "10").out
    monkeypatch.setattr(LanguageModel, "training_step", poisoned)
    assert words in verb("fit", *small, "--on_nan", "skip", "--trainer.max_steps", "10").out


def test_nothing_is_carried_out_of_a_batch_that_was_left_out(fit: Any) -> None:
    norms, poison = GradientNorms(), Poison({9})
    fit(poison, norms, Divergence(norms, skip=True), max_epochs=1)
    assert poison.carried == 0


def test_a_sound_run_is_left_alone(fit: Any) -> None:
    results = []
    norms = GradientNorms()
    for callbacks in ((), (norms, Divergence(norms, skip=False)), (norms, Divergence(norms, skip=True))):
        poison = Poison(set())
        fit(poison, *callbacks)
        results.append(poison.weights[-1])
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_it_stops_at_a_gradient_that_is_no_number(fit: Any) -> None:
    norms, poison = GradientNorms(), Poison({4}, gradients=True)
    with pytest.raises(UserError, match=r"^the gradient norm is (inf|nan) after step 4, the gradient norms .*; lower "):
        fit(poison, norms, Divergence(norms, skip=False))
    assert len(poison.weights) == 4
    assert bool(poison.weights[-1].isfinite().all())


@pytest.mark.parametrize("scaler", [None, object()])
def test_a_scaler_of_float16_looks_for_its_scale(scaler: object) -> None:
    norms = GradientNorms()
    norms.total = torch.tensor(torch.inf)
    trainer = SimpleNamespace(precision_plugin=SimpleNamespace(scaler=scaler), global_step=3)
    call = partial(Divergence(norms, skip=False).on_before_optimizer_step, trainer, torch.nn.Linear(1, 1), None)
    if scaler is None:
        with pytest.raises(UserError, match="the gradient norm is inf after step 3"):
            call()
    else:
        call()
