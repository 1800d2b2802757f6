"""Who knows Lightning uses models and data with a Trainer, callbacks and loggers of their own."""

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.tuner import Tuner
from torch.optim import SGD, Adam

import seqlab
from seqlab.data.parallel import ParallelData
from seqlab.data.text import TextData
from seqlab.errors import UserError
from seqlab.models.language import LanguageModel
from seqlab.models.translation import TranslationModel
from seqlab.nn.language_network import LanguageOptions
from seqlab.nn.translation_network import TranslationOptions
from seqlab.runs.checkpoint import read_checkpoint

Command = Callable[..., Any]
STORY = str(Path(__file__).parent / "fixtures" / "story.txt")
DATA = {"name": "text", "path": STORY, "batch_size": 4, "num_steps": 8}
SMALL = {"hidden_size": 16, "dropout": 0.0}
QUIET = {"watch": "none", "bar": "none"}


def story() -> TextData:
    return TextData(STORY, batch_size=4, num_steps=8)


def language(data: TextData, **own: Any) -> LanguageModel:
    pl.seed_everything(1, verbose=False)
    return LanguageModel(LanguageOptions(**SMALL), data.codecs, **own)


def trainer(**options: Any) -> pl.Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "logger": False}
    return pl.Trainer(**{**quiet, "max_epochs": 2, "enable_checkpointing": False, **options})


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class Counts(pl.Callback):
    """Counts the batches that it sees."""

    def __init__(self) -> None:
        self.batches = 0

    def on_train_batch_end(self, *_: Any) -> None:
        self.batches += 1


@pytest.fixture
def fitted(here: Path) -> tuple[LanguageModel, TextData, pl.Trainer]:
    """After two epochs under a plain Trainer with a CSVLogger."""
    data = story()
    made, fit = language(data), trainer(logger=CSVLogger(here, name="plain", version=""), log_every_n_steps=7)
    fit.fit(made, data)
    return made, data, fit


def test_a_plain_trainer_logs_the_training_loss(fitted: tuple[LanguageModel, TextData, pl.Trainer], here: Path) -> None:
    logged = rows(here / "plain" / "metrics.csv")
    training = [row for row in logged if row["train/loss"]]
    assert [int(row["step"]) for row in training] == [*range(7, 155, 7)]
    losses = [float(row["train/loss"]) for row in training]
    assert losses[-1] < losses[0]
    assert all(float(row["train/tokens_per_second"]) > 0 for row in training)
    validated = [row for row in logged if row["val/loss"]]
    assert [int(float(row["step"])) for row in validated] == [77, 154]


def test_validate_and_test_give_the_numbers_of_evaluate(
    fitted: tuple[LanguageModel, TextData, pl.Trainer], here: Path
) -> None:
    made, data, fit = fitted
    fit.save_checkpoint(here / "a.ckpt")
    for split, ask in (("val", fit.validate), ("test", fit.test)):
        (measured,) = ask(made, data, verbose=False)
        report = seqlab.evaluate(here / "a.ckpt", split=split)
        assert measured[f"{split}/loss"] == pytest.approx(report.loss, rel=1e-6)
        assert measured[f"{split}/perplexity"] == pytest.approx(report.measures["perplexity"], rel=1e-6)


def test_a_translation_model_too(here: Path) -> None:
    lines = [f"{' '.join('abcd'[(row + k) % 4] for k in range(1 + row % 5))} {row}\n" for row in range(60)]
    (here / "pairs.tsv").write_text("".join(f"{line.strip()}\t{line.strip()[::-1]}\n" for line in lines))
    data = ParallelData("pairs.tsv", batch_size=8, val_fraction=0.2, test_fraction=0.2)
    made = TranslationModel(TranslationOptions(hidden_size=8, embedding_size=4), data.codecs)
    fit = trainer()
    fit.fit(made, data)
    fit.save_checkpoint("t.ckpt")
    for split, ask in (("val", fit.validate), ("test", fit.test)):
        (measured,) = ask(made, data, verbose=False)
        report = seqlab.evaluate("t.ckpt", split=split, beam_size=1)
        assert measured[f"{split}/loss"] == pytest.approx(report.loss, rel=1e-6)
        assert measured[f"{split}/perplexity"] == pytest.approx(report.measures["perplexity"], rel=1e-6)
        if split == "val":
            assert measured["val/bleu"] == pytest.approx(report.measures["bleu"], rel=1e-6)
    said = [one for batch in fit.predict(made, data) for one in batch]
    assert [one.source for one in said] == [source for source, _ in data.pairs("test")]


def test_predict_says_what_the_verb_says(fitted: tuple[LanguageModel, TextData, pl.Trainer], here: Path) -> None:
    made, data, fit = fitted
    fit.save_checkpoint(here / "a.ckpt")
    said = [one for batch in fit.predict(made, data) for one in batch]
    assert said
    assert said == seqlab.predict(here / "a.ckpt", data.inputs("test"))


def test_data_says_what_it_is() -> None:
    data = story()
    assert str(data) == f"story: {data.describe()}"
    assert "2,477 tokens to train on, 45 ids" in str(data)


def test_the_learning_rate_finder_finds_and_sets(here: Path) -> None:
    data = story()
    made, fit = language(data), trainer(max_epochs=1)
    found = Tuner(fit).lr_find(made, data, num_training=30, min_lr=1e-5, max_lr=0.5)
    assert found is not None
    assert made.lr == found.suggestion()
    assert made.lr != 0.002
    fit.fit(made, data)
    assert fit.optimizers[0].param_groups[0]["lr"] == made.lr


def test_a_rate_set_before_training_is_used() -> None:
    data = story()
    made, fit = language(data), trainer(max_steps=1)
    made.lr = 0.25
    fit.fit(made, data)
    assert fit.optimizers[0].param_groups[0]["lr"] == 0.25


def test_hyperparameters_hold_the_optimizer_and_its_rate(here: Path) -> None:
    made = language(story(), optimizer=partial(SGD, lr=0.3, momentum=0.9))
    assert made.hparams["optimizer"] == {"name": "sgd", "lr": 0.3, "momentum": 0.9}
    assert made.hparams["options"]["hidden_size"] == 16
    fit = trainer(max_steps=2)
    fit.fit(made, story())
    fit.save_checkpoint("sgd.ckpt")
    again = seqlab.load("sgd.ckpt")
    group = again.configure_optimizers().param_groups[0]
    assert (type(again.configure_optimizers()), group["lr"], group["momentum"]) == (SGD, 0.3, 0.9)


@pytest.mark.parametrize("name", ["val_loss", "val/loss", "val_perplexity"])
def test_early_stopping_finds_the_validation_loss(name: str) -> None:
    data = story()
    made, fit = (
        language(data),
        trainer(max_epochs=9, callbacks=[EarlyStopping(monitor=name, min_delta=1e6, patience=1)]),
    )
    fit.fit(made, data)
    assert fit.current_epoch == 2


def test_a_checkpoint_callback_by_the_validation_loss(here: Path) -> None:
    keep = ModelCheckpoint(str(here / "kept"), monitor="val_loss", filename="{epoch}-{val_loss:.2f}")
    data = story()
    fit = trainer(callbacks=[keep], enable_checkpointing=True)
    fit.fit(language(data), data)
    (path,) = (here / "kept").iterdir()
    assert path.name.startswith("epoch=1-val_loss=")
    assert seqlab.load(path).generate("the dog", num_tokens=3).startswith("the dog")


def test_a_checkpoint_of_a_plain_trainer_opens(fitted: tuple[LanguageModel, TextData, pl.Trainer], here: Path) -> None:
    made, data, fit = fitted
    fit.save_checkpoint(here / "a.ckpt")
    loaded = seqlab.load(here / "a.ckpt")
    assert isinstance(loaded, LanguageModel)
    assert (loaded.name, loaded.run) == ("gru", "gru")
    assert loaded.generate("the dog", num_tokens=20) == made.generate("the dog", num_tokens=20)
    lstm = LanguageModel(LanguageOptions(cell="lstm", **SMALL), data.codecs)
    fit.strategy.connect(lstm)
    fit.save_checkpoint(here / "b.ckpt")
    assert seqlab.load(here / "b.ckpt").name == "lstm"


def test_fit_takes_objects(here: Path) -> None:
    counts = Counts()
    run = seqlab.fit(
        model=SMALL,
        data=DATA,
        trainer={
            "accelerator": "cpu",
            "max_epochs": 1,
            "callbacks": [counts],
            "logger": CSVLogger(here / "mine", name="own", version=""),
            "log_every_n_steps": 10,
        },
        optimizer=partial(SGD, lr=0.1),
        run="objects",
        **QUIET,
    )
    assert counts.batches == run.trainer.global_step == 77
    assert any(row["train/loss"] for row in rows(here / "mine" / "own" / "metrics.csv"))
    (optimizer,) = run.trainer.optimizers
    assert (type(optimizer), optimizer.param_groups[0]["lr"]) == (SGD, 0.1)
    assert run.checkpoint is not None
    kept = read_checkpoint(run.checkpoint)["hyper_parameters"]["optimizer"]
    assert (kept["name"], kept["lr"]) == ("sgd", 0.1)
    config = yaml.safe_load((here / "lightning_logs" / "objects" / "config.yaml").read_text())
    assert (config["optimizer"]["name"], config["optimizer"]["lr"]) == ("sgd", 0.1)
    assert not list((here / "lightning_logs" / "objects").glob("events*"))


def test_an_optimizer_of_ones_own(here: Path) -> None:
    class Careful(Adam):
        """No optimizer of torch."""

    fast = {"accelerator": "cpu", "fast_dev_run": 2}
    run = seqlab.fit(model=SMALL, data=DATA, trainer=fast, optimizer=partial(Careful, lr=0.03))
    (optimizer,) = run.trainer.optimizers
    assert (type(optimizer), optimizer.param_groups[0]["lr"]) == (Careful, 0.03)
    assert run.model.hparams["optimizer"] == {"name": Careful.__qualname__, "lr": 0.03}


def test_one_callback_and_several_loggers(here: Path) -> None:
    counts = Counts()
    loggers = [CSVLogger(here / "mine", name="own", version=""), TensorBoardLogger(here / "board", name="own")]
    options = {"accelerator": "cpu", "max_epochs": 1, "limit_train_batches": 5}
    run = seqlab.fit(model=SMALL, data=DATA, trainer={**options, "callbacks": counts, "logger": loggers}, **QUIET)
    assert counts.batches == 5
    assert run.trainer.loggers == loggers


def test_a_callback_by_its_class(verb: Command, small: list[str], here: Path) -> None:
    few = ("--trainer.limit_train_batches", "2")
    finished = verb("fit", *small, *few, "--run", "rates", "--trainer.callbacks+=LearningRateMonitor")
    assert finished.code == 0, finished.err
    config = yaml.safe_load((here / "lightning_logs/rates/config.yaml").read_text())
    (callback,) = config["trainer"]["callbacks"]
    assert callback["class_path"].endswith("LearningRateMonitor")
    assert verb("fit", "--config", "lightning_logs/rates/config.yaml", "--run", "again").code == 0
    options = {"accelerator": "cpu", "max_epochs": 1, "limit_train_batches": 5}
    run = seqlab.fit(model=SMALL, data=DATA, trainer={**options, "callbacks": [LearningRateMonitor()]}, **QUIET)
    assert any(isinstance(callback, LearningRateMonitor) for callback in run.trainer.callbacks)


def test_classes_in_a_configuration(verb: Command, small: list[str], here: Path) -> None:
    (here / "own.yaml").write_text(
        "trainer:\n"
        "  callbacks:\n"
        "    - class_path: lightning.pytorch.callbacks.Timer\n"
        "      init_args: {duration: '00:00:00:01', interval: step}\n"
        "  logger:\n"
        "    class_path: lightning.pytorch.loggers.CSVLogger\n"
        "    init_args: {save_dir: elsewhere, name: own, version: ''}\n"
    )
    finished = verb("fit", "--config", "own.yaml", *small, "--trainer.max_epochs", "100000", "--patience", "null")
    assert finished.code == 0, finished.err
    assert rows(here / "elsewhere" / "own" / "metrics.csv")


NAMED: dict[str, tuple[str, ...]] = {
    "by its class": ("--trainer.logger", "CSVLogger"),
    "behind a sign": ("--trainer.logger=CSVLogger",),
    "by its path": ("--trainer.logger", "lightning.pytorch.loggers.CSVLogger"),
    "added": ("--trainer.logger+=CSVLogger",),
    "with an option": ("--trainer.logger", "CSVLogger", "--trainer.logger.prefix", ""),
    "as a value": ("--trainer.logger", "{class_path: CSVLogger, init_args: {prefix: ''}}"),
}


@pytest.mark.parametrize("case", NAMED)
def test_a_logger_without_a_folder_writes_to_that_of_the_run(
    case: str, verb: Command, small: list[str], here: Path
) -> None:
    few = ("--trainer.limit_train_batches", "6", "--trainer.log_every_n_steps", "2", "--run", "logged")
    finished = verb("fit", *small, *few, *NAMED[case])
    assert finished.code == 0, finished.err
    folder = here / "lightning_logs" / "logged"
    assert [row["step"] for row in rows(folder / "metrics.csv") if row["train/loss"]] == ["2", "4", "6"]
    assert not list(folder.glob("events*"))
    assert [path.name for path in (here / "lightning_logs").iterdir()] == ["logged"]


def test_the_configuration_of_a_run_does_not_name_its_folder(verb: Command, small: list[str], here: Path) -> None:
    """So that ``--config`` makes a run that writes to its own."""
    few = ("--trainer.limit_train_batches", "6", "--trainer.log_every_n_steps", "2")
    loggers = "[{class_path: CSVLogger}, {class_path: TensorBoardLogger}]"
    assert verb("fit", *small, *few, "--run", "one", "--trainer.logger", loggers).code == 0
    text = (here / "lightning_logs/one/config.yaml").read_text()
    assert text.count("save_dir: the folder of the run\n") == 2
    assert str(here) not in text
    assert verb("fit", "--config", "lightning_logs/one/config.yaml", "--run", "two").code == 0
    for run in ("one", "two"):
        assert rows(here / "lightning_logs" / run / "metrics.csv")
        assert list((here / "lightning_logs" / run).glob("events*"))
    assert sorted(path.name for path in (here / "lightning_logs").iterdir()) == ["one", "two"]


def test_a_folder_that_was_given_stays(verb: Command, small: list[str], here: Path) -> None:
    few = ("--trainer.limit_train_batches", "6", "--trainer.log_every_n_steps", "2", "--run", "logged")
    words = ("--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "elsewhere")
    assert verb("fit", *small, *few, *words).code == 0
    assert [path.name for path in (here / "elsewhere").rglob("metrics.csv")] == ["metrics.csv"]


def test_none_at_all(verb: Command, small: list[str], here: Path) -> None:
    few = ("--trainer.limit_train_batches", "2")
    assert verb("fit", *small, *few, "--run", "silent", "--trainer.logger", "false").code == 0
    folder = here / "lightning_logs" / "silent"
    assert not list(folder.glob("events*"))
    assert not list(folder.glob("metrics.csv"))


def test_a_logger_that_there_is_not(refusal: Command, small: list[str]) -> None:
    assert "SCVLogger" in refusal("fit", *small, "--trainer.logger", "SCVLogger")


def test_messages_speak_python() -> None:
    words = r'^unknown option trainer\["max_epoch"\]: did you mean trainer\["max_epochs"\]\?$'
    with pytest.raises(UserError, match=words):
        seqlab.fit(data=DATA, trainer={"max_epoch": 3})
    words = (
        r'^tied weights need embedding_size \(8\) equal to hidden_size \(16\); give model\["embedding_size"\]=16 or .*'
    )
    with pytest.raises(UserError, match=words + r'leave out model\["tied"\]$'):
        seqlab.fit(data=DATA, model={"hidden_size": 16, "embedding_size": 8, "tied": True})
    with pytest.raises(UserError, match=r'^lr_scheduler\["step_size"\] is required$'):
        seqlab.fit(data=DATA, lr_scheduler="steplr")


def test_weights_move_as_by_hand_under_a_plain_trainer() -> None:
    """One step of SGD on one batch is the gradient of the mean over its tokens."""
    data = story()
    made, fit = language(data, optimizer=partial(SGD, lr=0.5)), trainer(max_steps=1)
    other = language(data)
    batch = data.train_dataloader().batches.batch(0, 0)
    total, items, _ = other.loss(batch, "train")
    gradients = torch.autograd.grad(total / items, [*other.parameters()])
    fit.fit(made, story())
    for weight, before, gradient in zip(made.parameters(), other.parameters(), gradients, strict=True):
        torch.testing.assert_close(weight, before - 0.5 * gradient, rtol=0, atol=1e-6)
