import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqlab.checkpoint import read_checkpoint
from seqlab.nn.language_network import LanguageNetwork
from seqlab.text.codec import Codec

Command = Callable[..., Any]
CKPT = "lightning_logs/story/checkpoints/best.ckpt"


def test_a_file_that_makes_the_model_again(verb: Command, story_root: Path) -> None:
    safetensors = pytest.importorskip("safetensors")
    finished = verb("export", CKPT, "--output", "story.safetensors")
    assert (finished.code, finished.out) == (0, "wrote story.safetensors\n")
    with safetensors.safe_open("story.safetensors", "pt") as file:
        kept, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    checkpoint = read_checkpoint(CKPT)
    assert kept.keys() == checkpoint["state_dict"].keys()
    assert all(torch.equal(kept[name], weight) for name, weight in checkpoint["state_dict"].items())
    assert metadata["kind"] == "language_model"
    options = json.loads(metadata["hyper_parameters"])
    network = LanguageNetwork(**{key: value for key, value in options.items() if key not in ("bidirectional", "l1")})
    network.load_state_dict({name.removeprefix("network."): weight for name, weight in kept.items()})
    codec = Codec.from_state(json.loads(metadata["codec"]))
    assert codec.state() == checkpoint["seqlab"]["codec"]
    assert network(torch.tensor([codec.encode("the dog")]))[0].shape == (1, 7, codec.vocab_size)


def test_beside_the_checkpoint_by_default(verb: Command, story_root: Path) -> None:
    pytest.importorskip("safetensors")
    assert verb("export", CKPT).code == 0
    assert (story_root / CKPT).with_suffix(".safetensors").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([CKPT, "--format", "onxx"], "unknown format 'onxx': choose one of safetensors"),
        ([CKPT, "--output", "no/where.safetensors"], "cannot write no/where.safetensors: "),
        (["gone.ckpt"], "there is no checkpoint 'gone.ckpt'; python -m seqlab.fit makes one"),
    ],
)
def test_messages(arguments: list[str], words: str, verb: Command, story_root: Path) -> None:
    finished = verb("export", *arguments)
    assert finished.code == 2
    assert finished.err.startswith(f"seqlab: {words}")
    assert finished.err.count("\n") == 1
    assert not list(story_root.glob("**/*.unfinished"))
