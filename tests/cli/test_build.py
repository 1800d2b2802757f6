import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import STORY

import seqlab
from seqlab.cli.build import batches_used, make_data, make_model, name_of_run
from seqlab.cli.plan import plan
from seqlab.cli.settings import Settings, read_settings
from seqlab.errors import UserError
from seqlab.models.schedules import WarmupCosineLR

Command = Callable[..., Any]
BATCHES = 77
TEXT = ("--data", "text", "--data.path", str(STORY), "--data.batch_size", "4", "--data.num_steps", "8")
FIT = (
    *(
        "--data",
        "text",
        "--data.path",
        str(STORY),
        "--data.batch_size",
        "4",
        "--model.hidden_size",
        "4",
        "--bar",
        "none",
    ),
    *("--trainer.accelerator", "cpu", "--watch", "none", "--trainer.limit_train_batches", "4"),
)
CYCLE = ("--lr_scheduler", "onecyclelr", "--lr_scheduler.max_lr", "0.01")

ENDS = {
    "steps": (["--lr_scheduler.total_steps", "11"], "11 steps", "takes 12", "--trainer.max_steps 11"),
    "epochs": (
        ["--lr_scheduler.total_steps", "2", "--lr_scheduler.interval", "epoch"],
        *("2 epochs", "takes 3", "--trainer.max_epochs 2"),
    ),
    "counted in epochs": (
        ["--lr_scheduler.epochs", "2", "--lr_scheduler.steps_per_epoch", "4"],
        *("8 steps", "takes 12", "--trainer.max_steps 8"),
    ),
    "no end": (
        ["--lr_scheduler.total_steps", "11", "--trainer.max_epochs", "-1", "--trainer.max_time", "00:00:01:00"],
        *("11 steps", "has no end", "--trainer.max_steps 11"),
    ),
}


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


@pytest.mark.parametrize("case", ENDS)
def test_a_schedule_that_ends_before_training_does_is_refused(case: str, refusal: Command) -> None:
    options, end, takes, bound = ENDS[case]
    pair = "--lr_scheduler.epochs" in options
    named = "epochs and --lr_scheduler.steps_per_epoch" if pair else "total_steps"
    assert refusal("fit", *FIT, "--trainer.max_epochs", "3", *CYCLE, *options) == (
        f"onecyclelr ends after {end} (--lr_scheduler.{named}), and this run {takes}; leave "
        f"{'those options' if pair else 'that option'} out, or bound the run with {bound}"
    )


def test_a_schedule_goes_to_its_last_step_and_not_beyond_when_resumed(verb: Command) -> None:
    options = (*CYCLE, "--lr_scheduler.total_steps", "4", "--run", "cycle")
    assert verb("fit", *FIT, *options, "--trainer.max_epochs", "1").code == 0
    finished = verb("fit", "--ckpt_path", "last", "--run", "cycle", "--trainer.max_epochs", "2")
    assert finished.code == 2
    assert "and this run takes 8; train anew, or bound the run with --trainer.max_steps 4\n" in finished.err


def test_a_schedule_that_stays_at_its_last_rate_says_so(verb: Command) -> None:
    options = ("--lr_scheduler", "warmupcosinelr", "--lr_scheduler.total_steps", "3", "--trainer.max_epochs", "1")
    finished = verb("fit", *FIT, *options)
    assert finished.code == 0
    assert "ends after 3 steps (--lr_scheduler.total_steps), and this run takes 4, the rest of it at" in finished.err


def test_a_schedule_that_fails_at_its_first_step_is_refused(refusal: Command) -> None:
    words = refusal("fit", *FIT, "--lr_scheduler", "steplr", "--lr_scheduler.step_size", "0")
    assert words == "--lr_scheduler.step_size 0 must be a whole number of at least 1"


def test_a_run_is_named_after_what_was_chosen(verb: Command) -> None:
    chosen = ("--optimizer", "sgd", "--optimizer.lr", "0.1", "--lr_scheduler=steplr", "--lr_scheduler.step_size", "1")
    finished = verb("fit", *FIT, *chosen, "--trainer.max_epochs", "1")
    assert "-optimizer=sgd-lr_scheduler=steplr-" in finished.out.splitlines()[0]
    assert "name=" not in finished.out


def test_a_share_beside_a_file_of_its_part_is_refused(refusal: Command) -> None:
    words = refusal("fit", *FIT, "--data.val_path", str(STORY), "--data.val_fraction", "0.2")
    said = "--data.val_fraction means nothing beside --data.val_path, which is the whole part; leave one of them out"
    assert words == said


def test_a_batch_of_any_task_must_fit_in_memory(refusal: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.models.sizes.memory", lambda: 10**6)
    samples = Path(seqlab.__file__).parent / "data" / "samples"
    data = ("--data", "labelled", "--data.path", str(samples / "questions.tsv"), "--data.batch_size", "160")
    words = refusal("fit", *data, "--model", "gru", "--model.hidden_size", "8", "--model.embedding_size", "8")
    assert re.search(r"of activations in a batch of [1-9],\d{3} items, but this machine has 0.0 GB", words)
