from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from small_images import SIZE, data, written
from torch.optim import Adam

import seqlab
from seqlab.errors import UserError
from seqlab.models import TASKS
from seqlab.models.images import ImageClassifier
from seqlab.options import Options

NETWORKS = TASKS["images"].networks
SMALL: dict[str, Options] = {
    "linear": NETWORKS["linear"].made({}),
    "mlp": NETWORKS["mlp"].made({"hidden_size": 32, "dropout": 0.0}),
    "cnn": NETWORKS["cnn"].made({"channels": [4, 8], "hidden_size": 16, "dropout": 0.0}),
    "resnet": NETWORKS["resnet"].made({"channels": [4, 8], "dropout": 0.0}),
    "gru": NETWORKS["gru"].made({"hidden_size": 16}),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "shapes")


def trainer(epochs: int, **options: Any) -> pl.Trainer:
    quiet: dict[str, Any] = dict.fromkeys(
        ("enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    return pl.Trainer(
        **{**quiet, "logger": False, "accelerator": "cpu", "max_epochs": epochs, "num_sanity_val_steps": 0, **options}
    )


@pytest.mark.parametrize("name", SMALL)
def test_a_few_digits_are_learned(name: str, folder: Path) -> None:
    images = data(folder)
    torch.manual_seed(0)
    made = ImageClassifier(SMALL[name], images.codecs, partial(Adam, lr=0.01))
    trainer(40).fit(made, images)
    report = made.evaluate(images, "train", items=True)
    assert report.accuracy == 1.0
    assert report.items["image"] == images.inputs("train")
    assert [one.label for one in made.predict(images.inputs("train"))] == images.labels("train")


def test_naive_bayes_counts_them(folder: Path) -> None:
    images = data(folder)
    made = ImageClassifier(NETWORKS["naive_bayes"].made({}), images.codecs)
    made.count(images)
    assert made.evaluate(images, "train").accuracy == 1.0


def test_validation_and_evaluation_agree_whatever_the_batches(folder: Path, tmp_path: Path) -> None:
    images = data(folder, val_path=str(written(tmp_path / "val", 3, 7)))
    made, fit = ImageClassifier(SMALL["mlp"], images.codecs), trainer(3)
    fit.fit(made, images)
    report = made.evaluate(images, "val")
    measured = {name: float(value) for name, value in fit.callback_metrics.items()}
    assert measured["val/accuracy"] == pytest.approx(report.accuracy)
    assert measured["val/loss"] == pytest.approx(report.loss, rel=1e-6)
    assert "12 images, each once" in str(report)


def test_a_permutation_changes_nothing_for_a_network_of_vectors_but_the_order(folder: Path) -> None:
    """Naive Bayes, which looks at every pixel by itself, says the same of permuted images."""
    found = []
    for permuted in (False, True):
        images = data(folder, permuted=permuted)
        made = ImageClassifier(NETWORKS["naive_bayes"].made({}), images.codecs)
        made.count(images)
        found.append(made.evaluate(images, "train").loss)
    assert found[0] == found[1]


def test_a_picture_of_another_size_is_scaled(folder: Path, tmp_path: Path) -> None:
    from PIL import Image

    images = data(folder)
    made = ImageClassifier(NETWORKS["naive_bayes"].made({}), images.codecs)
    made.count(images)
    path = tmp_path / "large.png"
    with Image.open(folder / "1" / "0.png") as picture:
        picture.resize((5 * SIZE, 5 * SIZE)).save(path)
    (one,) = made.predict([str(path)])
    assert one.label == "1"
    assert one.image == str(path)
    with pytest.raises(UserError, match=r"cannot read the picture nothere\.png"):
        list(made.predict(["nothere.png"]))


def test_the_verbs_of_a_run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given: Callable[..., Any] = partial(
        seqlab.fit,
        data={"name": "images", "path": str(folder), "batch_size": 8, "val_fraction": 0.2, "test_fraction": 0.2},
        model={"name": "gru", "hidden_size": 12},
        watch="none",
        bar="none",
    )
    given(run="whole", trainer={"max_epochs": 4, "accelerator": "cpu"})
    given(run="half", trainer={"max_epochs": 2, "accelerator": "cpu"})
    last = "lightning_logs/half/checkpoints/last.ckpt"
    seqlab.fit(ckpt_path=last, trainer={"max_epochs": 4, "accelerator": "cpu"})
    weights = [
        torch.load(f"lightning_logs/{run}/checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for run in ("whole", "half")
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert seqlab.evaluate("lightning_logs/whole").count == 4
    found = seqlab.inspect("lightning_logs/whole")
    assert found.gradients.shape == (1, SIZE + 1)
    assert seqlab.export("lightning_logs/whole", output=str(tmp_path / "w.safetensors")).is_file()


@pytest.mark.parametrize("data", [{"name": "digits"}, {"name": "digits", "view": "pixels", "permuted": True}])
def test_counting_is_a_run_like_any_other(
    data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = seqlab.fit(model="naive_bayes", data=data, run="counted", trainer={"accelerator": "cpu"}, watch="none")
    assert seqlab.evaluate(run.checkpoint).accuracy > 0.8


def test_counts_have_no_gradients_to_look_at(folder: Path) -> None:
    images = data(folder)
    made = ImageClassifier(NETWORKS["naive_bayes"].made({}), images.codecs)
    with pytest.raises(UserError, match="holds counts, with no gradients to look at"):
        made.inspect(lambda: images)
