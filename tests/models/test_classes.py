from pathlib import Path

import pytest
from small_images import data, written

from seqlab.data.labelled import LabelledData
from seqlab.errors import UserError
from seqlab.models.images import ImageClassifier
from seqlab.nn.image_mlp import ImageLinearOptions


def test_items_of_another_kind_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "texts.tsv"
    file.write_text("label\ttext\na\tone\nb\ttwo\n", encoding="utf-8")
    texts = LabelledData(str(file), val_fraction=0.0, test_fraction=0.0, min_freq=1)
    images = data(written(tmp_path / "shapes"))
    made = ImageClassifier(ImageLinearOptions(), images.codecs)
    with pytest.raises(UserError, match="is measured on labelled images; give --data with the name of some"):
        made.evaluate(texts)
    with pytest.raises(UserError, match="errors -1 must be a whole number of at least 0"):
        made.evaluate(images, "train", errors=-1)


def test_the_rarer_classes_weigh_more(tmp_path: Path) -> None:
    folder = written(tmp_path / "shapes")
    for path in [*(folder / "0").glob("*.png")][1:]:
        path.unlink()
    images = data(folder)
    made = ImageClassifier(ImageLinearOptions(class_weights="balanced"), images.codecs)
    from lightning.pytorch import Trainer

    quiet = dict.fromkeys(("enable_checkpointing", "enable_progress_bar", "enable_model_summary", "logger"), False)
    Trainer(max_epochs=1, accelerator="cpu", **quiet).fit(made, images)
    assert made.class_weights.tolist() == pytest.approx([4.0, 0.8, 0.8, 0.8])
