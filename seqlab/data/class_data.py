"""Base of classification data, for any kind of item."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from seqlab.data.data_module import DataModule
from seqlab.data.parts import SPLITS, Split
from seqlab.errors import UserError
from seqlab.text.labels import Labels

LISTED = 10
"""Most classes for which a description lists every count."""
EVALUATED = 64
"""Items in an evaluation batch."""


class ClassData(DataModule):
    """Items with one class or several classes each; ``item`` is the noun for one item.

    Attributes:
        separator: Separator between several labels; None if each item has one label.
    """

    item: ClassVar[str]
    of_splits: ClassVar[tuple[str, ...]] = ("val_fraction", "test_fraction", "folds", "fold")
    whole: ClassVar[Mapping[str, Any]] = {**DataModule.whole, "folds": None}
    separator: str | None = None

    @abstractmethod
    def labels(self, split: Split) -> list[str]:
        """The label of each item of a part; several labels are joined by the separator."""

    @property
    def classes(self) -> Labels:
        """The labels of the training part."""
        labels = self.codecs["label"]
        assert isinstance(labels, Labels)
        return labels

    def has(self, split: Split) -> bool:
        """Whether the corpus has such a part."""
        return bool(self.labels(split))

    def num_items(self) -> int:
        return len(self.labels("train"))

    def class_counts(self) -> NDArray[np.int64]:
        """Items of each class in the training part, ``(classes,)``."""
        ids = self.classes.ids(label for labels in self.label_sets("train") for label in labels)
        return np.bincount([row for row in ids if row != Labels.UNSEEN], minlength=self.classes.vocab_size)

    def label_sets(self, split: Split) -> Iterator[list[str]]:
        """The labels of each item of a part."""
        return (separated(label, self.separator) for label in self.labels(split))

    def targets(self, split: Split) -> NDArray[Any]:
        """Ids of the labels ``(items,)`` int64; with several labels ``(items, classes)`` float32 of 0 and 1."""
        if self.separator is None:
            return np.array(self.classes.ids(self.labels(split)), dtype=np.int64)
        targets = np.zeros((len(self.labels(split)), self.classes.vocab_size), dtype=np.float32)
        for row, labels in enumerate(self.label_sets(split)):
            targets[row, [label for label in self.classes.ids(labels) if label != Labels.UNSEEN]] = 1
        return targets

    def label_codec(self, way_out: str) -> Labels:
        """The classes of the training part.

        Args:
            way_out: What to do if there are too few classes, for the message.

        Raises:
            UserError: There are fewer than two classes.
        """
        classes = Labels.build((one for labels in self.label_sets("train") for one in labels), self.separator)
        if len(classes) < (2 if self.separator is None else 1):
            found = f"have the label '{classes.names[0]}'" if len(classes) else "have no label"
            raise UserError(f"all {self.item}s to train on {found}; give {self.item}s of at least two classes{way_out}")
        return classes

    def check_known(self) -> None:
        """Checks that the classes, which may come from a checkpoint, include all labels of the training part.

        Raises:
            UserError: A label is not among them.
        """
        for labels in self.label_sets("train"):
            if unknown := next((label for label in labels if label not in self.classes), None):
                raise UserError(
                    f"the label '{unknown}' is none of the {self.classes.vocab_size} that the checkpoint was trained "
                    f"with; train a new model on these {self.item}s"
                )

    def counted(self) -> list[str]:
        """Number of items and classes in each part, in words."""
        counts, held = self.class_counts(), [split for split in SPLITS[1:] if self.has(split)]
        words = [f"{self.num_items():,} {self.item}s of {len(counts):,} classes to train on"]
        if len(counts) <= LISTED:
            each = zip(self.classes.names, counts, strict=True)
            words[0] += f" ({', '.join(f'{name} {count:,}' for name, count in each)})"
        aims = {"val": "validate", "test": "test"}
        return words + [f"{len(self.labels(split)):,} to {aims[split]} on" for split in held]

    def unknown(self) -> list[str]:
        """Number of held-out items with a label that the training part lacks, in words."""
        words = []
        for split in SPLITS[1:]:
            if unseen := sum(any(one not in self.classes for one in each) for each in self.label_sets(split)):
                words.append(f"{unseen:,} of the {split} {self.item}s with a label that training lacks")
        return words


def separated(labels: str, separator: str | None) -> list[str]:
    """The labels of one item: one label, or with a separator any number."""
    if separator is None:
        return [labels]
    return list(dict.fromkeys(one for part in labels.split(separator) if (one := part.strip())))
