import math
from collections.abc import Callable
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.optim.lr_scheduler import OneCycleLR

from seqlab.fit import main
from seqlab.models.schedules import WarmupCosineLR
from seqlab.runs.checkpoint import read_checkpoint

Command = Callable[..., Any]
Points = list[tuple[int, float]]

EVERY = 7
"""Steps from one entry of the dashboard to the next; an epoch has 77, and there are two."""
TRAIN = ("loss", "perplexity", "lr", "grad_norm", "grad_norm_clipped", "tokens_per_second")


def board(run: Path) -> EventAccumulator:
    read = EventAccumulator(str(run), size_guidance={"scalars": 0, "tensors": 0})
    read.Reload()
    return read


def points(read: EventAccumulator, tag: str) -> Points:
    return [(event.step, event.value) for event in read.Scalars(tag)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small: list[str]) -> Path:
    """A run of two epochs whose gradients are clipped hard."""
    root = tmp_path_factory.mktemp("board")
    log = ["--trainer.log_every_n_steps", str(EVERY), "--trainer.default_root_dir", str(root), "--run", "seen"]
    log += ["--watch", "light", "--data.batch_size", "4", "--data.num_steps", "8"]
    assert main([*small, *log, "--trainer.max_epochs", "2", "--trainer.gradient_clip_val", "0.1"]) == 0
    return root / "lightning_logs" / "seen"


@pytest.fixture(scope="module")
def seen(run: Path) -> EventAccumulator:
    return board(run)


@pytest.mark.parametrize("name", TRAIN)
def test_training_is_logged_every_few_steps(seen: EventAccumulator, name: str) -> None:
    assert [step for step, _ in points(seen, f"train/{name}")] == list(range(EVERY, 2 * 77 + 1, EVERY))


@pytest.mark.parametrize("name", ["loss", "perplexity"])
def test_validation_is_logged_every_epoch(seen: EventAccumulator, name: str) -> None:
    assert [step for step, _ in points(seen, f"val/{name}")] == [77, 2 * 77]


def test_all_values_are_finite_and_all_steps_increase(seen: EventAccumulator) -> None:
    tags = seen.Tags()["scalars"]
    assert {f"train/{name}" for name in TRAIN} <= set(tags)
    for tag in tags:
        steps, values = zip(*points(seen, tag), strict=True)
        assert all(math.isfinite(value) for value in values), tag
        assert all(later > earlier for earlier, later in pairwise(steps)), tag


def test_a_run_begun_anew_draws_over_the_old_curves(small: list[str], here: Path) -> None:
    options = [*small, "--run", "again", "--trainer.log_every_n_steps", str(EVERY)]
    assert main(options) == 0
    assert main([*options, "--trainer.max_steps", "15", "--overwrite"]) == 0
    assert [step for step, _ in points(board(here / "lightning_logs" / "again"), "train/loss")] == [7, 14]


def test_perplexity_is_exp_of_loss(seen: EventAccumulator) -> None:
    for part in ("train", "val"):
        for (_, loss), (_, perplexity) in zip(
            points(seen, f"{part}/loss"), points(seen, f"{part}/perplexity"), strict=True
        ):
            assert perplexity == pytest.approx(math.exp(loss), rel=1e-5)


def test_training_learns(seen: EventAccumulator) -> None:
    losses = [loss for _, loss in points(seen, "train/loss")]
    assert losses[0] < math.log(45) + 0.5
    assert losses[-1] < losses[0] - 0.3


def test_gradient_norms_before_and_after_clipping(seen: EventAccumulator) -> None:
    for (_, norm), (_, clipped) in zip(
        points(seen, "train/grad_norm"), points(seen, "train/grad_norm_clipped"), strict=True
    ):
        assert norm > 0.1
        assert clipped == pytest.approx(0.1, rel=1e-3)


def test_tokens_per_second_are_positive(seen: EventAccumulator) -> None:
    assert all(speed > 0 for _, speed in points(seen, "train/tokens_per_second"))


def test_the_best_checkpoint_is_the_lowest_point(seen: EventAccumulator, run: Path) -> None:
    callbacks = read_checkpoint(run / "checkpoints" / "best.ckpt")["callbacks"].values()
    (score,) = (float(state["best_model_score"]) for state in callbacks if "best_model_score" in state)
    assert min(loss for _, loss in points(seen, "val/loss")) == pytest.approx(score, rel=1e-6)


def test_hparams_hold_what_was_chosen_and_what_was_reached(seen: EventAccumulator) -> None:
    content = seen.PluginTagToContent("hparams")
    started = HParamsPluginData.FromString(content["_hparams_/session_start_info"]).session_start_info.hparams
    chosen = {name: value.string_value or value.number_value for name, value in started.items()}
    assert chosen["model.name"] == "gru"
    assert chosen["corpus"] == "story"
    assert chosen["model.hidden_size"] == 16
    assert chosen["optimizer.lr"] == 0.002
    assert chosen["seed"] == 1
    experiment = HParamsPluginData.FromString(content["_hparams_/experiment"]).experiment
    reached = {info.name.tag for info in experiment.metric_infos}
    assert {info.name for info in experiment.hparam_infos if info.differs} == {
        *("model.name", "data.name", "model.hidden_size", "optimizer.lr")  # TensorBoard puts these first
    }
    assert reached == {
        *("train/loss", "train/perplexity", "val/loss", "val/perplexity"),
        *("watch best so far/val_loss", "watch best so far/val_perplexity"),
    }
    lowest = list(accumulate((loss for _, loss in points(seen, "val/loss")), min))
    assert [value for _, value in points(seen, "watch best so far/val_loss")] == pytest.approx(lowest, rel=1e-6)


def test_no_tag_has_a_single_dot_that_ends_a_run(seen: EventAccumulator) -> None:
    tags = seen.Tags()["scalars"]
    assert "epoch" not in tags
    assert not [tag for tag in tags if tag.startswith(("best/", "final/"))]


def test_groups_of_losses_and_measures_come_first(seen: EventAccumulator) -> None:
    groups = sorted({tag.partition("/")[0] for tag in seen.Tags()["scalars"]})
    assert groups[:2] == ["train", "val"]
    assert all(group.startswith("watch ") for group in groups[2:])


def test_a_chart_of_training_against_validation(seen: EventAccumulator) -> None:
    event = seen.Tensors("custom_scalars__config__")[0]
    layout = Layout.FromString(event.tensor_proto.string_val[0])
    assert [chart.title for chart in layout.category[0].chart] == ["loss", "perplexity"]
    assert list(layout.category[0].chart[0].multiline.tag) == ["train/loss$", "val/loss$"]


def test_what_is_watched_by_default(seen: EventAccumulator, run: Path) -> None:
    tags = seen.Tags()
    for tag in (
        "watch gradient norm by part/recurrent",
        "watch update over weight/output",
        "watch speed/forward in ms",
        "watch speed/GFLOP per second",
    ):
        assert [step for step, _ in points(seen, tag)] == list(range(EVERY, 2 * 77 + 1, EVERY))
    for tag in (
        "watch gradient flow/layer 0, 8 steps back",
        "watch spectral radius/layer 0, update gate",
        "watch gates/layer 0, update gate, open",
        "watch state norm/layer 0",
    ):
        assert len(points(seen, tag)) == 1  # the second validation follows too soon
    assert tags["histograms"] == ["watch gates/layer 0, reset gate", "watch gates/layer 0, update gate"]
    assert tags["images"] == ["watch pictures/gradient flow by lag"]
    assert "embedding/neighbours/text_summary" in tags["tensors"]
    assert (run / "projector_config.pbtxt").is_file()


@pytest.mark.parametrize(("watch", "images"), [("none", []), ("full", ["gates", "gradient flow by lag", "units"])])
def test_watching_less_and_more(watch: str, images: list[str], verb: Command, here: Path, small: list[str]) -> None:
    assert verb("fit", *small, "--watch", watch, "--trainer.log_every_n_steps", "7", "--run", "seen").code == 0
    tags = board(here / "lightning_logs" / "seen").Tags()
    assert sorted(tags["images"]) == [f"watch pictures/{name}" for name in images]
    assert ("watch speed/data in ms" in tags["scalars"]) == (watch == "full")
    assert "train/loss" in tags["scalars"]


def test_text_samples(verb: Command, here: Path, small: list[str], corpora: None) -> None:
    prompted = [word if word != "text" else "time_machine" for word in small]
    place = prompted.index("--data.path")
    del prompted[place : place + 2]
    limits = ["--data.max_tokens", "2000", "--trainer.limit_train_batches", "2", "--run", "spoken"]
    limits += ["--watch", "full"]
    assert verb("fit", *prompted, *limits, "--trainer.max_epochs", "2").code == 0
    read = board(here / "lightning_logs" / "spoken")
    tags = [tag for tag in read.Tags()["tensors"] if tag.startswith("sample/")]
    assert tags == [f"sample/temperature {temperature}/text_summary" for temperature in ("0.5", "0.8", "1")]
    tag = tags[1]
    texts = [event.tensor_proto.string_val[0].decode() for event in read.Tensors(tag)]
    assert [event.step for event in read.Tensors(tag)] == [2, 4]
    assert all(any(prompt in text for prompt in ("time traveller", "the keeper")) for text in texts)
    assert texts[0] != texts[1]


BATCHES, EPOCHS = 4, 3
LR = 0.5


def _cosine(epoch: int) -> float:
    return LR * (1 + math.cos(math.pi * epoch / EPOCHS)) / 2


def _one_cycle() -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    schedule = OneCycleLR(optimizer, max_lr=1.0, total_steps=BATCHES * EPOCHS)
    rates = []
    for _ in range(BATCHES * EPOCHS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def _warm_up() -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    schedule = WarmupCosineLR(optimizer, total_steps=BATCHES * EPOCHS, warmup_steps=3)
    return [LR * schedule.factor(step) for step in range(BATCHES * EPOCHS)]


def per_epoch(*rates: float) -> list[float]:
    return [rate for rate in rates for _ in range(BATCHES)]


SCHEDULES: dict[str, tuple[dict[str, object], list[float]]] = {
    "none": ({}, per_epoch(LR, LR, LR)),
    "steplr": ({"step_size": 2, "gamma": 0.1}, per_epoch(LR, LR, LR / 10)),
    "steplr by step": (
        {"step_size": 6, "gamma": 0.1, "interval": "step"},
        [LR] * 6 + [LR / 10] * 6,
    ),
    "cosineannealinglr": ({"T_max": EPOCHS}, per_epoch(*map(_cosine, range(EPOCHS)))),
    "linearlr": ({"start_factor": 0.5, "total_iters": 2}, per_epoch(LR / 2, LR * 3 / 4, LR)),
    "exponentiallr": ({"gamma": 0.5}, per_epoch(LR, LR / 2, LR / 4)),
    "onecyclelr": ({"max_lr": 1.0}, _one_cycle()),
    "warmupcosinelr": ({"warmup_steps": 3}, _warm_up()),
}


@pytest.mark.parametrize(("case", "form"), [*((case, "argv") for case in SCHEDULES), ("steplr by step", "yaml")])
def test_learning_rate_of_each_step(case: str, form: str, verb: Command, here: Path, small: list[str]) -> None:
    options, expected = SCHEDULES[case]
    name = case.split()[0]
    chosen = {"optimizer": {"name": "sgd", "lr": LR}, "lr_scheduler": {"name": name, **options}}
    if form == "yaml":
        (here / "schedule.yaml").write_text(yaml.safe_dump(chosen))
        words = ["--config", "schedule.yaml"]
    else:
        words = [f"--{group}.{key}={value}" for group, values in chosen.items() for key, value in values.items()]
    limits = ["--trainer.limit_train_batches", str(BATCHES), "--trainer.max_epochs", str(EPOCHS), "--patience", "null"]
    log = ["--trainer.log_every_n_steps", "1", "--run", "rates", "--trainer.limit_val_batches", "1"]
    finished = verb("fit", *small, *words, *limits, *log)
    assert finished.code == 0, finished.err
    logged = points(board(here / "lightning_logs" / "rates"), "train/lr")
    assert [step for step, _ in logged] == list(range(1, BATCHES * EPOCHS + 1))
    assert [rate for _, rate in logged] == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_plateau_lowers_the_rate_when_validation_stands_still(verb: Command, here: Path, small: list[str]) -> None:
    plateau = ["--lr_scheduler", "reducelronplateau", "--lr_scheduler.patience", "0", "--lr_scheduler.factor", "0.1"]
    still = ["--optimizer", "sgd", "--optimizer.lr", "1e-12", "--lr_scheduler.eps", "0", "--patience", "null"]
    limits = ["--trainer.limit_train_batches", "1", "--trainer.max_epochs", "4", "--trainer.log_every_n_steps", "1"]
    assert verb("fit", *small, *plateau, *still, *limits, "--run", "rates").code == 0
    rates = [rate for _, rate in points(board(here / "lightning_logs" / "rates"), "train/lr")]
    assert rates == pytest.approx([1e-12, 1e-12, 1e-13, 1e-14], rel=1e-4)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("--optimizer adam", "--optimizer sgd"),
        ("--optimizer adamw --optimizer.weight_decay 0", "--optimizer adamw --optimizer.weight_decay 9"),
        ("--optimizer sgd --optimizer.lr 1", "--optimizer sgd --optimizer.lr 1 --optimizer.momentum 0.9"),
        ("--trainer.gradient_clip_val 1", "--trainer.gradient_clip_val 0.01 --optimizer sgd"),
        ("--trainer.accumulate_grad_batches 1", "--trainer.accumulate_grad_batches 2"),
        ("--seed 1", "--seed 2"),
        pytest.param("--trainer.precision 32-true", "--trainer.precision bf16-mixed", marks=pytest.mark.slow),
    ],
)
def test_an_option_changes_what_is_learnt(one: str, other: str, verb: Command, here: Path, small: list[str]) -> None:
    limits = ["--trainer.limit_train_batches", "8", "--trainer.limit_val_batches", "1"]
    for name, options in (("one", one), ("other", other), ("again", one)):
        assert verb("fit", *small, *limits, *options.split(), "--run", name).code == 0
    weights = [
        read_checkpoint(here / "lightning_logs" / name / "checkpoints" / "last.ckpt")["state_dict"]
        for name in ("one", "other", "again")
    ]
    first, second, third = (state["network.recurrent.layers.weight_hh_l0"] for state in weights)
    assert torch.equal(first, third)
    assert not torch.equal(first, second)
