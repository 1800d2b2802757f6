import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import seqlab
from seqlab.predict import as_json, as_tsv

Command = Callable[..., Any]


@pytest.fixture
def checkpoint(story_run: Path) -> str:
    return str(story_run / "checkpoints" / "best.ckpt")


def test_words_are_answered_in_their_order(verb: Command, checkpoint: str) -> None:
    finished = verb("predict", checkpoint, "the dog", "a cat", "--num_tokens", "5")
    assert (finished.code, finished.err) == (0, "")
    lines = finished.out.splitlines()
    assert [line[:7] for line in lines] == ["the dog", "a cat" + lines[1][5:7]]
    assert lines == seqlab.generate(checkpoint, "the dog", num_tokens=5) + seqlab.generate(
        checkpoint, "a cat", num_tokens=5
    )


def test_a_file_in_and_a_file_out(verb: Command, checkpoint: str, here: Path) -> None:
    (here / "in.txt").write_text("the dog\na cat\n", encoding="utf-8")
    finished = verb("predict", checkpoint, "--input", "in.txt", "--output", "out.tsv", "--format", "tsv")
    assert (finished.code, finished.out, finished.err) == (0, "", "")
    rows = [line.split("\t") for line in (here / "out.tsv").read_text(encoding="utf-8").splitlines()]
    assert [row[0] for row in rows] == ["the dog", "a cat"]
    assert all(len(row) == 2 and row[1].startswith(row[0]) for row in rows)


def test_lines_of_stdin(verb: Command, checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"the dog\r\na cat\n"), isatty=lambda: False))
    finished = verb("predict", checkpoint, "--format", "json", "--num_tokens", "3")
    said = [json.loads(line) for line in finished.out.splitlines()]
    assert [one["prefix"] for one in said] == ["the dog", "a cat"]


def test_as_python(checkpoint: str) -> None:
    (one,) = seqlab.predict(checkpoint, "the dog", num_tokens=4, temperature=0)
    assert one.text == seqlab.generate(checkpoint, "the dog", num_tokens=4, temperature=0)[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a", "--input", "x.txt"), "give either inputs as words or --input x.txt, not both"),
        (("--input", "none.txt"), "cannot read none.txt: no such file or directory"),
        (("a", "--format", "jsn"), "--format does not take 'jsn': did you mean 'json'?"),
        (("a", "--beam_size", "5"), "unknown option --beam_size: "),
        (("a", "--temperature", "-1"), "temperature -1.0 must be finite and at least 0"),
    ],
)
def test_refusals(verb: Command, checkpoint: str, words: tuple[str, ...], message: str) -> None:
    finished = verb("predict", checkpoint, *words)
    assert finished.code == 2
    assert finished.err.startswith(f"seqlab: {message}")
    assert finished.err.count("\n") == 1


def test_a_model_that_cannot_is_told_what_it_can(verb: Command, checkpoint: str) -> None:
    finished = verb("translate", checkpoint, "go .")
    assert finished.code == 2
    words = "holds a language model, which does not translate; it can evaluate, predict, generate, inspect, export"
    assert words in finished.err


def test_help_of_a_checkpoint_lists_its_options(verb: Command, checkpoint: str) -> None:
    assert "--temperature" in verb("predict", checkpoint, "--help").out
    assert "--temperature" not in verb("predict", "--help").out


class Prediction(SimpleNamespace):
    def _asdict(self) -> dict[str, Any]:
        return vars(self)


def test_forms() -> None:
    one = Prediction(text="a\tb\nc", label="x", probability=0.5, each={"é": 1})
    assert as_tsv(one) == 'a b c\tx\t0.5\t{"é": 1}'
    assert json.loads(as_json(one)) == {"text": "a\tb\nc", "label": "x", "probability": 0.5, "each": {"é": 1}}
