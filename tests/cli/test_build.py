from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
STORY = str(Path(__file__).parents[1] / "fixtures" / "story.txt")
FIT = (
    *("--data", "text", "--data.path", STORY, "--data.batch_size", "4", "--model.hidden_size", "4", "--bar", "none"),
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


@pytest.mark.parametrize("case", ENDS)
def test_a_schedule_that_ends_before_training_does_is_refused(case: str, refusal: Command) -> None:
    options, end, takes, bound = ENDS[case]
    assert refusal("fit", *FIT, "--trainer.max_epochs", "3", *CYCLE, *options) == (
        f"onecyclelr ends after {end} (--lr_scheduler.total_steps), and this run {takes}; leave that option out, or "
        f"bound the run with {bound}"
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
    assert words.startswith("the optimizer or its schedule refuses its options: integer modulo by zero")


def test_a_run_is_named_after_what_was_chosen(verb: Command) -> None:
    chosen = ("--optimizer", "sgd", "--optimizer.lr", "0.1", "--lr_scheduler=steplr", "--lr_scheduler.step_size", "1")
    finished = verb("fit", *FIT, *chosen, "--trainer.max_epochs", "1")
    assert "-optimizer=sgd-lr_scheduler=steplr-" in finished.out.splitlines()[0]
    assert "name=" not in finished.out
