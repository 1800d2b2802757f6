import functools
import re

import pytest
import torch
from conftest import STORY

from seqlab.cli.build import batches_used, make_data, make_model, name_of_run
from seqlab.cli.plan import plan
from seqlab.cli.settings import Settings, read_settings
from seqlab.errors import UserError
from seqlab.models.schedules import WarmupCosineLR

BATCHES = 77
TEXT = ("--data", "text", "--data.path", str(STORY), "--data.batch_size", "4", "--data.num_steps", "8")


def settings(*words: str) -> Settings:
    return read_settings(plan([*TEXT, "--model.hidden_size", "4", *words]))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ((), ("gru-story-hidden_size=4-batch_size=4-num_steps=8", True)),
        (("--run", "mine"), ("mine", False)),
        (("--seed", "3"), ("gru-story-hidden_size=4-batch_size=4-num_steps=8", True)),
    ],
)
def test_a_name_says_what_differs(words: tuple[str, ...], name: tuple[str, bool]) -> None:
    made = settings(*words)
    assert name_of_run(made, make_data(made)) == name


@pytest.mark.parametrize(
    ("words", "total"),
    [
        (("--trainer.max_epochs", "3"), 3 * BATCHES),
        (("--trainer.max_epochs", "3", "--trainer.accumulate_grad_batches", "2"), 3 * 39),
        (("--trainer.max_epochs", "3", "--trainer.max_steps", "50"), 50),
        (("--trainer.max_epochs", "3", "--trainer.limit_train_batches", "5"), 15),
        (("--trainer.max_epochs", "-1", "--lr_scheduler.total_steps", "9"), 9),
    ],
)
def test_a_schedule_knows_how_long_training_takes(words: tuple[str, ...], total: int) -> None:
    made = settings("--lr_scheduler", "warmupcosinelr", *words)
    model, schedule = make_model(made, make_data(made), {})
    assert (schedule.total_steps, schedule.interval) == (total, "step")
    chosen = model.configure_optimizers()["lr_scheduler"]["scheduler"]
    assert isinstance(chosen, WarmupCosineLR)


def test_batches_that_the_trainer_will_use() -> None:
    made = settings("--trainer.limit_train_batches", "0.5")
    assert batches_used(made, make_data(made)) == BATCHES // 2


def test_a_model_of_the_options_with_an_optimizer_of_pythons() -> None:
    made = settings("--model", "lstm", "--optimizer.lr", "0.5")
    data = make_data(made)
    model, _ = make_model(made, data, {})
    assert (model.name, model.options.cell, model.options.hidden_size) == ("lstm", "lstm", 4)
    assert model.codecs == data.codecs
    assert model.configure_optimizers().param_groups[0]["lr"] == 0.5
    own, _ = make_model(made, data, {"optimizer": functools.partial(torch.optim.SGD, lr=0.25)})
    assert isinstance(own.configure_optimizers(), torch.optim.SGD)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--lr_scheduler", "warmupcosinelr", "--trainer.max_epochs", "-1"),
            "warmupcosinelr must know how long training",
        ),
        (("--optimizer", "sgd", "--optimizer.lr", "-1"), "the optimizer or its schedule refuses its options: Invalid"),
    ],
)
def test_models_that_cannot_be(words: tuple[str, ...], sentence: str) -> None:
    made = settings(*words)
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}"):
        make_model(made, make_data(made), {})
