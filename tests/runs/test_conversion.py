"""Checkpoints of format 1, saved by the last version that wrote it, in ``fixtures/format1``."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from seqlab.data.text import TextData
from seqlab.errors import UserError
from seqlab.models import load, load_model
from seqlab.nn.ngram import NGram
from seqlab.nn.translation_network import TranslationOptions
from seqlab.runs.checkpoint import FORMAT, read_checkpoint
from seqlab.runs.conversion import variant
from seqlab.text.codec import Codec

FIXTURES = Path(__file__).parents[1] / "fixtures"
SAVED = {path.stem: path for path in sorted((FIXTURES / "format1").glob("*.ckpt"))}
RECURRENT = ("gru_before", "lstm", "rnn_relu")


def raw(name: str) -> dict[str, Any]:
    """As the file holds it."""
    saved: dict[str, Any] = torch.load(SAVED[name], map_location="cpu", weights_only=True)
    assert saved["seqlab"]["format"] == 1
    return saved


def test_there_is_one_of_each_kind() -> None:
    assert {raw(name)["seqlab"]["kind"] for name in SAVED} == {"language_model", "ngram", "seq2seq"}


@pytest.mark.parametrize("name", SAVED)
def test_every_weight_is_there(name: str) -> None:
    model, saved = load_model(read_checkpoint(SAVED[name])), raw(name)["state_dict"]
    assert not model.training
    kept = model.network.state_dict()
    assert list(kept) == [weight.removeprefix("network.") for weight in saved]
    for weight, value in saved.items():
        found = kept[weight.removeprefix("network.")]
        assert found.dtype == value.dtype
        assert torch.equal(found, value), weight


@pytest.mark.parametrize(
    ("name", "task", "model"),
    [
        ("gru_before", "language", "gru_before"),
        ("lstm", "language", "lstm"),
        ("rnn_relu", "language", "rnn_relu"),
        ("ngram", "language", "ngram"),
        ("seq2seq", "translation", "seq2seq"),
    ],
)
def test_it_is_called_what_it_is_called_now(name: str, task: str, model: str) -> None:
    read = read_checkpoint(SAVED[name])
    record, loaded = read["seqlab"], load(SAVED[name])
    assert (record["format"], record["task"], record["model"]) == (FORMAT, task, model)
    assert read["hyper_parameters"]["model"] == model
    assert (loaded.task, loaded.name, loaded.run) == (task, model, name)


@pytest.mark.parametrize("name", SAVED)
def test_its_options_are_those_that_it_was_trained_with(name: str) -> None:
    given, options = raw(name)["hyper_parameters"], load(SAVED[name]).options
    dropped = {"vocab_size", "source_vocab_size", "target_vocab_size", "reset_after", "nonlinearity", "cell"}
    dropped |= set() if name == "seq2seq" else {"bidirectional"}
    kept = {key: value for key, value in given.items() if key not in dropped}
    assert {key: getattr(options, key) for key in kept} == kept
    if name != "ngram":
        assert options.cell == ("lstm" if name == "seq2seq" else name)


@pytest.mark.parametrize("name", SAVED)
def test_its_configuration_has_no_option_that_is_gone(name: str) -> None:
    before, now = (yaml.safe_load(read["run"]["config"]) for read in (raw(name), read_checkpoint(SAVED[name])))
    gone = {"reset_after", "nonlinearity", *(() if name == "seq2seq" else ("bidirectional",))}
    assert now["model"]["name"] == name
    assert not gone & {*now["model"]}
    kept = {key: value for key, value in before["model"].items() if key not in {"name", *gone}}
    assert {key: value for key, value in now["model"].items() if key != "name"} == kept
    assert {**now, "model": None} == {**before, "model": None}


@pytest.mark.parametrize("name", SAVED)
def test_its_codecs_are_kept(name: str) -> None:
    record, model = raw(name)["seqlab"], load(SAVED[name])
    states = record["codec"] if name == "seq2seq" else {"text": record["codec"]}
    assert list(model.codecs) == (["source", "target"] if name == "seq2seq" else ["text"])
    for key, state in states.items():
        codec = model.codecs[key]
        assert isinstance(codec, Codec)
        assert codec.state() == Codec.from_state(state).state()
        assert codec.vocab_size == len(Codec.from_state(state).vocab)


@pytest.mark.parametrize("name", SAVED)
def test_what_a_run_goes_on_with_is_kept(name: str) -> None:
    before, now = raw(name), read_checkpoint(SAVED[name])
    for key in ("epoch", "global_step", "loops", "lr_schedulers", "TextData", "ParallelData"):
        assert now.get(key) == before.get(key)
    assert {**now["run"], "config": ""} == {**before["run"], "config": ""}
    assert now["seqlab"]["data"] == before["seqlab"]["data"]
    assert now["seqlab"]["corpus"] == before["seqlab"]["corpus"]
    (theirs,), (ours,) = before["optimizer_states"], now["optimizer_states"]
    assert ours["param_groups"] == theirs["param_groups"]
    for number, state in theirs["state"].items():
        assert all(torch.equal(ours["state"][number][key], value) for key, value in state.items())
    assert not [key for key in now["callbacks"] if key.startswith("ModelCheckpoint")]
    assert len(now["callbacks"]) == len(before["callbacks"])
    assert any(key.startswith("KeepBest{") for key in now["callbacks"])


@pytest.mark.parametrize("name", RECURRENT)
def test_the_state_between_batches_is_kept(name: str) -> None:
    kept, carried = raw(name)["seqlab"]["carry"], read_checkpoint(SAVED[name])["seqlab"]["carry"]
    assert isinstance(carried, tuple)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(carried, kept, strict=True))
    network = load(SAVED[name]).network
    assert network.num_rows(carried) == 4
    assert network(torch.zeros(4, 1, dtype=torch.int64), carried)[0].isfinite().all()


def test_an_old_gru_resets_before_the_product() -> None:
    saved = raw("gru_before")["state_dict"]
    layer = {key: saved[f"network.recurrent.layers.{key}_l0"] for key in ("weight_ih", "weight_hh", "bias_ih")}
    bias_hh, ids = saved["network.recurrent.layers.bias_hh_l0"], torch.tensor([3, 1, 4, 1, 5])
    h = torch.zeros(6)
    for x in saved["network.embedding.weight"][ids]:
        x_r, x_z, x_n = (layer["weight_ih"] @ x + layer["bias_ih"]).chunk(3)
        w_r, w_z, w_n = layer["weight_hh"].chunk(3)
        b_r, b_z, b_n = bias_hh.chunk(3)
        r, z = torch.sigmoid(x_r + w_r @ h + b_r), torch.sigmoid(x_z + w_z @ h + b_z)
        h = (1 - z) * torch.tanh(x_n + w_n @ (r * h) + b_n) + z * h
    logits = saved["network.output.weight"] @ h + saved["network.output.bias"]
    torch.testing.assert_close(load(SAVED["gru_before"]).network(ids.unsqueeze(0))[0][0, -1], logits)


def test_an_old_rnn_of_relu() -> None:
    saved = raw("rnn_relu")["state_dict"]
    layer = torch.nn.RNN(4, 6, nonlinearity="relu", batch_first=True)
    layer.load_state_dict({key: saved[f"network.recurrent.layers.{key}"] for key in layer.state_dict()})
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    outputs = layer(saved["network.embedding.weight"][ids])[0]
    logits = outputs @ saved["network.output.weight"].t() + saved["network.output.bias"]
    torch.testing.assert_close(load(SAVED["rnn_relu"]).network(ids)[0], logits)


def test_old_counts_give_the_same_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a model that counts the same text anew, and as the measurement of format 1 had it: 2.2674 nats a token."""
    model, saved = load(SAVED["ngram"]), raw("ngram")
    monkeypatch.chdir(FIXTURES)
    recipe = {key: value for key, value in saved["seqlab"]["data"].items() if key != "name"}
    data = TextData(**recipe, codecs=model.codecs)
    again = NGram(45, 3, "kneser_ney")
    again.count(torch.from_numpy(data.part("train").ids.astype("int64")))
    ids = torch.randint(0, 45, (1, 40), generator=torch.Generator().manual_seed(0))
    logits, _ = again(ids)
    assert torch.equal(model(ids)[0], logits)
    torch.testing.assert_close(logits.exp().sum(-1), torch.ones(1, 40).double(), rtol=0, atol=1e-12)
    report = model.evaluate(data, "test")
    assert report.count == 269
    assert report.loss == pytest.approx(2.2674, abs=5e-5)


def test_an_old_translation_model_translates() -> None:
    model = load(SAVED["seq2seq"])
    assert isinstance(model.options, TranslationOptions)
    assert model.options.bidirectional
    assert model.network.encoder.recurrent.directions == 2
    (best,) = model.translate("Go.", max_length=5)
    assert isinstance(best[0], str)


@pytest.mark.parametrize("name", ["lstm", "ngram", "seq2seq"])
@pytest.mark.parametrize("missing", ["none", "absent"])
def test_without_its_codec_it_is_refused(name: str, missing: str, tmp_path: Path) -> None:
    saved = raw(name)
    record = {key: value for key, value in saved["seqlab"].items() if key != "codec"}
    torch.save({**saved, "seqlab": {**record, **({"codec": None} if missing == "none" else {})}}, tmp_path / "old.ckpt")
    with pytest.raises(UserError) as caught:
        read_checkpoint(tmp_path / "old.ckpt")
    words = "the checkpoint was saved without its codec, so that its tokens are unknown; train again"
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("cell", "options", "name"),
    [
        ("gru", {"reset_after": False}, "gru_before"),
        ("gru", {"reset_after": True}, "gru"),
        ("gru", {"reset_after": None}, "gru"),
        ("gru", {}, "gru"),
        ("rnn", {"nonlinearity": "relu"}, "rnn_relu"),
        ("rnn", {"nonlinearity": "tanh"}, "rnn"),
        ("rnn", {"nonlinearity": None}, "rnn"),
        ("lstm", {"reset_after": None, "nonlinearity": None}, "lstm"),
    ],
    ids=str,
)
def test_the_row_of_a_variant(cell: str, options: dict[str, Any], name: str) -> None:
    assert variant(cell, options) == name
