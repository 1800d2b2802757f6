from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_images import SIZE, data, written

from seqlab.data.images import ImageData
from seqlab.data.loader import Shard
from seqlab.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "shapes")


def test_every_image_is_in_one_part_and_every_part_has_each_class(folder: Path) -> None:
    images = data(folder, val_fraction=0.2, test_fraction=0.2)
    names = [name for split in ("train", "val", "test") for name in images.inputs(split)]
    assert sorted(names) == sorted(str(path) for path in folder.rglob("*.png"))
    assert [len(set(images.labels(split))) for split in ("train", "val", "test")] == [4, 4, 4]
    assert images.corpus_name == "shapes"


def test_equal_images_fall_into_the_same_part(folder: Path) -> None:
    for path in [*folder.rglob("*.png")]:
        path.with_name(f"again-{path.name}").write_bytes(path.read_bytes())
    images = data(folder, val_fraction=0.3)
    pixels = {split: {image.tobytes() for image in images.part(split).pixels} for split in ("train", "val")}
    assert not pixels["train"] & pixels["val"]
    assert len(images.labels("val")) == 2 * len(pixels["val"])


def test_folds_test_each_image_once(folder: Path) -> None:
    tested = [name for fold in range(5) for name in data(folder, folds=5, fold=fold).inputs("test")]
    assert sorted(tested) == sorted(str(path) for path in folder.rglob("*.png"))
    with pytest.raises(UserError, match="folds 21 are more than the 20 different images"):
        data(folder, folds=21)


def test_an_epoch_has_every_image_once_and_evaluation_too(folder: Path) -> None:
    images = data(folder)
    batches = images.train_batches(Shard())
    for epoch in (0, 1):
        items = [row for index in range(len(batches)) for row in batches.batch(epoch, index).items.tolist()]
        assert sorted(items) == [*range(20)]
    halves = [images.train_batches(Shard(rank, 2)).batch(1, 0).items.tolist() for rank in (0, 1)]
    assert sorted(halves[0] + halves[1]) == sorted(batches.batch(1, 0).items.tolist())
    assert [row for batch in images.evaluation_loader("train") for row in batch.items.tolist()] == [*range(20)]


def test_the_codec_has_the_scale_of_the_training_part_and_one_order_for_all_runs(folder: Path) -> None:
    images, other = data(folder, permuted=True, seed=1), data(folder, permuted=True, seed=2)
    codec, pixels = images.image_codec, images.part("train").pixels
    assert codec.mean == pytest.approx(pixels.mean() / 255)
    assert codec.deviation == pytest.approx(pixels.std() / 255)
    assert codec.order is not None
    assert sorted(codec.order) == [*range(SIZE * SIZE)]
    assert codec.order == other.image_codec.order
    assert data(folder).image_codec.order is None
    assert "10 x 10 pixels in a random order" in images.describe()


def test_a_checkpoints_codecs_are_kept(folder: Path) -> None:
    images = data(folder)
    again = data(folder, codecs=images.codecs)
    assert again.codecs == images.codecs
    with pytest.raises(UserError, match="images of 6 x 6 and 10 x 10 pixels; give --data.image_size N"):
        data(folder, image_size=6, codecs=images.codecs)


def test_what_decides_training_decides_the_fingerprint(folder: Path) -> None:
    images = data(folder)
    assert images.fingerprint() == data(folder).fingerprint()
    assert images.fingerprint() != data(folder, permuted=True).fingerprint()
    assert images.fingerprint() != data(folder, val_fraction=0.2).fingerprint()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 0}, "image_size 0 must be a whole number of 1 to 4,096"),
        ({"batch_size": 0}, "batch_size 0 must be a whole number of 1 to 4,096"),
        ({"val_fraction": 0.9, "test_fraction": 0.2}, "must be at least 0 and sum below 1"),
        ({"val_fraction": 0.001}, "val_fraction 0.001 of 20 images leaves the val part empty"),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        data(folder, **options)


def test_a_folder_must_be_named() -> None:
    with pytest.raises(UserError, match="needs pictures to train on; name a folder of folders with --data.path"):
        ImageData()


def test_black_images_have_a_scale(tmp_path: Path) -> None:
    from PIL import Image

    for label in "ab":
        (tmp_path / label).mkdir()
        Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / label / "1.png")
    assert data(tmp_path).image_codec.deviation == 1.0
