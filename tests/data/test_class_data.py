from pathlib import Path

import pytest
from small_images import data, written

from seqlab.data.class_data import separated
from seqlab.errors import UserError


def test_several_labels_stand_apart() -> None:
    assert separated("a; b", ";") == ["a", "b"]
    assert separated("a; b", None) == ["a; b"]


def test_classes_and_items_are_counted(tmp_path: Path) -> None:
    images = data(written(tmp_path / "a"), test_path=str(written(tmp_path / "b", 1, 8)))
    assert images.class_counts().tolist() == [5, 5, 5, 5]
    assert images.num_items() == 20
    assert images.has("test")
    assert not images.has("val")
    assert images.counted() == ["20 images of 4 classes to train on (0 5, 1 5, 2 5, 3 5)", "4 to test on"]
    with pytest.raises(UserError, match="has no val part; give --data.val_fraction or --data.val_path"):
        images.evaluation_loader("val")


def test_a_label_that_training_lacks_is_said_and_is_no_class(tmp_path: Path) -> None:
    held_out = written(tmp_path / "b", 1, 8)
    (held_out / "3").rename(held_out / "nine")
    images = data(written(tmp_path / "a"), test_path=str(held_out))
    assert images.targets("test").tolist() == [0, 1, 2, -1]
    assert images.unknown() == ["1 of the test images with a label that training lacks"]


def test_one_class_is_too_few(tmp_path: Path) -> None:
    folder = written(tmp_path / "a")
    for label in "123":
        (folder / label).rename(tmp_path / label)
    with pytest.raises(UserError, match="all images to train on have the label '0'; give images of at least two"):
        data(folder)
