import os
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from seqlab.cli.configuration import parse_configuration, read_configuration
from seqlab.errors import UserError

BOMB = "\n".join(["a: &a [x, x]", *(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefg"))])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("&a {x: *a}", r"holds \*a within &a, which has no end"),
        ("a: &a [1, [*a]]", r"holds \*a within &a"),
        (BOMB, "more than 8 aliases"),
        ("[" * 30 + "]" * 30, "nested deeper than 20"),
        ("{a: " * 3000, "nested deeper than 20"),
        ("- x\n" * 30_000, "more than 20,000 parts"),
        ("a: " + "x" * 10**6, "more than 1,000,000 characters"),
        ("a: " + "9" * 5000, "a number of more than 100 digits"),
        ("a: !!python/object/apply:os.system [ls]", "is not YAML"),
        ("a: *b", "is not YAML"),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_out_of_bounds(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse_configuration(text, "it")


def test_a_few_aliases_and_merges_are_read() -> None:
    assert parse_configuration("a: &a {x: 1}\nb: {<<: *a, y: 2}\n", "it") == {"a": {"x": 1}, "b": {"x": 1, "y": 2}}


def test_a_pipe_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    both = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(both, b"seed: 3\n")
    threading.Timer(0.5, os.close, (both,)).start()
    assert read_configuration(str(tmp_path / "pipe")) == {"seed": 3}


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null", "folder", "silent", "missing"])
def test_what_is_no_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "silent")
    with pytest.raises(UserError, match="cannot read the configuration"):
        read_configuration(str(tmp_path / name))
