import re
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from same_numbers import CASES, TOLERANCE, differences

from seqlab.runs.checkpoint import read_checkpoint

Command = Callable[..., Any]

OPTIONS = (
    *("--model", "lstm", "--optimizer", "sgd", "--optimizer.lr", "0.5", "--data.eval_streams", "3"),
    *("--trainer.limit_train_batches", "12", "--trainer.log_every_n_steps", "4"),
)
TWO = ("--trainer.devices", "2", "--trainer.strategy", "ddp")
COUNTING = """
import sys
from seqlab.fit import run
made = run(sys.argv[1:])
counted, part = int(made.model.metrics["loss"].count), len(made.data.part("val").ids)
print(f"rank {made.trainer.global_rank} counted {counted} of {part - 1}", flush=True)
"""


def last(root: Path, run: str) -> dict[str, Any]:
    return read_checkpoint(root / "lightning_logs" / run / "checkpoints" / "last.ckpt")


@pytest.fixture(scope="module")
def two(forked: Command, small: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder in which two processes trained the run ``two``, and what they said."""
    root = tmp_path_factory.mktemp("two")
    (root / "count.py").write_text(COUNTING)
    finished = forked("count", *small, *OPTIONS, *TWO, "--run", "two", cwd=root)
    assert finished.code == 0, finished.err
    return root, finished


def test_two_processes_learn_and_report_what_one_does(
    two: tuple[Path, Any], verb: Command, small: list[str], here: Path
) -> None:
    """The same sums in another order: float32 rounding alone may differ."""
    alone = verb("fit", *small, *OPTIONS, "--run", "one")
    assert alone.code == 0
    own, theirs = last(here, "one"), last(two[0], "two")
    assert own["global_step"] == theirs["global_step"] == 12
    for name, weights in own["state_dict"].items():
        torch.testing.assert_close(theirs["state_dict"][name], weights, rtol=1e-4, atol=1e-6)
    rows = [re.search(r"step 12: train ppl ([\d.]+), val ppl ([\d.]+)", err) for err in (alone.err, two[1].err)]
    assert rows[0] is not None
    assert rows[1] is not None
    for one, other in zip(rows[0].groups(), rows[1].groups(), strict=True):
        assert float(other) == pytest.approx(float(one), abs=0.0021)


def test_only_one_process_speaks(two: tuple[Path, Any]) -> None:
    _, finished = two
    assert len(re.findall("Done in", finished.out)) == 1
    assert len(re.findall("training starts", finished.err)) == 1
    assert [path.name for path in (two[0] / "lightning_logs").iterdir()] == ["two"]


def test_validation_counts_each_token_once(two: tuple[Path, Any]) -> None:
    rows = re.findall(r"rank (\d) counted (\d+) of (\d+)", two[1].out)
    assert {rank for rank, *_ in rows} == {"0", "1"}
    assert sum(int(counted) for _, counted, _ in rows) == int(rows[0][2])
    assert all(0 < int(counted) < int(total) for _, counted, total in rows)


@pytest.mark.slow
def test_streams_that_do_not_divide_are_refused(shell: Command, small: list[str], tmp_path: Path) -> None:
    finished = shell("-m", "seqlab.fit", *small, *TWO, "--data.batch_size", "5", cwd=tmp_path)
    assert finished.code == 2
    assert "batch_size 5 is the number of streams over all processes and does not divide by the 2" in finished.err
    assert "Traceback" not in finished.err
    assert not list(tmp_path.iterdir())


PAIRS = Path(__file__).parents[1] / "seqlab" / "data" / "samples" / "english_french.tsv"
TRANSLATION = (
    *("--model", "seq2seq", "--model.hidden_size", "16", "--model.embedding_size", "16", "--model.dropout", "0"),
    *("--data", "parallel", "--data.path", str(PAIRS), "--data.min_freq", "1", "--data.val_fraction", "0.1"),
    *("--trainer.accelerator", "cpu", "--trainer.max_epochs", "2", "--optimizer", "sgd", "--optimizer.lr", "0.5"),
)


@pytest.mark.slow
def test_two_processes_translate_as_one_learns(shell: Command, verb: Command, here: Path, tmp_path: Path) -> None:
    """Their shares of a batch hold unequal numbers of tokens, and yet every token weighs alike."""
    root = tmp_path / "two"
    root.mkdir()
    finished = shell("-m", "seqlab.fit", *TRANSLATION, *TWO, "--run", "two", cwd=root)
    assert finished.code == 0, finished.err
    assert verb("fit", *TRANSLATION, "--run", "one").code == 0
    own, theirs = last(here, "one"), last(root, "two")
    assert own["global_step"] == theirs["global_step"] == 44
    for name, weights in own["state_dict"].items():
        torch.testing.assert_close(theirs["state_dict"][name], weights, rtol=1e-4, atol=1e-6)
    scores = [state["callbacks"] for state in (own, theirs)]
    best = [next(float(v["best_model_score"]) for k, v in each.items() if "best_model_score" in v) for each in scores]
    assert best[0] == pytest.approx(best[1], rel=1e-5)


@pytest.mark.slow
def test_two_processes_forecast_as_one_learns(tmp_path: Path) -> None:
    """The last training batch is smaller, and the 97 windows that validate do not divide into equal shares."""
    assert max(differences("forecasting", [1, 2], tmp_path)[2]) < TOLERANCE


def slurm_job(tasks: int, rank: int, port: int = 0) -> dict[str, str]:
    """What srun tells a process of a job of so many tasks on one machine."""
    size = {"NTASKS": tasks, "NTASKS_PER_NODE": tasks, "NNODES": 1, "JOB_ID": 4242, "JOB_NAME": "train"}
    own = {"PROCID": rank, "LOCALID": rank, "NODEID": 0}
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return {f"SLURM_{name}": str(value) for name, value in (size | own).items()} | address


@pytest.mark.slow
def test_processes_of_slurm_train_together(
    two: tuple[Path, Any], shell: Command, small: list[str], tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ("-m", "seqlab.fit", *small, *OPTIONS, *TWO, "--run", "srun")

    def task(rank: int) -> Any:
        return shell(*command, cwd=tmp_path, **slurm_job(2, rank, port))

    with ThreadPoolExecutor() as tasks:
        first, second = tasks.map(task, range(2))
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert ("Done in" in first.out, second.out) == (True, "")
    ours, theirs = last(tmp_path, "srun"), last(two[0], "two")
    assert ours["global_step"] == theirs["global_step"]
    assert all(torch.equal(ours["state_dict"][name], weights) for name, weights in theirs["state_dict"].items())


@pytest.mark.parametrize(
    "variables",
    [
        slurm_job(2, 0),
        {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0"},
    ],
    ids=["slurm", "torchrun"],
)
def test_more_processes_than_the_trainer_was_told_of_are_refused(
    variables: dict[str, str], refusal: Command, small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    words = refusal("fit", *small)
    assert "You set `devices=1`" in words
    assert "2" in words


def test_a_notebook_trains_on_one_device(refusal: Command, small: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning.pytorch.trainer.connectors.accelerator_connector._IS_INTERACTIVE", True)
    words = "a notebook trains on one device; leave out devices, or start python -m seqlab.fit"
    assert refusal("fit", *small, "--trainer.devices", "2") == words


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_four_processes_learn_what_one_learns(case: str, tmp_path: Path) -> None:
    assert max(differences(case, [1, 4], tmp_path)[4]) < TOLERANCE


DYING_RANK = str(Path(__file__).parent / "dying_rank.py")
slow = pytest.mark.slow


@slow
@pytest.mark.parametrize(
    ("how", "rank"),
    [
        ("raising", "1"),
        ("killed", "0"),
        ("raising", "0"),
        ("killed", "1"),
    ],
)
def test_a_process_that_ends_takes_the_other_with_it(
    how: str, rank: str, shell: Command, verb: Command, small: list[str], here: Path
) -> None:
    """The command is over only when none of its processes holds its outputs any more."""
    options = [*small, *TWO, "--ckpt_every", "7", "--run", "dies"]
    finished = shell(DYING_RANK, how, rank, *options, cwd=here, timeout=240)
    assert finished.code not in (0, 2)
    assert ("RuntimeError: a broken worker" in finished.err) == (how == "raising")
    assert last(here, "dies")["global_step"] == 7
    if rank == "1":
        assert "last.ckpt holds step 7; go on with:" in finished.out
    alone = ("--trainer.devices", "1", "--trainer.strategy", "auto")
    assert verb("fit", "--ckpt_path", "last", "--run", "dies", *alone).code == 0
    assert last(here, "dies")["global_step"] == 19


@slow
def test_the_run_of_a_dead_process_goes_on_with_two(shell: Command, small: list[str], here: Path) -> None:
    assert shell(DYING_RANK, "killed", "0", *small, *TWO, "--ckpt_every", "7", "--run", "dies", cwd=here).code != 0
    assert shell("-m", "seqlab.fit", "--ckpt_path", "last", "--run", "dies", cwd=here).code == 0
    assert shell("-m", "seqlab.fit", *small, *TWO, "--ckpt_every", "7", "--run", "whole", cwd=here).code == 0
    weights = [last(here, run)["state_dict"] for run in ("dies", "whole")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


@pytest.mark.slow
def test_nobody_waits_for_a_process_that_never_came(shell: Command, small: list[str], here: Path) -> None:
    finished = shell(DYING_RANK, "alone", "0", *small, *TWO, cwd=here, timeout=240)
    assert finished.code == -signal.SIGKILL
    assert "seqlab: the first process of this run is gone; this one stops too" in finished.err
