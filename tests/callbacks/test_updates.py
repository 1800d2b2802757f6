from functools import partial
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch.optim import SGD

from seqlab.callbacks.updates import Updates, parts

LR = 0.5


class Watch(pl.Callback):
    """Weights before, and gradients of, every step, by part."""

    def __init__(self) -> None:
        self.norms: list[dict[str, tuple[float, float]]] = []

    def on_before_optimizer_step(self, trainer: Any, module: pl.LightningModule, optimizer: Any) -> None:
        def norm(tensors: list[torch.Tensor]) -> float:
            return float(torch.cat([tensor.detach().flatten() for tensor in tensors]).norm())

        self.norms.append({p: (norm([w.grad for w in ws]), norm(ws)) for p, ws in parts(module).items()})


def test_norms_and_ratios_under_plain_gradient_descent(fit: Any, memory: Any) -> None:
    """An update of SGD is the learning rate times the gradient."""
    watch = Watch()
    model = {"optimizer": partial(SGD, lr=LR), "embedding_size": 4}
    fit(watch, Updates(), logger=memory, log_every_n_steps=4, max_epochs=1, model=model)
    logged = {step: values for step, values in memory.logged.items() if "gradients/output" in values}
    assert list(logged) == [4, 8]
    for step, values in logged.items():
        assert set(watch.norms[0]) == {"embedding", "recurrent", "output"}
        for part, (gradient, weight) in watch.norms[step - 1].items():
            assert values[f"gradients/{part}"] == pytest.approx(gradient, rel=1e-5)
            assert values[f"update_ratio/{part}"] == pytest.approx(LR * gradient / weight, rel=1e-3)


def test_the_gradient_is_that_before_clipping(fit: Any, memory: Any) -> None:
    watch = Watch()
    model = {"optimizer": partial(SGD, lr=LR)}
    fit(watch, Updates(), logger=memory, log_every_n_steps=5, max_steps=5, gradient_clip_val=1e-3, model=model)
    values = memory.logged[5]
    gradients = {part: norms[0] for part, norms in watch.norms[4].items()}
    total = sum(gradient**2 for gradient in gradients.values()) ** 0.5
    for part, (gradient, weight) in watch.norms[4].items():
        assert values[f"gradients/{part}"] == pytest.approx(gradient, rel=1e-5)
        assert values[f"update_ratio/{part}"] == pytest.approx(LR * 1e-3 * gradient / total / weight, rel=2e-2)
