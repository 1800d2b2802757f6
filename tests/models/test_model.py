from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import StepLR

from seqlab.data.data_module import DataModule
from seqlab.errors import UserError
from seqlab.metrics import MeanLoss, Report
from seqlab.models.model import Model
from seqlab.models.window import Sums
from seqlab.options import Options
from seqlab.text.codec import Codec


@dataclass(frozen=True)
class LineOptions(Options):
    """Options of a line."""

    bias: bool = True

    def build(self, vocab_size: int) -> nn.Linear:
        return nn.Linear(vocab_size, 1, bias=self.bias)


class Line(Model):
    """Learns a number from a vector."""

    task = "line"
    says = "line"

    def loss(self, batch: Any, stage: str) -> Sums:
        inputs, targets = batch
        return Sums((self.network(inputs).squeeze(1) - targets).square().sum(), len(targets))

    def evaluate(self, data: DataModule, split: Any = "test") -> Report:
        raise NotImplementedError

    def predict(self, inputs: Iterable[Any]) -> Iterator[str]:
        return (str(one) for one in inputs)


CODECS = {"text": Codec.build(lambda: iter(["ab"]))}
BATCH = (torch.eye(3), torch.tensor([1.0, 2.0, 3.0]))


def line(**options: Any) -> Line:
    torch.manual_seed(0)
    return Line(LineOptions(), CODECS, **options)


def test_a_network_of_the_sizes_of_its_codecs() -> None:
    assert line().network.in_features == CODECS["text"].vocab_size == 3
    assert line().can() == ["evaluate", "predict", "export"]


def test_every_metric_takes_the_sums_unless_a_task_says_otherwise() -> None:
    model = line()
    nn.init.zeros_(model.network.weight)
    nn.init.zeros_(model.network.bias)
    model.validation_step(BATCH, 0)
    loss = model.metrics["loss"]
    assert isinstance(loss, MeanLoss)
    assert float(loss.compute()) == pytest.approx((1 + 4 + 9) / 3)
    model.on_validation_epoch_start()
    assert int(loss.count) == 0


def test_raw_inputs_are_answered_in_their_order() -> None:
    assert line().predict_step([3, 1], 0) == ["3", "1"]


def test_a_rate_set_before_training_replaces_the_optimizers() -> None:
    model = line(optimizer=partial(SGD, lr=0.5))
    assert model.lr == 0.5
    model.lr = 0.125
    assert model.configure_optimizers().param_groups[0]["lr"] == 0.125
    chosen = line(lr_scheduler=partial(StepLR, step_size=2), lr_interval="step").configure_optimizers()
    assert isinstance(chosen["lr_scheduler"]["scheduler"], StepLR)
    assert chosen["lr_scheduler"]["interval"] == "step"


def test_what_was_chosen_is_kept_as_plain_values() -> None:
    kept = line(optimizer=partial(SGD, lr=0.5), name="straight").hparams
    assert (kept["model"], kept["options"], kept["optimizer"]) == (
        "straight",
        {"bias": True},
        {"name": "sgd", "lr": 0.5},
    )


def checkpoint_of(model: Line) -> dict[str, Any]:
    content: dict[str, Any] = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    model.on_save_checkpoint(content)
    return content


def test_a_model_of_a_checkpoint() -> None:
    model = line(optimizer=partial(SGD, lr=0.5), name="straight")
    again = Line.from_checkpoint(checkpoint_of(model), LineOptions(), CODECS, "straight")
    assert not again.training
    assert torch.equal(again.network.weight, model.network.weight)
    optimizer = again.configure_optimizers()
    assert isinstance(optimizer, SGD)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_an_optimizer_that_no_name_stands_for_becomes_adam() -> None:
    def own(parameters: Iterable[Tensor]) -> SGD:
        return SGD(parameters, lr=0.5)

    again = Line.from_checkpoint(checkpoint_of(line(optimizer=own)), LineOptions(), CODECS, "")
    assert isinstance(again.configure_optimizers(), Adam)


def test_states_of_weights_follow_their_names() -> None:
    model = line()
    content = checkpoint_of(model)
    assert content["seqlab"]["parameters"] == ["network.weight", "network.bias"]
    content["seqlab"]["parameters"] = ["network.bias", "network.weight"]
    content["optimizer_states"] = [{"state": {0: "of the bias", 1: "of the weight"}}]
    model.on_load_checkpoint(content)
    assert content["optimizer_states"] == [{"state": {1: "of the bias", 0: "of the weight"}}]


def test_what_is_trained_by_gradients_has_nothing_to_count() -> None:
    nothing: Any = None
    with pytest.raises(UserError, match="^straight is trained by gradients; there is nothing to count$"):
        line(name="straight").count(nothing)
