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
from torch.optim import Adam

import seqlab
from seqlab.data.digit_strings import DigitStrings
from seqlab.data.drawn_digits import drawn_digits
from seqlab.data.loader import Shard
from seqlab.data.picture_text import as_png
from seqlab.data.string_batches import StringBatch
from seqlab.errors import UserError
from seqlab.models.strings import StringReader
from seqlab.nn.column_reader import ColumnReaderOptions
from seqlab.nn.template import TemplateOptions
from seqlab.options import Options

Command = Callable[..., Any]

DIGITS = drawn_digits(400, 8)
TEN = dict.fromkeys(("train", "val", "test"), DIGITS.at(range(10)))
SHORT = {"least_digits": 1, "most_digits": 2, "least_gap": 1, "most_gap": 2, "batch_size": 32}
SMALL = ColumnReaderOptions(hidden_size=32, convolutions=0, columns_per_step=1, embedding_size=None, dropout=0.0)
FEW = {"strings": 64, "val_strings": 20, "test_strings": 12, "most_digits": 4, "batch_size": 16}
OPTIONS = ("--data", "digit_strings", *(word for key, value in FEW.items() for word in (f"--data.{key}", str(value))))
FIT = (*OPTIONS, "--data.source", "digits", "--trainer.accelerator", "cpu", "--bar", "none", "--watch", "none")
TINY = ("--model", "gru", "--model.hidden_size", "6", "--model.filters", "2", "--model.embedding_size", "5")
BEST = "lightning_logs/r/checkpoints/best.ckpt"


@pytest.fixture(autouse=True)
def _drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.data.digit_strings.read_digits", lambda: ({"train": DIGITS}, "digits"))


def data(**options: Any) -> DigitStrings:
    return DigitStrings(**{"source": "digits", **FEW, **options})


def trainer(epochs: int, **options: Any) -> pl.Trainer:
    names = "enable_checkpointing", "enable_progress_bar", "enable_model_summary"
    quiet: dict[str, Any] = {**dict.fromkeys(names, False), "logger": False, "accelerator": "cpu"}
    return pl.Trainer(**{**quiet, "max_epochs": epochs, "num_sanity_val_steps": 0, **options})


def model(strings: DigitStrings, options: Options = SMALL, rate: float = 0.01) -> StringReader:
    torch.manual_seed(0)
    return StringReader(options, strings.codecs, partial(Adam, lr=rate))


@pytest.fixture(scope="module")
def learned() -> StringReader:
    """One that reads strings of one or two digits a few columns apart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seqlab.data.digit_strings.read_digits", lambda: (TEN, "digits"))
        strings = data(strings=512, **SHORT)
        made = model(strings, replace(SMALL, convolutions=1, filters=8, columns_per_step=2), 0.02)
        trainer(7).fit(made, strings)
        return made.eval()


@pytest.fixture
def ten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures are one a digit."""
    monkeypatch.setattr("seqlab.data.digit_strings.read_digits", lambda: (TEN, "digits"))


@pytest.mark.usefixtures("ten")
def test_strings_are_read_without_being_told_where(learned: StringReader) -> None:
    strings = data(test_strings=60, **SHORT)
    report = learned.evaluate(strings, "test", items=True)
    assert report.measures["cer"] < 0.3
    assert report.count == report.strings == 60
    assert report.loss == pytest.approx(sum(report.items["nats"]) / 60)
    assert report.measures["exact"] == pytest.approx(sum(report.items["correct"]) / 60)
    assert report.items["label"] == strings.written("test")
    assert report.symbols == sum(map(len, report.items["label"]))
    assert report.edits == sum(report.items["edits"])
    assert "character error     " in str(report)
    low, high = report.intervals["cer"].low, report.intervals["cer"].high
    assert low <= report.measures["cer"] <= high
    beam = learned.evaluate(strings, "test", items=True, beam_size=8)
    pairs = zip(beam.items["probability"], report.items["probability"], strict=True)
    assert all(one >= other - 1e-6 for one, other in pairs)
    assert beam.decoding == "prefix beam search of 8"
    mixed = learned.evaluate(strings, "test", beam_size=8, lm_weight=0.5)
    assert mixed.decoding == "prefix beam search of 8, 3-gram by 0.5"
    assert mixed.loss == beam.loss == report.loss


@pytest.mark.usefixtures("ten")
def test_what_is_predicted_has_a_place(learned: StringReader, tmp_path: Path) -> None:
    strings = data(**SHORT)
    inputs = strings.inputs("test")
    path = tmp_path / "a.png"
    path.write_bytes(as_png(255 - strings.strings("test").picture(0).T))
    together = [*learned.predict([*inputs, str(path)])]
    for text, one in zip(inputs, together, strict=False):
        (alone,) = learned.predict([text])
        assert (alone.text, places(alone)) == (one.text, places(one))
        assert 0 <= alone.probability == pytest.approx(one.probability, abs=1e-6)
        assert one.image.startswith("data:image/png;base64,")
        assert one.text == "".join(symbol["symbol"] for symbol in one.symbols)
        ends = [place for symbol in one.symbols for place in (symbol["first"], symbol["last"])]
        assert ends == sorted(ends)
    assert (together[-1].image, together[-1].text) == (str(path), together[0].text)
    hits = sum(one.text == wanted for one, wanted in zip(together, strings.written("test"), strict=False))
    assert hits >= 8


def places(read: Any) -> list[tuple[int, int]]:
    return [(symbol["first"], symbol["last"]) for symbol in read.symbols]


@pytest.mark.parametrize("kind", ["columns", "filters", "template"])
def test_neither_padding_nor_the_size_of_batches_changes_a_number(kind: str) -> None:
    filters = replace(SMALL, convolutions=2, filters=2, columns_per_step=2)
    options = {"columns": SMALL, "filters": filters, "template": TemplateOptions()}[kind]
    losses = []
    for size in (1, 4, 16):
        strings = data(batch_size=size, fresh=False)
        made = model(strings, options).double()
        if kind == "template":
            made.count(strings)
        made.eval()
        batches = strings.train_batches(Shard())
        sums = [made.loss(batches.batch(0, index), "train") for index in range(len(batches))]
        losses.append(sum(one.total.item() for one in sums) / sum(int(one.items) for one in sums))
        assert made.evaluate(strings, "train").loss == pytest.approx(losses[-1], rel=1e-9)
    assert losses[0] == pytest.approx(losses[1], rel=1e-9) == pytest.approx(losses[2], rel=1e-9)
    batch = batches.batch(0, 0)
    wider = batch._replace(images=torch.cat([batch.images, torch.ones(16, 9, 8)], 1))
    longer = wider._replace(targets=torch.cat([batch.targets, torch.full((16, 2), -1)], 1))
    assert made.loss(longer, "train").total.item() == pytest.approx(made.loss(batch, "train").total.item(), rel=1e-9)


def test_validation_and_evaluation_agree() -> None:
    strings = data()
    made, fit = model(strings), trainer(2)
    fit.fit(made, strings)
    report = made.evaluate(strings, "val")
    measured = {name: float(value) for name, value in fit.callback_metrics.items()}
    assert measured["val/loss"] == pytest.approx(report.loss, rel=1e-5)
    assert measured["val/cer"] == pytest.approx(report.measures["cer"])
    assert measured["val/exact"] == pytest.approx(report.measures["exact"])
    assert len(fit.predict(made, strings)[0]) == 12


def test_one_that_says_the_blank_alone_is_warned_about() -> None:
    strings = data()
    made, fit = model(strings, rate=0.0), trainer(1)
    with torch.no_grad():
        made.network.output.bias[0] = 50.0
    fit.fit(made, strings)
    assert made.remarks({})[0].startswith("This model predicts the blank everywhere")
    report = made.evaluate(strings, "test")
    assert (report.measures, report.empty) == ({"cer": 1.0, "exact": 0.0}, 12)
    assert "12 read as empty" in str(report)
    assert "(nothing) for " in made.sample(strings)
    assert model(strings).remarks({}) == []


def test_a_string_with_too_few_steps_counts_as_wrong_and_not_in_the_loss() -> None:
    strings = data()
    made = model(strings)
    batch = strings.train_batches(Shard()).batch(0, 0)
    targets = torch.tensor([[3, 3, 3, -1], [1, 2, 3, -1]])
    two = StringBatch(
        batch.images[:2, :3],
        torch.tensor([3, 3]),
        targets,
        torch.tensor([3, 3]),
        *(torch.ones(2, dtype=torch.bool), torch.arange(2)),
    )
    nats, counted = made.nats_of_strings(two, made(two.images, two.lengths))
    assert counted.tolist() == [False, True]
    assert nats[0] == 0 < nats[1]
    made.loss(two, "train").total.backward()
    assert all(torch.isfinite(weight.grad).all() for weight in made.network.parameters())


def test_too_few_steps_are_told_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    strings = data(most_gap=0)
    trainer(1, limit_train_batches=1, limit_val_batches=0).fit(
        model(strings, replace(SMALL, columns_per_step=6)), strings
    )
    told = capsys.readouterr().err
    assert "of 64 training strings have too few steps and are not in the loss: at columns_per_step 6" in told
    with pytest.raises(UserError, match="no training string has steps enough .* give a smaller --model.columns_per_"):
        trainer(1).fit(model(strings, replace(SMALL, columns_per_step=40)), strings)
    report = model(strings, replace(SMALL, columns_per_step=40)).evaluate(strings, "val")
    assert math.isnan(report.loss)
    assert "20 with too few steps" in str(report)


def test_the_bar_counts() -> None:
    strings = data(least_gap=1, strings=200)
    made = model(strings, TemplateOptions())
    trainer(1).fit(made, strings)
    report = made.evaluate(strings, "test")
    assert report.measures["cer"] < 0.5
    assert made.remarks({}) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beam_size": 0}, "beam_size 0 must be a whole number of at least 1"),
        ({"beam_size": 3, "lm_weight": -1.0}, "lm_weight -1.0 must be at least 0"),
        ({"lm_weight": 0.5}, "lm_weight 0.5 needs a search: give --beam_size 10, say, or leave it out"),
    ],
    ids=str,
)
def test_bad_values_are_refused(options: dict[str, Any], words: str) -> None:
    made = model(data())
    for ask in (partial(made.evaluate, data(), "test", **options), lambda: [*made.predict([], **options)]):
        with pytest.raises(UserError) as caught:
            ask()
        assert str(caught.value) == words


def test_verbs(verb: Command, here: Path) -> None:
    trained = verb("fit", *FIT, *TINY, "--run", "r", "--trainer.max_epochs", "1")
    assert trained.code == 0, trained.err
    assert "best validation character error rate" in trained.out
    assert "python -m seqlab.inspect" in trained.out
    asked = ("--split", "val", "--beam_size", "4", "--lm_weight", "0.3", "--items", "items.tsv", "--pictures", "wrong")
    measured = verb("evaluate", BEST, *asked)
    assert measured.code == 0, measured.err
    assert "nats per string" in measured.out
    assert len((here / "items.tsv").read_text().splitlines()) == 21
    assert len([*(here / "wrong").glob("*-*-*.png")]) == 5
    (here / "a.png").write_bytes(as_png(data().strings("val").picture(0).T))
    (line,) = verb("predict", BEST, "a.png", "--format", "json").out.splitlines()
    assert [*json.loads(line)] == ["image", "text", "probability", "symbols"]
    assert verb("predict", BEST, "a.png", "--format", "places").code == 0
    assert verb("predict", BEST, "b.png").err.startswith("seqlab: cannot read the picture b.png")
    looked = verb("inspect", BEST, "--count", "2", "--output", "figures")
    assert looked.code == 0, looked.err
    assert sorted(path.name for path in (here / "figures").iterdir()) == ["r-0.png", "r-1.png"]
    assert verb("inspect", BEST, "--image", "a.png").out.startswith("r, 0: ")
    pytest.importorskip("safetensors")
    assert verb("export", BEST, "--output", "r.safetensors").code == 0
    assert seqlab.predict(BEST, "a.png")[0].text == json.loads(line)["text"]


def test_it_goes_on_to_the_bit(verb: Command, here: Path) -> None:
    common = (*FIT, *TINY, "--patience", "null")
    assert verb("fit", *common, "--run", "whole", "--trainer.max_epochs", "3").code == 0
    assert verb("fit", *common, "--run", "parts", "--trainer.max_epochs", "3", "--trainer.max_steps", "6").code == 0
    assert verb("fit", "--ckpt_path", "last", "--run", "parts", "--trainer.max_steps", "-1").code == 0
    states = [torch.load(f"lightning_logs/{run}/checkpoints/last.ckpt")["state_dict"] for run in ("whole", "parts")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_start_that_teaches_nothing_is_refused(refusal: Callable[..., str]) -> None:
    said = refusal("fit", *FIT, *TINY, "--model.columns_per_step", "60", "--data.most_gap", "0")
    assert said.startswith("no training string has steps enough for its symbols")


def test_alignments_are_drawn_in_tensorboard(verb: Command, here: Path) -> None:
    words = [word for word in FIT if word not in ("--watch", "none", "--bar")]
    assert verb("fit", *words, *TINY, "--bar", "none", "--run", "r", "--trainer.max_steps", "2").code == 0
    events = b"".join(path.read_bytes() for path in Path("lightning_logs/r").glob("events*"))
    assert b"alignment/0" in events
