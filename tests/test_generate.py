from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seqlab

Command = Callable[..., Any]


@pytest.fixture
def ckpt(story_run: Path) -> str:
    return str(story_run / "checkpoints" / "best.ckpt")


def test_several_texts_with_a_line_between(verb: Command, ckpt: str) -> None:
    texts = seqlab.generate(ckpt, "the", num_tokens=12, num_samples=3)
    assert len({*texts}) == 3
    finished = verb("generate", ckpt, "--prefix", "the", "--num_tokens", "12", "--num_samples", "3")
    assert (finished.code, finished.out, finished.err) == (0, "\n\n".join(texts) + "\n", "")
    (one,) = seqlab.generate(ckpt, "the", num_tokens=12)
    assert verb("generate", ckpt, "--prefix", "the", "--num_tokens", "12").out == f"{one}\n"


def test_tokens_that_the_model_does_not_know_are_said(verb: Command, ckpt: str) -> None:
    code, out, err = verb("generate", ckpt, "--prefix", "the 日本", "--num_tokens", "5")
    assert (code, err) == (0, "seqlab: the model does not know '日', '本' of the prefix and reads <unk> instead\n")
    assert out.startswith("the <unk><unk>")
    assert verb("generate", ckpt, "--prefix", "the ", "--num_tokens", "5").err == ""


def test_an_option_of_another_verb(refusal: Command, ckpt: str) -> None:
    assert refusal("generate", ckpt, "--beam_size", "3").startswith("unknown option --beam_size: ")
    assert refusal("generate", ckpt, "--temperature", "-1").startswith("temperature -1.0 must be finite and at least 0")
