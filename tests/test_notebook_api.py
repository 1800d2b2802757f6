import re
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.accelerators import CPUAccelerator

import seqlab
import seqlab.evaluate
import seqlab.fit
import seqlab.generate
from seqlab.errors import UserError
from seqlab.runs import folders
from seqlab.runs.checkpoint import read_checkpoint

Command = Callable[..., Any]

STORY = str(Path(__file__).parent / "fixtures" / "story.txt")
DATA = {"name": "text", "path": STORY, "batch_size": 8, "num_steps": 16}
QUIET = {"watch": "none", "bar": "none"}
TRAINER = {"accelerator": "cpu", "max_epochs": 2}


def test_the_verbs_are_functions_although_modules_have_their_names() -> None:
    assert callable(seqlab.fit)
    assert callable(seqlab.evaluate)
    assert callable(seqlab.generate)
    assert not hasattr(seqlab.fit, "main")


def test_fit_is_the_command_line(here: Path, verb: Command, small: list[str]) -> None:
    model = {"name": "gru", "hidden_size": 16, "dropout": 0.0}
    run = seqlab.fit(model=model, data=DATA, trainer=TRAINER, run="notebook", **QUIET)
    assert verb("fit", *small, "--trainer.max_epochs", "2", "--run", "shell").code == 0
    shell = read_checkpoint(here / "lightning_logs" / "shell" / "checkpoints" / "last.ckpt")["state_dict"]
    own = run.model.state_dict()
    assert own.keys() == shell.keys()
    assert all(torch.equal(own[name], shell[name]) for name in own)


def test_a_run_tells_what_it_reached(here: Path) -> None:
    run = seqlab.fit(model="rnn", data=DATA, trainer=TRAINER, optimizer={"lr": 1e-5}, patience=None)
    assert isinstance(run.trainer, pl.Trainer)
    assert run.trainer.global_step == 2 * 19
    assert run.trainer.optimizers[0].param_groups[0]["lr"] == 1e-5
    assert run.checkpoint is not None
    assert run.checkpoint.is_file()
    assert run.model.hparams["options"]["cell"] == "rnn"
    measured = seqlab.evaluate(run.checkpoint, split="val")
    assert run.metrics["best/val_loss"] == pytest.approx(measured.loss, rel=1e-6)
    assert run.metrics["best/val_perplexity"] == pytest.approx(measured.perplexity, rel=1e-6)


def test_a_name_taken_meanwhile_is_left_to_the_run_that_took_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, taken = folders.free_name, []

    def late(logs: Path, wanted: str) -> str:
        found = name(logs, wanted)
        if not taken:
            taken.append(logs / found)
            taken[0].mkdir(parents=True)
        return found

    monkeypatch.setattr(folders, "free_name", late)
    run = seqlab.fit(model="rnn", data=DATA, trainer=TRAINER, **QUIET)
    assert run.checkpoint is not None
    assert run.checkpoint.parts[-3] == f"{taken[0].name}-2"
    assert not list(taken[0].iterdir())


def test_a_run_that_fails_before_it_writes_leaves_no_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: object, **more: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(pl.Trainer, "fit", fails)
    with pytest.raises(RuntimeError, match="no"):
        seqlab.fit(model="rnn", data=DATA, trainer=TRAINER)
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    ("option", "value", "reached"),
    [
        pytest.param(
            *("precision", "bf16-mixed", lambda trainer: trainer.precision == "bf16-mixed"), marks=pytest.mark.slow
        ),
        ("precision", "64-true", lambda trainer: trainer.precision == "64-true"),
        ("accelerator", "cpu", lambda trainer: isinstance(trainer.accelerator, CPUAccelerator)),
        ("fast_dev_run", True, lambda trainer: trainer.global_step == 1),
        ("fast_dev_run", 3, lambda trainer: trainer.global_step == 3),
        ("max_steps", 19, lambda trainer: trainer.global_step == 19),
        ("limit_train_batches", 5, lambda trainer: trainer.global_step == 10),
        ("limit_train_batches", 0.5, lambda trainer: trainer.global_step == 18),
        ("accumulate_grad_batches", 7, lambda trainer: trainer.global_step == 6),
        ("gradient_clip_val", None, lambda trainer: trainer.gradient_clip_val is None),
        ("deterministic", True, lambda trainer: torch.are_deterministic_algorithms_enabled()),
    ],
)
def test_trainer_flags_reach_the_trainer(
    here: Path, option: str, value: object, reached: Callable[[pl.Trainer], bool]
) -> None:
    try:
        run = seqlab.fit(model={"hidden_size": 16}, data=DATA, trainer={**TRAINER, option: value}, **QUIET)
        assert reached(run.trainer)
        assert all(torch.isfinite(weights).all() for weights in run.model.parameters())
    finally:
        torch.use_deterministic_algorithms(False)


def test_lists_of_files(here: Path) -> None:
    one, two = here / "one file.txt", here / "it's two.txt"
    one.write_text("abab\n" * 40)
    two.write_text("cdcd\n" * 40)
    fast = {"accelerator": "cpu", "fast_dev_run": True}
    run = seqlab.fit(
        data={**DATA, "path": [str(one), str(two)], "test_fraction": 0.0, "val_fraction": 0.0}, trainer=fast
    )
    assert set(run.data.codec.vocab.tokens(range(1, run.data.vocab_size))) == set("abcd\n")


def test_errors_are_raised_not_printed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="unknown model 'gruu': did you mean 'gru'"):
        seqlab.fit(model="gruu")
    with pytest.raises(
        UserError, match=r'^unknown option model\["hiden_size"\]: did you mean model\["hidden_size"\]\?$'
    ):
        seqlab.fit(model={"hiden_size": 3}, data=DATA)
    with pytest.raises(UserError, match="unknown split 'tset': did you mean 'test'"):
        seqlab.evaluate("any.ckpt", split="tset")
    with pytest.raises(UserError, match=r"there is no checkpoint 'no.ckpt'"):
        seqlab.load("no.ckpt")
    with pytest.raises(UserError, match=r"there is no checkpoint 'no.ckpt'"):
        seqlab.generate("no.ckpt")
    assert capsys.readouterr() == ("", "")


def test_evaluate_is_the_command_line(verb: Command, story_run: Path) -> None:
    checkpoint = str(story_run / "checkpoints" / "best.ckpt")
    for split in ("val", "test", "train"):
        measured = seqlab.evaluate(checkpoint, split=split)
        printed = verb("evaluate", checkpoint, "--split", split).out
        assert re.sub("time .*", "", printed) == re.sub("time .*", "", f"{measured}\n")
        assert measured.corpus == "story"


def test_evaluate_takes_options_of_the_data(story_run: Path) -> None:
    checkpoint = str(story_run / "checkpoints" / "best.ckpt")
    assert seqlab.evaluate(checkpoint, data={"eval_streams": 4}).streams == 4
    larger = seqlab.evaluate(checkpoint, data={"test_fraction": 0.3})
    assert larger.tokens > seqlab.evaluate(checkpoint).tokens
    with pytest.raises(UserError, match=r"unknown .*patth"):
        seqlab.evaluate(checkpoint, data={"patth": "x"})
    with pytest.raises(UserError, match="unknown data 'txet': did you mean 'text'"):
        seqlab.evaluate(checkpoint, data={"name": "txet"})


def test_generate_load_and_the_command_line_say_the_same(verb: Command, story_run: Path) -> None:
    path = story_run / "checkpoints" / "best.ckpt"
    model = seqlab.load(str(path))
    assert not model.training
    for options in ({"seed": 3}, {"temperature": 0.0}, {"top_k": 5, "top_p": 0.9, "seed": 4, "temperature": 1.5}):
        text = model.generate("the dog", num_tokens=30, **options)
        assert seqlab.generate(str(path), "the dog", num_tokens=30, **options) == [text]
        words = [f"--{name}={value}" for name, value in options.items()]
        assert verb("generate", str(path), "--prefix", "the dog", "--num_tokens", "30", *words).out == f"{text}\n"
    assert seqlab.generate(str(path), num_samples=2, num_tokens=5) == [
        model.generate(num_tokens=5, seed=0),
        model.generate(num_tokens=5, seed=1),
    ]


def test_paths_may_be_paths(story_run: Path) -> None:
    path = story_run / "checkpoints" / "best.ckpt"
    assert seqlab.load(path).generate(num_tokens=5) == seqlab.generate(path, num_tokens=5)[0]
    assert seqlab.evaluate(path).tokens > 0


def test_training_in_a_notebook_leaves_the_callers_warnings_and_signals_alone(here: Path) -> None:
    before, handlers = list(warnings.filters), [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    seqlab.fit(model={"hidden_size": 16}, data=DATA, trainer={"accelerator": "cpu", "fast_dev_run": True})
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert [row for row in warnings.filters if row not in before and row[0] == "ignore" and row[3] is None] == []
