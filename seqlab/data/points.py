"""Points for regression, rows of numbers with a target: any files, or generated data."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from seqlab.data.columns import Column, Names, listed
from seqlab.data.data_module import DataModule
from seqlab.data.loader import Loader, Shard
from seqlab.data.named import name_of_files
from seqlab.data.parts import SPLITS, Files, HeldOut, Split, files_of
from seqlab.data.points_batches import EveryPoint, Points, PointsBatch, PointsBatches
from seqlab.data.points_files import Kind, PointsLayout, RawPoints, check_targets, kind_of, read_points
from seqlab.data.points_sample import check_generated, generated
from seqlab.errors import UserError, nearest
from seqlab.text.labels import Labels
from seqlab.text.points_codec import PointsCodec
from seqlab.text.series_codec import Scale

EVALUATED = 1024
"""Rows in an evaluation batch."""
LARGEST = 1e100
"""Numbers must be smaller than this, so that products do not overflow."""


class PointsData(DataModule):
    """Rows of numbers with a target, a number or one of two values: CSV or TSV, with or without a line of names.

    Without a file, 1,000 rows are generated from a known model: y = 2 x1 - 3.4 x2 + 4.2 and noise. A row that lacks a
    value is left out. Equal rows always fall into the same part; every part has its share of two target values.

    Args:
        path: File or files of the rows, plain or compressed (.gz, .bz2, .xz); parts without val_path or test_path are
            cut from them.
        val_path: File or files to validate on.
        test_path: File or files to test on.
        target_column: Column to predict, by name or by number from 1; the last column if not given.
        columns: Features, names or numbers separated by commas; every other column of numbers if not given.
        kind: Kind of target: numbers, or two (values); if not given, two for a column with two distinct values.
        encoding: Encoding of the files; if not given, UTF-8, or Latin-1 if that fails.
        scaling: standard (features and a target of numbers by mean and deviation of the training part) or none.
        batch_size: Rows in a batch, over all processes.
        val_fraction: Share of the rows for validation; with folds, of those outside the test fold.
        test_fraction: Share of the rows for testing; not with folds.
        folds: Number of equal folds of the rows; one is the test part.
        fold: Number of the test fold, from 0.
        name_shown: Name of the corpus in reports; that of its file, or of the folder of several, if not given.
        seed: Seed of the order of batches; follows the run's seed if not given.
        codecs: Codecs of the points of a checkpoint, instead of new ones.
    """

    data_name: ClassVar[str] = "points"
    of_codecs: ClassVar[tuple[str, ...]] = ("target_column", "columns", "kind", "scaling")
    of_splits: ClassVar[tuple[str, ...]] = ("val_fraction", "test_fraction", "folds", "fold")
    whole: ClassVar[Mapping[str, Any]] = {**DataModule.whole, "folds": None}

    def __init__(
        self,
        path: Files = None,
        val_path: Files = None,
        test_path: Files = None,
        target_column: Column = None,
        columns: Names = None,
        kind: Literal["numbers", "two"] | None = None,
        encoding: str | None = None,
        scaling: Literal["standard", "none"] = "standard",
        batch_size: int = 16,
        val_fraction: float = 0.1,
        test_fraction: float = 0.2,
        folds: int | None = None,
        fold: int = 0,
        name_shown: str | None = None,
        seed: int = 0,
        codecs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["codecs"])
        if batch_size < 1:
            raise UserError(f"batch_size {batch_size} must be a whole number of at least 1")
        for name, value, known in (("scaling", scaling, ("standard", "none")), ("kind", kind, ("numbers", "two"))):
            if value is not None and value not in known:
                raise UserError(f"unknown {name} '{value}': {nearest(value, known)}")
        held_out = HeldOut(val_fraction, test_fraction, folds, fold, val_path, test_path)
        self.batch_size, self.seed, self._fold = batch_size, seed, (fold, folds)
        of_checkpoint: PointsCodec | None = None if codecs is None else codecs["points"]
        layout = PointsLayout(target_column, listed(columns), encoding)
        if of_checkpoint is not None:
            layout = PointsLayout(of_checkpoint.target, of_checkpoint.columns, encoding)
            kind = "numbers" if of_checkpoint.classes is None else "two"
        read, layout, found = self._find(files_of(path, val_path, test_path), layout, kind)
        self.corpus_name = name_shown or found
        self.left_out, self.unread = sum(one.left_out for one in read.values()), read["train"].unread
        target = str(layout.target)
        if of_checkpoint is None:
            kind = kind_of(read["train"], target, kind)
            classes = [*Labels.build(read["train"].targets).names] if kind == "two" else None
        else:
            classes = of_checkpoint.classes
        for one in read.values():
            check_targets(one, target, classes)
        self._parts = _divided(read, held_out, classes is not None)
        with np.errstate(over="ignore", invalid="ignore"):
            self.codec = of_checkpoint or self._codec(layout, classes, scaling)
            self._scaled = {split: self._points(split) for split in SPLITS}
        self._check_sizes()

    def _find(
        self, files: dict[Split, list[Path]], layout: PointsLayout, kind: Kind | None
    ) -> tuple[dict[Split, RawPoints], PointsLayout, str]:
        """The points of each part that has files of its own, their layout, and the name of the corpus."""
        if "train" not in files:
            if named := next(iter(files), None):
                raise UserError(f"{named}_path names points, and none are there to train on; give --data.path too")
            return {"train": generated(kind)}, check_generated(layout), "generated"
        read: dict[Split, RawPoints] = {}
        for split, paths in files.items():
            read[split], layout = read_points(paths, layout)
        return read, layout, name_of_files(path for paths in files.values() for path in paths)

    def _codec(self, layout: PointsLayout, classes: list[str] | None, scaling: str) -> PointsCodec:
        """The codec, from the training part only."""
        train = self._parts["train"]
        if len(set(train.targets)) < 2:
            raise UserError(
                f"the training part has {len(train.targets)} rows and fewer than two values of '{layout.target}'; give "
                "more rows, or lower --data.val_fraction and --data.test_fraction"
            )
        scale, target_scale = Scale.none(train.features.shape[1]), Scale.none(1)
        if scaling == "standard":
            scale = Scale.of(train.features)
            numbers = None if classes is not None else np.array(train.targets, np.float64)[:, None]
            target_scale = target_scale if numbers is None else Scale.of(numbers)
        assert layout.columns is not None
        order = [*layout.order]
        return PointsCodec([*layout.columns], str(layout.target), order, layout.headed, scale, target_scale, classes)

    @property
    def codecs(self) -> dict[str, PointsCodec]:
        return {"points": self.codec}

    def has(self, split: Split) -> bool:
        return bool(self._parts[split].targets)

    def features(self, split: Split) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The features of a part in units ``(rows, features)``."""
        return self._parts[split].features

    def targets(self, split: Split) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The targets of a part in units ``(rows,)``; 0 and 1 for two values."""
        values = self._parts[split].targets
        if self.codec.classes is not None:
            return np.array([self.codec.classes.index(value) for value in values], np.float64)
        return np.array(values, np.float64)

    def points(self, split: Split) -> Points:
        """The rows of a part in standard scores."""
        return self._scaled[split]

    def _points(self, split: Split) -> Points:
        features = self.codec.scale.scaled(self.features(split))
        targets = self.codec.target_scale.scaled(self.targets(split)[:, None])[:, 0]
        return Points(features.astype(np.float32), targets.astype(np.float32))

    def _check_sizes(self) -> None:
        """Refuses numbers that are too large, or too large for float32 in standard scores."""
        for split, (features, targets) in self._scaled.items():
            scores = np.column_stack([features, targets])
            units = np.column_stack([self.features(split), self.targets(split)])
            fit = (np.isfinite(scores) & (np.abs(units) < LARGEST)).all(0)
            if not fit.all():
                name = [*self.codec.columns, self.codec.target][int(fit.argmin())]
                raise UserError(f"the column '{name}' holds numbers that are too large; give it in larger units")

    def train_batches(self, shard: Shard) -> PointsBatches:
        return PointsBatches(self.points("train"), self.batch_size, self.seed, shard)

    def evaluation_loader(self, split: Split) -> Loader[PointsBatch]:
        """Every row of a part exactly once.

        Raises:
            NoPartError: The part is empty.
        """
        self.check_has(split)
        return Loader(EveryPoint(self.points(split), EVALUATED, self.shard()))

    def inputs(self, split: Split) -> list[str]:
        """The features of each row, separated by commas."""
        return [",".join(map(repr, row)) for row in self.features(split).tolist()]

    def num_items(self) -> int:
        return len(self._parts["train"].targets)

    def fingerprint(self) -> str:
        digest = hashlib.sha1(repr(self.codec.state()).encode())
        for split in SPLITS[:2]:
            digest.update(self.features(split).tobytes() + self.targets(split).tobytes())
        return digest.hexdigest()

    def describe(self) -> str:
        codec, aims = self.codec, {"train": "train", "val": "validate", "test": "test"}
        said = codec.target if codec.classes is None else f"{codec.target} ({' or '.join(codec.classes)})"
        many = "1 feature" if len(codec.columns) == 1 else f"{len(codec.columns)} features"
        words = [
            f"{len(self._parts[split].targets):,}{' rows' if split == 'train' else ''} to {aims[split]} on"
            for split in SPLITS
            if self.has(split)
        ]
        words.append(f"{said} from {many}")
        fold, folds = self._fold
        words += [] if folds is None else [f"fold {fold} (of 0 to {folds - 1}) tests"]
        if self.left_out:
            words.append(f"{self.left_out:,} rows that lack a value left out")
        if self.unread:
            words.append(f"without the columns {', '.join(self.unread)}, which hold no numbers")
        if self.num_items() <= len(codec.columns):
            words.append("fewer rows than weights, so that many fits are equally good")
        return ", ".join(words)


def _divided(read: dict[Split, RawPoints], held_out: HeldOut, stratified: bool) -> dict[Split, RawPoints]:
    """The three parts: parts with files of their own as they are, the others cut from the training rows."""
    whole = read["train"]
    keys = [f"{row} {target}" for row, target in zip(whole.features.tolist(), whole.targets, strict=True)]
    labels = whole.targets if stratified else [""] * len(keys)
    cut = held_out.cut(keys, labels, "rows", read)
    parts = {split: whole.of(np.flatnonzero(cut == number).tolist()) for number, split in enumerate(SPLITS)}
    parts |= {split: rows for split, rows in read.items() if split != "train"}
    held_out.check({split: len(rows.targets) for split, rows in parts.items()}, "rows", read)
    return parts
