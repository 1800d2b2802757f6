import math
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
from seqlab.errors import UserError
from seqlab.models.classification import TextClassifier
from seqlab.nn.bag import BagOptions
from seqlab.nn.naive_bayes import NaiveBayesOptions
from seqlab.nn.text_classifier import RecurrentClassifierOptions
from seqlab.nn.text_cnn import TextCNNOptions
from seqlab.nn.transformer_classifier import TransformerClassifierOptions
from seqlab.options import Options

Command = Callable[..., Any]

TWELVE = """label\ttext
good\tthe soup was wonderful and warm
good\ta lovely kind waiter
good\twonderful music all evening
good\tI liked the lovely garden
good\tthe bread was warm and fresh
good\tfresh flowers and kind people
bad\tthe soup was cold and dull
bad\ta rude and slow waiter
bad\tdull music all evening
bad\tI hated the dirty garden
bad\tthe bread was cold and old
bad\tdirty plates and rude people
"""
NEW = {"a wonderful lovely kind evening": "good", "rude people and dirty cold soup": "bad"}
SMALL: dict[str, Options] = {
    "bag": BagOptions(embedding_size=16, buckets=500, dropout=0.0),
    "gru": RecurrentClassifierOptions(embedding_size=16, hidden_size=12, dropout=0.0),
    "cnn": TextCNNOptions(embedding_size=16, filters=12, dropout=0.0),
}


@pytest.fixture
def twelve(tmp_path: Path) -> Path:
    path = tmp_path / "twelve.tsv"
    path.write_text(TWELVE, encoding="utf-8")
    return path


def data(path: Path, **options: Any) -> LabelledData:
    given = {"min_freq": 1, "batch_size": 6, "val_fraction": 0.0, "test_fraction": 0.0, **options}
    return LabelledData(str(path), **given)


def trainer(epochs: int, **options: Any) -> pl.Trainer:
    quiet: dict[str, Any] = dict.fromkeys(
        ("enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    return pl.Trainer(
        **{**quiet, "logger": False, "accelerator": "cpu", "max_epochs": epochs, "num_sanity_val_steps": 0, **options}
    )


def model(texts: LabelledData, options: Options, rate: float = 0.02) -> TextClassifier:
    torch.manual_seed(0)
    return TextClassifier(options, texts.codecs, partial(Adam, lr=rate))


@pytest.mark.parametrize("name", SMALL)
def test_twelve_sentences_are_learned_and_new_ones_labelled(name: str, twelve: Path) -> None:
    texts = data(twelve)
    made = model(texts, SMALL[name])
    trainer(40).fit(made, texts)
    assert made.evaluate(texts, "train").accuracy == 1.0
    assert {one.text: one.label for one in made.predict(NEW)} == NEW


def test_naive_bayes_counts_them(twelve: Path) -> None:
    texts = data(twelve)
    made = TextClassifier(NaiveBayesOptions(), texts.codecs)
    made.count(texts)
    assert made.evaluate(texts, "train").accuracy == 1.0
    assert {one.text: one.label for one in made.predict(NEW)} == NEW


def test_the_loss_is_the_mean_cross_entropy_of_the_texts(twelve: Path) -> None:
    texts = data(twelve, batch_size=5)
    made = model(texts, SMALL["bag"]).double()
    report = made.evaluate(texts, "train", items=True)
    expected = []
    for text, label in zip(texts.texts("train"), texts.labels("train"), strict=True):
        (one,) = made.predict([text])
        expected.append(-math.log(one.probabilities[label]))
    assert report.items["nats"] == pytest.approx(expected, rel=1e-5)
    assert report.loss == pytest.approx(sum(expected) / 12, rel=1e-5)
    assert report.count == 12
    assert report.items["text"] == texts.texts("train")


def test_validation_and_evaluation_agree(twelve: Path) -> None:
    texts = data(twelve, val_path=str(twelve))
    made, fit = model(texts, SMALL["gru"]), trainer(3)
    fit.fit(made, texts)
    report = made.evaluate(texts, "val")
    measured = {name: float(value) for name, value in fit.callback_metrics.items()}
    assert measured["val/accuracy"] == pytest.approx(report.accuracy)
    assert measured["val/f1"] == pytest.approx(report.macro_f1)
    assert measured["val/loss"] == pytest.approx(report.loss, rel=1e-6)


def test_a_label_that_training_did_not_have_counts_as_wrong(twelve: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tsv"
    other.write_text("label\ttext\ngood\tlovely warm bread\nugly\tlovely warm bread and soup\n", encoding="utf-8")
    texts = data(twelve, test_path=str(other))
    made = model(texts, SMALL["bag"])
    trainer(40).fit(made, texts)
    report = made.evaluate(texts, "test", items=True)
    assert report.accuracy == 0.5
    assert (report.count, report.unseen) == (1, 1)
    assert "2 texts, each once, 1 of them with a label that training did not have" in str(report)
    assert report.items["correct"] == [1, 0]
    (measured,) = trainer(1).test(made, texts, verbose=False)
    assert measured["test/accuracy"] == 0.5
    assert measured["test/loss"] == pytest.approx(report.loss, rel=1e-5)


def test_every_text_weighs_alike_whatever_the_batches(twelve: Path) -> None:
    losses = []
    for size in (5, 12):
        texts = data(twelve, batch_size=size, val_path=str(twelve))
        losses.append(model(texts, SMALL["bag"]).evaluate(texts, "val").loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_label_smoothing_trains_and_is_not_shown(twelve: Path) -> None:
    texts = data(twelve)
    plain, smooth = (
        model(texts, BagOptions(dropout=0.0, buckets=50, embedding_std=3.0, label_smoothing=s)) for s in (0.0, 0.2)
    )
    batch = texts.train_batches(texts.shard()).batch(0, 0)
    outputs = [made.training_step(batch, 0) for made in (plain, smooth)]
    assert float(outputs[0]["total"]) == pytest.approx(float(outputs[1]["total"]), rel=1e-6)
    assert float(outputs[0]["loss"]) != pytest.approx(float(outputs[1]["loss"]), rel=1e-3)
    logits = smooth(batch.ids, batch.lengths)
    by_hand = torch.nn.functional.cross_entropy(logits, batch.labels, label_smoothing=0.2)
    assert float(outputs[1]["loss"]) == pytest.approx(float(by_hand), rel=1e-5)


def test_balanced_weights_let_every_class_weigh_alike(tmp_path: Path) -> None:
    path = tmp_path / "rare.tsv"
    rows = [f"common\tword{n} here" for n in range(8)] + [f"rare\tother{n} there" for n in range(2)]
    path.write_text("label\ttext\n" + "\n".join(rows) + "\n", encoding="utf-8")
    texts = data(path, batch_size=10)
    made = model(texts, BagOptions(buckets=50, class_weights="balanced"), rate=0.0)
    trainer(1).fit(made, texts)
    assert made.class_weights.tolist() == pytest.approx([10 / 16, 10 / 4])
    batch = texts.train_batches(texts.shard()).batch(0, 0)
    nats = torch.nn.functional.cross_entropy(made.eval()(batch.ids, batch.lengths), batch.labels, reduction="none")
    total = float(made.loss(batch, "train").total)
    weights = torch.where(batch.labels == 0, 10 / 16, 10 / 4)
    assert total == pytest.approx(float((nats * weights).sum()), rel=1e-5)


def test_several_labels_a_text(tmp_path: Path) -> None:
    path = tmp_path / "several.jsonl"
    lines = [
        ("sweet", "honey cake"),
        ("sour", "lemon juice"),
        ("sweet,sour", "lemon cake with honey"),
        ("sour", "lemon and vinegar"),
        ("sweet", "honey and sugar"),
        ("sweet,sour", "sugar lemon drops"),
    ]
    rows = [f'{{"text": "{text}", "label": "{label}"}}' for label, text in lines]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    texts = data(path, multilabel_separator=",")
    made = model(texts, BagOptions(embedding_size=16, buckets=50, dropout=0.0), rate=0.05)
    trainer(60).fit(made, texts)
    report = made.evaluate(texts, "train")
    assert report.accuracy == 1.0
    assert report.confusion is None
    assert [one.label for one in made.predict(["honey", "vinegar", "lemon honey"])] == ["sweet", "sour", "sour,sweet"]


def test_the_threshold_of_the_highest_f1_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "two.tsv"
    rows = [f"no\tplain text number{n}" for n in range(9)] + [f"yes\tplain text odd{n}" for n in range(3)]
    path.write_text("label\ttext\n" + "\n".join(rows) + "\n", encoding="utf-8")
    texts = data(path, val_path=str(path), batch_size=12)
    made = model(texts, BagOptions(embedding_size=8, buckets=50, dropout=0.0, tune_threshold=True), rate=0.003)
    fit = trainer(3)
    fit.fit(made, texts)
    tuned = float(made.threshold)
    assert tuned != 0.5
    f1 = made.evaluate(texts, "val").classes["yes"].f1
    made.threshold.fill_(0.5)
    assert f1 >= made.evaluate(texts, "val").classes["yes"].f1
    made.threshold.fill_(tuned)
    fit.save_checkpoint(tmp_path / "a.ckpt")
    assert float(seqlab.load(tmp_path / "a.ckpt").threshold) == pytest.approx(tuned)


def test_inspection_weighs_the_words_of_a_text(twelve: Path) -> None:
    """The first held-out text where none is given; words as they are typed, also those that are unknown."""
    held = data(twelve, val_fraction=0.25)
    model = TextClassifier(TransformerClassifierOptions(hidden_size=8, num_heads=2, embedding_size=8), held.codecs)
    found = model.inspect(lambda: held)
    assert " ".join(word for word, _ in found.words) == held.inputs("val")[0].lower()
    other = model.inspect(lambda: held, text="A zeppelin was cold")
    assert [word for word, _ in other.words] == ["a", "zeppelin", "was", "cold"]
    assert sum(weight for _, weight in other.words) == pytest.approx(1)
    assert other.attention is not None
    assert other.attention.shape == (2, 2, 4, 4)
    assert other.probabilities[other.label] == max(other.probabilities.values())


def test_inspection_refuses(twelve: Path) -> None:
    held = data(twelve)
    counts = TextClassifier(NaiveBayesOptions(), held.codecs)
    with pytest.raises(UserError, match="holds counts, with no gradient and no attention; give a network$"):
        counts.inspect(lambda: held)
    with pytest.raises(UserError, match="^text ' ' has no words; give --text a sentence$"):
        TextClassifier(SMALL["bag"], held.codecs).inspect(lambda: held, text=" ")


def test_a_checkpoint_alone_predicts_from_raw_text(verb: Command, here: Path, twelve: Path) -> None:
    options = ("--data", "labelled", "--data.path", str(twelve), "--data.min_freq", "1", "--data.max_length", "5")
    small = ("--model", "bag", "--model.embedding_size", "16", "--model.buckets", "100", "--model.dropout", "0")
    shares = ("--data.val_fraction", "0", "--data.test_fraction", "0", "--trainer.accelerator", "cpu", "--run", "r")
    trained = verb("fit", *options, *small, *shares, "--optimizer.lr", "0.03", "--trainer.max_epochs", "40")
    assert trained.code == 0, trained.err
    twelve.unlink()
    checkpoint = "lightning_logs/r/checkpoints/last.ckpt"
    said = verb("predict", checkpoint, *NEW)
    assert [line.split("\t")[0] for line in said.out.splitlines()] == [*NEW.values()]
    long = "wonderful lovely kind warm fresh " + "rude dirty cold dull " * 5
    assert verb("predict", checkpoint, long).out.startswith("good"), "words behind the longest length are not read"


def test_it_goes_on_to_the_bit(verb: Command, here: Path, twelve: Path) -> None:
    options = ("--data", "labelled", "--data.path", str(twelve), "--data.min_freq", "1", "--data.batch_size", "4")
    small = (
        "--model",
        "lstm",
        "--model.hidden_size",
        "6",
        "--model.embedding_size",
        "5",
        "--trainer.accelerator",
        "cpu",
    )
    shares = ("--data.val_fraction", "0.25", "--data.test_fraction", "0")
    common = (*options, *small, *shares, "--patience", "null", "--bar", "none", "--watch", "none")
    assert verb("fit", *common, "--run", "whole", "--trainer.max_epochs", "4").code == 0
    assert verb("fit", *common, "--run", "parts", "--trainer.max_epochs", "2").code == 0
    assert verb("fit", "--ckpt_path", "last", "--run", "parts", "--trainer.max_epochs", "4").code == 0
    states = [torch.load(f"lightning_logs/{run}/checkpoints/last.ckpt")["state_dict"] for run in ("whole", "parts")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--data", "trec", "--model", "seq2seq"),
            "--model seq2seq does not read --data trec; it reads fra_eng, parallel",
        ),
        (("--data", "labelled"), "--data labelled needs labelled texts to train on; name a file with --data.path"),
        (("--data", "trec", "--model", "bga"), "unknown model 'bga': did you mean 'bag'?"),
    ],
)
def test_refusals(refusal: Command, words: tuple[str, ...], message: str) -> None:
    assert refusal("fit", *words).startswith(message)
