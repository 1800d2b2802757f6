import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from served import Served
from stress_resume import CASES, COMMON, RUN, differences, last, stress, unfinished

from seqlab.models import load
from seqlab.models.language import LanguageModel
from seqlab.runs.checkpoint import read_checkpoint
from seqlab.runs.provenance import arithmetic
from seqlab.runs.resuming import without_numbers

Command = Callable[..., Any]


def test_a_run_killed_while_it_writes_ends_as_if_left_alone(served: Served, verb: Command, here: Path) -> None:
    options = [*COMMON, *CASES["gru"], "--trainer.max_epochs", "2", "--bar", "none", "--run", RUN]
    assert verb("fit", *options).code == 0
    (here / "whole").mkdir()
    (here / "lightning_logs").rename(here / "whole" / "lightning_logs")
    with (here / "log").open("wb") as log:
        process = served.start("killed_writing", "half", "20", *options, cwd=here, output=log.fileno())
    assert process.wait() == -signal.SIGKILL, (here / "log").read_text()
    assert len(unfinished(here)) == 1
    assert read_checkpoint(last(here))["global_step"] == 85
    assert verb("fit", "--ckpt_path", "last", "--run", RUN).code == 0
    assert not differences(here / "whole", here)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_runs_killed_many_times(case: str, tmp_path: Path) -> None:
    training, writing, differing = stress(case, kills=20, seed=2, folder=tmp_path)
    assert not differing
    assert training >= 3
    assert writing >= 3


def test_a_change_that_makes_it_another_run_is_said(verb: Command, story_root: Path) -> None:
    finished = verb("fit", "--ckpt_path", "last", "--trainer.max_epochs", "3", "--data.batch_size", "16")
    assert finished.code == 0
    words = (
        "seqlab: data.batch_size is 16 and was 8; from here on the numbers differ from those of an uninterrupted run"
    )
    assert words in finished.err.splitlines()
    assert "differ" not in verb("fit", "--ckpt_path", "last", "--trainer.max_epochs", "4").err


def test_another_arithmetic_is_said(verb: Command, story_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    was = arithmetic()
    monkeypatch.setattr("seqlab.runs.resuming.arithmetic", lambda: {**was, "threads": 64})
    finished = verb("fit", "--ckpt_path", "last", "--trainer.max_epochs", "3")
    words = f"seqlab: threads is 64 and was {was['threads']}; from here on the numbers differ"
    assert any(line.startswith(words) for line in finished.err.splitlines())


def test_a_finished_run_says_so(verb: Command, story_root: Path) -> None:
    finished = verb("fit", "--ckpt_path", "last")
    assert finished.code == 0
    assert "This run had finished before, after epoch 2; give it more with --trainer.max_epochs 4." in finished.out
    assert "finished before" not in verb("fit", "--ckpt_path", "last", "--trainer.max_epochs", "3").out


@pytest.mark.parametrize(("limit", "steps"), [("null", 19 + 38), ("10", 38)])
def test_smaller_batches_after_an_epoch_or_within(
    limit: str, steps: int, verb: Command, small: list[str], here: Path
) -> None:
    within = [] if limit == "null" else ["--trainer.max_steps", limit]
    assert verb("fit", *small, "--run", "cut", *within).code == 0
    more = ["--trainer.max_epochs", "1" if within else "2", "--trainer.max_steps", "-1", "--data.batch_size", "4"]
    assert verb("fit", "--ckpt_path", "last", "--run", "cut", *more).code == 0
    assert read_checkpoint(here / "lightning_logs/cut/checkpoints/last.ckpt")["global_step"] == steps


def test_a_failure_says_how_to_go_on(
    verb: Command, small: list[str], here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = LanguageModel.training_step

    def failing(self: LanguageModel, batch: Any, batch_idx: int) -> Any:
        if self.trainer.global_step == 12:
            raise RuntimeError("a fault of its own")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(LanguageModel, "training_step", failing)
    with pytest.raises(RuntimeError, match="a fault of its own"):
        verb("fit", *small, "--run", "fails", "--ckpt_every", "7")
    said = capsys.readouterr()
    assert "last.ckpt holds step 7; go on with:" in said.out + said.err
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert verb("fit", "--ckpt_path", "last", "--run", "fails").code == 0
    assert read_checkpoint(here / "lightning_logs/fails/checkpoints/last.ckpt")["global_step"] == 19


def test_vectors_are_read_once(verb: Command, small: list[str], here: Path) -> None:
    (here / "v.txt").write_text("e 1 2\nt 3 4\nE 5 6\nT 7 8\n")
    options = ["--model.embedding_size", "2", "--model.vectors", "v.txt", "--run", "begun", "--optimizer.lr", "0"]
    assert "parameters, vectors of 4 of 45 tokens from v.txt) on story" in verb("fit", *small, *options).out
    (here / "v.txt").unlink()
    finished = verb("fit", "--ckpt_path", "last", "--trainer.max_epochs", "2")
    assert finished.code == 0, finished.err
    assert "vectors" not in finished.out
    for name in ("last", "best"):
        made = load(here / "lightning_logs" / "begun" / "checkpoints" / f"{name}.ckpt")
        assert isinstance(made, LanguageModel)
        assert made.codec is not None
        assert made.network.embedding.weight[made.codec.vocab.ids("et")].tolist() == [[1, 2], [3, 4]]


@pytest.mark.slow
def test_a_signal_leaves_a_checkpoint(small: list[str], environment: dict[str, str], here: Path) -> None:
    command = [sys.executable, "-m", "seqlab.fit", *small, "--run", "told", "--trainer.max_epochs", "500"]
    options = ["--ckpt_every", "3", "--patience", "null"]
    process = subprocess.Popen(
        [*command, *options], cwd=here, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    last = here / "lightning_logs" / "told" / "checkpoints" / "last.ckpt"
    while not last.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGUSR1)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGUSR1, err
    step = int(re.search(r"Stopped by SIGUSR1 after step (\d+)", out + err)[1])  # type: ignore[index]
    assert read_checkpoint(last)["global_step"] == step


@pytest.mark.slow
def test_a_signal_is_heard_where_every_batch_ends_an_epoch(
    small: list[str], environment: dict[str, str], here: Path
) -> None:
    options = ["--trainer.max_epochs", "100000", "--trainer.limit_train_batches", "1", "--patience", "null"]
    command = [sys.executable, "-m", "seqlab.fit", *small, *options, "--run", "told"]
    process = subprocess.Popen(command, cwd=here, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    last = here / "lightning_logs" / "told" / "checkpoints" / "last.ckpt"
    while not last.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM


@pytest.mark.slow
def test_one_process_goes_on_for_two(shell: Command, small: list[str], environment: dict[str, str], here: Path) -> None:
    lstm = [*small, "--model", "lstm", "--trainer.max_epochs", "2", "--ckpt_every", "5", "--run", "cut"]
    command = [sys.executable, "-m", "seqlab.fit", *lstm, "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    process = subprocess.Popen(command, cwd=here, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    last = here / "lightning_logs" / "cut" / "checkpoints" / "last.ckpt"
    while not last.exists() and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    alone = ["--trainer.devices", "1", "--trainer.strategy", "auto"]
    finished = shell("-m", "seqlab.fit", "--ckpt_path", "last", "--run", "cut", *alone, cwd=here)
    assert finished.code == 0, finished.err
    assert "trainer.devices is 1 and was 2" in finished.err
    assert read_checkpoint(last)["global_step"] == 38


@pytest.mark.parametrize("limit", [pytest.param("5", marks=pytest.mark.slow), "0.3"])
def test_epochs_cut_short_go_on_with_the_next(limit: str, verb: Command, small: list[str], here: Path) -> None:
    cut = [*small, "--trainer.limit_train_batches", limit]
    assert verb("fit", *cut, "--run", "whole", "--trainer.max_epochs", "3").code == 0
    assert verb("fit", *cut, "--run", "parts").code == 0
    assert verb("fit", "--ckpt_path", "last", "--run", "parts", "--trainer.max_epochs", "3").code == 0
    whole, parts = (read_checkpoint(here / f"lightning_logs/{run}/checkpoints/last.ckpt") for run in ("whole", "parts"))
    assert whole["global_step"] == parts["global_step"] == 15
    assert all(torch.equal(value, parts["state_dict"][name]) for name, value in whole["state_dict"].items())


@pytest.mark.parametrize("steps", [pytest.param("7", marks=pytest.mark.slow), "25"])
def test_a_run_that_ended_within_an_epoch_has_all_its_epochs(
    steps: str, verb: Command, small: list[str], here: Path
) -> None:
    assert verb("fit", *small, "--run", "whole", "--trainer.max_epochs", "2").code == 0
    asked = (*small, "--run", "parts", "--trainer.max_epochs", "2")
    assert verb("fit", *asked, "--trainer.max_steps", steps).code == 0
    assert read_checkpoint(here / "lightning_logs/parts/checkpoints/last.ckpt")["global_step"] == int(steps)
    assert verb("fit", "--ckpt_path", "last", "--run", "parts", "--trainer.max_steps", "-1").code == 0
    whole, parts = (read_checkpoint(here / f"lightning_logs/{run}/checkpoints/last.ckpt") for run in ("whole", "parts"))
    assert whole["global_step"] == parts["global_step"] == 38
    assert all(torch.equal(value, parts["state_dict"][name]) for name, value in whole["state_dict"].items())


def test_a_checkpoint_is_read_once_to_check_it_and_once_to_load_it(
    verb: Command, story_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, read = torch.load, []
    monkeypatch.setattr(torch, "load", lambda *given, **options: read.append(given) or load(*given, **options))
    assert verb("fit", "--ckpt_path", "last").code == 0
    assert len(read) == 2


def test_a_checkpoint_without_numbers_keeps_their_shapes_and_all_plain_values() -> None:
    kept = without_numbers({"a": [torch.ones(2, 3), 1.5, "b"], "c": (torch.zeros(4, dtype=torch.int64), None)})
    (weight, *plain), (ids, nothing) = kept["a"], kept["c"]
    assert (weight.shape, weight.dtype, ids.shape, ids.dtype) == ((2, 3), torch.float32, (4,), torch.int64)
    assert weight.is_meta
    assert ids.is_meta
    assert (plain, nothing) == ([1.5, "b"], None)


def test_what_a_trainer_alone_wrote(refusal: Command, story_run: Path, here: Path) -> None:
    content = read_checkpoint(story_run / "checkpoints" / "last.ckpt")
    del content["run"]
    torch.save(content, here / "plain.ckpt")
    said = refusal("fit", "--ckpt_path", "plain.ckpt")
    assert said == "plain.ckpt does not say which run it belongs to; go on with what made it"


def test_a_configuration_names_the_run_to_go_on_with(verb: Command, small: list[str], here: Path) -> None:
    for run in ("first", "second"):
        assert verb("fit", *small, "--run", run, "--trainer.limit_train_batches", "2").code == 0
    (here / "more.yaml").write_text("run: first\nckpt_path: last\ntrainer: {max_epochs: 3}\n")
    finished = verb("fit", "--config", "more.yaml")
    assert finished.code == 0, finished.err
    steps = [
        read_checkpoint(here / f"lightning_logs/{run}/checkpoints/last.ckpt")["global_step"]
        for run in ("first", "second")
    ]
    assert steps == [6, 2]
    (here / "where.yaml").write_text("trainer: {default_root_dir: elsewhere}\n")
    assert "elsewhere/lightning_logs" in verb("fit", "--config", "where.yaml", "--ckpt_path", "last").err


def test_a_schedule_that_knows_its_length_gets_another(verb: Command, small: list[str], here: Path) -> None:
    warm = [*small, "--trainer.limit_train_batches", "4", "--lr_scheduler", "warmupcosinelr", "--run", "warm"]
    assert verb("fit", *warm).code == 0
    finished = verb("fit", "--ckpt_path", "last", "--run", "warm", "--trainer.max_epochs", "3")
    assert "total_steps of the schedule is 12 and was 4; from here on" in finished.err
    schedule = read_checkpoint(here / "lightning_logs/warm/checkpoints/last.ckpt")["lr_schedulers"][0]
    assert schedule["total_steps"] == schedule["last_epoch"] == 12
    assert "differ" not in verb("fit", "--ckpt_path", "last", "--run", "warm").err


def test_a_schedule_that_cannot_have_another_length(verb: Command, small: list[str], here: Path) -> None:
    cycle = ["--lr_scheduler", "onecyclelr", "--lr_scheduler.max_lr", "0.01", "--run", "cycle"]
    assert verb("fit", *small, "--trainer.limit_train_batches", "4", *cycle).code == 0
    finished = verb("fit", "--ckpt_path", "last", "--run", "cycle", "--trainer.max_epochs", "3")
    assert finished.code == 2
    assert finished.err.startswith(
        "seqlab: onecyclelr was begun for 4 steps and cannot go on for 12; leave --trainer.max_epochs, "
    )


def test_a_run_of_the_name_is_not_replaced_unless_asked(verb: Command, story_root: Path, small: list[str]) -> None:
    best = story_root / "lightning_logs" / "story" / "checkpoints" / "best.ckpt"
    before, short = best.read_bytes(), ("--trainer.max_epochs", "1", "--bar", "none")
    (best.parent.parent / "old.txt").touch()
    refused = verb("fit", *small, *short, "--run", "story")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        "seqlab: run 'story' is there already, under lightning_logs; go on with it with --ckpt_path last --run story, "
        "replace it with --overwrite, or give a free name such as --run story-2\n"
    )
    other = verb("fit", "--ckpt_path", str(best), "--run", "other", *short)
    assert other.code == 0, other.err
    assert verb("fit", "--ckpt_path", "last", "--run", "story").code == 0
    elsewhere = story_root / "copy.ckpt"
    elsewhere.write_bytes(before)
    assert verb("fit", "--ckpt_path", "copy.ckpt").code == 2
    assert best.read_bytes() == before
    assert verb("fit", *small, *short, "--run", "story", "--overwrite", "--lr_scheduler", "nonsense").code == 2
    assert best.read_bytes() == before
    replaced = verb("fit", *small, *short, "--run", "story", "--overwrite")
    assert replaced.code == 0, replaced.err
    assert best.read_bytes() != before
    assert not (best.parent.parent / "old.txt").exists()


def test_overwriting_from_python_and_without_a_name(small: list[str], verb: Command, here: Path) -> None:
    for _ in range(2):
        assert verb("fit", *small, "--trainer.max_epochs", "1", "--bar", "none", "--overwrite", "true").code == 0
    assert len(list((here / "lightning_logs").iterdir())) == 1
