import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.optim import Adam

import seqlab
from seqlab.data.tagged import TaggedData
from seqlab.errors import UserError
from seqlab.models.tagging import Tagger
from seqlab.nn.perceptron import PerceptronOptions
from seqlab.nn.suffix import SuffixOptions
from seqlab.nn.tagger import TaggerOptions
from seqlab.options import Options

Command = Callable[..., Any]

NAMES = """\
Tom B-person
Ray I-person
saw O
Ida B-person

Ida B-person
ran O
to O
New B-place
Wick I-place

Tom B-person
and O
Ida B-person
left O
Old B-place
Wick I-place

we O
saw O
Ray B-person
in O
New B-place
Wick I-place
"""
SMALL = TaggerOptions(
    cell="gru",
    hidden_size=12,
    embedding_size=16,
    characters="cnn",
    character_size=6,
    character_hidden_size=8,
    dropout=0.0,
    word_dropout=0.0,
)
KINDS: dict[str, Options] = {
    "softmax": SMALL,
    "crf": replace(SMALL, output="crf"),
    "crf constrained": replace(SMALL, output="crf", constrained=True),
    "softmax constrained": replace(SMALL, constrained=True),
    "suffix": SuffixOptions(),
    "perceptron": PerceptronOptions(),
}


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.conll"
    path.write_text(NAMES, encoding="utf-8")
    return path


def data(path: Path, **options: Any) -> TaggedData:
    return TaggedData(str(path), **{"batch_size": 2, "val_fraction": 0.0, "test_fraction": 0.0, **options})


def trainer(epochs: int, **options: Any) -> pl.Trainer:
    quiet: dict[str, Any] = dict.fromkeys(
        ("enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    return pl.Trainer(
        **{**quiet, "logger": False, "accelerator": "cpu", "max_epochs": epochs, "num_sanity_val_steps": 0, **options}
    )


def model(sentences: TaggedData, options: Options, rate: float = 0.03) -> Tagger:
    torch.manual_seed(0)
    return Tagger(options, sentences.codecs, partial(Adam, lr=rate))


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_sentences_are_learned(kind: str, names: Path) -> None:
    sentences = data(names)
    made = model(sentences, KINDS[kind])
    trainer(25 if made.options.by_gradients else 1).fit(made, sentences)
    report = made.evaluate(sentences, "train")
    assert report.accuracy >= 0.95 if kind == "suffix" else report.accuracy == 1.0
    if kind == "suffix":
        return
    assert report.spans == (9, 9, 9)
    assert report.strict == report.spans
    (said,) = made.predict(["Ida saw New Wick"])
    assert said.words == ["Ida", "saw", "New", "Wick"]
    assert said.spans == [
        {"kind": "person", "start": 0, "end": 1, "text": "Ida"},
        {"kind": "place", "start": 2, "end": 4, "text": "New Wick"},
    ]


@pytest.mark.parametrize("scheme", ["iob1", "iobes", "bilou"])
def test_constrained_tags_never_break_their_scheme(scheme: str, names: Path) -> None:
    from seqlab.text.schemes import violations

    sentences = data(names, scheme=scheme)
    made = model(sentences, replace(SMALL, constrained=True))
    said = made.predict(["Tom saw Ida in New Wick and we ran"] * 2 + ["Wick", "we Wick"])
    assert sum(violations(one.tags, scheme) for one in said) == 0
    if scheme == "iob1":  # which lets an I stand anywhere
        return
    free = model(sentences, SMALL)
    assert sum(violations(one.tags, scheme) for one in free.predict(["Tom saw Ida in New Wick and we ran"])) > 0


@pytest.mark.parametrize("kind", ["softmax", "crf"])
def test_the_loss_is_the_mean_of_the_words_whatever_the_batches(kind: str, names: Path) -> None:
    losses = []
    for size in (1, 2, 4):
        sentences = data(names, batch_size=size, val_path=str(names))
        made = model(sentences, KINDS[kind]).double()
        report = made.evaluate(sentences, "val", items=True)
        assert report.loss == pytest.approx(sum(report.items["nats"]) / 21, rel=1e-12)
        batches = sentences.train_batches(sentences.shard())
        sums = [made.loss(batches.batch(0, index), "val") for index in range(len(batches))]
        losses.append(float(sum(one.total for one in sums) / sum(one.items for one in sums)))
        assert losses[-1] == pytest.approx(report.loss, rel=1e-9)
    assert losses[0] == pytest.approx(losses[1], rel=1e-12) == pytest.approx(losses[2], rel=1e-12)


def test_a_margin_makes_a_missed_span_dearer_in_training_alone(names: Path) -> None:
    """At each word of a span, O gets so much more than its score."""
    sentences = data(names)
    plain, margin = (model(sentences, replace(SMALL, recall_margin=by)).double() for by in (0.0, 2.0))
    batch = sentences.train_batches(sentences.shard()).batch(0, 0)
    outside = sentences.labels.names.index("O")
    scores = plain(batch)
    raised = scores.clone()
    raised[..., outside] += 2 * (batch.tags != outside)
    real = batch.tags >= 0
    expected = cross_entropy(raised[real], batch.tags[real], reduction="sum")
    assert float(margin.loss(batch, "train").total) == pytest.approx(float(expected))
    assert float(margin.loss(batch, "val").total) == pytest.approx(float(plain.loss(batch, "train").total))


def test_the_nats_of_a_crf_are_the_probability_of_the_path(names: Path) -> None:
    sentences = data(names)
    made = model(sentences, KINDS["crf"]).double()
    report = made.evaluate(sentences, "train", items=True)
    tags = len(sentences.labels)
    (one,) = made.predict(["Ida saw"], n_best=tags**2)
    assert one.paths is not None
    assert len(one.paths) == tags**2
    assert sum(path.probability for path in one.paths) == pytest.approx(1.0)
    assert [path.probability for path in one.paths] == sorted((path.probability for path in one.paths), reverse=True)
    assert one.paths[0].tags == one.tags
    (first,) = made.predict([sentences.inputs("train")[0]], n_best=1000, tokenized=True)
    assert first.paths is not None
    by_tags = {tuple(path.tags): path.probability for path in first.paths}
    wanted = tuple(sentences.tags("train")[0])
    if wanted in by_tags:
        assert report.items["nats"][0] == pytest.approx(-math.log(by_tags[wanted]), rel=1e-6)


@pytest.mark.parametrize("kind", ["softmax", "crf"])
def test_probabilities_are_those_over_all_paths(kind: str, names: Path) -> None:
    made = model(data(names), KINDS[kind]).double()
    (one,) = made.predict(["Ida saw"], probabilities=True, n_best=25)
    assert one.paths is not None
    assert one.probabilities is not None
    for place, probability in enumerate(one.probabilities):
        total = sum(path.probability for path in one.paths if path.tags[place] == one.tags[place])
        assert probability == pytest.approx(total, rel=1e-6)


def test_validation_and_evaluation_agree(names: Path) -> None:
    sentences = data(names, val_path=str(names))
    made, fit = model(sentences, KINDS["crf"]), trainer(2)
    fit.fit(made, sentences)
    report = made.evaluate(sentences, "val")
    measured = {name: float(value) for name, value in fit.callback_metrics.items()}
    assert measured["val/accuracy"] == pytest.approx(report.accuracy)
    assert measured["val/f1"] == pytest.approx(report.spans.f1)
    assert measured["val/loss"] == pytest.approx(report.loss, rel=1e-6)


def test_tags_that_training_did_not_have_count_as_wrong(names: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.conll"
    other.write_text("Tom B-person\nran O\n\nIda B-thing\nran O\n", encoding="utf-8")
    for kind, counted in (("softmax", 3), ("crf", 2)):
        sentences = data(names, test_path=str(other))
        made = model(sentences, KINDS[kind])
        trainer(25).fit(made, sentences)
        report = made.evaluate(sentences, "test")
        assert report.accuracy == 0.75
        assert (report.unknown, report.count, report.spans) == (1, counted, (1, 2, 2))
        assert "1 of them with a tag that training did not have" in str(report)
        (measured,) = trainer(1).test(made, sentences, verbose=False)
        assert measured["test/accuracy"] == 0.75
        assert measured["test/loss"] == pytest.approx(report.loss, rel=1e-5)


def test_parts_of_speech_have_no_spans(tmp_path: Path) -> None:
    path = tmp_path / "words.conll"
    path.write_text("the D\ndog N\n\na D\ncat N\n", encoding="utf-8")
    sentences = data(path, val_path=str(path))
    made, fit = model(sentences, SMALL), trainer(1)
    fit.fit(made, sentences)
    assert [*made.measures] == ["accuracy"]
    assert "val/f1" not in fit.callback_metrics
    report = made.evaluate(sentences, "val")
    assert (report.kinds, report.strict) == ({}, None)
    for options, told in (({"constrained": True}, "constrained true"), ({"recall_margin": 2.0}, "recall_margin 2.0")):
        with pytest.raises(UserError, match=f"{told} needs tags that mark spans"):
            model(sentences, replace(SMALL, **options))


def test_long_sentences_are_tagged_in_parts_and_said(names: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentences = data(names, max_length=3)
    made = model(sentences, KINDS["crf"])
    report = made.evaluate(sentences, "train")
    assert (report.cut, report.words, report.sentences) == (4, 21, 4)
    assert "4 sentences tagged in parts" in str(report)
    text = "Tom ran to New Wick"
    (one,) = made.predict([text], n_best=3, probabilities=True, offsets=True)
    assert "1 longer than 3 words, tagged in parts" in capsys.readouterr().err
    assert (one.parts, len(one.tags)) == (2, 5)
    assert one.paths is not None
    assert one.probabilities is not None
    assert one.offsets is not None
    assert [len(path.tags) for path in one.paths] == [5, 5, 5]
    assert len(one.probabilities) == 5
    assert [text[start:end] for start, end in one.offsets] == text.split()


def test_what_is_said_does_not_depend_on_what_stands_beside_it(names: Path) -> None:
    made = model(data(names), KINDS["crf"])
    texts = ["Tom saw Ida", "", "Wick", "we ran to New Wick and left"]
    together = [*made.predict(texts)]
    assert together == [one for text in texts for one in made.predict([text])]
    assert (together[1].words, together[1].tags, together[1].spans) == ([], [], [])
    with pytest.raises(UserError, match="n_best 0 must be a whole number of at least 1"):
        [*made.predict(texts, n_best=0)]


def test_a_checkpoint_alone_tags_raw_text_and_lists_errors(verb: Command, here: Path, names: Path) -> None:
    options = (
        "--data",
        "tagged",
        "--data.path",
        str(names),
        "--data.val_path",
        str(names),
        "--data.test_fraction",
        "0",
    )
    small = ("--model", "lstm", "--model.hidden_size", "8", "--model.embedding_size", "12", "--model.output", "crf")
    more = ("--trainer.max_epochs", "12", "--optimizer.lr", "0.03", "--trainer.accelerator", "cpu", "--run", "r")
    trained = verb("fit", *options, *small, *more, "--monitor", "val/f1", "--patience", "null")
    assert trained.code == 0, trained.err
    assert "The bar to beat, suffix: validation F1 of spans" in trained.out
    best = "lightning_logs/r/checkpoints/best.ckpt"
    measured = verb("evaluate", best, "--split", "val", "--errors", "errors.tsv", "--items", "items.tsv")
    assert measured.code == 0, measured.err
    assert "as conlleval counts" in measured.out
    assert "strict iob2" in measured.out
    assert (here / "errors.tsv").read_text().startswith("sentence\tword\tform\ttrue\tpredicted\tknown\tin\n")
    assert len((here / "items.tsv").read_text().splitlines()) == 5
    names.unlink()
    text = "Tom isn't in New Wick."
    said = verb("predict", best, text, "--format", "conll", "--offsets", "true")
    rows = [line.split("\t") for line in said.out.splitlines()]
    assert [row[0] for row in rows] == ["Tom", "is", "n't", "in", "New", "Wick", "."]
    assert [text[int(row[1]) : int(row[2])] for row in rows] == [row[0] for row in rows]
    assert verb("predict", best, "Tom isn't", "--tokenized", "true").out.count("_") == 2
    (line,) = verb("predict", best, text, "--format", "json", "--n_best", "2").out.splitlines()
    assert [[*path] for path in json.loads(line)["paths"]] == [["tags", "probability"]] * 2
    assert "offsets" not in json.loads(line)
    page = verb("predict", best, "Tom <b>", "--format", "html").out
    assert page.startswith("<!doctype html>")
    assert "&lt;" in page
    assert verb("predict", best, text, "--format", "conl").err == (
        "seqlab: --format does not take 'conl': did you mean 'conll'?\n"
    )
    assert seqlab.predict(best, "Tom ran")[0].words == ["Tom", "ran"]


def test_errors_are_listed_in_their_sentence(names: Path, here: Path) -> None:
    sentences = data(names)
    made = model(sentences, SMALL)
    report = made.evaluate(sentences, "train", errors="errors.tsv")
    head, *rows = [line.split("\t") for line in Path("errors.tsv").read_text().splitlines()]
    assert len(rows) == round(21 * (1 - report.accuracy)) > 0
    for row in rows:
        sentence = sentences.words("train")[int(row[0]) - 1]
        place = int(row[1]) - 1
        assert row[2] == sentence[place]
        assert row[3] == sentences.tags("train")[int(row[0]) - 1][place] != row[4]
        assert row[6].split()[place] == f"[[{sentence[place]}]]"
    with pytest.raises(UserError, match="cannot write nowhere/errors.tsv: no such file or directory"):
        made.evaluate(sentences, "train", errors="nowhere/errors.tsv")


def test_it_goes_on_to_the_bit(verb: Command, here: Path, names: Path) -> None:
    options = ("--data", "tagged", "--data.path", str(names), "--data.batch_size", "2", "--data.val_fraction", "0.25")
    small = ("--model", "gru", "--model.hidden_size", "4", "--model.characters", "gru", "--model.output", "crf")
    common = (*options, *small, "--data.test_fraction", "0", "--trainer.accelerator", "cpu", "--patience", "null")
    common = (*common, "--bar", "none", "--watch", "none")
    assert verb("fit", *common, "--run", "whole", "--trainer.max_epochs", "4").code == 0
    assert verb("fit", *common, "--run", "parts", "--trainer.max_epochs", "2").code == 0
    assert verb("fit", "--ckpt_path", "last", "--run", "parts", "--trainer.max_epochs", "4").code == 0
    states = [torch.load(f"lightning_logs/{run}/checkpoints/last.ckpt")["state_dict"] for run in ("whole", "parts")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_it_is_looked_into(verb: Command, here: Path, names: Path) -> None:
    options = ("--data", "tagged", "--data.path", str(names), "--data.val_fraction", "0", "--data.test_fraction", "0")
    sizes = ("--model.hidden_size", "4", "--model.embedding_size", "4")
    small = (*sizes, "--trainer.max_epochs", "1", "--bar", "none", "--watch", "none")
    transformer = ("--model", "transformer", "--model.num_heads", "2")
    for run, more in (("c", ("--model", "gru", "--model.output", "crf")), ("s", transformer)):
        assert verb("fit", *options, *small, *more, "--trainer.accelerator", "cpu", "--run", run).code == 0
    crf, softmax = (f"lightning_logs/{run}/checkpoints/last.ckpt" for run in "cs")
    said = verb("inspect", crf, "--text", "Tom saw Ida", "--output", "figures")
    assert said.code == 0, said.err
    assert "the most likely transitions" in said.out
    assert "the words with the most influence on each tag" in said.out
    assert sorted(path.name for path in (here / "figures").iterdir()) == ["c-transitions.png", "c-words.png"]
    assert verb("inspect", softmax).err == (
        "seqlab: s has output softmax, and no table of transitions; give --text to weigh words\n"
    )
    said = verb("inspect", softmax, "--text", "Tom ran", "--output", "heads")
    assert "the words with the most influence" in said.out
    assert "distance in words of what a head looks at, on average" in said.out
    assert sorted(path.name for path in (here / "heads").iterdir()) == ["s-heads.png", "s-words.png"]


def test_frozen_vectors_from_a_file_stay_frozen(names: Path, tmp_path: Path) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("Tom 1 2\nWick 3 4\nnobody 5 6\n", encoding="utf-8")
    sentences = data(names)
    made = model(sentences, replace(SMALL, embedding_size=2, vectors=str(file), freeze_vectors=True))
    assert made.loaded == [f"vectors of 2 of {sentences.codecs['text'].vocab_size} tokens from vectors.txt"]
    fit = trainer(1)
    fit.fit(made, sentences)
    vocab = made.text.vocab
    assert made.network.embedding.weight[vocab["Wick"]].tolist() == [3.0, 4.0]
    fit.save_checkpoint(tmp_path / "a.ckpt")
    file.unlink()
    again = seqlab.load(tmp_path / "a.ckpt")
    assert [*again.predict(["Tom ran"])] == [*made.predict(["Tom ran"])]
    assert not again.network.embedding.weight.requires_grad


HELLO = Path(__file__).parents[2] / "experiments" / "hello.yaml"


def test_hello_is_learned_in_a_moment(verb: Command, here: Path) -> None:
    said = verb("fit", "--config", str(HELLO), "--run", "hello", "--trainer.accelerator", "cpu", "--watch", "none")
    assert said.code == 0, said.err
    lines = [line for line in said.out.splitlines() if line.startswith("epoch ")]
    assert [line.partition(":")[0] for line in lines] == [f"epoch {epoch}" for epoch in range(1, 26)]
    assert not lines[0].endswith("ohlol")
    assert lines[-1] == "epoch 25: hello -> ohlol"
    assert said.out.splitlines()[-1] == "  python -m seqlab.predict lightning_logs/hello/checkpoints/best.ckpt hello"
    told = verb("predict", "lightning_logs/hello", "hello", "lo")
    assert told.out.splitlines()[0] == "hello -> ohlol"
    (one,) = seqlab.predict("lightning_logs/hello", "hello")
    assert (one.words, one.tags) == ([*"hello"], [*"ohlol"])
    assert seqlab.load("lightning_logs/hello").options.backend == "reference"
    (way, *_) = verb("predict", "lightning_logs/hello", "hello", "--n_best", "2").out.splitlines()
    assert way.endswith("\thello -> ohlol")
