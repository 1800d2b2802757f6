"""Strings of digits, composed from pictures of single digits; the positions of the digits are not given."""

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from seqlab.data.data_module import DataModule
from seqlab.data.image_corpora import read_digits, read_mnist
from seqlab.data.image_files import Pictures
from seqlab.data.loader import Loader, Shard
from seqlab.data.parts import SPLITS, Split
from seqlab.data.picture_text import as_uri
from seqlab.data.string_batches import (
    EvaluationStrings,
    Layout,
    Signs,
    StringBatch,
    StringBatches,
    Strings,
    training_draw,
)
from seqlab.errors import NoPartError, UserError, nearest
from seqlab.files import user_path
from seqlab.text.labels import Labels
from seqlab.text.strip import Strip

SOURCES = ("mnist", "digits")
LEAST = {"strings": 1, "val_strings": 0, "test_strings": 0, "least_digits": 1, "least_gap": 0, "batch_size": 1}
EVALUATED = 64
"""Strings in an evaluation batch."""
HELD_OUT = 0.1
"""Share of the pictures for validation, and for testing, if the corpus has no such parts."""


class DigitStrings(DataModule):
    """Strings of digits: pictures of single digits side by side with gaps.

    Training, validation and test strings come from separate sets of pictures. The validation and test strings do not
    depend on the seed.

    Args:
        source: Corpus of single digits: mnist (28 x 28 pixels) or digits (8 x 8).
        strings: Training strings in an epoch.
        fresh: Whether each epoch draws new training strings; otherwise all epochs have the same strings.
        val_strings: Number of validation strings.
        test_strings: Number of test strings.
        least_digits: Digits of the shortest string.
        most_digits: Digits of the longest string.
        least_gap: Fewest blank columns between two digits, and at either end; with 0 some touch.
        most_gap: Most blank columns between two digits, and at either end.
        batch_size: Strings in a batch, over all processes.
        root: Folder of the corpora; $SEQLAB_DATA or the user's cache folder if not given.
        seed: Seed of training strings and the order of batches; follows the run's seed if not given.
        codecs: Codecs of image and symbol of a checkpoint, instead of new ones.

    Raises:
        UserError: A value is out of its range, or the pictures show symbols that a checkpoint does not know.
    """

    data_name: ClassVar[str] = "digit_strings"
    of_files: ClassVar[tuple[str, ...]] = ()
    held_out: ClassVar[tuple[str, ...]] = ()
    of_codecs: ClassVar[tuple[str, ...]] = ()
    of_training: ClassVar[tuple[str, ...]] = ("batch_size", "fresh")
    of_limits: ClassVar[tuple[str, ...]] = ("strings",)
    of_splits: ClassVar[tuple[str, ...]] = ()
    whole: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        source: Literal["mnist", "digits"] = "mnist",
        strings: int = 10_000,
        fresh: bool = True,
        val_strings: int = 1_000,
        test_strings: int = 2_000,
        least_digits: int = 3,
        most_digits: int = 7,
        least_gap: int = 0,
        most_gap: int = 8,
        batch_size: int = 32,
        root: str | None = None,
        seed: int = 0,
        codecs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["codecs"])
        _check(self.hparams)
        self.batch_size, self.seed, self.fresh = batch_size, seed, fresh
        self.layout = Layout(least_digits, most_digits, least_gap, most_gap)
        read, name = read_digits() if source == "digits" else read_mnist(user_path(root) if root else None)
        self.corpus_name = name if name == "sample" else f"{name}_strings"
        pictures = _parted(read)
        if codecs is None:
            labels = Labels.build(pictures["train"].labels)
            codecs = {"image": Strip(pictures["train"].pixels.shape[1]), "symbol": labels}
        self._codecs: dict[str, Any] = dict(codecs)
        self.signs: dict[Split, Signs] = {split: self._signs(pictures[split]) for split in SPLITS}
        self._counts: dict[Split, int] = {"train": strings, "val": val_strings, "test": test_strings}
        self._strings: dict[Split, Strings] = {}

    def _signs(self, pictures: Pictures) -> Signs:
        ids, strip = np.array(self.labels.ids(pictures.labels), dtype=np.int64), self._codecs["image"]
        if (ids < 0).any():
            known = "".join(self.labels.names)
            raise UserError(f"pictures of '{self.corpus_name}' show other symbols than the {known} of the checkpoint")
        pixels = pictures.pixels
        if pixels.shape[1] != strip.height:
            pixels = np.stack([strip.scaled(one) for one in pixels])
        return Signs(pixels, ids)

    @property
    def labels(self) -> Labels:
        """The symbols."""
        labels: Labels = self._codecs["symbol"]
        return labels

    @property
    def codecs(self) -> dict[str, Strip | Labels]:
        return self._codecs

    def has(self, split: Split) -> bool:
        """Whether the corpus has such a part."""
        return self._counts[split] > 0

    def strings(self, split: Split) -> Strings:
        """The strings of a part; for the training part those of the first epoch.

        Raises:
            NoPartError: The part is empty.
        """
        if not self.has(split):
            raise NoPartError(f"the corpus '{self.corpus_name}' has no {split} part; give --data.{split}_strings")
        if split not in self._strings:
            draw = training_draw(self.seed, 0, self.fresh) if split == "train" else [0, SPLITS.index(split)]
            self._strings[split] = Strings(self.signs[split], self.layout, self._counts[split], draw)
        return self._strings[split]

    def written(self, split: Split) -> list[str]:
        """The strings of a part as text."""
        names = self.labels.names
        return ["".join(names[one] for one in row) for row in self.strings(split).symbols()]

    def inputs(self, split: Split) -> list[str]:
        strings = self.strings(split)
        return [as_uri(strings.picture(row).T) for row in range(len(strings))]

    def num_items(self) -> int:
        return self._counts["train"]

    def fingerprint(self) -> str:
        said = [*(codec.state() for codec in self._codecs.values()), self.layout, self._counts, self.seed, self.fresh]
        digest = hashlib.sha1(repr(said).encode())
        for split in SPLITS[:2]:
            digest.update(self.signs[split].columns.tobytes())
            digest.update(self.signs[split].labels.tobytes())
        return digest.hexdigest()

    def describe(self) -> str:
        aims = {"train": "to train on", "val": "to validate on", "test": "to test on"}
        each = "new strings an epoch" if self.fresh else "strings"
        words = [f"{self._counts['train']:,} {each} of {len(self.signs['train']):,} digits {aims['train']}"]
        words += [
            f"{self._counts[split]:,} of {len(self.signs[split]):,} others {aims[split]}"
            for split in SPLITS[1:]
            if self.has(split)
        ]
        layout = self.layout
        words += [f"{layout.least} to {layout.most} digits, {layout.least_gap} to {layout.most_gap} columns apart"]
        return ", ".join(words)

    def train_batches(self, shard: Shard) -> StringBatches:
        signs, count = self.signs["train"], self._counts["train"]
        return StringBatches(signs, self.layout, count, self.fresh, self.batch_size, self.seed, shard)

    def evaluation_loader(self, split: Split) -> Loader[StringBatch]:
        """Every string of a part exactly once.

        Raises:
            NoPartError: The part is empty.
        """
        return Loader(EvaluationStrings(self.strings(split), EVALUATED, self.shard()))


def _check(given: Mapping[str, Any]) -> None:
    if given["source"] not in SOURCES:
        raise UserError(f"unknown source '{given['source']}': {nearest(given['source'], SOURCES)}")
    for name, bound in LEAST.items():
        if given[name] < bound:
            raise UserError(f"{name} {given[name]} must be a whole number of at least {bound}")
    for low, high in (("least_digits", "most_digits"), ("least_gap", "most_gap")):
        if given[high] < given[low]:
            raise UserError(f"{high} {given[high]} must be at least {low} {given[low]}")


def _parted(read: Mapping[Split, Pictures]) -> dict[Split, Pictures]:
    """The pictures of each part; missing parts are cut from the training pictures, in a fixed random order."""
    parts, left = dict(read), read["train"]
    for split in SPLITS[1:]:
        if split not in parts:
            order = np.random.default_rng(0).permutation(len(left.labels))
            count = round(HELD_OUT * len(order))
            parts[split], left = (left.at(sorted(rows)) for rows in (order[:count].tolist(), order[count:].tolist()))
    return {**parts, "train": left}
