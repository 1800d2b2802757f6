import csv
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import seqlab

Command = Callable[..., Any]


QUICK = ("--lengths", "3,5", "--max_steps", "2", "--hidden_size", "8", "--batch_size", "250", "--device", "cpu")


def rows(folder: str) -> list[dict[str, str]]:
    with Path(folder, "memory.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_printed_and_written(verb: Command) -> None:
    code, out, err = verb("memory", "--model", "rnn,gru", *QUICK, "--output", "of/memory")
    assert code == 0
    assert out.endswith("\nFigure: of/memory/memory.png\n")
    assert Path("of/memory/memory.md").read_text() == out.partition("\nFigure")[0]
    assert Path("of/memory/memory.png").read_bytes().startswith(b"\x89PNG")
    assert out.count("\n| cell   |       3 |       5 |\n|--------|--------:|--------:|\n| rnn    | ") == 4
    assert "| chance |    7.8% |    7.8% |" in out
    assert "| chance |  0.1667 |  0.1667 |" in out
    assert "| chance |   12.5% |   12.5% |" in out
    assert "| chance |  0.9041 |  0.8318 |" in out  # 10 log 8 / 23 and / 25
    lines = err.splitlines()
    assert len(lines) == 8
    pattern = (
        r"adding, rnn, length 3, seed 1: success \d+\.\d%, loss \d\.\d{4}, stopped after 2 steps, \d+\.\d s \(1 of 8\)"
    )
    assert re.fullmatch(pattern, lines[0])
    assert [(row["task"], row["model"], row["length"]) for row in rows("of/memory")][:5] == [
        *(("adding", "rnn", "3"), ("adding", "gru", "3"), ("adding", "rnn", "5"), ("adding", "gru", "5")),
        ("copy", "rnn", "3"),
    ]


def test_only_what_is_missing_is_measured(verb: Command) -> None:
    options = (*QUICK, "--task", "adding", "--output", "out")
    verb("memory", "--model", "rnn", *options)
    before = rows("out")
    more = verb("memory", "--model", "gru,rnn", *options, "--seeds", "2")
    assert more.err.count("\n") == 6
    assert "rnn, length 3, seed 1" not in more.err
    after = rows("out")
    assert after[: len(before)] == before
    assert len({(row["model"], row["length"], row["seed"]) for row in after}) == len(after) == 8
    again = verb("memory", "--model", "rnn", *options)
    assert again.err == ""
    assert again.out == more.out


def test_ctrl_c_keeps_what_is_done(verb: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    left, module = [2], importlib.import_module("seqlab.memory")
    whole = module.learn

    def interrupted(*arguments: Any) -> Any:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return whole(*arguments)

    monkeypatch.setattr(module, "learn", interrupted)
    stopped = verb("memory", "--model", "rnn", *QUICK, "--output", "out")
    assert stopped.code == 130
    assert len(rows("out")) == 2
    left[0] = 2
    finished = verb("memory", "--model", "rnn", *QUICK, "--output", "out")
    assert (finished.code, len(rows("out"))) == (0, 4)


def test_the_seed_decides(here: Path) -> None:
    options = {"model": ["gru", "min_gru"], "lengths": [4], "max_steps": 3, "hidden_size": 8, "device": "cpu"}
    before = torch.random.get_rng_state()
    first = seqlab.memory(**options, seed=1)
    assert before.equal(torch.random.get_rng_state())
    torch.rand(1)
    again, other = (seqlab.memory(**options, seed=seed) for seed in (1, 2))
    assert [row.loss for row in first.rows] == [row.loss for row in again.rows]
    assert all(one.loss != two.loss for one, two in zip(first.rows, other.rows, strict=True))
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        *({"hidden_size": 9}, {"num_layers": 2}, {"batch_size": 200}, {"max_steps": 3}),
        *({"lr": 0.1}, {"init": "torch"}, {"forget_bias": 0.0}),
    ],
)
def test_every_option_changes_something_and_has_a_csv_of_its_own(
    change: dict[str, Any], here: Path, refusal: Command
) -> None:
    options = {"hidden_size": 8, "num_layers": 1, "batch_size": 250, "max_steps": 2, "lr": 0.005}
    options |= {"init": "orthogonal", "forget_bias": 1.0, "model": "lstm", "task": "adding", "lengths": "3"}
    made = seqlab.memory(**options, output="out")
    other = seqlab.memory(**{**options, **change})
    assert made.rows[0].loss != other.rows[0].loss
    ((name, value),) = change.items()
    words = [word for key, each in {**options, **change}.items() for word in (f"--{key}", str(each))]
    expected = f"out/memory.csv was measured with {name} {options[name]} and not {value}; give that or another --output"
    assert refusal("memory", *words, "--output", "out") == expected


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--model gru,lstmm", "unknown model 'lstmm': did you mean 'lstm'?"),
        ("--task add", "unknown task 'add': did you mean 'adding'?"),
        ("--lengths 10,1", "length 1 must be at least 2 in the task adding"),
        ("--task copy --lengths 0", "length 0 must be at least 1 in the task copy"),
        ("--lengths 10,x", "--lengths 'x' must be whole numbers with commas between, as in 10,25,50"),
        ("--lengths 10,1000000000", "--lengths 1000000000 must be at most 1,000,000 steps each"),
        ("--seeds 0", "--seeds 0 must be a whole number of at least 1"),
        ("--seed -1", "--seed -1 must be a whole number of at least 0"),
        ("--max_steps 0", "--max_steps 0 must be a whole number of at least 1"),
        ("--hidden_size 0", "--hidden_size 0 must be a whole number of at least 1"),
        ("--lr 0", "lr 0.0 must be a number above 0"),
        ("--init orthogonl", "unknown init 'orthogonl': did you mean 'orthogonal'?"),
        ("--hiden_size 3", "unknown option --hiden_size: did you mean '--hidden_size'?; --help_all lists them"),
    ],
)
def test_refusals(refusal: Command, here: Path, words: str, sentence: str) -> None:
    assert refusal("memory", *words.split(), "--output", "out") == sentence
    assert not list(here.iterdir())


def test_files_that_are_no_such_table(refusal: Command, here: Path) -> None:
    Path("taken").write_text("")
    assert refusal("memory", "--output", "taken").startswith("cannot write to taken: not a directory")
    Path("memory.csv").write_text("a,b\n1,2\n")
    expected = "memory.csv is not a table of python -m seqlab.memory; give another --output"
    assert refusal("memory", "--output", ".") == expected
    seqlab.memory(model="rnn", task="copy", lengths=[1], output="out", max_steps=1)
    whole = Path("out/memory.csv").read_text()
    expected = "line 3 of out/memory.csv is damaged; delete it to measure it again"
    for damaged in (
        f"{whole}copy,rnn,2",
        whole + whole.splitlines()[1].rpartition(",")[0],
        whole.replace("1,1", "x,1"),
    ):
        Path("out/memory.csv").write_text(damaged)
        said = refusal("memory", "--max_steps", "1", "--output", "out")
        assert said == expected.replace("3", "2" if "x,1" in damaged else "3")


def test_the_same_named_twice_is_measured_once(verb: Command, here: Path) -> None:
    small = ["--task", "adding", "--max_steps", "2", "--hidden_size", "2"]
    assert verb("memory", "--model", "rnn,RNN", "--lengths", "10,010", *small, "--output", "of").code == 0
    assert len(rows("of")) == 1


def test_a_seed_beyond_bounds(refusal: Command) -> None:
    said = refusal("memory", "--seed", str(2**63), "--model", "gru")
    assert said == f"--seed {2**63} must leave room for 1 seeds below 2**63"
