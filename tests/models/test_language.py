import inspect
import math
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from few_cells import few_cells
from torch import Tensor
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from seqlab.callbacks.random_state import RandomState
from seqlab.cells import CELLS, cell_named
from seqlab.data.streams import ContiguousBatches, TextBatch
from seqlab.data.text import TextData
from seqlab.errors import UserError
from seqlab.models import TASKS, load
from seqlab.models.language import LanguageModel
from seqlab.models.schedules import WarmupCosineLR
from seqlab.nn.language_network import LanguageOptions
from seqlab.runs.checkpoint import read_checkpoint

STORY = str(Path(__file__).parents[1] / "fixtures" / "story.txt")
STEPS = 10  # of an epoch
OF_THE_MODEL = ("optimizer", "lr_scheduler", "lr_interval")


def trainer(epochs: int = 1, **options: Any) -> pl.Trainer:
    quiet = dict.fromkeys(("enable_checkpointing", "enable_progress_bar", "enable_model_summary", "logger"), False)
    return pl.Trainer(accelerator="cpu", max_epochs=epochs, num_sanity_val_steps=0, **{**quiet, **options})


def story(**options: Any) -> TextData:
    return TextData(STORY, **{"batch_size": 4, "num_steps": 20, "cleaning": "classic", "max_tokens": 820, **options})


def model(data: TextData, seed: int = 0, **options: Any) -> LanguageModel:
    pl.seed_everything(seed, verbose=False)
    own = {name: options.pop(name) for name in OF_THE_MODEL if name in options}
    given = {"hidden_size": 12, "embedding_size": None, "dropout": 0.0, **options}
    return LanguageModel(LanguageOptions(**given), data.codecs, **own)


def fitted(seed: int = 0, epochs: int = 1, fit: dict[str, Any] | None = None, **options: Any) -> LanguageModel:
    data = story(seed=seed)
    made = model(data, seed, **options)
    trainer(epochs, **(fit or {})).fit(made, data)
    return made


def weights(made: LanguageModel) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in made.parameters()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def mean_nats(made: LanguageModel, ids: list[int]) -> float:
    """Of each token after the first given all before it, in one pass and in float64."""
    logits, _ = deepcopy(made.network).double().eval()(torch.tensor([ids[:-1]]))
    return -logits[0].log_softmax(-1)[torch.arange(len(ids) - 1), ids[1:]].mean().item()


class Recorder(pl.Callback):
    """Calls a function after each training batch and keeps what it says."""

    def __init__(self, ask: Callable[[pl.Trainer, LanguageModel], Any], hook: str = "on_train_batch_end") -> None:
        self.answers: list[Any] = []
        setattr(self, hook, lambda trainer, module, *_: self.answers.append(ask(trainer, module)))


def rate(trainer: pl.Trainer, module: pl.LightningModule) -> float:
    return float(trainer.optimizers[0].param_groups[0]["lr"])


@few_cells
def test_training_learns(cell: str) -> None:
    data = story()
    made = model(data, cell=cell, hidden_size=24, optimizer=partial(Adam, lr=0.01))
    before = mean_nats(made, data.part("train").ids.tolist())
    assert before == pytest.approx(math.log(data.vocab_size), abs=0.3)
    trainer(6).fit(made, data)
    assert mean_nats(made, data.part("train").ids.tolist()) < before - 0.8


def test_the_same_seed_gives_the_same_weights() -> None:
    one, again, other = (weights(fitted(seed, epochs=2, dropout=0.2)) for seed in (1, 1, 2))
    assert same(one, again)
    assert not same(one, other)


def test_an_epoch_has_the_steps_of_its_batches() -> None:
    steps = Recorder(lambda trainer, module: trainer.global_step)
    fitted(fit={"callbacks": [steps]})
    assert steps.answers == list(range(1, STEPS + 1))


def test_the_state_is_carried_through_the_epoch() -> None:
    data = story(batch_size=1, num_steps=4, max_tokens=400)
    made = model(data, cell="lstm", num_layers=2, optimizer=partial(SGD, lr=0.0))
    trainer(1).fit(made, data)
    batches = ContiguousBatches(data.part("train").ids, 1, 4, seed=0)
    row = torch.cat([batches.batch(0, index).inputs for index in range(len(batches))], dim=1)
    _, whole = made.network(row)
    torch.testing.assert_close(made._carry["train"], whole, rtol=0, atol=1e-5)
    _, last_window = made.network(row[:, -4:])
    assert not torch.allclose(made._carry["train"][0], last_window[0], atol=1e-3)


def test_the_state_is_fresh_where_a_batch_does_not_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    carried = weights(fitted())
    batch = ContiguousBatches.batch
    monkeypatch.setattr(ContiguousBatches, "batch", lambda *a: batch(*a)._replace(continues=False))
    assert not same(weights(fitted()), carried)


def test_each_epoch_starts_with_a_fresh_state() -> None:
    data = story()
    made = model(data)
    first = data.train_dataloader().batches.batch(1, 0)
    fresh = made.training_step(first, 0)["total"]
    for _ in range(3):
        made.training_step(first._replace(continues=True), 0)
    assert not torch.equal(made.training_step(first._replace(continues=True), 0)["total"], fresh)
    assert torch.equal(made.training_step(first, 0)["total"], fresh)


def test_no_gradient_reaches_the_batch_before() -> None:
    data = story()
    made = model(data)
    batches = data.train_dataloader().batches
    made.training_step(batches.batch(0, 0), 0)
    assert not any(part.requires_grad for part in made._carry["train"])
    made.training_step(batches.batch(0, 1), 1)["loss"].backward()


def test_validation_does_not_touch_the_training_state() -> None:
    one = fitted(epochs=2)
    other = fitted(epochs=2, fit={"limit_val_batches": 0})
    often = fitted(epochs=2, fit={"val_check_interval": 5})
    assert same(weights(one), weights(other))
    assert same(weights(one), weights(often))


def test_the_training_loss_is_the_mean_over_the_batch() -> None:
    data = story()
    made = model(data)
    batch = data.train_dataloader().batches.batch(0, 0)
    outputs = made.training_step(batch, 0)
    logits, _ = made.network(batch.inputs)
    by_hand = -logits.double().log_softmax(-1).gather(-1, batch.targets.unsqueeze(-1)).sum()
    assert float(outputs["total"]) == pytest.approx(by_hand.item(), rel=1e-6)
    assert outputs["loss"].item() == pytest.approx(by_hand.item() / 80, rel=1e-6)
    assert outputs["count"] == 80


@few_cells
def test_validation_loss_is_that_of_one_pass_over_the_text(cell: str) -> None:
    data = story(val_fraction=0.2, num_steps=7)
    made = model(data, cell=cell)
    fit = trainer(2)
    fit.fit(made, data)
    measured = {name: float(value) for name, value in fit.callback_metrics.items()}
    assert measured.pop("step") == fit.global_step
    assert len(data.val_dataloader()) > 2
    expected = mean_nats(made, data.part("val").ids.tolist())
    assert set(measured) == {"val/loss", "val/perplexity", "val_loss", "val_perplexity"}
    assert measured["val/loss"] == pytest.approx(expected, rel=1e-6)
    assert measured["val/perplexity"] == pytest.approx(math.exp(expected), rel=1e-6)


def test_test_loss_is_that_of_one_pass_over_the_text() -> None:
    data = story(test_fraction=0.3)
    made = model(data)
    (measured,) = trainer().test(made, data, verbose=False)
    expected = mean_nats(made, data.part("test").ids.tolist())
    assert measured["test/loss"] == pytest.approx(expected, rel=1e-6)
    assert measured["test/perplexity"] == pytest.approx(math.exp(expected), rel=1e-6)


def test_uneven_streams_count_each_token_once() -> None:
    data = story(eval_streams=4, test_fraction=0.3)
    made = model(data)
    (measured,) = trainer().test(made, data, verbose=False)
    ids = data.part("test").ids.tolist()
    borders = [(len(ids) - 1) * k // 4 for k in range(5)]
    runs = [ids[begin : end + 1] for begin, end in pairwise(borders)]
    assert len({len(run) for run in runs}) == 2
    total = sum(mean_nats(made, run) * (len(run) - 1) for run in runs)
    assert measured["test/loss"] == pytest.approx(total / (len(ids) - 1), rel=1e-6)


def test_l1_adds_the_absolute_weights() -> None:
    data = story()
    batch = data.train_dataloader().batches.batch(0, 0)
    plain, penalized = (model(data, l1=l1).training_step(batch, 0) for l1 in (0.0, 0.03))
    size = sum(float(weight.abs().sum()) for weight in weights(model(data)))
    assert (penalized["loss"] - plain["loss"]).item() == pytest.approx(0.03 * size, rel=1e-5)
    assert torch.equal(penalized["total"], plain["total"])


def test_l1_shrinks_the_weights() -> None:
    plain, penalized = (sum(float(w.abs().sum()) for w in weights(fitted(epochs=2, l1=l1))) for l1 in (0.0, 0.01))
    assert penalized < 0.9 * plain


def test_gradient_clipping_acts() -> None:
    sgd = {"optimizer": partial(SGD, lr=0.5)}
    assert not same(weights(fitted(**sgd)), weights(fitted(**sgd, fit={"gradient_clip_val": 0.01})))


def test_step_lr_falls_at_each_epoch() -> None:
    rates = Recorder(rate, "on_train_epoch_start")
    schedule = partial(StepLR, step_size=1, gamma=0.1)
    fitted(epochs=3, lr_scheduler=schedule, optimizer=partial(Adam, lr=0.5), fit={"callbacks": [rates]})
    assert rates.answers == pytest.approx([0.5, 0.05, 0.005])


def test_reduce_on_plateau_watches_the_validation_loss() -> None:
    rates = Recorder(rate, "on_train_epoch_start")
    schedule = partial(ReduceLROnPlateau, factor=0.5, patience=0, threshold=1e9, threshold_mode="abs")
    data = story()
    made = model(data, lr_scheduler=schedule, optimizer=partial(SGD, lr=0.1))
    losses = Recorder(lambda trainer, module: float(trainer.callback_metrics["val/loss"]), "on_validation_end")
    trainer(4, callbacks=[rates, losses]).fit(made, data)
    assert rates.answers == pytest.approx([0.1, 0.1, 0.05, 0.025])
    assert made.lr_schedulers().best == pytest.approx(losses.answers[0], rel=1e-6)  # type: ignore[union-attr]


def test_warm_up_steps_with_the_optimizer() -> None:
    rates = Recorder(rate, "on_train_batch_start")
    schedule = partial(WarmupCosineLR, total_steps=6, warmup_steps=2, final_factor=0.1)
    options = {"lr_scheduler": schedule, "lr_interval": "step", "optimizer": partial(Adam, lr=0.01)}
    fitted(epochs=-1, fit={"callbacks": [rates], "max_steps": 7}, **options)
    expected = [0.005, 0.01, 0.01, 0.00868198, 0.0055, 0.00231802, 0.001]
    assert rates.answers == pytest.approx(expected, abs=1e-8)


OPTIONS: dict[str, dict[str, Any]] = {
    "cell": {"cell": "lstm"},
    "hidden_size": {"hidden_size": 13},
    "embedding_size": {"embedding_size": 12},
    "num_layers": {"num_layers": 2},
    "dropout": {"dropout": 0.3},
    "embedding_dropout": {"embedding_size": 12, "embedding_dropout": 0.3},
    "tied": {"embedding_size": 12, "tied": True},
    "softmax": {"softmax": "adaptive"},
    "cutoffs": {"softmax": "adaptive", "cutoffs": [5]},
    "backward": {"backward": True},
    "init": {"init": "orthogonal"},
    "init_range": {"init": "uniform", "init_range": 0.3},
    "forget_bias": {"cell": "lstm", "forget_bias": 1.0},
    "variational": {"dropout": 0.3, "variational": True},
    "weight_drop": {"weight_drop": 0.3},
    "connections": {"connections": "dense", "num_layers": 2},
    "learned_state": {"learned_state": True},
    "reset before the product": {"cell": "gru_before"},
    "relu": {"cell": "rnn_relu"},
    "l1": {"l1": 0.01},
    "optimizer": {"optimizer": partial(SGD, lr=0.1)},
    "lr_scheduler": {"lr_scheduler": partial(StepLR, step_size=1, gamma=0.1)},
    "lr_interval": {"lr_scheduler": partial(StepLR, step_size=1, gamma=0.1), "lr_interval": "step"},
}
BESIDE = {
    "init_range": {"init": "uniform"},
    "variational": {"dropout": 0.3},
    "connections": {"num_layers": 2},
    "relu": {"cell": "rnn"},
    "embedding_dropout": {"embedding_size": 12},
    "tied": {"embedding_size": 12},
    "cutoffs": {"softmax": "adaptive"},
    "forget_bias": {"cell": "lstm"},
    "lr_interval": {"lr_scheduler": partial(StepLR, step_size=1, gamma=0.1)},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_changes_something(option: str) -> None:
    fit = {"limit_train_batches": 3, "limit_val_batches": 0}
    without, given = (weights(fitted(epochs=2, fit=fit, **o)) for o in (BESIDE.get(option, {}), OPTIONS[option]))
    shapes = [[weight.shape for weight in each] for each in (without, given)]
    assert shapes[0] != shapes[1] or not same(without, given)


def test_no_option_is_forgotten() -> None:
    tested_below, of_cells = (
        {"vectors", "backend", "recompute_every", "counts", "order"},
        {"reset before the product", "relu"},
    )
    taken = {*inspect.signature(LanguageModel).parameters, *(each.name for each in fields(LanguageOptions))}
    assert {*OPTIONS, *tested_below} - of_cells == taken - {"options", "codecs", "name"}


def test_a_model_in_training_mode_is_measured_without_dropout() -> None:
    data = story()
    made = model(data, dropout=0.5)
    losses = [made.train(mode).evaluate(data, "val").loss for mode in (True, False)]
    assert losses[0] == losses[1]


def test_ngrams_beside_a_recurrence_change_what_it_predicts_and_not_what_it_learns(tmp_path: Path) -> None:
    fit = {"limit_train_batches": 3}
    alone, mixed = (fitted(fit=fit, **options) for options in ({}, {"counts": 0.5, "order": 3}))
    assert same([*alone.neural.parameters()], [*mixed.neural.parameters()])
    data = story()
    assert mixed.evaluate(data, "val").loss < alone.evaluate(data, "val").loss
    found = mixed.inspect(lambda: data, num_steps=5)
    assert torch.equal(found.gradients, alone.inspect(lambda: data, num_steps=5).gradients)
    trainer(1, **fit).fit(mixed, data)
    mixed.trainer.save_checkpoint(tmp_path / "mixed.ckpt")
    again = load(tmp_path / "mixed.ckpt")
    assert again.generate("the", num_tokens=20) == mixed.eval().generate("the", num_tokens=20)
    with pytest.raises(UserError, match="format onnx holds no n-grams"):
        mixed.export(format="onnx")


def test_what_is_computed_twice_is_learned_as_what_is_kept() -> None:
    fit = {"limit_train_batches": 3, "limit_val_batches": 0}
    kept, twice = (weights(fitted(epochs=1, fit=fit, recompute_every=every)) for every in (None, 4))
    for one, other in zip(kept, twice, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_model_moves_between_backends(cell: str) -> None:
    made = {backend: model(story(), cell=cell, backend=backend) for backend in ("torch", "scan", "reference")}
    ids = torch.randint(10, (4, 20))
    for other in made.values():
        other.load_state_dict(made["torch"].state_dict())
        torch.testing.assert_close(other.eval()(ids)[0], made["torch"].eval()(ids)[0], rtol=0, atol=1e-5)


def test_an_unknown_option_fails() -> None:
    with pytest.raises(TypeError, match="hiden_size"):
        LanguageOptions(hiden_size=3)
    with pytest.raises(UserError, match=r"^unknown option 'hiden_size': did you mean 'hidden_size'\?$"):
        LanguageOptions.from_plain({"hiden_size": 3})


def test_bidirectional_is_refused(refusal: Callable[..., str]) -> None:
    words = "bidirectional does not fit a language model: .* leave out .*, or give --model.backward true .*"
    assert re.fullmatch(words, refusal("fit", "--model.bidirectional", "true"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"l1": -0.5}, "^l1 -0.5 must be at least 0$"),
        ({"hidden_size": 0}, "^hidden_size 0 must be"),
        ({"cell": "gruu"}, "^unknown cell 'gruu'"),
    ],
    ids=str,
)
def test_wrong_options(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        LanguageOptions(**wrong)


@pytest.mark.parametrize("tied", [False, True])
def test_vectors_are_the_rows_of_their_tokens(tied: bool, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("e 1 2 3\nt -0.5 0 0.25\nnever 9 9 9\n")
    data, options = story(), {"embedding_size": 3, "hidden_size": 3, "tied": tied}
    drawn, made = model(data, **options), model(data, vectors=str(tmp_path / "v.txt"), **options)
    assert drawn.network.embedding is not None
    assert made.network.embedding is not None
    e, t = data.codec.vocab.ids("et")
    expected = drawn.network.embedding.weight.detach().clone()
    expected[e], expected[t] = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([-0.5, 0.0, 0.25])
    assert torch.equal(made.network.embedding.weight, expected)
    assert torch.equal(made.network.output.weight, expected if tied else drawn.network.output.weight)
    assert made.loaded == [f"vectors of 2 of {data.vocab_size} tokens from v.txt"]


def test_vectors_need_an_embedding() -> None:
    words = "^vectors need an embedding; give --model.embedding_size, or leave out --model.vectors$"
    with pytest.raises(UserError, match=words):
        LanguageOptions(embedding_size=None, vectors="v.txt")


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, LanguageModel, TextData]:
    data = story()
    made = model(data, cell="lstm", num_layers=2, dropout=0.1, forget_bias=1.0)
    fit = trainer(1)
    fit.fit(made, data)
    fit.save_checkpoint(tmp_path / "a.ckpt")
    return tmp_path / "a.ckpt", made, data


def test_a_checkpoint_holds_plain_values_and_all_that_the_verbs_need(
    saved: tuple[Path, LanguageModel, TextData],
) -> None:
    path, made, data = saved
    checkpoint = torch.load(path, weights_only=True)
    record = checkpoint["seqlab"]
    assert record["format"] == 2
    assert (record["task"], record["model"]) == ("language", "")
    assert record["codecs"] == {"text": data.codec.state()}
    assert record["data"] == data.recipe()
    assert record["corpus"] == "story"
    assert [part.shape for part in record["carry"]] == [(2, 4, 12), (2, 4, 12)]
    kept = checkpoint["hyper_parameters"]
    assert set(kept) == {"model", "options", "optimizer", "lr_scheduler", "lr_interval"}
    assert set(kept["options"]) == {each.name for each in fields(LanguageOptions)} - {"vectors"}
    assert kept["optimizer"] == {"name": "adam", "lr": 0.002}


def test_a_checkpoint_gives_the_model_back(saved: tuple[Path, LanguageModel, TextData]) -> None:
    path, made, data = saved
    loaded = load(path)
    ids = torch.tensor([data.codec.encode("the dog slept")])
    assert not loaded.training
    assert torch.equal(loaded(ids)[0], made.eval()(ids)[0])
    assert loaded.options == made.options
    assert loaded.codec.state() == data.codec.state()
    assert loaded.generate("the dog", num_tokens=30, seed=3) == made.generate("the dog", num_tokens=30, seed=3)


class Save(pl.Callback):
    """Saves after a step, or in the middle of the validation that follows it."""

    def __init__(self, path: Path, step: int, validating: bool) -> None:
        self.path, self.step, self.validating = path, step, validating

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step and not self.validating:
            trainer.save_checkpoint(self.path)

    def on_validation_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step and self.validating:
            trainer.save_checkpoint(self.path)


MOMENTS = [(7, False), (STEPS, False), (STEPS, True), (STEPS + 3, False), (2 * STEPS, True)]


@pytest.fixture(scope="module", params=[0.0, 0.3])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[float, list[Tensor], Path]:
    """The dropout of a run of three epochs, its last weights, and the folder of its checkpoints of all the moments."""
    folder = tmp_path_factory.mktemp("whole")
    saves = [Save(folder / f"{step} {validating}.ckpt", step, validating) for step, validating in MOMENTS]
    made = fitted(epochs=3, fit={"callbacks": [*saves, RandomState()]}, cell="lstm", dropout=request.param)
    return request.param, weights(made), folder


@pytest.mark.parametrize(("step", "validating"), MOMENTS)
def test_a_resumed_run_ends_where_the_whole_one_does(
    step: int, validating: bool, whole: tuple[float, list[Tensor], Path]
) -> None:
    dropout, expected, folder = whole
    data, checkpoint = story(), folder / f"{step} {validating}.ckpt"
    resumed = model(data, seed=5, cell="lstm", dropout=dropout)
    trainer(3, callbacks=[RandomState()]).fit(resumed, data, ckpt_path=checkpoint, weights_only=True)
    assert same(weights(resumed), expected)


def test_a_model_without_data_is_saved_too(tmp_path: Path) -> None:
    made = model(story())
    fit = trainer()
    fit.strategy.connect(made)
    fit.save_checkpoint(tmp_path / "a.ckpt")
    record = read_checkpoint(tmp_path / "a.ckpt")["seqlab"]
    assert (record["codecs"], record["data"], record["carry"]) == (made.codec_states(), None, None)


def test_generate_follows_its_seed() -> None:
    made = model(story())
    one, again, other = (made.generate("the dog", num_tokens=60, temperature=1.0, seed=seed) for seed in (1, 1, 2))
    assert one == again != other
    assert one.startswith("the dog")
    assert len(one) == 67
    torch.manual_seed(99)
    assert made.generate("the dog", num_tokens=60, temperature=1.0, seed=1) == one


@pytest.mark.parametrize("options", [{"temperature": 0.2}, {"top_k": 2}, {"top_p": 0.1}, {"seed": 3}], ids=str)
def test_every_option_of_generate_changes_the_text(options: dict[str, Any]) -> None:
    made = fitted()
    assert made.generate("the dog", num_tokens=60, **options) != made.generate("the dog", num_tokens=60)


def test_generate_at_temperature_zero_is_argmax() -> None:
    made = fitted(epochs=3)
    ids = made.codec.encode("the dog")
    for _ in range(15):
        ids.append(1 + int(made.network(torch.tensor([ids]))[0][0, -1, 1:].argmax()))
    assert made.generate("the dog", num_tokens=15, temperature=0) == made.codec.decode(ids)


def test_generate_gives_a_list_where_a_number_of_samples_is_given() -> None:
    made = model(story())
    alone = [made.generate("the dog", num_tokens=20, seed=seed) for seed in (4, 5)]
    assert made.generate("the dog", num_tokens=20, seed=4, num_samples=2) == alone
    assert made.generate("the dog", num_tokens=20, seed=4, num_samples=1) == alone[:1]


def test_a_mask_reaches_the_loss() -> None:
    data = story()
    made = model(data)
    batch = data.train_dataloader().batches.batch(0, 0)
    longer = TextBatch(
        torch.cat([batch.inputs, torch.zeros(4, 3, dtype=torch.int64)], dim=1),
        torch.cat([batch.targets, torch.zeros(4, 3, dtype=torch.int64)], dim=1),
        (torch.arange(23) < 20).expand(4, -1),
        continues=False,
    )
    plain, padded = made.training_step(batch, 0), made.training_step(longer, 0)
    assert int(padded["count"]) == 80
    torch.testing.assert_close(padded["loss"], plain["loss"], rtol=0, atol=1e-6)


def test_models_name_their_cells() -> None:
    row, codecs = TASKS["language"], story().codecs
    assert set(row.networks) == {*CELLS, "transformer", "mlp", "ngram"}
    assert set(TASKS["translation"].networks) == {*CELLS, "seq2seq", "transformer", "ibm1"}
    for name in CELLS:
        made = row.model(row.networks[name].made({"hidden_size": 3}), codecs, name=name)
        assert type(made.network.recurrent.cell) is type(cell_named(name))


@pytest.mark.parametrize(("dtype", "kept"), [(torch.float64, torch.float64), (torch.bfloat16, torch.float32)])
def test_the_carried_state_is_at_least_float32(dtype: torch.dtype, kept: torch.dtype) -> None:
    given = model(story()).to(dtype)
    ids = torch.zeros(2, 3, dtype=torch.int64)
    given.loss(TextBatch(ids, ids, None, False), "train")
    assert {part.dtype for part in given._carry["train"]} == {kept}


def test_weights_that_are_no_numbers_are_said_wherever_they_are_used() -> None:
    data = story()
    made = model(data)
    with torch.no_grad():
        next(made.network.parameters())[0] = torch.nan
    words = "this model has weights that are no numbers: .* are NaN or infinite; use a checkpoint from before"
    uses: list[Callable[[], Any]] = [
        lambda: made.generate("a"),
        lambda: list(made.predict(["a"])),
        lambda: made.evaluate(data),
        lambda: made.inspect(lambda: data),
        made.export,
    ]
    for use in uses:
        with pytest.raises(UserError, match=words):
            use()
