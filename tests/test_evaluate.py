import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seqlab
from seqlab.errors import UserError
from seqlab.evaluate import write_items

Command = Callable[..., Any]


@pytest.fixture
def ckpt(story_run: Path) -> str:
    return str(story_run / "checkpoints" / "best.ckpt")


def test_items_as_lines_with_tabs(here: Path) -> None:
    write_items({"item": [0, 1], "text": ["a b", 'say "hi"\tnow'], "nats": [0.5, 2.0]}, Path("items.tsv"))
    assert Path("items.tsv").read_bytes() == b'item\ttext\tnats\n0\ta b\t0.5\n1\t"say ""hi""\tnow"\t2.0\n'
    with pytest.raises(UserError, match="^cannot write gone/items.tsv: no such file or directory; name a file in a"):
        write_items({"item": []}, Path("gone/items.tsv"))


def test_a_file_of_what_was_reached_on_each_item(verb: Command, ckpt: str, here: Path) -> None:
    finished = verb("evaluate", ckpt, "--split", "val", "--items", "items.tsv")
    assert (finished.code, finished.err) == (0, "")
    with Path("items.tsv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file, delimiter="\t")
    report = seqlab.evaluate(ckpt, split="val", items=True)
    assert head == [*report.items]
    assert len(rows) == len(report.items["nats"])
    nats = sum(float(row[head.index("nats")]) for row in rows)
    tokens = sum(int(row[head.index("tokens")]) for row in rows)
    assert (nats / tokens, tokens) == (pytest.approx(report.loss, rel=1e-5), report.tokens)
    assert not seqlab.evaluate(ckpt, split="val").items


def test_options_that_a_checkpoint_has_settled(refusal: Command, ckpt: str) -> None:
    assert refusal("evaluate", ckpt, "--data.tokens", "word").startswith("unknown option --data.tokens: ")
    assert refusal("evaluate", ckpt, "--split", "tset") == "--split does not take 'tset': did you mean 'test'?"
    assert refusal("evaluate", ckpt, "--beam_size", "3").startswith("unknown option --beam_size: ")
