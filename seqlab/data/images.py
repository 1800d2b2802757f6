"""Labelled images for classification: folders of pictures."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from seqlab.data.buckets import Buckets, EvaluationBatches, OnceEach, TrainingBatches, alike
from seqlab.data.class_data import ClassData
from seqlab.data.image_batches import ImageBatch, ImagePart
from seqlab.data.image_files import Pictures, read_folder
from seqlab.data.loader import Loader, Shard
from seqlab.data.named import name_of_files
from seqlab.data.parts import SPLITS, HeldOut, Split
from seqlab.errors import UserError
from seqlab.files import user_path
from seqlab.text.image_codec import ImageCodec
from seqlab.text.labels import Labels

EVALUATED = 500
"""Images in an evaluation batch."""
VIEWS = ("auto", "vector", "image", "rows", "pixels")


class ImageData(ClassData):
    """Any pictures with one class each: a folder with one subfolder per class of PNG, JPEG, BMP or GIF files.

    Equal images always fall into the same part, and every part has its share of each class. Colours become grey levels.

    Args:
        path: Folder of the pictures; parts without val_path or test_path are cut from it.
        val_path: Folder to validate on.
        test_path: Folder to test on.
        image_size: Height and width to scale every picture to; no scaling if not given.
        view: Shape of an image for the network: vector (all pixels at once), image, rows (one row per step), pixels
            (one pixel per step), or auto for the first of these that the model reads.
        permuted: Whether to read the pixels in a random order, the same for all images and runs.
        batch_size: Images in a batch, over all processes.
        val_fraction: Share of the images for validation; with folds, of those outside the test fold.
        test_fraction: Share of the images for testing; not with folds.
        folds: Number of equal folds of the images; one is the test part.
        fold: Number of the test fold, from 0.
        name_shown: Name of the corpus in reports; that of its folder if not given.
        root: Folder of the corpora; $SEQLAB_DATA or the user's cache folder if not given.
        seed: Seed of the order of batches; follows the run's seed if not given.
        codecs: Codecs of image and label of a checkpoint, instead of new ones.
    """

    data_name: ClassVar[str] = "images"
    item: ClassVar[str] = "image"
    of_codecs: ClassVar[tuple[str, ...]] = ("image_size", "view", "permuted")

    def __init__(
        self,
        path: str | None = None,
        val_path: str | None = None,
        test_path: str | None = None,
        image_size: int | None = None,
        view: Literal["auto", "vector", "image", "rows", "pixels"] = "auto",
        permuted: bool = False,
        batch_size: int = 64,
        val_fraction: float = 0.1,
        test_fraction: float = 0.1,
        folds: int | None = None,
        fold: int = 0,
        name_shown: str | None = None,
        root: str | None = None,
        seed: int = 0,
        codecs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["codecs"])
        for name, value in {"image_size": image_size, "batch_size": batch_size}.items():
            if value is not None and not 1 <= value <= 4096:
                raise UserError(f"{name} {value} must be a whole number of 1 to 4,096")
        held_out = HeldOut(val_fraction, test_fraction, folds, fold, val_path, test_path)
        self.batch_size, self.seed = batch_size, seed
        self.root = user_path(root) if root else None
        folders = dict(zip(SPLITS, (path, val_path, test_path), strict=True))
        named: dict[Split, Path] = {split: user_path(name) for split, name in folders.items() if name}
        whole, found = self.find(named, (image_size, image_size) if image_size else None)
        self.corpus_name = name_shown or found
        self._check_sizes(whole, codecs)
        self._parts = _divided(whole, held_out)
        self._codecs: dict[str, Any] = dict(codecs or {})
        if codecs is None:
            self._codecs = {"image": self._image_codec(view, permuted)}
            self._codecs["label"] = self.label_codec("")
        self._notes = [] if folds is None else [f"fold {fold} (of 0 to {folds - 1}) tests"]

    def find(self, folders: dict[Split, Path], size: tuple[int, int] | None) -> tuple[dict[Split, Pictures], str]:
        """The images of each part that has some of its own, and the name of the corpus.

        Raises:
            UserError: No training images were named, or they cannot be read.
        """
        if "train" not in folders:
            raise UserError("--data images needs pictures to train on; name a folder of folders with --data.path")
        return {split: read_folder(one, size) for split, one in folders.items()}, name_of_files([folders["train"]])

    @property
    def image_codec(self) -> ImageCodec:
        """The codec of the images."""
        codec: ImageCodec = self._codecs["image"]
        return codec

    @property
    def codecs(self) -> dict[str, ImageCodec | Labels]:
        return self._codecs

    def labels(self, split: Split) -> list[str]:
        return self._parts[split].labels

    def inputs(self, split: Split) -> list[str]:
        return self._parts[split].names

    def part(self, split: Split) -> ImagePart:
        """The images of a part, and the ids of their labels."""
        return ImagePart(self._parts[split].pixels, self.targets(split))

    def fingerprint(self) -> str:
        digest = hashlib.sha1(repr([codec.state() for codec in self._codecs.values()]).encode())
        for split in SPLITS[:2]:
            digest.update(self._parts[split].pixels.tobytes())
            digest.update(repr(self.labels(split)).encode())
        return digest.hexdigest()

    def describe(self) -> str:
        codec = self.image_codec
        size = f"{codec.height} x {codec.width} pixels" + (" in a random order" if codec.order is not None else "")
        return ", ".join([*self.counted(), size, *self._notes, *self.unknown()])

    def train_batches(self, shard: Shard) -> TrainingBatches[ImageBatch]:
        self.check_known()
        part = self.part("train")
        widths = alike(len(part.labels))
        return TrainingBatches(part, Buckets((widths,), self.batch_size, None, self.seed, shard, "images"))

    def evaluation_loader(self, split: Split) -> Loader[ImageBatch]:
        """Every image of a part exactly once.

        Raises:
            NoPartError: The part is empty.
        """
        self.check_has(split)
        part = self.part(split)
        return Loader(EvaluationBatches(part, OnceEach((alike(len(part.labels)),), EVALUATED, self.shard())))

    def _image_codec(self, view: str, permuted: bool) -> ImageCodec:
        pixels = self._parts["train"].pixels
        height, width = pixels.shape[1:]
        order = np.random.default_rng(0).permutation(height * width).tolist() if permuted else None
        mean, deviation = float(pixels.mean()) / 255, float(pixels.std()) / 255
        return ImageCodec(height, width, view, order, mean, deviation or 1.0)

    @staticmethod
    def _check_sizes(whole: Mapping[Split, Pictures], codecs: Mapping[str, Any] | None) -> None:
        sizes = {part.pixels.shape[1:] for part in whole.values()}
        if codecs is not None:
            sizes.add((codecs["image"].height, codecs["image"].width))
        if len(sizes) > 1:
            said = " and ".join(f"{width} x {height}" for height, width in sorted(sizes))
            raise UserError(
                f"there are images of {said} pixels; give --data.image_size N to scale all of them to N x N"
            )


def _divided(whole: Mapping[Split, Pictures], held_out: HeldOut) -> dict[Split, Pictures]:
    """The three parts: parts with images of their own as they are, the others cut from the training images."""
    train = whole["train"]
    keys = [hashlib.blake2b(image.tobytes(), digest_size=16).hexdigest() for image in train.pixels]
    cut = held_out.cut(keys, train.labels, "images", whole)
    parts = {split: train.at(np.flatnonzero(cut == number).tolist()) for number, split in enumerate(SPLITS)}
    parts |= {split: one for split, one in whole.items() if split != "train"}
    if not parts["train"].labels:
        raise UserError("no image is left to train on; give more images, or lower --data.val_fraction")
    held_out.check({split: len(one.labels) for split, one in parts.items()}, "images", whole)
    return parts
