from typing import Any, cast

import lightning.pytorch as pl
import torch
from torch import nn

from seqlab.callbacks.gradient_norms import GradientNorms, gradient_norm


def module(*gradients: float | None) -> pl.LightningModule:
    made = pl.LightningModule()
    made.weights = nn.ParameterList(nn.Parameter(torch.zeros(1)) for _ in gradients)
    for weight, gradient in zip(made.weights, gradients, strict=True):
        weight.grad = None if gradient is None else torch.tensor([gradient])
    return made


def test_all_gradients_together() -> None:
    assert float(gradient_norm(module(3.0, None, -4.0))) == 5


def test_the_last_few_are_remembered() -> None:
    norms, nothing = GradientNorms(), cast(Any, None)
    for size in (1.0, 2.0, 3.0, 4.0):
        norms.on_before_optimizer_step(nothing, module(size), nothing)
        assert norms.total is not None
        assert float(norms.total) == size
        norms.on_train_batch_end(nothing, nothing, None, None, 0)
        norms.on_train_batch_end(nothing, nothing, None, None, 1)  # a batch that only accumulates
        assert norms.total is None
    assert [float(norm) for norm in norms.before] == [2, 3, 4]
