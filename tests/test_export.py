import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seqlab.models import load
from seqlab.nn.language_network import LanguageNetwork, LanguageOptions
from seqlab.runs.checkpoint import read_checkpoint
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
    assert (metadata["task"], metadata["model"]) == ("language", "gru")
    codec = Codec.from_state(json.loads(metadata["codecs"])["text"])
    network = LanguageNetwork(codec.vocab_size, LanguageOptions.from_plain(json.loads(metadata["options"])))
    network.load_state_dict({name.removeprefix("network."): weight for name, weight in kept.items()})
    assert codec.state() == checkpoint["seqlab"]["codecs"]["text"]
    assert network(torch.tensor([codec.encode("the dog")]))[0].shape == (1, 7, codec.vocab_size)


def test_beside_the_checkpoint_by_default(verb: Command, story_root: Path) -> None:
    pytest.importorskip("safetensors")
    assert verb("export", CKPT).code == 0
    assert (story_root / CKPT).with_suffix(".safetensors").is_file()


def test_an_onnx_file_that_goes_on_as_the_model_does(verb: Command, story_root: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    checkpoint = read_checkpoint(CKPT)
    checkpoint["hyper_parameters"]["options"]["learned_state"] = True
    checkpoint["state_dict"]["network.recurrent.first_state.h"] = torch.linspace(-1, 1, 16).unsqueeze(0)
    torch.save(checkpoint, "learned.ckpt")
    finished = verb("export", "learned.ckpt", "--format", "onnx")
    assert finished == (0, "wrote learned.onnx\n", "")
    session = onnxruntime.InferenceSession("learned.onnx", providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert (metadata["task"], metadata["model"]) == ("language", "gru")
    assert json.loads(metadata["options"]) == checkpoint["hyper_parameters"]["options"]
    codec = Codec.from_state(json.loads(metadata["codecs"])["text"])
    assert codec.state() == checkpoint["seqlab"]["codecs"]["text"]
    network = load("learned.ckpt").network
    ids = torch.tensor([codec.encode("the dog")])
    h = torch.tensor(json.loads(metadata["first_state"])["h"]).unsqueeze(1)  # (layers, batch, hidden_size)
    logits, next_h = session.run(["logits", "next_h"], {"ids": ids.numpy(), "h": h.numpy()})
    expected, (after,) = network(ids)
    torch.testing.assert_close(torch.from_numpy(logits), expected.detach())
    torch.testing.assert_close(torch.from_numpy(next_h), after.detach())


def test_onnx_is_for_recurrent_language_models(verb: Command, small: list[str], here: Path) -> None:
    pytest.importorskip("onnxscript")
    assert verb("fit", "--model", "ngram", *small[:8], "--trainer.accelerator", "cpu", "--run", "counts").code == 0
    ckpt = "lightning_logs/counts/checkpoints/last.ckpt"
    finished = verb("export", ckpt, "--format", "onnx")
    assert (finished.code, finished.err) == (
        2,
        "seqlab: --format onnx is for recurrent language models and Transformers; leave out --format onnx for the "
        "weights as safetensors\n",
    )
    assert verb("export", ckpt).code == 0


def test_onnx_is_not_for_translation(verb: Command, here: Path) -> None:
    (here / "pairs.tsv").write_text("".join(f"a {n}\tb {n}\n" for n in range(40)))
    model = ("--model", "seq2seq", "--model.hidden_size", "4", "--model.embedding_size", "4", "--run", "pairs")
    data = ("--data", "parallel", "--data.path", "pairs.tsv", "--data.batch_size", "8", "--trainer.accelerator", "cpu")
    shares = ("--data.val_fraction", "0", "--data.test_fraction", "0")
    quick = ("--trainer.max_epochs", "1", "--watch", "none", "--bar", "none")
    assert verb("fit", *model, *data, *shares, *quick).code == 0
    finished = verb("export", "lightning_logs/pairs/checkpoints/last.ckpt", "--format", "onnx")
    assert finished.code == 2
    assert finished.err == "seqlab: --format does not take 'onnx': choose one of safetensors\n"


@pytest.mark.parametrize(
    ("form", "missing"), [("safetensors", ["safetensors"]), ("onnx", ["onnxscript"]), ("onnx", ["onnx", "onnxscript"])]
)
def test_without_the_packages(
    form: str, missing: list[str], verb: Command, story_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "onnx":
        pytest.importorskip("onnx")
    for package in missing:
        for name in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
            monkeypatch.setitem(sys.modules, name, None)
    finished = verb("export", CKPT, "--format", form)
    words = f"--format {form} needs {' and '.join(missing)}; install with pip install 'seqlab[export]'"
    assert (finished.code, finished.err) == (2, f"seqlab: {words}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([CKPT, "--format", "onxx"], "--format does not take 'onxx': did you mean 'onnx'?"),
        ([CKPT, "--format", "pickle"], "--format does not take 'pickle': choose one of onnx, safetensors"),
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
