import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch.optim import Adam

import seqlab
from seqlab.data.labelled import LabelledData
from seqlab.data.tagged import TaggedData
from seqlab.data.text import TextData
from seqlab.errors import UserError
from seqlab.models.classification import TextClassifier
from seqlab.models.language import LanguageModel
from seqlab.models.pretrained import read_context
from seqlab.models.sizes import shapes_of
from seqlab.models.tagging import Tagger
from seqlab.models.vectors import WordVectorModel
from seqlab.models.word_inputs import WordInputs
from seqlab.nn.bag import BagOptions
from seqlab.nn.language_network import LanguageOptions
from seqlab.nn.ngram import NGramOptions
from seqlab.nn.skipgram import SkipGramOptions
from seqlab.nn.suffix import SuffixOptions
from seqlab.nn.tagger import TaggerOptions
from seqlab.nn.text_classifier import RecurrentClassifierOptions
from seqlab.nn.text_cnn import TextCNNOptions
from seqlab.nn.transformer_classifier import TransformerClassifierOptions
from seqlab.nn.transformer_language import TransformerLanguageOptions
from seqlab.nn.transformer_tagger import TransformerTaggerOptions
from seqlab.options import Options
from seqlab.text.context_codec import ContextCodec

Command = Callable[..., Any]

SENTENCES = "Tom saw a zebra .\nIda ran to New Wick .\nRay left Old Wick and saw Tom .\n"
TAGS = {"Tom": "name", "Ida": "name", "Ray": "name", "saw": "verb", "ran": "verb", "left": "verb"}
READ = LanguageOptions("gru", 6, num_layers=2, embedding_size=6, backward=True)
TAGGER: dict[str, Any] = {"embedding_size": 5, "hidden_size": 8, "casing_size": 0}
SMALL: dict[str, Any] = {"embedding_size": 5, "dropout": 0.0}
TRANSFORMER: dict[str, Any] = {"hidden_size": 8, "num_layers": 1, "num_heads": 2}
KINDS: dict[str, Callable[..., Options]] = {
    "tagging by gru": partial(TaggerOptions, cell="gru", **TAGGER),
    "tagging by transformer": partial(TransformerTaggerOptions, **{**TAGGER, **TRANSFORMER}),
    "bag": partial(BagOptions, buckets=50, **SMALL),
    "bag beside counts": partial(BagOptions, buckets=50, counts=0.2, **SMALL),
    "gru": partial(RecurrentClassifierOptions, cell="gru", **{**SMALL, "hidden_size": 6}),
    "cnn": partial(TextCNNOptions, filters=4, widths=[2], **SMALL),
    "transformer": partial(TransformerClassifierOptions, **{**SMALL, **TRANSFORMER}),
}


def trainer(**options: Any) -> pl.Trainer:
    quiet: dict[str, Any] = dict.fromkeys(
        ("enable_checkpointing", "enable_progress_bar", "enable_model_summary", "logger"), False
    )
    return pl.Trainer(**{**quiet, "accelerator": "cpu", "max_epochs": 1, "num_sanity_val_steps": 0, **options})


def reader(folder: Path, name: str = "reader.ckpt", options: Options = READ, tokens: str = "space") -> str:
    """The checkpoint of an untrained language model of words."""
    (folder / "text.txt").write_text(SENTENCES * 9, encoding="utf-8")
    text = TextData(str(folder / "text.txt"), tokens=tokens, cleaning="lower", batch_size=2, num_steps=4)
    torch.manual_seed(1)
    made, runs = LanguageModel(options, text.codecs), trainer(max_steps=1, limit_val_batches=0)
    runs.fit(made, text)
    runs.save_checkpoint(folder / name)
    return str(folder / name)


def tagged(folder: Path) -> TaggedData:
    words = [line.replace("zebra", "cat").split() for line in SENTENCES.splitlines()]
    rows = ["\n".join(f"{word}\t{TAGS.get(word, 'other')}" for word in sentence) for sentence in words]
    (folder / "tags.conll").write_text("\n\n".join(rows) + "\n", encoding="utf-8")
    return TaggedData(str(folder / "tags.conll"), batch_size=2, val_fraction=0.0, test_fraction=0.0)


def labelled(folder: Path, **options: Any) -> LabelledData:
    rows = [f"{'long' if len(line.split()) > 5 else 'short'}\t{line}" for line in SENTENCES.splitlines()]
    (folder / "labels.tsv").write_text("label\ttext\n" + "\n".join(rows) + "\n", encoding="utf-8")
    given = {"min_freq": 2, "batch_size": 2, "val_fraction": 0.0, "test_fraction": 0.0, **options}
    return LabelledData(str(folder / "labels.tsv"), **given)


def model(kind: str, folder: Path, where: str | None) -> tuple[WordInputs, Any]:
    data: Any = tagged(folder) if "tagging" in kind else labelled(folder)
    torch.manual_seed(0)
    made = Tagger if "tagging" in kind else TextClassifier
    return made(KINDS[kind](contextual=where), data.codecs, partial(Adam, lr=0.05), name=kind.split()[-1]), data


def saved(model: WordInputs, runs: pl.Trainer, path: Path) -> Any:
    """The model from its checkpoint, under the name of its network."""
    model.name = {"counts": "bag"}.get(model.name, model.name)
    runs.save_checkpoint(path)
    return seqlab.load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_learns_with_a_frozen_reader_and_its_checkpoint_needs_no_other(kind: str, tmp_path: Path) -> None:
    where = reader(tmp_path)
    read = read_context(where)
    (made, data), runs = model(kind, tmp_path, where), trainer()
    assert made.contextual is not None
    runs.fit(made, data)
    for name, weights in made.contextual.network.state_dict().items():
        assert torch.equal(weights, read.weights[name]), name
    assert made.contextual.weights.abs().sum() > 0
    assert made.contextual.gamma.item() != 1
    frozen = {id(one) for one in made.contextual.network.parameters()}
    assert not frozen & {id(one) for one in runs.optimizers[0].state}
    assert made.num_parameters() == sum(one.numel() for one in made.parameters() if id(one) not in frozen)
    Path(where).unlink()
    made.eval()
    again = saved(made, runs, tmp_path / "own.ckpt")
    said, wanted = [[*one.predict(["Tom saw a zebra ."])] for one in (again, made)]
    assert said == wanted
    fresh = tagged(tmp_path) if "tagging" in kind else labelled(tmp_path)
    measured, before = again.evaluate(fresh, "train"), made.evaluate(data, "train")
    assert (measured.loss, measured.measures) == (before.loss, before.measures)


@pytest.mark.parametrize("kind", ["tagging by gru", "cnn"])
def test_words_that_training_lacked_are_read(kind: str, tmp_path: Path) -> None:
    made, _ = model(kind, tmp_path, reader(tmp_path))
    made.double().eval()

    def scores(text: str) -> list[float]:
        if isinstance(made, Tagger):
            return next(made.predict([text], probabilities=True)).probabilities or []
        assert isinstance(made, TextClassifier)
        return [*next(made.predict([text])).probabilities.values()]

    assert made.text.vocab.ids(["zebra", "yak", "gnu"]) == [0, 0, 0]
    assert scores("yak saw") == scores("gnu saw") != scores("zebra saw")


@pytest.mark.parametrize(
    "options", [TransformerLanguageOptions(**TRANSFORMER), LanguageOptions("lstm", 6, embedding_size=None)], ids=str
)
def test_other_readers(options: Options, tmp_path: Path) -> None:
    name = "transformer" if isinstance(options, TransformerLanguageOptions) else "lstm"
    (made, data), runs = model("tagging by gru", tmp_path, reader(tmp_path, options=options)), trainer()
    runs.fit(made, data)
    long = "Tom saw a zebra and Ida ran to New Wick and Ray left Old Wick and saw Tom ."
    again = saved(made.eval(), runs, tmp_path / "own.ckpt")
    assert again.codecs["context"].network == ("transformer" if name == "transformer" else "recurrent")
    assert [*again.predict([long])] == [*made.predict([long])]


def test_what_is_said_of_it(tmp_path: Path) -> None:
    made, _ = model("tagging by gru", tmp_path, reader(tmp_path))
    assert made.loaded == ["states of gru (static, layer 0, layer 1)"]
    assert made.remarks({}) == [
        "Weights of the language model's layers: static 0.33, layer 0 0.33, layer 1 0.33; scale 1.00."
    ]
    plain, _ = model("tagging by gru", tmp_path, None)
    assert plain.contextual is None
    assert not plain.remarks({})


def test_its_size_is_known_before_it_is_made(tmp_path: Path) -> None:
    made, _ = model("cnn", tmp_path, reader(tmp_path))
    shapes = shapes_of(TextClassifier, made.options, made.codecs)
    assert shapes is not None
    assert {name: one.shape for name, one in shapes.items()} == {
        name: one.shape for name, one in made.state_dict().items() if name.startswith("network.")
    }


def test_data_hold_the_ids_of_the_reader_once_a_model_has_one(tmp_path: Path) -> None:
    made, data = model("tagging by gru", tmp_path, reader(tmp_path))
    assert [*data.codecs] == ["text", "characters", "tag"]
    before = data.encoded("train").batch([0, 1])
    assert before.context.shape == (0, 0)
    data.adopt(made.codecs)
    batch = data.encoded("train").batch([0, 1])
    codec = made.codecs["context"]
    assert isinstance(codec, ContextCodec)
    vocab = codec.text.vocab
    assert vocab.tokens(batch.context[0].tolist()) == ["tom", "saw", "a", "<unk>", ".", "<unk>"]
    assert torch.equal(batch.ids, before.ids)
    encoded = data.encoded("train")
    data.adopt(made.codecs)
    data.adopt(Tagger(SuffixOptions(), data.codecs).codecs)
    assert data.encoded("train") is encoded


def test_words_that_training_lacks_have_the_vectors_of_another_run(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(SENTENCES * 9, encoding="utf-8")
    text = TextData(str(tmp_path / "text.txt"), tokens="word", batch_size=2, num_steps=4)
    vectors, runs = WordVectorModel(SkipGramOptions(embedding_size=4), text.codecs, name="skipgram"), trainer()
    runs.fit(vectors, text)
    runs.save_checkpoint(tmp_path / "vectors.ckpt")
    made, data = model("tagging by gru", tmp_path, str(tmp_path / "vectors.ckpt"))
    assert made.contextual is not None
    assert made.contextual.size == 4
    codec = made.codecs["context"]
    assert isinstance(codec, ContextCodec)
    assert "zebra" not in made.text.vocab
    ids = torch.tensor([codec.ids(["Zebra", "nowhere"])])
    found = made.contextual(ids, torch.tensor([2]))[0]
    assert torch.equal(found[0], vectors.network.vectors()[text.codecs["text"].vocab["zebra"]])
    assert torch.equal(found[1], torch.zeros(4))
    runs = trainer()
    runs.fit(made, data)
    again = saved(made, runs, tmp_path / "own.ckpt")
    assert [*again.predict(["Tom saw a zebra ."])] == [*made.predict(["Tom saw a zebra ."])]
    assert made.remarks({}) == [f"Scale of the word vectors: {made.contextual.gamma.item():.2f}."]


def test_a_model_that_is_no_reader(tmp_path: Path) -> None:
    ngram = reader(tmp_path, "ngram.ckpt", NGramOptions(order=2))
    with pytest.raises(
        UserError, match=r"ngram.ckpt holds a language model 'ngram', which has no states of words; give"
    ):
        model("cnn", tmp_path, ngram)
    chars = reader(tmp_path, "chars.ckpt", tokens="char")
    with pytest.raises(UserError, match=r"chars.ckpt reads tokens of kind 'char', which are no words; give a language"):
        model("cnn", tmp_path, chars)
    wide = reader(tmp_path, "wide.ckpt", LanguageOptions("gru", [6, 4]))
    with pytest.raises(UserError, match="a sum of layers needs layers of one size"):
        model("cnn", tmp_path, wide)
    (made, data), runs = model("cnn", tmp_path, None), trainer()
    runs.fit(made, data)
    saved(made, runs, tmp_path / "cnn.ckpt")
    with pytest.raises(UserError, match="holds a classifier 'cnn', which has no states of words"):
        model("cnn", tmp_path, str(tmp_path / "cnn.ckpt"))
    with pytest.raises(UserError, match="there is no checkpoint '.*nowhere.ckpt'"):
        model("cnn", tmp_path, str(tmp_path / "nowhere.ckpt"))


def test_data_that_are_no_words(tmp_path: Path) -> None:
    data = labelled(tmp_path, tokens="char", min_freq=1)
    with pytest.raises(UserError, match="--model.contextual reads words, and these data have tokens of kind 'char'"):
        TextClassifier(KINDS["cnn"](contextual=reader(tmp_path)), data.codecs)


def test_a_run_goes_on_without_the_reader_and_ends_the_same(verb: Command, here: Path) -> None:
    where = reader(here)
    tagged(here)
    words = ["--data", "tagged", "--data.path", "tags.conll", "--data.val_fraction", "0", "--data.test_fraction", "0"]
    words += ["--data.batch_size", "2", "--model", "gru", "--model.hidden_size", "6", "--trainer.accelerator", "cpu"]
    words += ["--watch", "none", "--bar", "none"]

    def last(run: str) -> dict[str, Any]:
        found: dict[str, Any] = torch.load(here / "lightning_logs" / run / "checkpoints" / "last.ckpt")
        return found

    for run, epochs in (("whole", "3"), ("halved", "1")):
        code, out, err = verb(
            *("fit", *words, "--model.contextual", where, "--run", run, "--trainer.max_epochs", epochs)
        )
        assert (code, "training starts" in err) == (0, True)
        assert "Weights of the language model's layers: static" in out
    Path(where).unlink()
    result = json.loads((here / "lightning_logs" / "whole" / "result.json").read_text())
    weights = last("whole")["state_dict"]
    frozen = sum(one.numel() for name, one in weights.items() if ".contextual.network." in name)
    assert 0 < result["parameters"] < sum(one.numel() for one in weights.values()) - frozen / 2
    code, _, err = verb("fit", "--ckpt_path", "last", "--run", "halved", "--trainer.max_epochs", "3")
    assert (code, "the numbers differ" in err) == (0, False)
    for name, weight in last("halved")["state_dict"].items():
        assert torch.equal(weight, weights[name]), name
    assert last("halved")["seqlab"]["codecs"] == last("whole")["seqlab"]["codecs"]
    for name in ("evaluate", "inspect", "export"):
        more = ["--split", "train"] if name == "evaluate" else []
        more += ["--text", "Tom ran"] if name == "inspect" else []
        code, out, err = verb(name, "lightning_logs/halved", *more)
        assert (code, err) == (0, ""), name
